"""`hoego import` and what reads its records: runs, show, compare, diagnose, ensemble, report, submit, retro."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image
from scored_people import logits
from typer.testing import CliRunner

from hoego.cli.main import app
from hoego.data.dataset import Dataset
from hoego.errors import HoegoError, LeakError
from hoego.predictions import softmax
from hoego.recipe import resolve
from hoego.runs.project import open_project
from hoego.runs.records import RunStore
from hoego.split import Split

SHAPES = ("disc", "ring")


class Bench:
    """A project of 24 people with three photos each, and the command line in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        rows = []
        for i in range(72):
            name = f"{i:03d}.png"
            Image.new("RGB", (6, 6), (i, 255 - i, 3 * i % 251)).save(root / name)
            rows.append((name, f"p{i // 3:02d}", SHAPES[(i // 3 + i) % 2]))
        pl.DataFrame(rows, schema=["path", "who", "shape"], orient="row").write_csv(root / "photos.csv")
        (root / "hoego.toml").write_text(
            '[dataset]\nlayout = "table"\ntable = "photos.csv"\nsubject = ["who"]\nsize = [8, 8]\n'
            '[labels]\ntarget = "shape"\n[split]\nkind = "folds"\nfolds = 3\n[score]\nresamples = 100\n'
            '[submission]\ninfo = "test/info.csv"\nimage = "id"\nanswer = "shape"\n'
        )
        project = open_project(resolve({}, project=root / "hoego.toml"), root)
        self.dataset: Dataset = project.dataset
        self.split: Split = project.split

    def frame(self, seed: int = 0, error: float = 0.2) -> pl.DataFrame:
        """What a model trained outside says of every photo, by fold."""
        z = logits(self.dataset.target, 2, error, self.dataset.subject_index, seed=seed)
        p = softmax(z)
        return pl.DataFrame(
            {"path": [f"/other/{i}" for i in self.dataset.image_ids], "ring": p[:, 1], "disc": p[:, 0]}
        )

    def run(self, *words: str) -> dict[str, Any]:
        """Run a command with --json and return what it prints."""
        result = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
        assert result.exit_code in (0, 1), result.output
        out: dict[str, Any] = json.loads(result.stdout)
        return out

    def imported(self, name: str, seed: int = 0) -> str:
        self.frame(seed).write_csv(self.root / f"{name}.csv")
        return str(self.run("import", f"{name}.csv", "--name", name)["run"])


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path / "cache"))
    return Bench(tmp_path)


def test_an_imported_file_is_a_record_of_its_own_kind(bench: Bench) -> None:
    bench.frame().write_csv("p.csv")
    made = bench.run("import", "p.csv", "--name", "theirs", "--why", "their tool is faster", "--tag", "week2")
    record = RunStore(bench.root / "runs").find(made["run"])
    assert record.state == "done"
    assert (record.meta.name, record.meta.why, set(record.meta.tags)) == (
        "theirs", "their tool is faster", {"outside", "week2"},
    )  # fmt: skip
    assert made["score"]["honesty"] == "declared"
    assert made["outside"]["file"] == "p.csv"
    assert "optim" not in record.recipe


def test_every_format_gives_the_same_numbers(bench: Bench) -> None:
    frame = bench.frame()
    frame.write_parquet("a.parquet")
    frame.write_csv("a.tsv", separator="\t")
    values = frame.select("ring", "disc").to_numpy()
    np.savez("a.npz", items=np.array(frame["path"].to_list()), preds=values, vocab=np.array(["ring", "disc"]))
    np.savez(
        "b.npz", images=np.array(bench.dataset.image_ids), logits=np.log(values), classes=["ring", "disc"]
    )
    files = [("a.parquet",), ("a.tsv",), ("a.npz",), ("b.npz", "--logits")]
    values_of = {
        bench.run("import", *words, "--name", words[0])["score"]["macro_f1"]["value"] for words in files
    }
    assert len({round(v, 9) for v in values_of}) == 1


def test_a_fold_alone_is_scored_on_its_photos(bench: Bench) -> None:
    held = bench.split.val_mask(1)
    bench.frame().filter(held).write_csv("fold1.csv")
    made = bench.run("import", "fold1.csv", "--name", "one", "--fold", "1")
    assert made["score"]["n_images"] == int(held.sum())
    assert RunStore(bench.root / "runs").find(made["run"]).fold == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nothing.csv",), "no such file"),
        (("photos.csv",), "'shape' is not a class|have no column"),
        (("p.csv", "--logits"), "are probabilities"),
        (("p.csv", "--fold", "0"), "trained on"),
        (("p.csv", "--split", "elsewhere"), "no such split"),
        (("p.csv", "--new-photos", "test"), "go together"),
    ],
)
def test_a_wrong_file_makes_no_record(bench: Bench, words: tuple[str, ...], message: str) -> None:
    bench.frame().write_csv("p.csv")
    with pytest.raises(HoegoError, match=message):
        CliRunner().invoke(app, ["import", *words], catch_exceptions=False)
    assert RunStore(bench.root / "runs").ids() == []


def test_every_reader_takes_the_record_and_says_its_honesty(bench: Bench) -> None:
    a, b = bench.imported("a"), bench.imported("b", seed=1)
    assert {r["honesty"] for r in bench.run("runs")["runs"]} == {"declared"}
    assert bench.run("show", a)["score"]["honesty"] == "declared"
    found = bench.run("compare", a, b)
    assert [s["honesty"] for s in found["sides"]] == ["declared", "declared"]
    assert any("trained outside Hoego" in n for n in found["notes"])
    assert bench.run("diagnose", a)["honesty"] == "declared"
    made = bench.run("ensemble", a, b, "--method", "stack")
    assert made["honesty"] == "cross-fitted, declared"
    assert CliRunner().invoke(app, ["report", a], catch_exceptions=False).exit_code == 0
    page = (bench.root / "runs" / a / "report.html").read_text(encoding="utf-8")
    assert "somebody&#39;s word" in page
    out = bench.root / "retro.md"
    assert CliRunner().invoke(app, ["retro", "--out", str(out)], catch_exceptions=False).exit_code == 0


def test_it_has_no_recipe_to_train_again(bench: Bench) -> None:
    run = bench.imported("a")
    for words in (("train", "--resume", run), ("reproduce", run)):
        with pytest.raises(HoegoError, match=r"trained outside Hoego|is done"):
            CliRunner().invoke(app, list(words), catch_exceptions=False)
    with pytest.raises(HoegoError, match=r"hoego import FILE --new-photos"):
        CliRunner().invoke(
            app, ["predict", run, "--on", str(bench.root), "--out", "x.csv"], catch_exceptions=False
        )


def test_a_test_set_predicted_outside_is_handed_in(bench: Bench) -> None:
    run = bench.imported("a")
    photos = bench.root / "test" / "images"
    photos.mkdir(parents=True)
    for i in range(4):
        Image.new("RGB", (6, 6), (9, i, 200)).save(photos / f"t{i}.png")
    names = [f"t{i}.png" for i in range(4)]
    pl.DataFrame({"id": names, "shape": ["disc"] * 4}).write_csv(bench.root / "test" / "info.csv")
    said = pl.DataFrame({"image": names[::-1], "disc": [0.9, 0.1, 0.2, 0.8], "ring": [0.1, 0.9, 0.8, 0.2]})
    said.write_csv("test.csv")
    words = ["import", "test.csv", "--new-photos", "test/images", "--run", run]
    assert CliRunner().invoke(app, words, catch_exceptions=False).exit_code == 0
    bench.run("submit", run, "--out", "answers.csv")
    answers = pl.read_csv("answers.csv")
    assert answers["shape"].to_list() == ["disc", "ring", "ring", "disc"]


@pytest.mark.parametrize("layout", ["imagefolder", "csv", "frame"])
def test_exported_folds_hold_the_two_sides_and_nothing_that_names_a_held_out_label(
    bench: Bench, layout: str
) -> None:
    made = bench.run("folds", "export", "--to", "out", "--layout", layout, "--inner")
    contents = {
        p.read_bytes(): i for p, i in zip(bench.dataset.paths, bench.dataset.image_ids.tolist(), strict=True)
    }
    owner = dict(zip(bench.dataset.image_ids.tolist(), bench.dataset.subject_index.tolist(), strict=True))
    for k in range(3):
        folder = bench.root / "out" / f"fold-{k}"
        found = {
            side: {contents[p.read_bytes()] for p in (folder / side).rglob("*.png")}
            for side in ("train", "inner", "predict")
        }
        assert found["predict"] == set(bench.split.images[bench.split.val_mask(k)].tolist())
        assert set().union(*found.values()) == set(bench.dataset.image_ids.tolist())
        people = {side: {owner[i] for i in images} for side, images in found.items()}
        assert not people["train"] & people["inner"]
        assert not people["predict"] & (people["train"] | people["inner"])
        assert made["folds"][str(k)]["inner"]["images"] == len(found["inner"])
        names = [p.name for p in sorted((folder / "predict").iterdir())]
        assert not [n for n in names if any(i.split(".")[0] in n.split("-")[0] for i in found["predict"])]
    sealed = json.loads((bench.root / "out" / "sealed.json").read_text())
    assert all(side["predict"]["names"] == [] for side in sealed["folds"].values())
    if layout == "csv":
        assert pl.read_csv("out/fold-0/predict.csv").columns == ["path"]
        assert set(pl.read_csv("out/fold-0/train.csv").columns) >= {"path", "shape", "who", "subject"}
    if layout == "imagefolder":
        assert {p.name for p in (bench.root / "out/fold-0/train").iterdir()} == set(SHAPES)


def test_predictions_by_neutral_names_lead_back_to_the_photos(bench: Bench) -> None:
    bench.run("folds", "export", "--to", "out", "--link")
    frame = bench.frame()
    by_content = {p.read_bytes(): row for p, row in zip(bench.dataset.paths, frame.rows(), strict=True)}
    files = [p for k in range(3) for p in (bench.root / "out" / f"fold-{k}" / "predict").iterdir()]
    rows = [(str(p), *by_content[p.read_bytes()][1:]) for p in files]
    pl.DataFrame(rows, schema=["path", "ring", "disc"], orient="row").write_csv("neutral.csv")
    frame.write_csv("plain.csv")
    a = bench.run("import", "neutral.csv", "--name", "a", "--sealed", "out")
    b = bench.run("import", "plain.csv", "--name", "b")
    assert a["score"]["macro_f1"] == b["score"]["macro_f1"]
    with pytest.raises(HoegoError, match=r"is not a photo of the export"):
        CliRunner().invoke(app, ["import", "plain.csv", "--sealed", "out"], catch_exceptions=False)
    train = list((bench.root / "out/fold-0/train").rglob("*.png"))
    rows = [(p.name, 0.5, 0.5) for p in train]
    pl.DataFrame(rows, schema=["path", "ring", "disc"], orient="row").write_csv("trained.csv")
    with pytest.raises(LeakError, match=r"trained on"):
        CliRunner().invoke(
            app, ["import", "trained.csv", "--sealed", "out", "--fold", "0"], catch_exceptions=False
        )


def test_an_export_is_written_whole_into_an_empty_folder_or_not_at_all(bench: Bench) -> None:
    (bench.root / "full").mkdir()
    (bench.root / "full" / "mine.txt").touch()
    with pytest.raises(HoegoError, match="holds something"):
        CliRunner().invoke(app, ["folds", "export", "--to", "full"], catch_exceptions=False)
    bench.dataset.paths[5].unlink()
    with pytest.raises(HoegoError):
        CliRunner().invoke(app, ["folds", "export", "--to", "fresh"], catch_exceptions=False)
    assert not [p for p in bench.root.iterdir() if "fresh" in p.name]


def test_a_tool_s_own_random_split_is_naive_and_its_leak_is_measured(bench: Bench) -> None:
    honest = bench.imported("a")
    frame = bench.frame(seed=1, error=0.02)
    random = frame[np.sort(np.random.default_rng(0).permutation(frame.height)[:20]).tolist()]
    random.write_csv("random.csv")
    made = bench.run("import", "random.csv", "--name", "theirs", "--own-split")
    assert (made["score"]["honesty"], made["score"]["n_images"]) == ("naive", 20)
    assert made["outside"]["split"].startswith("own-")
    found = bench.run("diagnose", honest, "--leak", made["run"])
    assert found["leak"]["low"] < found["leak"]["value"] < found["leak"]["high"]
    assert found["naive"]["run"] == made["run"]
    with pytest.raises(HoegoError, match="between a run on a photo-level split and one that holds out"):
        CliRunner().invoke(app, ["diagnose", made["run"], "--leak", honest], catch_exceptions=False)
    with pytest.raises(HoegoError, match="split"):
        CliRunner().invoke(app, ["compare", honest, made["run"]], catch_exceptions=False)


def test_a_tool_s_own_split_by_subject_is_a_holdout(bench: Bench) -> None:
    bench.frame()[:12].write_csv("four.csv")
    made = bench.run("import", "four.csv", "--own-split")
    assert (made["score"]["honesty"], made["score"]["n_subjects"]) == ("declared", 4)
    bench.frame().write_csv("all.csv")
    for words, message in (
        (("all.csv",), "'training' has no image"),
        (("four.csv", "--fold", "0"), "has no folds"),
    ):
        with pytest.raises(HoegoError, match=message):
            CliRunner().invoke(app, ["import", *words, "--own-split"], catch_exceptions=False)
