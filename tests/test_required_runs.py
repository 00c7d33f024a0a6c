"""A study takes a run that is done only where it was made of what is there today."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from hoego.recipe import Recipe, build
from hoego.runs import leak
from hoego.runs.leak import measure_leak
from hoego.runs.project import open_project
from hoego.runs.records import Record
from hoego.runs.required_runs import StudyRunner
from hoego.runs.train import TrainOptions, prepare

TRAINED = "trained anew"


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "photos"
    root.mkdir()
    for k in range(24):
        pixels = np.random.default_rng(k).integers(0, 255, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"{k:02d}.png")
    table(root, [f"s{k // 2:02d}" for k in range(24)], ["x", "y"] * 12)
    (root / "overlay.csv").write_text("image,attribute,value,reason,source\n")
    return root


def table(root: Path, who: list[str], kind: list[str]) -> None:
    frame = pl.DataFrame({"path": [f"{k:02d}.png" for k in range(24)], "who": who, "kind": kind})
    frame.write_csv(root / "t.csv")


def recipe(root: Path, **changes: Any) -> Recipe:
    dataset = {"root": str(root), "table": "t.csv", "subject": ["who"], "overlay": "overlay.csv"}
    return build({"name": "r", "dataset": dataset, "labels": {"attributes": {"kind": {}}}, **changes})


def done(asked: Recipe, folder: Path, **fields: Any) -> Record:
    """The record of a run as training leaves it."""
    options = TrainOptions(folder=folder, fold=0, audit=False, fields=fields)
    record = prepare(open_project(asked, folder), options)
    record.set_state("done")
    return record


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Log of a study whose training only logs a word."""
    words: list[str] = []

    def train(runner: StudyRunner, asked: Recipe, *, why: str = "") -> Record:
        words.append(TRAINED)
        return done(asked, runner.folder)

    monkeypatch.setattr(StudyRunner, "train", train)
    return words


def test_a_run_of_today_is_taken(photos: Path, tmp_path: Path, said: list[str]) -> None:
    known = done(recipe(photos), tmp_path)
    shop = StudyRunner(folder=tmp_path, log=said.append)
    assert shop.find_or_train(recipe(photos, name="another name")).id == known.id
    assert said == [f"another name: done already ({known.id})"]


def changed(root: Path, what: str) -> None:
    who, kind = [f"s{k // 2:02d}" for k in range(24)], ["x", "y"] * 12
    if what == "dataset":
        (root / "00.png").write_bytes((root / "01.png").read_bytes())
    elif what == "labels":
        (root / "overlay.csv").write_text("image,attribute,value,reason,source\n00.png,kind,y,seen,me\n")
    else:
        table(root, ["s01" if w == "s00" else w for w in who], kind)


@pytest.mark.parametrize("what", ["dataset", "labels", "subjects"])
def test_a_run_of_other_photos_labels_or_subjects_is_not_taken(
    photos: Path, tmp_path: Path, said: list[str], what: str
) -> None:
    known = done(recipe(photos), tmp_path)
    changed(photos, what)
    shop = StudyRunner(folder=tmp_path, log=said.append)
    new = shop.find_or_train(recipe(photos))
    assert new.id != known.id
    assert said[-1] == TRAINED
    assert said[0].startswith(f"r: {known.id} was trained on another ")
    assert ("labels" if what == "labels" else "dataset") in said[0]
    assert shop.find_or_train(recipe(photos)).id == new.id


def test_a_run_on_another_split_is_not_taken(photos: Path, tmp_path: Path, said: list[str]) -> None:
    known = done(recipe(photos), tmp_path)
    known.update(fingerprints={**known.meta.fingerprints, "split": "0" * 16})
    StudyRunner(folder=tmp_path, log=said.append).find_or_train(recipe(photos))
    assert said == [f"r: {known.id} was trained on another split", TRAINED]


def test_an_ensemble_with_the_recipe_of_its_member_is_not_its_run(
    photos: Path, tmp_path: Path, said: list[str]
) -> None:
    done(recipe(photos), tmp_path, kind="ensemble")
    StudyRunner(folder=tmp_path, log=said.append).find_or_train(recipe(photos))
    assert said == [TRAINED]


def test_the_leak_is_not_read_from_runs_of_other_labels(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    monkeypatch.setattr(leak, "compare_promises", lambda *runs: runs)
    shop = StudyRunner(folder=tmp_path, log=said.append)
    first = {r.id for r in measure_leak(recipe(photos), shop)}
    assert {r.id for r in measure_leak(recipe(photos), shop)} == first
    assert said.count(TRAINED) == 2
    changed(photos, "labels")
    assert not first & {r.id for r in measure_leak(recipe(photos), shop)}
    assert said.count(TRAINED) == 4
