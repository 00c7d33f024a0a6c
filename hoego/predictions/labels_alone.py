"""Predicted classes without probabilities: what `predict` of most tools gives."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.errors import DataError, nearest
from hoego.predictions.outside import HeldOut

LABELS_ALONE = (
    "classes alone were predicted: each probability is 0 or 1, and what reads confidence (calibration, thresholds) "
    "says nothing of the model"
)


def one_hot(labels: Any, held_out: HeldOut) -> NDArray[np.float32]:
    """Return predicted classes as probabilities [N, C] of 0 and 1.

    Args:
        labels: [N], names of classes as text, or their numbers in the schema's order, as in `dataset.target`.
        held_out: what is predicted.

    Raises:
        DataError: a label is no class, or names that are numbers leave open which is meant; names it and its row.
    """
    given = np.asarray(labels)
    if given.ndim != 1:
        raise DataError(
            f"The labels have the shape {given.shape}.",
            remedy="Give one class per photo; from_probabilities takes a column per class.",
        )
    classes = held_out.classes
    codes = _numbers(given, classes) if given.dtype.kind in "iuf" else _names(given, classes)
    out = np.zeros((len(codes), len(classes)), dtype=np.float32)
    out[np.arange(len(codes)), codes] = 1
    return out


def _names(given: NDArray[Any], classes: tuple[str, ...]) -> NDArray[np.int64]:
    place = {name: k for k, name in enumerate(classes)}
    codes = np.array([place.get(str(name), -1) for name in given.tolist()], dtype=np.int64)
    if (codes < 0).any():
        row = int(np.argmin(codes))
        label = str(given[row])
        raise DataError(f"Row {row} (from 0) says {label!r}, no class.", remedy=nearest(label, classes))
    return codes


def _numbers(given: NDArray[Any], classes: tuple[str, ...]) -> NDArray[np.int64]:
    known = np.isin(given, np.arange(len(classes)))
    # Classes called "1" and "2" have the places 0 and 1: the number 1 would be either.
    named = [str(k) for k in range(len(classes))] != list(classes) and np.isin(classes, given.astype(str))
    if np.any(named):
        raise DataError(
            f"The labels are numbers, and the classes are called {', '.join(map(repr, classes[:4]))}: a number can be "
            "a name or a place.",
            remedy="Give names as text.",
        )
    if not known.all():
        row = int(np.argmin(known))
        raise DataError(
            f"Row {row} (from 0) says {given[row]}, and there are {len(classes)} classes.",
            remedy="Give numbers as in dataset.target, or names.",
        )
    return given.astype(np.int64)
