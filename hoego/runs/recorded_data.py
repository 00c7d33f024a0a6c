"""What records know of a data set beyond its files: first labels, photos left out, warnings of the audit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from hoego.data.audit import BESIDE_SCORE
from hoego.data.dataset import NOT_AUDITED, Dataset
from hoego.runs.left_out import keep_left_out, left_out_sentences
from hoego.runs.records import Record, RunKind, RunStore
from hoego.runs.records.first_labels import read_first_labels, write_first_labels

AUDIT = "audit.json"
_ONE_PERSON = ("near-duplicates", "suffixed-subjects")


def keep_first_data(record: Record, dataset: Dataset) -> None:
    """Write into a record the labels that its run begins with, and what its data set leaves out."""
    write_first_labels(record, dataset)
    keep_left_out(record, dataset)
    if record.meta.fingerprints.get("labels") != dataset.labels_version:
        # A run that waited begins with the labels of the day it starts.
        record.update(fingerprints={**record.meta.fingerprints, "labels": dataset.labels_version})


def as_recorded(dataset: Dataset, records: Sequence[Record]) -> Dataset:
    """Return the data set with what the records of runs, and of those they are made of or repeat, know of it.

    Raises:
        RecordError: a file of a record cannot be read.
    """
    labels: dict[str, pl.DataFrame | None] = {}
    warnings, left_out = dict[str, None](), dict[str, None]()
    known = _with_parents(records)
    for record in known:
        if (first := read_first_labels(record)) is not None:
            labels[record.id] = first
        elif record.meta.fingerprints.get("labels", dataset.labels_version) != dataset.labels_version:
            labels[record.id] = None
        warnings |= dict.fromkeys(audit_warnings(record))
        left_out |= dict.fromkeys(left_out_sentences(record))
    if any(r.kind is RunKind.RUN for r in known) and not any((r.folder / AUDIT).is_file() for r in known):
        warnings[NOT_AUDITED] = None
    return replace(
        dataset,
        first_labels={**dataset.first_labels, **labels},
        warnings=tuple(dict.fromkeys((*dataset.warnings, *warnings))),
        left_out=tuple(dict.fromkeys((*dataset.left_out, *left_out))),
    )


def audit_warnings(record: Record) -> list[str]:
    """Return what the audit of a run found that may have made its score."""
    found = () if record.audit is None else record.audit.found(*BESIDE_SCORE)
    return [
        f"{f.message} (audit)"
        + (
            "; where they show one subject (split.join), it may be on both sides"
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
