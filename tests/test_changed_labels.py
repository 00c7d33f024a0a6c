"""Labels that were corrected or that differ between runs are said beside every score, or refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from scored_people import people, predict

from hoego.data.dataset import LabelCorrection
from hoego.data.label_changes import changed_labels, label_table
from hoego.data.load import load
from hoego.errors import MismatchError, RecordError
from hoego.evaluate.compare import CompareOptions, compare
from hoego.evaluate.diagnose import diagnose
from hoego.evaluate.ensemble import EnsembleOptions, ensemble
from hoego.evaluate.score import ScoreOptions, score
from hoego.recipe import Recipe, build
from hoego.report import render
from hoego.runs.loading import dataset_of, dataset_of_all
from hoego.runs.recorded_data import keep_first_data
from hoego.runs.records import Record, RunStore

FAST = ScoreOptions(resamples=200)


def test_every_score_says_how_many_labels_an_overlay_gave_and_from_whom() -> None:
    dataset = people(40)
    run = predict(dataset)
    name = dataset.schema.names[0]
    value = dataset.schema.attribute(name).classes[0]
    given = [
        LabelCorrection(image=str(image), attribute=name, value=value, reason="seen", source=source)
        for image, source in zip(run.images[:3], ("me", "me", ""), strict=True)
    ]
    corrected = replace(dataset, corrections=tuple(given))
    said = [n for n in score(run, corrected, FAST).notes if "corrected by the overlay" in n]
    assert said == [
        f"3 of {len(run.images) * dataset.schema.n_attributes:,} scored labels were corrected by the overlay "
        "(me: 2, no source: 1)"
    ]
    both = [run, predict(dataset, seed=1, name="other")]
    assert said[0] in compare(both, corrected, CompareOptions(resamples=200)).notes


def table(root: Path, name: str, kinds: list[str], who: list[str]) -> Recipe:
    for k in range(len(kinds)):
        pixels = np.random.default_rng(k).integers(0, 255, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"{k}.png")
    paths = [f"{k}.png" for k in range(len(kinds))]
    pl.DataFrame({"path": paths, "who": who, "kind": kinds}).write_csv(root / name)
    dataset = {"root": str(root), "layout": "table", "table": name, "subject": ["who"]}
    return build({"dataset": dataset, "labels": {"attributes": {"kind": {}}}})


def recorded(root: Path, recipe: Recipe) -> Record:
    data = load(recipe)
    prints = {"dataset": data.fingerprint, "labels": data.labels_version}
    return RunStore(root / "runs").create(recipe.to_dict(), state="done", fingerprints=prints)


def test_runs_whose_tables_give_other_labels_are_refused_in_either_order(tmp_path: Path) -> None:
    who = ["a", "a", "b", "b"]
    one = recorded(tmp_path, table(tmp_path, "t.csv", ["x", "y", "x", "y"], who))
    two = recorded(tmp_path, table(tmp_path, "t2.csv", ["x", "y", "y", "x"], who))
    for records in ([one, two], [two, one]):
        with pytest.raises(MismatchError, match="2 of 4 target labels of the same photos differ"):
            dataset_of_all(records)
    assert dataset_of_all([one, one]).n_images == 4


def test_labels_that_changed_since_a_run_began_are_counted_whoever_changed_them() -> None:
    dataset = people(40)
    run, other = predict(dataset, name="a"), predict(dataset, seed=1, name="b")
    codes = dataset.codes.copy()
    codes[:, 0] = run.probabilities(dataset.schema.names[0]).argmax(axis=1)
    n = int((codes != dataset.codes).sum())
    first = label_table(dataset)
    now = replace(dataset, codes=codes, first_labels={"a": first})
    text = (
        f"{n:,} of {codes.size:,} scored labels differ from those that a began with; "
        f"{n:,} of them are now what is predicted"
    )
    assert n
    assert text in score(run, now, FAST).notes
    assert text in diagnose(run, now).notes
    assert not [t for t in score(other, now, FAST).notes if "differ" in t]
    both = replace(now, first_labels={"a": first, "b": label_table(now)})
    apart = f"trained on other labels: a and b began with labels of which {n:,} of {codes.size:,} differ"
    for runs in ([run, other], [other, run]):
        assert {text, apart} <= {*compare(runs, both, CompareOptions(resamples=200)).notes}
        assert apart in ensemble(runs, both, EnsembleOptions(resamples=200)).score.notes
    unknown = score(run, replace(now, first_labels={"a": None}), FAST).notes
    assert "the labels are not those that a began with; how many differ is not recorded" in unknown


def test_a_record_keeps_the_labels_that_its_run_began_with(tmp_path: Path) -> None:
    recipe = table(tmp_path, "t.csv", ["x", "y", "x", "y"], ["a", "a", "b", "b"])
    record = recorded(tmp_path, recipe)
    keep_first_data(record, load(recipe))
    table(tmp_path, "t.csv", ["x", "y", "y", "y"], ["a", "a", "b", "b"])
    now = dataset_of(record)
    assert changed_labels(now.first_labels[record.id], label_table(now)).ravel().tolist() == [
        False, False, True, False,
    ]  # fmt: skip
    path = record.folder / "labels.parquet"
    kept, said = pl.read_parquet(path), pl.read_parquet_metadata(path)["hoego"]
    kept.with_columns(pl.col("label kind").reverse()).write_parquet(path, metadata={"hoego": said})
    with pytest.raises(RecordError, match="changed after it was written"):
        dataset_of(record)
    (record.folder / "labels.parquet").unlink()
    now = dataset_of(record)
    assert now.first_labels == {record.id: None}
    (record.folder / "labels.parquet").write_text("no table")
    with pytest.raises(RecordError, match="not readable") as caught:
        dataset_of(record)
    assert "left out: " in (page := render(record, without=str(caught.value)))
    assert "labels.parquet" in page


def test_a_subject_of_one_photo_each_shows_no_independence(tmp_path: Path) -> None:
    kinds = ["x", "y", "x", "y"]
    assert not load(table(tmp_path, "t.csv", kinds, ["a", "b", "c", "d"])).subject_shown
    assert load(table(tmp_path, "t.csv", kinds, ["a", "a", "c", "d"])).subject_shown
