"""Photos that earlier runs predicted and that a data set no longer holds, whatever took them out.

A pattern of dataset.exclude, a row taken out of the table and a photo deleted can all take away just what a run got
wrong. Nothing is forbidden: the score of the next run says how many photos are gone, and how hard they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hoego import files
from hoego.data.dataset import Dataset
from hoego.data.label_changes import IMAGE, codes_of
from hoego.errors import HoegoError
from hoego.predictions.left_out_notes import left_out_of
from hoego.results.left_out import LeftOut, LeftOutPhotos
from hoego.runs.record_predictions import predictions_of
from hoego.runs.records import Record, RunStore
from hoego.runs.records.first_labels import CONTENT, SUBJECT, read_first_labels

LEFT_OUT = "left-out.json"
_STATES, _RUNS, _SAID = 12, 6, 3
"""How many earlier data sets are looked at, how many runs of each (the newest), and how many of them are named."""


def keep_left_out(record: Record, dataset: Dataset) -> None:
    """Write into a record what its data set leaves out, where it leaves out anything."""
    # The members of an ensemble say it themselves.
    before = () if record.kind.combined else predicted_before(RunStore(record.folder.parent), dataset)
    found = LeftOut(by_setting=dataset.excluded, predicted=before)
    if found.by_setting or found.predicted:
        files.write_sealed(record.folder / LEFT_OUT, found)


def with_left_out(dataset: Dataset, store: RunStore) -> Dataset:
    """Return a data set that says what earlier runs predicted of the photos that it leaves out."""
    said = [p.sentence() for p in predicted_before(store, dataset)]
    return replace(dataset, left_out=tuple(dict.fromkeys((*dataset.left_out, *said))))


def left_out_sentences(record: Record) -> list[str]:
    """Return what a record knows of photos that earlier runs predicted and that its data set leaves out."""
    found = record.left_out
    return [] if found is None else [p.sentence() for p in found.predicted]


def predicted_before(store: RunStore, dataset: Dataset) -> tuple[LeftOutPhotos, ...]:
    """Count what earlier runs of the same photos predicted and is gone, of the runs whose mistakes it takes away most.

    Args:
        store: the records.
        dataset: of the run that begins.
    """
    here = set(dataset.image_ids.tolist()), set(dataset.contents.tolist())
    found = []
    for members in _by_dataset(store, dataset)[:_STATES]:
        counted = [p for r in members[:_RUNS] if (p := _gone(r, dataset, *here)) is not None]
        if counted:
            found.append(max(counted, key=lambda p: (p.excess, p.photos, p.run)))
    return tuple(sorted(found, key=lambda p: (-p.excess, -p.photos, p.run))[:_SAID])


def _by_dataset(store: RunStore, dataset: Dataset) -> list[list[Record]]:
    """Group the finished runs that are of another state of the data, the newest first."""
    groups: dict[str, list[Record]] = {}
    for other in reversed(store.list()):
        fingerprint = other.meta.fingerprints.get("dataset", "")
        scored = other.meta.state == "done" and not other.kind.combined
        if scored and fingerprint and fingerprint != dataset.fingerprint:
            groups.setdefault(fingerprint, []).append(other)
    return [*groups.values()]


def _gone(record: Record, dataset: Dataset, ids: set[str], contents: set[int]) -> LeftOutPhotos | None:
    """Count what a run predicted and a data set does not hold; None where nothing is gone, or the photos are others."""
    try:
        first = read_first_labels(record)
        if first is None:
            return None
        gone_first = _absent(first, ids, contents)
        if not gone_first.any() or 2 * int((~gone_first).sum()) < dataset.n_images:
            return None
        predictions = predictions_of(record)
    except HoegoError:  # what is damaged there is said when that record is used
        return None
    schema = predictions.schema
    label = schema.target if predictions.has(schema.target) else predictions.attributes[0]
    truth = schema.class_codes(label, codes_of(first, schema, predictions.images))
    gone = np.isin(predictions.images, first[IMAGE].filter(gone_first).to_numpy().astype(np.str_))
    if not gone.any():
        return None
    predicted = predictions.probabilities(label).argmax(axis=1)
    return left_out_of(record.id, gone, truth, predicted, _subjects(first, predictions.images[gone], dataset))


def _absent(first: pl.DataFrame, ids: set[str], contents: set[int]) -> NDArray[np.bool_]:
    """Mark the photos of a label table that a data set holds neither by name nor by content."""
    known = [i in ids for i in first[IMAGE].to_list()]
    if CONTENT in first.columns:
        known = [k or int(c, 16) in contents for k, c in zip(known, first[CONTENT].to_list(), strict=True)]
    return ~np.asarray(known, dtype=bool)


def _subjects(first: pl.DataFrame, gone: NDArray[Any], dataset: Dataset) -> int | None:
    """Count the subjects of the photos that are gone of which the data set holds no photo."""
    if SUBJECT not in first.columns:
        return None
    names: Sequence[str] = first.filter(pl.col(IMAGE).is_in(gone.tolist()))[SUBJECT].unique().to_list()
    return len(set(names) - set(dataset.subjects.tolist()))
