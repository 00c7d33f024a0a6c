"""What records know of a data set beyond its files: the labels that their runs began with, what the audit warned of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from hoego import files
from hoego.data.audit import BESIDE_SCORE
from hoego.data.dataset import NOT_AUDITED, Dataset
from hoego.data.label_changes import IMAGE, label_table
from hoego.data.parquet_file import DamagedParquet, read_parquet
from hoego.errors import RecordError
from hoego.runs.records import Record, RunKind, RunStore

FIRST_LABELS = "labels.parquet"
AUDIT = "audit.json"
_ONE_PERSON = ("near-duplicates", "suffixed-subjects")


def keep_first_labels(record: Record, dataset: Dataset) -> None:
    """Write the labels that a run begins with into its record."""
    with files.writing(record.folder / FIRST_LABELS) as temporary:
        label_table(dataset).write_parquet(temporary)
    if record.meta.fingerprints.get("labels") != dataset.labels_version:
        # A run that waited begins with the labels of the day it starts.
        record.update(fingerprints={**record.meta.fingerprints, "labels": dataset.labels_version})


def as_recorded(dataset: Dataset, records: Sequence[Record]) -> Dataset:
    """Return the data set with what the records of runs, and of those they are made of or repeat, know of it.

    Raises:
        RecordError: a file of a record cannot be read.
    """
    labels: dict[str, pl.DataFrame | None] = {}
    warnings = dict[str, None]()
    known = _with_parents(records)
    for record in known:
        path = record.folder / FIRST_LABELS
        if path.is_file():
            labels[record.id] = _read(path)
        elif record.meta.fingerprints.get("labels", dataset.labels_version) != dataset.labels_version:
            labels[record.id] = None
        warnings |= dict.fromkeys(audit_warnings(record))
    if any(r.kind is RunKind.RUN for r in known) and not any((r.folder / AUDIT).is_file() for r in known):
        warnings[NOT_AUDITED] = None
    return replace(
        dataset,
        first_labels={**dataset.first_labels, **labels},
        warnings=tuple(dict.fromkeys((*dataset.warnings, *warnings))),
    )


def audit_warnings(record: Record) -> list[str]:
    """Return what the audit of a run found that may have made its score."""
    found = () if record.audit is None else record.audit.found(*BESIDE_SCORE)
    return [
        f"{f.message} (audit)"
        + (
            "; where they show one subject (split.join), it may stand on both sides"
            if f.check in _ONE_PERSON
            else ""
        )
        for f in found
    ]


def _with_parents(records: Sequence[Record]) -> list[Record]:
    """Return the records and all that they are made of or repeat, each once, as far as they are here."""
    waiting, found = [*records], dict[str, Record]()
    while waiting:
        record = waiting.pop(0)
        if record.id in found:
            continue
        found[record.id] = record
        store = RunStore(record.folder.parent)
        folders = (store.root / name for name in record.meta.parents)
        waiting += [Record(folder) for folder in folders if (folder / "run.json").is_file()]
    return [*found.values()]


def _read(path: Path) -> pl.DataFrame:
    remedy = "Restore the record from a copy; without the file, scores say that the labels may have changed."
    try:
        found, _ = read_parquet(path)
    except DamagedParquet as problem:
        raise RecordError(f"not readable: {problem}", file=path, remedy=remedy) from None
    if found.columns[:1] != [IMAGE] or set(found.dtypes) != {pl.String} or found[IMAGE].is_duplicated().any():
        raise RecordError("this is no table of labels", file=path, remedy=remedy)
    return found
