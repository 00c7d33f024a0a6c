"""A run from outside beside one of Hoego's own, by commands: its honesty is right, and no command lifts it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from test_outside_commands import Bench
from typer.testing import CliRunner

import hoego
from hoego.cli.main import app
from hoego.errors import DataError, HoegoError, LeakError, MismatchError, RecordError, UsageError
from hoego.runs.outside.facts import OUTSIDE
from hoego.split import FOLDER, save

RECIPE = """
epochs = 1
device = "cpu"
threads = 1
precision = "float32"
[select]
on = "last"
[model]
name = "hoego_small32"
options = { width = 0.125, norm = false }
"""


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path / "cache"))
    made = Bench(tmp_path)
    made.frame().write_csv("p.csv")
    return made


@pytest.mark.torch
def test_compare_ensemble_and_report_say_the_honesty_of_a_run_from_outside_beside_ours(bench: Bench) -> None:
    pytest.importorskip("torch")
    (bench.root / "r.toml").write_text(RECIPE)
    outside = bench.imported("theirs")
    ours = str(bench.run("train", "r.toml", "--fold", "all", "--set", "name=ours")["run"])

    compared = bench.run("compare", outside, ours)
    assert [s["honesty"] for s in compared["sides"]] == ["declared", "out-of-fold"]
    assert any("trained outside Hoego" in n for n in compared["notes"])
    assert bench.run("ensemble", outside, ours)["honesty"] == "declared"
    assert bench.run("ensemble", outside, ours, "--method", "stack")["honesty"] == "cross-fitted, declared"
    assert CliRunner().invoke(app, ["report", outside], catch_exceptions=False).exit_code == 0
    page = (bench.root / "runs" / outside / "report.html").read_text(encoding="utf-8")
    assert "declared" in page
    assert "somebody&#39;s word" in page

    assert [r.id for r in hoego.runs().ranked()] == [ours]
    assert str(hoego.runs().find(outside).score.honesty) == "declared"


# Ways to pass an in-sample prediction from outside for an honest one. Each is refused by an error, or changes nothing.


def fold_of(bench: Bench, k: int) -> str:
    """A file with the rows of a fold."""
    bench.frame().filter(bench.split.val_mask(k)).write_csv(f"fold-{k}.csv")
    return f"fold-{k}.csv"


def evidence(bench: Bench, k: int, *rows: int) -> Path:
    """Evidence of a training that opened these photos."""
    watch = hoego.watch(bench.dataset, bench.split, k, to=f"seen-{k}.json")
    watch.start()
    for row in rows:
        bench.dataset.paths[row].read_bytes()
    watch.stop()
    return Path(f"seen-{k}.json")


def trained(bench: Bench, k: int) -> list[int]:
    return np.flatnonzero(bench.split.train_mask(k)).tolist()


def every_photo_as_held_out_by_one_fold(bench: Bench) -> tuple[str, ...]:
    return ("p.csv", "--fold", "0")


def the_rows_of_another_fold(bench: Bench) -> tuple[str, ...]:
    return (fold_of(bench, 1), "--fold", "0")


def the_training_photos_by_their_neutral_names(bench: Bench) -> tuple[str, ...]:
    bench.run("folds", "export", "--to", "out")
    names = [p.name for p in Path("out/fold-0/train").rglob("*.png")]
    pl.DataFrame({"path": names, "ring": 0.5, "disc": 0.5}).write_csv("trained.csv")
    return ("trained.csv", "--sealed", "out", "--fold", "0")


def the_photos_that_it_gets_right(bench: Bench) -> tuple[str, ...]:
    frame = bench.frame()
    right = (frame["ring"] > 0.5).to_numpy() == (bench.dataset.target == 1)
    frame.filter(right).write_csv("right.csv")
    return ("right.csv",)


def a_photo_twice_in_the_place_of_a_hard_one(bench: Bench) -> tuple[str, ...]:
    frame = bench.frame()
    pl.concat([frame[1:], frame[1:2]]).write_csv("twice.csv")
    return ("twice.csv",)


def folds_of_another_division(bench: Bench) -> tuple[str, ...]:
    other = hoego.make_split(bench.dataset, folds=3, seed=8)
    bench.frame().with_columns(fold=pl.Series(other.fold)).write_csv("other.csv")
    return ("other.csv",)


def the_held_out_side_of_another_split(bench: Bench) -> tuple[str, ...]:
    other = hoego.make_split(bench.dataset, folds=3, seed=8)
    save(other, bench.root / FOLDER / "other.parquet")
    return (fold_of(bench, 0), "--fold", "0", "--split", "other")


def a_watch_that_saw_held_out_photos(bench: Bench) -> tuple[str, ...]:
    held = int(np.flatnonzero(bench.split.val_mask(0))[0])
    file = evidence(bench, 0, *trained(bench, 0), held)
    return (fold_of(bench, 0), "--fold", "0", "--evidence", str(file))


def a_watch_over_the_training_of_another_fold(bench: Bench) -> tuple[str, ...]:
    file = evidence(bench, 1, *trained(bench, 1))
    return (fold_of(bench, 0), "--fold", "0", "--evidence", str(file))


def evidence_with_the_held_out_photo_taken_out(bench: Bench) -> tuple[str, ...]:
    held = int(np.flatnonzero(bench.split.val_mask(0))[0])
    file = evidence(bench, 0, *trained(bench, 0), held)
    said = json.loads(file.read_text())
    file.write_text(json.dumps({**said, "held_out_opened": []}))
    return (fold_of(bench, 0), "--fold", "0", "--evidence", str(file))


def a_random_split_called_its_own_with_evidence(bench: Bench) -> tuple[str, ...]:
    bench.frame()[::3].write_csv("random.csv")
    return ("random.csv", "--own-split", "--evidence", str(evidence(bench, 0, *trained(bench, 0))))


def predictions_of_every_photo_by_a_split_of_its_own(bench: Bench) -> tuple[str, ...]:
    return ("p.csv", "--own-split")


REFUSED: dict[Callable[[Bench], tuple[str, ...]], tuple[type[HoegoError], str]] = {
    every_photo_as_held_out_by_one_fold: (LeakError, "which its model was trained on"),
    the_rows_of_another_fold: (LeakError, "which its model was trained on"),
    the_training_photos_by_their_neutral_names: (LeakError, "which its model was trained on"),
    the_photos_that_it_gets_right: (MismatchError, "held-out photos have no row"),
    a_photo_twice_in_the_place_of_a_hard_one: (DataError, "occurs twice"),
    folds_of_another_division: (LeakError, "say another fold than the split"),
    the_held_out_side_of_another_split: (LeakError, "which its model was trained on"),
    a_watch_that_saw_held_out_photos: (LeakError, "were opened during the training"),
    a_watch_over_the_training_of_another_fold: (LeakError, "were opened during the training"),
    evidence_with_the_held_out_photo_taken_out: (DataError, "changed after it was written"),
    a_random_split_called_its_own_with_evidence: (UsageError, "no evidence of a watch"),
    predictions_of_every_photo_by_a_split_of_its_own: (HoegoError, "'training' has no image"),
}


@pytest.mark.parametrize("way", REFUSED, ids=lambda f: f.__name__)
def test_an_import_that_cannot_be_held_out_is_refused(bench: Bench, way: Callable[[Bench], Any]) -> None:
    error, words = REFUSED[way]
    words_of_command = ["import", *way(bench), "--name", "theirs"]
    with pytest.raises(error, match=words):
        CliRunner().invoke(app, words_of_command, catch_exceptions=False)
    assert list(hoego.runs()) == []


def another_name_and_tag(record: Path) -> None:
    said = json.loads((record / "run.json").read_text())
    (record / "run.json").write_text(json.dumps({**said, "name": "ours", "tags": ["honest"]}))


def the_kind_of_a_training(record: Path) -> None:
    said = json.loads((record / "run.json").read_text())
    (record / "run.json").write_text(json.dumps({**said, "kind": "run"}))


def out_of_fold_in_the_facts(record: Path) -> None:
    said = json.loads((record / OUTSIDE).read_text())
    (record / OUTSIDE).write_text(json.dumps({**said, "honesty": "out-of-fold"}))


def no_facts_at_all(record: Path) -> None:
    (record / OUTSIDE).unlink()


@pytest.mark.parametrize(
    "edit", [another_name_and_tag, the_kind_of_a_training, out_of_fold_in_the_facts, no_facts_at_all]
)
def test_an_edit_of_the_record_does_not_lift_the_honesty(bench: Bench, edit: Callable[[Path], None]) -> None:
    run = bench.imported("theirs")
    edit(bench.root / "runs" / run)
    assert bench.run("score", run)["honesty"] == "declared"
    assert hoego.runs().ranked() == []


def test_a_mark_taken_out_of_the_predictions_or_the_score_is_noticed(bench: Bench) -> None:
    run = bench.imported("theirs")
    scored, file = (bench.root / "runs" / run / name for name in ("score.json", "predictions.parquet"))
    plain = scored.read_text()
    scored.write_text(plain.replace('"declared"', '"out-of-fold"'))
    with pytest.raises(RecordError, match="changed after"):
        hoego.runs().find(run).score  # noqa: B018
    scored.write_text(plain)
    about = json.loads(pl.read_parquet_metadata(file)["hoego"])
    for source in about["provenance"]["sources"]:
        source["outside"] = ""
    pl.read_parquet(file).write_parquet(file, metadata={"hoego": json.dumps(about)})
    with pytest.raises(RecordError, match="changed after"):
        CliRunner().invoke(app, ["score", run], catch_exceptions=False)
