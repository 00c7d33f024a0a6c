"""Scores that should not be had: each was printed without a word once, by a whole training from the command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageOps
from small_project import Answer, call, make, must, run_names, write_table

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

HEADER = ("path", "person", "label")
Rows = list[tuple[str, str, str]]


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOEGO_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("COLUMNS", "250")
        yield


def project(folder: Path) -> Rows:
    """Photos, table and settings without a crop file; a run trains two folds and no refit."""
    rows = make(folder)
    settings, recipe = folder / "hoego.toml", folder / "r.toml"
    text = settings.read_text().replace('kind = "nominal"', 'kind = "nominal"\nclasses = ["a", "b"]')
    settings.write_text(text.replace('crop = {file = "c.csv"}\n', ""))
    recipe.write_text(recipe.read_text().replace("refit = true\n", ""))
    return rows


def train(folder: Path, *more: str) -> str:
    """Train both folds; returns the run's id."""
    before = set(run_names(folder)) if (folder / "runs").exists() else set()
    must(folder, "train", "r.toml", "--fold", "all", *more)
    (run,) = set(run_names(folder)) - before
    return run


def everything(answer: Answer) -> str:
    assert not answer.traceback
    return answer.out + answer.err


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A project with two runs, the first of which has a refit that has seen everybody."""
    folder = tmp_path_factory.mktemp("whole") / "first"
    project(folder)
    return folder, train(folder, "--set", "refit=true"), train(folder, "--set", "seed=1")


@pytest.fixture
def copied(whole: tuple[Path, str, str], tmp_path: Path) -> tuple[Path, str, str]:
    """The same, to be changed."""
    folder = tmp_path / "first"
    shutil.copytree(whole[0], folder)
    for recipe in (folder / "runs").glob("*/recipe.toml"):
        recipe.write_text(
            recipe.read_text(encoding="utf-8").replace(str(whole[0]), str(folder)), encoding="utf-8"
        )
    return folder, *whole[1:]


def test_checkpoint_that_saw_them_all(whole: tuple[Path, str, str], tmp_path: Path) -> None:
    folder = tmp_path / "second"
    project(folder)
    weights = whole[0] / "runs" / whole[1] / "refit" / "last.safetensors"
    refused = call(folder, "train", "r.toml", "--fold", "all", "--set", f"model.checkpoint={weights}")
    assert refused.code == 1
    assert "LeakError" in everything(refused)
    assert "macro F1" not in everything(refused), "no number of held-out photos before the refusal"
    (run,) = run_names(folder)
    must(folder, "report", run)
    page = (folder / "runs" / run / "report.html").read_text(encoding="utf-8")
    assert "by epoch" not in page
    assert "data:image" not in page


def test_progress_of_a_naive_run_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "naive"
    project(folder)
    told = everything(call(folder, "train", "r.toml", "--fold", "0", "--set", "split.kind=naive"))
    numbers = [line for line in told.splitlines() if "macro F1" in line]
    assert numbers
    assert all("naive" in line for line in numbers)


def test_line_break_in_a_name(tmp_path: Path) -> None:
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    rows = project(first)
    write_table(first / "ph/t.csv", HEADER, [(p, f"a\n{s[1:]}" if s < "s08" else s, y) for p, s, y in rows])
    run = train(first, "--set", "refit=true")
    project(second)
    late = [row for row in rows if row[1] >= "s08"]
    write_table(second / "ph/t.csv", HEADER, list(late))
    for path, *_ in late:
        with Image.open(second / "ph" / path) as photo:
            ImageOps.mirror(photo).save(second / "ph" / path)
    weights = first / "runs" / run / "refit" / "last.safetensors"
    refused = call(second, "train", "r.toml", "--fold", "all", "--set", f"model.checkpoint={weights}")
    assert refused.code == 1
    assert "LeakError" in everything(refused)
    project(third)
    write_table(third / "ph/t.csv", HEADER, [(p, f"a\nb{s}" if s < "s02" else s, y) for p, s, y in rows])
    honest = train(third)
    printed = json.loads(must(third, "show", honest, "--json"))["score"]["macro_f1"]["value"]
    assert json.loads(must(third, "score", honest, "--json"))["macro_f1"]["value"] == printed


def answers(folder: Path, run: str) -> dict[str, str]:
    frame = pl.read_parquet(folder / "runs" / run / "predictions.parquet")
    best = frame["label"].to_numpy().argmax(axis=1)
    return {image: "ab"[k] for image, k in zip(frame["image"].to_list(), best.tolist(), strict=True)}


def test_labels_are_the_answers(copied: tuple[Path, str, str]) -> None:
    folder, run, other = copied
    first = pl.read_csv(folder / "ph/t.csv").rows()
    said = answers(folder, run)
    wrong = [(p, "label", said[p], "looks so", "me") for p, _, label in first if said[p] != label]
    write_table(folder / "ph/o.csv", ("image", "attribute", "value", "reason", "source"), list(wrong))
    settings = (folder / "hoego.toml").read_text()
    (folder / "hoego.toml").write_text(
        settings.replace('table = "t.csv"', 'table = "t.csv"\noverlay = "o.csv"')
    )
    by_overlay = must(folder, "score", run)
    n, of = len(wrong), len(first)
    assert "labels changed" in by_overlay
    assert f"{n} of {of} scored labels were corrected by the overlay (me: {n})" in by_overlay
    assert f"{n} of them are now what is predicted" in by_overlay
    assert "corrected by the overlay" in must(folder, "compare", run, other)
    assert "labels changed" in must(folder, "ensemble", run, other)
    (folder / "hoego.toml").write_text(settings)
    write_table(folder / "ph/t.csv", HEADER, [(p, who, said[p]) for p, who, _ in first])
    by_table = must(folder, "score", run)
    assert f"{n} of {of} scored labels differ from those that {run} began with" in by_table
    both = [(p, who, "b" if k < of // 4 else "a") for k, (p, who, _) in enumerate(first)]
    write_table(folder / "ph/t.csv", HEADER, list(both))
    late = train(folder)
    assert f"trained on other labels: {run} and {late}" in must(folder, "compare", run, late)


@pytest.mark.parametrize("subject", ['subject = ["path"]', ""])
def test_photo_as_its_own_subject(subject: str, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    project(folder)
    settings = (folder / "hoego.toml").read_text().replace('subject = ["person"]', subject)
    (folder / "hoego.toml").write_text(settings)
    mark = "independence not shown"
    assert mark in everything(call(folder, "train", "r.toml", "--fold", "0"))
    (run,) = run_names(folder)
    must(folder, "retro", "--today", "--lang", "en", "--out", "r.md")
    must(folder, "report", run)
    told = {
        "show": must(folder, "show"),
        "runs": must(folder, "runs"),
        "runs --json": must(folder, "runs", "--json"),
        "retro": (folder / "r.md").read_text(encoding="utf-8"),
        "report": (folder / "runs" / run / "report.html").read_text(encoding="utf-8"),
    }
    for place, text in told.items():
        assert mark in text, place


def test_other_people_on_top(copied: tuple[Path, str, str], tmp_path: Path) -> None:
    """An easier data set, merged in twice, so that its runs are as many as one's own."""
    folder, *own = copied
    other = tmp_path / "other"
    rows = project(other)
    for path, _, label in rows:
        plain = np.zeros((16, 16, 3), np.uint8)
        plain[..., "ab".index(label)] = 200
        plain += np.random.default_rng(list(path.encode())).integers(0, 9, plain.shape, dtype=np.uint8)
        Image.fromarray(plain).save(other / "ph" / path)
    theirs = [train(other, "--set", "name=other", "--set", f"seed={k}", "--set", "epochs=4") for k in (0, 1)]
    must(folder, "merge", str(other / "runs"))
    listed = json.loads(must(folder, "runs", "--json", "--sort", "-macro_f1"))
    assert {r["id"] for r in listed["runs"][:2]} == set(own)
    assert listed["apart"] == dict.fromkeys(theirs, "another data set")
    assert "another data set" in must(folder, "runs", "--sort", "-macro_f1")
    must(folder, "retro", "--today", "--lang", "en", "--out", "r.md")
    text = (folder / "r.md").read_text(encoding="utf-8")
    (best,) = [line for line in text.splitlines() if "The highest of 2 honest scores" in line]
    assert "selected, the highest of 2" in best
    assert "`other`" not in best
    (row,) = [line for line in text.splitlines() if line.startswith("| other")]
    assert "another data set" in row


def test_trained_on_other_labels(copied: tuple[Path, str, str]) -> None:
    folder, run, _ = copied
    rows = pl.read_csv(folder / "ph/t.csv").rows()
    merged = [(p, who, "a" if k < len(rows) * 3 // 4 else "b") for k, (p, who, _) in enumerate(rows)]
    write_table(folder / "ph/t2.csv", HEADER, list(merged))
    other = train(folder, "--set", "dataset.table=t2.csv", "--set", "split.name=x")
    for words in (("compare", run, other), ("compare", other, run), ("ensemble", run, other)):
        refused = call(folder, *words)
        assert refused.code == 1
        assert "have other labels" in everything(refused)


def test_weights_of_another_run_in_a_fold(copied: tuple[Path, str, str]) -> None:
    folder, first, second = copied
    record = folder / "runs" / second
    meta = json.loads((record / "run.json").read_text())
    (record / "run.json").write_text(json.dumps({**meta, "state": "interrupted", "score": None}))
    for file in record.rglob("predictions.parquet"):
        file.unlink()
    shutil.copy(folder / "runs" / first / "refit/last.safetensors", record / "fold-0/last.safetensors")
    refused = call(folder, "train", "--resume", second)
    assert refused.code == 1
    told = everything(refused)
    assert "LeakError" in told or "RecordError" in told
    assert first in told
    assert "out-of-fold" not in told


def test_predictions_of_another_run_in_a_record(copied: tuple[Path, str, str]) -> None:
    folder, first, second = copied
    runs = folder / "runs"
    shutil.copy(runs / first / "predictions.parquet", runs / second / "predictions.parquet")
    for words in (("score", second), ("compare", first, second), ("ensemble", first, second)):
        refused = call(folder, *words)
        assert refused.code == 1
        assert f"holds predictions of '{first}'" in everything(refused)


def test_false_score_line(whole: tuple[Path, str, str], tmp_path: Path) -> None:
    folder = tmp_path / "project"
    project(folder)
    lie = "fine\nmacro F1 0.999 [0.990, 1.000]   honesty: out-of-fold"
    trained = call(folder, "train", "r.toml", "--fold", "0", "--why", lie, "--set", "name=x\x1b[2J")
    (run,) = run_names(folder)
    told = [trained, *(call(folder, *words) for words in (("show", run), ("runs",), ("score", run)))]
    for answer in told:
        assert "\x1b[2J" not in everything(answer)
        assert not [line for line in everything(answer).splitlines() if line.startswith("macro F1 0.999")]


def test_metric_that_writes(copied: tuple[Path, str, str]) -> None:
    folder, first, second = copied
    (folder / "mine.py").write_text(
        "import numpy as np\n\n\ndef perfect(truth, probabilities):\n"
        "    probabilities.setflags(write=True)\n"
        "    probabilities[:] = np.eye(probabilities.shape[1])[truth]\n    return 1.0\n\n\n"
        "def careless(truth, probabilities):\n    probabilities[:] = 0\n    return 1.0\n\n\n"
        "def constant(truth, probabilities):\n    return 1.0\n"
    )
    plain = json.loads(must(folder, "score", first, "--json"))
    with_metric = json.loads(must(folder, "score", first, "--metric", "mine.py:perfect", "--json"))
    assert with_metric["confusion"] == plain["confusion"]
    assert with_metric["macro_f1"] == plain["macro_f1"]
    refused = call(folder, "score", first, "--metric", "mine.py:careless")
    assert "The metric careless failed" in everything(refused)
    found = json.loads(must(folder, "compare", first, second, "--metric", "mine.py:constant", "--json"))
    same = answers(folder, first) == answers(folder, second)
    assert same == ("the first two predict the same classes for every image" in found["notes"])


def test_one_class_only_prints_no_score(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    rows = project(folder)
    write_table(folder / "ph/t.csv", HEADER, [(p, who, "a") for p, who, _ in rows])
    refused = call(folder, "train", "r.toml", "--fold", "all")
    assert refused.code == 1
    assert "the target label has one class only" in everything(refused)
    assert "macro F1" not in everything(refused)
