"""What must be said beside a score of photos that are left out: of the predictions, of the labels, of the data set."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.data.label_changes import codes_of
from hoego.predictions.predictions import Predictions
from hoego.results.left_out import LeftOutPhotos

Mask = NDArray[np.bool_]


def left_out_notes(predictions: Predictions, dataset: Dataset) -> tuple[str, ...]:
    """Return the sentences on photos that the predictions are no longer scored on."""
    return (*_rows(predictions, dataset), *_labels(predictions, dataset), *dataset.left_out)


def _rows(predictions: Predictions, dataset: Dataset) -> list[str]:
    """Say of each run behind the rows which of its photos are not among them."""
    notes = []
    for name, run in predictions.whole.items():
        known = np.isin(run.images, dataset.image_ids)
        images, predicted = run.images[known], run.predicted[known]
        rows = dataset.positions(images)
        gone = ~np.isin(images, predictions.images)
        if gone.any():
            truth = dataset.classes_of(run.label)[rows]
            whole = _whole_subjects(dataset, rows[gone], rows[~gone])
            notes.append(left_out_of(name, gone, truth, predicted, whole).sentence())
    return notes


def _labels(predictions: Predictions, dataset: Dataset) -> list[str]:
    """Say of each run behind the rows how many photos had a label when it began and have none now."""
    schema = dataset.schema
    label = schema.target if predictions.has(schema.target) else predictions.attributes[0]
    rows = dataset.positions(predictions.images)
    blank = dataset.classes_of(label)[rows] < 0
    notes = []
    for name in dict.fromkeys((predictions.name, *predictions.lineage)):
        first = dataset.first_labels.get(name)
        if first is None or not blank.any():
            continue
        truth = schema.class_codes(label, codes_of(first, schema, predictions.images))
        if not (gone := blank & (truth >= 0)).any():
            continue
        predicted = predictions.probabilities(label).argmax(axis=1)
        whole = _whole_subjects(dataset, rows[gone], rows[~blank])
        found = left_out_of(name, gone, truth, predicted, whole)
        notes.append(found.sentence("have lost their label"))
    return notes


def _whole_subjects(dataset: Dataset, gone: NDArray[np.int64], left: NDArray[np.int64]) -> int:
    return len(np.setdiff1d(dataset.subject_index[gone], dataset.subject_index[left]))


def left_out_of(
    run: str, gone: Mask, truth: NDArray[Any], predicted: NDArray[Any], subjects: int | None
) -> LeftOutPhotos:
    """Count what a run had wrong among the photos that are left out, and among all.

    Args:
        run: its name.
        gone: which of the N photos that it predicted are left out [N].
        truth: class of each [N], -1 where it has no label.
        predicted: class that the run gave each [N].
        subjects: of which no photo is left; None where that is not known.
    """
    labelled, wrong = truth >= 0, (truth >= 0) & (truth != predicted)
    return LeftOutPhotos(
        run=run,
        photos=int(gone.sum()),
        subjects=subjects,
        of=len(gone),
        labelled=int((gone & labelled).sum()),
        wrong=int((gone & wrong).sum()),
        error_rate=float(wrong.sum() / labelled.sum()) if labelled.any() else None,
    )
