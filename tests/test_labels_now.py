"""A list of recorded scores says which of them rest on labels that have changed since, and stays quick."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from hoego.apps.diary import period_of, retrospective, to_markdown
from hoego.data.load import load
from hoego.recipe import Recipe, build
from hoego.runs.recorded_data import keep_first_data
from hoego.runs.records import Record, RunsQuery, RunStore, labels_now, runs
from hoego.runs.records.labels_now import note_changed_labels

KINDS = ["x", "y", "x", "y"]
COLUMNS = ("id", "macro_f1")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path / "cache"))


def table(root: Path, kinds: list[str]) -> Recipe:
    for k in range(len(kinds)):
        pixels = np.random.default_rng(k).integers(0, 255, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"{k}.png")
    rows = {
        "path": [f"{k}.png" for k in range(len(kinds))],
        "who": list("aabbc")[: len(kinds)],
        "kind": kinds,
    }
    pl.DataFrame(rows).write_csv(root / "t.csv")
    dataset = {"root": str(root), "layout": "table", "table": "t.csv", "subject": ["who"]}
    return build({"dataset": dataset, "labels": {"attributes": {"kind": {}}}})


def scored(root: Path, recipe: Recipe) -> Record:
    data = load(recipe)
    prints = {"dataset": data.fingerprint, "labels": data.labels_version}
    record = RunStore(root / "runs").create(recipe.to_dict(), fingerprints=prints, target="kind")
    keep_first_data(record, data)
    score = {"macro_f1": {"value": 0.5}, "honesty": "out-of-fold", "labels_version": data.labels_version}
    record.update(score=score)
    record.set_state("done")
    return record


def marks(root: Path) -> list[Any]:
    found = runs(RunStore(root / "runs"), RunsQuery(columns=COLUMNS))
    # Runs of one second stand in the order of their random ends.
    return sorted(row[found.columns.index("marks")] for row in found.rows)


def test_every_list_says_that_the_labels_changed_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = table(tmp_path, KINDS)
    scored(tmp_path, recipe)
    scored(tmp_path, recipe)
    assert marks(tmp_path) == ["", ""]
    table(tmp_path, ["x", "y", "y", "y"])
    later = scored(tmp_path, recipe)
    said = "labels changed since"
    assert marks(tmp_path) == ["", said, said]
    store = RunStore(tmp_path / "runs")
    assert said in to_markdown(retrospective(store, period_of(today=True)))
    records = sorted(store.list(), key=lambda r: r.id == later.id)
    note_changed_labels(records)
    assert [r.labels_changed for r in records] == [1, 1, 0]
    first = records[0].score
    assert first is not None
    assert first.notes[-1].startswith("1 label has changed since this score was made on the labels ")
    read = records[0].meta.score
    assert read is not None
    assert not read.marks, "what is recorded stays as it is"
    table(tmp_path, KINDS)
    assert marks(tmp_path) == ["", "", said]


def test_an_overlay_of_today_counts_and_new_photos_do_not(tmp_path: Path) -> None:
    recipe = table(tmp_path, KINDS)
    scored(tmp_path, recipe)
    table(tmp_path, [*KINDS, "x"])
    assert marks(tmp_path) == [""]
    (tmp_path / "o.csv").write_text("image,attribute,value,reason,source\n1.png,kind,x,seen,me\n")
    (tmp_path / "hoego.toml").write_text('[dataset]\nroot = "."\noverlay = "o.csv"\n')
    assert marks(tmp_path) == ["labels changed since"]


def test_labels_are_read_again_only_where_their_files_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = table(tmp_path, KINDS)
    for _ in range(3):
        scored(tmp_path, recipe)
    assert marks(tmp_path) == ["", "", ""]
    read: list[Any] = []
    monkeypatch.setattr(labels_now, "read_labels", read.append)
    assert marks(tmp_path) == ["", "", ""]
    assert not read
    (tmp_path / "t.csv").unlink()
    with pytest.raises(AttributeError):
        marks(tmp_path)
    assert len(read) == 1, "once for all records of one data set and labels version"


def test_data_that_cannot_be_read_are_no_reason_to_fail(tmp_path: Path) -> None:
    scored(tmp_path, table(tmp_path, KINDS))
    (tmp_path / "t.csv").write_text("nothing\n")
    assert marks(tmp_path) == [""]
