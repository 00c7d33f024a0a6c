"""Fitting on some subjects and applying to others, with the provenance that this leaves on each row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hoego.dataset.manifest import Dataset
from hoego.errors import CannotSay
from hoego.predictions import Predictions, Source, fitted_source

Ints = NDArray[np.int64]
HOLDOUT_PARTS = 5
T = TypeVar("T")


def parts_of(predictions: Predictions, dataset: Dataset, *, seed: int = 0) -> Ints:
    """The part [N] in which each row is left out of fitting.

    Under a split into folds these are its folds. Under a holdout they are five groups of the held-out subjects,
    drawn by seed, a subject in one group only.

    Raises:
        CannotSay: there are fewer than two subjects to divide.
    """
    folds = np.unique(predictions.fold)
    if len(folds) > 1:
        return np.searchsorted(folds, predictions.fold).astype(np.int64)
    subject = dataset.subject_index[dataset.positions(predictions.images)]
    held = np.unique(subject)
    if len(held) < 2:
        raise CannotSay(
            f"Nothing can be fitted and judged on {len(held)} subject.",
            remedy="Use a split with more subjects.",
        )
    order = np.random.default_rng(seed).permutation(len(held))
    group = np.empty(len(held), dtype=np.int64)
    group[order] = np.arange(len(held)) % min(HOLDOUT_PARTS, len(held))
    return group[np.searchsorted(held, subject)]


def cross_fit(
    parts: Ints, fit: Callable[[Ints], T], apply: Callable[[T, Ints], NDArray[Any]]
) -> tuple[NDArray[Any], list[T]]:
    """Fit on the rows outside each part, apply to the rows in it.

    Args:
        parts: part of each row [N], 0 .. P-1.
        fit: rows -> fitted object.
        apply: (fitted object, rows) -> an array with one row for each.

    Returns:
        the applied rows [N, ...] in the order of the input, and the P fitted objects.
    """
    out: NDArray[Any] | None = None
    fitted = []
    for part in range(int(parts.max()) + 1):
        inside = np.flatnonzero(parts == part)
        model = fit(np.flatnonzero(parts != part))
        fitted.append(model)
        made = apply(model, inside)
        if out is None:
            out = np.empty((len(parts), *made.shape[1:]), dtype=made.dtype)
        out[inside] = made
    assert out is not None
    return out, fitted


def cross_fitted_sources(
    base: Predictions, dataset: Dataset, parts: Ints, *, by: str
) -> tuple[NDArray[np.int32], tuple[Source, ...]]:
    """The source of each row [N] after a combiner was fitted on the rows of all other parts.

    Args:
        base: the rows with the sources they had before.
        dataset: of the rows.
        parts: part of each row [N].
        by: the combiner, in words.
    """
    names = dataset.subjects[dataset.subject_index[dataset.positions(base.images)]]
    where = np.searchsorted(base.universe.names, names)
    source = np.empty(base.n_images, dtype=np.int32)
    sources: list[Source] = []
    for part in range(int(parts.max()) + 1):
        inside, outside = parts == part, parts != part
        fitted = base.universe.none()
        fitted[where[outside]] = True
        behind = [base.sources[k] for k in np.unique(base.source[outside]).tolist()]
        for k in np.unique(base.source[inside]).tolist():
            source[inside & (base.source == k)] = len(sources)
            sources.append(fitted_source(base.sources[k], behind, fitted, base.universe, by=by))
    return source, tuple(sources)
