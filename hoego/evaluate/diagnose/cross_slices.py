"""Accuracy where two columns cross, such as age and mask, with intervals over subjects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.errors import UsageError, nearest
from hoego.evaluate.diagnose.slices import accuracy_within, sliceable, values_of
from hoego.evaluate.score.photos import predicted_photos
from hoego.predictions import Predictions
from hoego.results.score import IntervalEstimate

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class SliceCell:
    """One crossing. `accuracy` is None where it holds no photo."""

    images: int
    subjects: int
    accuracy: IntervalEstimate | None


@dataclass(frozen=True, kw_only=True)
class CrossSlices:
    """The accuracy of a label where the values of two columns cross.

    Args:
        row, column: attributes, or columns of the data set's table.
        rows, columns: their values.
        label: whose accuracy it is.
        cells: [rows, columns].
    """

    row: str
    column: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    label: str
    cells: tuple[tuple[SliceCell, ...], ...]


def crossable(dataset: Dataset) -> tuple[str, ...]:
    """Return the columns that can be crossed: the attributes, then those of the table that have few values."""
    table = sliceable(dataset)
    further = [c for c in table.columns if c not in dataset.schema.names and values_of(table[c])]
    return (*dataset.schema.names, *further)


def cross_slices(
    predictions: Predictions, dataset: Dataset, row: str, column: str, label: str = ""
) -> CrossSlices:
    """Return the accuracy in every crossing of two columns.

    Args:
        predictions: of any run.
        dataset: their truth.
        row, column: two of `crossable`.
        label: attribute or "composite"; "" for the target.

    Raises:
        UsageError: a column that cannot be crossed.
    """
    photos = predicted_photos(predictions, dataset, label)
    subject = dataset.subject_index[photos.rows]
    downwards, across = (_values(dataset, photos.rows, name) for name in (row, column))
    cells = tuple(tuple(_cell(a & b, photos.right, subject) for _, b in across) for _, a in downwards)
    return CrossSlices(
        row=row,
        column=column,
        rows=tuple(name for name, _ in downwards),
        columns=tuple(name for name, _ in across),
        label=photos.label,
        cells=cells,
    )


def _values(dataset: Dataset, rows: NDArray[np.int64], name: str) -> list[tuple[str, Mask]]:
    known = crossable(dataset)
    if name not in known:
        raise UsageError(f"There is no column {name!r} to cross.", remedy=nearest(name, known))
    if name in dataset.schema.names:
        codes = dataset.classes_of(name)[rows]
        return [(c, codes == k) for k, c in enumerate(dataset.schema.classes(name))]
    return [(value, mask[rows]) for value, mask in values_of(sliceable(dataset)[name])]


def _cell(mask: Mask, right: Mask, subject: NDArray[np.int32]) -> SliceCell:
    people = len(np.unique(subject[mask]))
    return SliceCell(int(mask.sum()), people, accuracy_within(mask, right, subject) if people else None)
