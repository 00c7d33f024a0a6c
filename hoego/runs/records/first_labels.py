"""The labels that a run began with, as a table in its record, with whose photos they are and what is in them."""

from __future__ import annotations

import polars as pl

from hoego import files
from hoego.data.dataset import Dataset
from hoego.data.label_changes import IMAGE, label_table
from hoego.data.parquet_file import DamagedParquet, read_parquet, unsealed, write_sealed_parquet
from hoego.errors import RecordError
from hoego.runs.records.record import Record

FIRST_LABELS = "labels.parquet"
SUBJECT, CONTENT = "subject", "content"
"""Columns beside the labels, whose names all begin with `label `; tables of early records do not have them."""


def write_first_labels(record: Record, dataset: Dataset) -> None:
    """Write the labels of a data set into a record."""
    table = label_table(dataset).with_columns(
        pl.Series(SUBJECT, dataset.subjects[dataset.subject_index].tolist(), dtype=pl.String),
        pl.Series(CONTENT, [f"{c:016x}" for c in dataset.contents.tolist()], dtype=pl.String),
    )
    write_sealed_parquet(record.folder / FIRST_LABELS, table, {})


def read_first_labels(record: Record) -> pl.DataFrame | None:
    """Read the labels that a run began with; None where its record does not hold them.

    Raises:
        RecordError: the file cannot be read, or is no table of labels.
    """
    path = record.folder / FIRST_LABELS
    if not path.is_file():
        return None
    remedy = "Restore the record from a copy; without the file, scores say that the labels may have changed."
    try:
        found, said = read_parquet(path)
        if said is not None:
            unsealed(found, files.parse_object(said, path))
    except DamagedParquet as problem:
        raise RecordError(f"not readable: {problem}", file=path, remedy=remedy) from None
    if found.columns[:1] != [IMAGE] or set(found.dtypes) != {pl.String} or found[IMAGE].is_duplicated().any():
        raise RecordError("this is no table of labels", file=path, remedy=remedy)
    return found
