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
from hoego.data.load import load
from hoego.errors import MismatchError
from hoego.evaluate.compare import CompareOptions, compare
from hoego.evaluate.score import ScoreOptions, score
from hoego.recipe import Recipe, build
from hoego.runs.loading import dataset_of_all
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


def test_a_subject_of_one_photo_each_shows_no_independence(tmp_path: Path) -> None:
    kinds = ["x", "y", "x", "y"]
    assert not load(table(tmp_path, "t.csv", kinds, ["a", "b", "c", "d"])).subject_shown
    assert load(table(tmp_path, "t.csv", kinds, ["a", "a", "c", "d"])).subject_shown
