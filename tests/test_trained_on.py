"""`model.trained_on`: the provenance of a checkpoint from elsewhere by a declaration, and what contradicts it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image
from typer.testing import CliRunner

import hoego
from hoego.cli.main import app
from hoego.data.dataset import Dataset
from hoego.errors import DataError, LeakError, MismatchError, UsageError
from hoego.predictions.declaration import declared
from hoego.runs.outside.export import ExportRequest, export_folds
from hoego.runs.project import ProjectData

TINY: dict[str, Any] = {
    "dataset.size": [16, 16],
    "model": {"name": "hoego_small32", "options": {"width": 0.125, "norm": False}},
    "select.on": "last",
    "epochs": 1,
    "batch_size": 16,
    "precision": "float32",
    "device": "cpu",
    "threads": 1,
    "score.resamples": 100,
}


class Bench:
    """24 patients with two photos each in a folder, and a split of three folds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        rng, rows = np.random.default_rng(0), []
        (folder / "photos").mkdir()
        for i in range(48):
            finding = ("normal", "virus")[i // 2 % 2]
            pixels = rng.integers(30, 150, (16, 16, 3)) + 90 * (finding == "virus")
            Image.fromarray(pixels.astype(np.uint8)).save(folder / "photos" / f"{i:02d}.png")
            rows.append((f"{i:02d}.png", f"p{i // 2:02d}", finding))
        table = folder / "photos" / "table.csv"
        pl.DataFrame(rows, schema=["path", "patient", "finding"], orient="row").write_csv(table)
        self.dataset: Dataset = hoego.load_dataset(table, subject="patient", target="finding")
        self.split = hoego.make_split(self.dataset, folds=3)

    def table(self, fold: int, column: str = "subject", fewer: int = 0) -> Path:
        """A table of what the model of a fold was trained on, without some of it."""
        rows = np.flatnonzero(self.split.train_mask(fold))[fewer:]
        names = (
            self.dataset.subjects[self.dataset.subject_index]
            if column == "subject"
            else self.dataset.image_ids
        )
        file = self.folder / f"{column}-{fold}-{fewer}.csv"
        pl.DataFrame({column: np.unique(names[rows])}).write_csv(file)
        return file

    def evidence(self, *rows: int) -> Path:
        """Evidence of a training that opened these photos."""
        file = self.folder / "seen.json"
        watch = hoego.watch(self.dataset, self.split, 0, to=file)
        watch.start()
        for row in rows:
            self.dataset.paths[row].read_bytes()
        watch.stop()
        return file


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path)


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="inotify is Linux's")


@pytest.mark.parametrize("column", ["subject", "image"])
def test_a_table_becomes_provenance_by_somebodys_word(bench: Bench, column: str) -> None:
    [source] = declared([bench.table(1, column)], bench.dataset, "theirs.pth").sources
    trained = bench.dataset.subject_index[bench.split.train_mask(1)]
    assert np.flatnonzero(source.seen).tolist() == np.unique(trained).tolist()
    assert source.outside == "declared"
    assert source.path == ("theirs.pth, trained outside Hoego on 16 of 24 subjects (by somebody's word)",)


@linux
def test_evidence_alone_is_provenance_that_was_watched(bench: Bench) -> None:
    [source] = declared([bench.evidence(0, 5)], bench.dataset, "theirs.pth").sources
    assert (np.flatnonzero(source.seen).tolist(), source.outside) == ([0, 2], "witnessed")


@linux
def test_a_declaration_that_evidence_contradicts_is_a_leak_that_names_photos(bench: Bench) -> None:
    first, *rest = np.flatnonzero(bench.split.train_mask(0)).tolist()
    files = [bench.table(0, fewer=2), bench.evidence(first, *rest)]
    name = bench.dataset.image_ids[first]
    with pytest.raises(LeakError, match=rf"2 photos were opened .* subject-0-2.csv does not name: '{name}'"):
        declared(files, bench.dataset, "theirs.pth")
    [source] = declared([bench.table(0), files[1]], bench.dataset, "theirs.pth").sources
    assert source.outside == "witnessed"
    with pytest.raises(MismatchError, match="another data set"):
        declared([files[1]], bench.dataset.take(np.arange(40)), "theirs.pth")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("subject\np00\np77\n", r"'p77' is no subject"),
        ("path\n00.png\nxx.png\n", r"'xx.png' \(row 1"),
        ("finding,score\nvirus,1\n", "No column names photos or subjects"),
    ],
)
def test_what_a_table_says_wrong_is_named(bench: Bench, text: str, message: str) -> None:
    (bench.folder / "wrong.csv").write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        declared([bench.folder / "wrong.csv"], bench.dataset, "theirs.pth")
    assert str(caught.value.file).endswith("wrong.csv")


@pytest.mark.torch
class TestTraining:
    """Trainings that start from a checkpoint of another tool."""

    @pytest.fixture
    def theirs(self, bench: Bench) -> Path:
        """Weights of fold 0 without a word of their origin, as another tool leaves them."""
        torch = pytest.importorskip("torch")
        from safetensors.torch import load_file

        run = hoego.train(bench.dataset, bench.split, TINY, fold=0, progress=False, audit=False)
        self.own = run.record.folder / "fold-0" / "last.safetensors"
        torch.save(load_file(self.own), bench.folder / "theirs.pth")
        return bench.folder / "theirs.pth"

    def train(self, bench: Bench, checkpoint: Path, *files: Path, fold: int = 0) -> hoego.Run:
        settings = {**TINY, "model": {**TINY["model"], "checkpoint": str(checkpoint)}}
        settings["model"]["trained_on"] = [str(f) for f in files]
        return hoego.train(bench.dataset, bench.split, settings, fold=fold, progress=False, audit=False)

    def test_scores_from_there_are_declared_and_a_held_out_subject_is_refused(
        self, bench: Bench, theirs: Path
    ) -> None:
        score = self.train(bench, theirs, bench.table(0)).score
        assert score is not None
        assert str(score.honesty) == "declared"
        assert not score.rankable
        assert not any("not provable" in note for note in score.notes)
        # What fold 0 was trained on, fold 1 holds out.
        with pytest.raises(LeakError, match=r"theirs\.pth, trained outside Hoego on 16 of 24 subjects"):
            self.train(bench, theirs, bench.table(0), fold=1)
        # Nothing said: external, as before.
        plain = self.train(bench, theirs).score
        assert plain is not None
        assert "not provable" in " ".join(plain.notes)

    def test_weights_that_know_more_than_is_declared_are_refused(self, bench: Bench, theirs: Path) -> None:
        with pytest.raises(LeakError, match=r"have seen 1 subjects that model.trained_on does not name: 'p"):
            self.train(bench, self.own, bench.table(0, fewer=2))
        score = self.train(bench, self.own, bench.table(0)).score
        assert score is not None
        assert str(score.honesty) == "declared"

    def test_the_command_takes_the_table(self, bench: Bench, theirs: Path) -> None:
        (bench.folder / "hoego.toml").write_text(
            '[dataset]\nroot = "photos"\nlayout = "table"\ntable = "table.csv"\nsubject = ["patient"]\n'
            "size = [16, 16]\n"
            '[labels]\ntarget = "finding"\n[split]\nkind = "folds"\nfolds = 3\n[score]\nresamples = 100\n'
        )
        (bench.folder / "r.toml").write_text(
            'epochs = 1\ndevice = "cpu"\nthreads = 1\n[select]\non = "last"\n[model]\nname = "hoego_small32"\n'
            'checkpoint = "theirs.pth"\noptions = { width = 0.125, norm = false }\n'
        )
        (bench.folder / "plain.toml").write_text('epochs = 1\n[model]\nname = "hoego_small32"\n')
        words = ["train", "r.toml", "--fold", "0", "--trained-on", os.path.basename(bench.table(0))]
        ran = CliRunner().invoke(app, words, catch_exceptions=False)
        assert ran.exit_code == 0, ran.output
        assert "declared" in ran.output
        with pytest.raises(UsageError, match="there is none"):
            CliRunner().invoke(app, ["train", "plain.toml", *words[2:]], catch_exceptions=False)


@pytest.mark.torch
def test_an_export_carries_the_weights_of_each_fold_and_no_others(bench: Bench) -> None:
    pytest.importorskip("torch")
    import timm

    recipe = {**TINY, "model": {"name": "resnet10t"}, "dataset.size": [32, 32]}
    run = hoego.train(bench.dataset, bench.split, recipe, fold="all", progress=False, audit=False)
    project = ProjectData(hoego.load_recipe({}), bench.dataset, bench.split)
    export_folds(project, ExportRequest(to=bench.folder / "out", weights=run.record))
    for k in range(3):
        built = timm.create_model(f"local-dir:{bench.folder}/out/fold-{k}/weights", pretrained=True)
        assert built.num_classes == 2
        names = pl.read_csv(bench.folder / f"out/fold-{k}/trained-on.csv")["subject"].to_list()
        [source] = declared([bench.folder / f"out/fold-{k}/trained-on.csv"], bench.dataset, "x").sources
        assert int(source.seen.sum()) == len(names) == 16
    other = ProjectData(project.recipe, bench.dataset, hoego.make_split(bench.dataset, folds=3, seed=5))
    with pytest.raises(LeakError, match="its starting weights"):
        export_folds(other, ExportRequest(to=bench.folder / "leaky", weights=run.record))
    assert not (bench.folder / "leaky").exists()
