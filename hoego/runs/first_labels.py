"""The labels that a run began with, kept in its record: a score on other labels says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from hoego import files
from hoego.data.dataset import Dataset
from hoego.data.label_changes import IMAGE, label_table
from hoego.errors import RecordError
from hoego.runs.records import Record, RunStore

FIRST_LABELS = "labels.parquet"


def keep_first_labels(record: Record, dataset: Dataset) -> None:
    """Write the labels that a run begins with into its record."""
    with files.writing(record.folder / FIRST_LABELS) as temporary:
        label_table(dataset).write_parquet(temporary)
    if record.meta.fingerprints.get("labels") != dataset.labels_version:
        # A run that waited begins with the labels of the day it starts.
        record.update(fingerprints={**record.meta.fingerprints, "labels": dataset.labels_version})


def with_first_labels(dataset: Dataset, records: Sequence[Record]) -> Dataset:
    """Return the data set with the labels that runs, and those that they are made of, began with."""
    found: dict[str, pl.DataFrame | None] = {}
    waiting = [*records]
    while waiting:
        record = waiting.pop()
        if record.id in found:
            continue
        waiting += _parents(record)
        path = record.folder / FIRST_LABELS
        if path.is_file():
            found[record.id] = _read(path)
        elif record.meta.fingerprints.get("labels", dataset.labels_version) != dataset.labels_version:
            found[record.id] = None
    return replace(dataset, first_labels={**dataset.first_labels, **found}) if found else dataset


def _parents(record: Record) -> list[Record]:
    store = RunStore(record.folder.parent)
    here = (store.root / name for name in record.meta.parents)
    return [Record(folder) for folder in here if (folder / "run.json").is_file()]


def _read(path: Path) -> pl.DataFrame:
    remedy = "Restore the record from a copy; without the file, scores say that the labels may have changed."
    try:
        found = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as problem:
        raise RecordError(f"not readable: {problem}", file=path, remedy=remedy) from None
    if found.columns[:1] != [IMAGE] or set(found.dtypes) != {pl.String} or found[IMAGE].is_duplicated().any():
        raise RecordError("this is no table of labels", file=path, remedy=remedy)
    return found
