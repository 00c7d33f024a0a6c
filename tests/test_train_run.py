"""From a recipe to a record, from a record to predictions: the whole path on a tiny data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from PIL import Image  # noqa: E402
from tiny_training import SIZE, tiny_dataset  # noqa: E402

from hoego.errors import LeakError, RecordError, SplitError, TrainError  # noqa: E402
from hoego.evaluate.score import ScoreOptions  # noqa: E402
from hoego.predictions import Predictions, honesty  # noqa: E402
from hoego.recipe import Recipe, build  # noqa: E402
from hoego.runs.loading import rescore  # noqa: E402
from hoego.runs.predict import PredictOptions, predict  # noqa: E402
from hoego.runs.record_predictions import predictions_of  # noqa: E402
from hoego.runs.records import RunStore  # noqa: E402
from hoego.runs.train import TrainOptions, resume, train  # noqa: E402
from hoego.train.callbacks import Callbacks  # noqa: E402

QUIET = Callbacks(progress=False, measure_seconds=0.05)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny data set as files with a table; and twelve photos without labels."""
    root = tmp_path_factory.mktemp("photos")
    dataset, cache = tiny_dataset()
    for name, pixels in zip(dataset.images["path"].to_list(), cache.array, strict=True):
        Image.fromarray(pixels).save(root / name)
    colours = dataset.schema.attribute("colour").classes
    table = dataset.images.select("path", "subject").with_columns(
        colour=pl.Series([colours[c] for c in dataset.codes[:, 0]]), age=pl.Series(dataset.numbers["age"])
    )
    table.write_csv(root / "train.csv")
    other, unseen = tiny_dataset(seed=5)
    names = [f"new/{n}" for n in reversed(other.images["path"].to_list()[:12])]
    (root / "new").mkdir()
    for name, pixels in zip(names, unseen.array, strict=False):
        Image.fromarray(pixels).save(root / name)
    pl.DataFrame({"path": names}).write_csv(root / "test.csv")
    return root


def recipe(photos: Path, **changes: Any) -> Recipe:
    data: dict[str, Any] = {
        "name": "tiny",
        "dataset": {
            "root": str(photos), "layout": "table", "table": "train.csv", "subject": ["subject"], "size": [SIZE, SIZE],
        },
        "labels": {"attributes": {"colour": {}, "age": {"edges": [30, 60], "classes": ["young", "middle", "old"]}}},
        "split": {"ratio": 0.25},
        "model": {"name": "hoego_small32", "options": {"width": 0.125, "norm": False}},
        "epochs": 2,
        "batch_size": 16,
        "precision": "float32",
        "device": "cpu",
        "threads": 1,
        "score": {"resamples": 200},
    }  # fmt: skip
    return build(data | changes)


def test_record_holds_what_ran(photos: Path, tmp_path: Path) -> None:
    asked = recipe(photos, refit=True)
    result = train(asked, TrainOptions(folder=tmp_path, audit=False), QUIET)
    record = RunStore(tmp_path / "runs").find(result.run)
    assert record.state == "done"
    assert build(record.recipe) == asked
    kept = {p.relative_to(record.folder).as_posix() for p in record.folder.rglob("*") if p.is_file()}
    assert {"split.parquet", "predictions.parquet", "score.json", "refit/last.safetensors"} <= kept
    criteria = ("macro_f1", "accuracy", "loss", "colour", "age")
    assert {f"fold-0/{c}.safetensors" for c in criteria} <= kept
    assert [row["epoch"] for row in record.epochs(0)] == [0, 1]
    said = json.loads(json.dumps(result.to_dict()))
    assert {"value", "low", "high", "level"} <= said["score"]["macro_f1"].keys()
    assert said["score"]["honesty"] == "selected"
    assert said["throughput"]["train_images_per_second"] > 0
    assert said["throughput"]["model_only_images_per_second"] > 0


def test_predictions_of_new_photos_keep_order_and_provenance(photos: Path, tmp_path: Path) -> None:
    result = train(recipe(photos, refit=True), TrainOptions(folder=tmp_path, audit=False), QUIET)
    made = predict(
        tmp_path / "runs", result.run, PredictOptions(on=photos / "test.csv", out=tmp_path / "p.parquet")
    )
    predict(tmp_path / "runs", result.run, PredictOptions(on=photos / "test.csv", out=tmp_path / "p.csv"))
    table = pl.read_csv(tmp_path / "p.csv")
    assert table["path"].to_list() == pl.read_csv(photos / "test.csv")["path"].to_list()
    assert {"composite", "colour", "age"} <= set(table.columns)
    assert made.models == ("refit/last.safetensors",)
    source = Predictions.read(tmp_path / "p.parquet").sources[0]
    assert source.seen.all()  # the refit has seen every subject


def test_held_out_subjects_are_not_seen_and_training_ones_are(photos: Path, tmp_path: Path) -> None:
    from hoego.data.load import load

    asked = recipe(photos, split={"kind": "folds", "folds": 3}, fold="all")
    result = train(asked, TrainOptions(folder=tmp_path, audit=False), QUIET)
    predictions = Predictions.read(result.folder / "predictions.parquet")
    dataset = load(asked)
    assert sorted(predictions.images.tolist()) == sorted(dataset.image_ids.tolist())
    assert not honesty(predictions, dataset).in_sample.any()
    swapped = predictions.with_values(predictions.values, "logits", source=(predictions.source + 1) % 3)
    assert honesty(swapped, dataset).in_sample.any()


def test_last_epoch_is_out_of_fold(photos: Path, tmp_path: Path) -> None:
    result = train(recipe(photos, select={"on": "last"}), TrainOptions(folder=tmp_path, audit=False), QUIET)
    assert result.score is not None
    assert result.score.honesty == "out-of-fold"


def test_stopped_run_goes_on_to_the_same_numbers(photos: Path, tmp_path: Path) -> None:
    whole = train(recipe(photos, refit=True), TrainOptions(folder=tmp_path / "a", audit=False), QUIET)
    asks = iter(range(1000))
    stop = Callbacks(
        should_stop=lambda: "time is up" if next(asks) == 7 else "", progress=False, measure_seconds=0
    )
    part = train(recipe(photos, refit=True), TrainOptions(folder=tmp_path / "b", audit=False), stop)
    record = RunStore(tmp_path / "b" / "runs").find(part.run)
    assert (part.state, record.state, record.reason) == ("interrupted", "interrupted", "time is up")
    resume(record, QUIET)
    for file in ("predictions.parquet",):
        a, b = (Predictions.read(folder / file) for folder in (whole.folder, record.folder))
        for name, values in a.values.items():
            np.testing.assert_array_equal(values, b.values[name])
    with pytest.raises(RecordError, match="is done"):
        resume(record, QUIET)


def test_all_folds_of_a_holdout_is_an_error(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(SplitError, match="all"):
        train(recipe(photos), TrainOptions(folder=tmp_path, fold="all", audit=False), QUIET)
    assert not (tmp_path / "runs").exists()


def test_naive_split_is_marked(photos: Path, tmp_path: Path) -> None:
    asked = recipe(photos, split={"kind": "naive", "ratio": 0.25})
    result = train(asked, TrainOptions(folder=tmp_path, audit=False), QUIET)
    assert result.score is not None
    assert "naive" in result.score.honesty
    assert not result.score.honest


def test_pseudo_labels_teach_and_their_teacher_is_remembered(photos: Path, tmp_path: Path) -> None:
    options = TrainOptions(folder=tmp_path, audit=False)
    teacher = train(recipe(photos, refit=True), options, QUIET)
    file = tmp_path / "teacher.parquet"
    predict(tmp_path / "runs", teacher.run, PredictOptions(on=photos / "test.csv", out=file))
    distilled = {"distill": {"teacher": str(file), "weight": 0.5}}
    asked = recipe(photos, **distilled)
    asked = build({**asked.to_dict(), "dataset": {**asked.to_dict()["dataset"], "unlabelled": "test.csv"}})
    # The teacher is a refit: it has seen the held-out subjects, so nothing that it taught may be scored on them.
    with pytest.raises(LeakError, match="teacher"):
        train(asked, options, QUIET)


def test_pseudo_labels_of_an_honest_teacher(photos: Path, tmp_path: Path) -> None:
    options = TrainOptions(folder=tmp_path, audit=False)
    teacher = train(recipe(photos), options, QUIET)
    file = tmp_path / "teacher.parquet"
    predict(tmp_path / "runs", teacher.run, PredictOptions(on=photos / "test.csv", out=file))
    asked = recipe(photos, distill={"teacher": str(file), "weight": 0.5}, select={"on": "last"})
    asked = build({**asked.to_dict(), "dataset": {**asked.to_dict()["dataset"], "unlabelled": "test.csv"}})
    result = train(asked, options, QUIET)
    (source,) = (found := Predictions.read(result.folder / "predictions.parquet")).sources
    seen = set(found.universe.names[source.seen].tolist())
    assert "unlabelled:new/p0000.png" in seen
    assert result.score is not None
    assert (
        result.score.honesty == "selected"
    )  # the teacher's epoch was chosen on the subjects that are scored
    student = rescore(tmp_path / "runs", result.run, ScoreOptions())
    assert (student.honesty, student.optimism) == ("selected", None), (
        "not what the teacher's choice was worth"
    )


def test_a_run_that_is_scored_again_shows_the_optimism_of_its_candidates(
    photos: Path, tmp_path: Path
) -> None:
    made = train(recipe(photos, split={"ratio": 0.5}), TrainOptions(folder=tmp_path, audit=False), QUIET)
    assert made.score is not None
    assert made.score.optimism is not None
    again = rescore(tmp_path / "runs", made.run, ScoreOptions(resamples=200))
    assert again.optimism == made.score.optimism


@pytest.mark.parametrize("kind", ["holdout", "naive"])
def test_starting_weights_that_have_seen_the_held_out_subjects_are_refused_before_the_first_step(
    photos: Path, tmp_path: Path, kind: str
) -> None:
    options = TrainOptions(folder=tmp_path, audit=False)
    first = train(recipe(photos, refit=True), options, QUIET)
    weights = {"checkpoint": str(first.folder / "refit" / "last.safetensors")}
    asked = recipe(photos)
    asked = build(
        {**asked.to_dict(), "split": {"kind": kind}, "model": {**asked.to_dict()["model"], **weights}}
    )
    rows: list[dict[str, Any]] = []
    with pytest.raises(LeakError, match="its starting weights"):
        train(asked, options, Callbacks(progress=False, measure_seconds=0, on_epoch=rows.append))
    assert rows == []
    (refused,) = RunStore(tmp_path / "runs").list(states=["failed"])
    assert not list(refused.folder.rglob("epochs.jsonl")), "no number of a held-out photo may be kept"


def test_the_progress_of_a_naive_run_says_so(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = recipe(photos)
    asked = build({**asked.to_dict(), "split": {"kind": "naive"}})
    train(asked, TrainOptions(folder=tmp_path, audit=False), Callbacks(measure_seconds=0))
    shown = [line for line in capsys.readouterr().err.splitlines() if "macro F1" in line]
    assert shown
    assert all("(naive)" in line for line in shown)


def two_runs(photos: Path, tmp_path: Path) -> tuple[Any, Any]:
    options = TrainOptions(folder=tmp_path, audit=False)
    made = [train(recipe(photos, refit=True, seed=k), options, QUIET) for k in range(2)]
    store = RunStore(tmp_path / "runs")
    return tuple(store.find(r.run) for r in made)  # type: ignore[return-value]


def test_files_of_another_run_are_refused_where_they_are_read(photos: Path, tmp_path: Path) -> None:
    first, second = two_runs(photos, tmp_path)
    for name in ("predictions.parquet", "fold-0/predictions.parquet"):
        own = (second.folder / name).read_bytes()
        (second.folder / name).write_bytes((first.folder / name).read_bytes())
        with pytest.raises(RecordError, match=f"{first.id}.*not of {second.id}"):
            predictions_of(second, None if "/" not in name else 0)
        (second.folder / name).write_bytes(own)
    assert predictions_of(second, 0).name == second.id


def test_weights_of_another_run_or_of_the_refit_are_neither_resumed_nor_used(
    photos: Path, tmp_path: Path
) -> None:
    first, second = two_runs(photos, tmp_path)
    second.update(state="interrupted", score=None)
    for file in second.folder.rglob("predictions.parquet"):
        file.unlink()
    weights = next(p for p in (second.folder / "fold-0").glob("*.safetensors"))
    for other in (first.folder / "fold-0" / weights.name, second.folder / "refit" / "last.safetensors"):
        for mine in (second.folder / "fold-0").glob("*.safetensors"):
            mine.write_bytes(other.read_bytes())
        with pytest.raises(RecordError, match="not of"):
            resume(second, QUIET)
    assert second.refresh().score is None


def test_weights_that_were_changed_after_they_were_written_are_refused(photos: Path, tmp_path: Path) -> None:
    result = train(recipe(photos, refit=True), TrainOptions(folder=tmp_path, audit=False), QUIET)
    path = result.folder / "refit" / "last.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(TrainError, match="not those that were written"):
        predict(
            tmp_path / "runs", result.run, PredictOptions(on=photos / "test.csv", out=tmp_path / "t.parquet")
        )
