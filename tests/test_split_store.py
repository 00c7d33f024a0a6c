"""A saved split meets a data set that has changed: what has no name is made again, what has one is kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hoego.data.dataset import Dataset
from hoego.data.schema import Attribute, LabelSchema
from hoego.errors import MismatchError, SplitError
from hoego.recipe import SplitSettings
from hoego.split import load, load_or_make, make, path_of, save
from hoego.split.make import default_name

FOLDS = SplitSettings(kind="folds", folds=3)
NAMED = SplitSettings(kind="folds", folds=3, name="paper")


def people(n_subjects: int = 30) -> Dataset:
    """Four photos of each subject."""
    subject = np.repeat(np.arange(n_subjects), 4)
    ids = [f"p{i:04d}" for i in range(len(subject))]
    images = pl.DataFrame(
        {
            "image": ids,
            "path": [f"{i}.png" for i in ids],
            "subject": [f"s{s:03d}" for s in subject],
            "content": pl.Series(np.arange(len(subject), dtype=np.uint64)),
        }
    )
    schema = LabelSchema((Attribute(name="kind", kind="nominal", classes=("a", "b")),), "kind")
    return Dataset(
        root=Path("/nowhere"), schema=schema, images=images, codes=(subject[:, None] % 2).astype(np.int16)
    )


def joined(data: Dataset, fold: np.ndarray) -> Dataset:
    """A subject of the first image's fold and one of another turn out to be one person."""
    names = data.images["subject"].to_list()
    other = names[int(np.flatnonzero(fold != fold[0])[0])]
    found = pl.Series([names[0] if n == other else n for n in names])
    return replace(data, images=data.images.with_columns(subject=found))


def test_a_split_without_a_name_is_made_again_when_subjects_are_joined(tmp_path: Path) -> None:
    data = people()
    before = load_or_make(data, FOLDS, tmp_path)
    changed = joined(data, before.fold)
    after = load_or_make(changed, FOLDS, tmp_path)
    assert after.guarantees.subjects_on_two_sides == 0
    assert after.dataset_fingerprint == changed.fingerprint
    assert after.notes[0].startswith("made again, since")
    assert before.fingerprint in after.notes[0]
    again = load_or_make(changed, FOLDS, tmp_path)
    assert again.fingerprint == after.fingerprint
    assert not again.notes, "said once"


def test_one_with_a_name_is_kept_and_the_error_says_what_to_do(tmp_path: Path) -> None:
    data = people()
    before = load_or_make(data, NAMED, tmp_path)
    with pytest.raises(SplitError, match="are on two sides") as caught:
        load_or_make(joined(data, before.fold), NAMED, tmp_path)
    assert "data set has changed" in caught.value.remedy
    assert "another split.name" in caught.value.remedy
    with pytest.raises(MismatchError, match="other images"):
        load_or_make(people(31), NAMED, tmp_path)
    assert load(path_of("paper", tmp_path), data).fingerprint == before.fingerprint


def test_a_file_that_somebody_changed_is_refused_with_or_without_a_name(tmp_path: Path) -> None:
    data = people()
    for settings in (FOLDS, NAMED):
        load_or_make(data, settings, tmp_path)
        path = path_of(settings.name or default_name(settings), tmp_path)
        table, meta = pl.read_parquet(path), pl.read_parquet_metadata(path)["hoego"]
        moved = table.with_columns(fold=pl.when(pl.col("fold") == 0).then(1).otherwise(0).cast(pl.Int16))
        moved.write_parquet(path, metadata={"hoego": json.dumps(json.loads(meta))})
        with pytest.raises(SplitError):
            load_or_make(data, settings, tmp_path)


def test_what_is_said_of_a_split_cannot_be_changed_either_and_files_of_before_are_read(
    tmp_path: Path,
) -> None:
    data = people()
    path = save(make(data, NAMED), tmp_path)
    table, said = pl.read_parquet(path), json.loads(pl.read_parquet_metadata(path)["hoego"])
    for change in ({"seed": 41}, {"name": "other"}, {"ratio": 0.3}, {"digest": "0" * 32}):
        table.write_parquet(path, metadata={"hoego": json.dumps({**said, **change})})
        with pytest.raises(SplitError, match="changed after it was written"):
            load(path, data)
    without = {k: v for k, v in said.items() if k != "digest"}
    table.write_parquet(path, metadata={"hoego": json.dumps(without)})
    with pytest.raises(SplitError, match="digest of its content is missing"):
        load(path, data)
    table.write_parquet(path, metadata={"hoego": json.dumps({**without, "format": 1})})
    assert load(path, data).seed == said["seed"]
