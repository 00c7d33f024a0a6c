"""Fitting on some subjects and applying to others, with the provenance that this leaves on each row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.errors import NotEstimableError
from hoego.predictions import Predictions, Provenance, RowProvenance, fitted_source, join_sources

Ints = NDArray[np.int64]
HOLDOUT_PARTS = 5  # as many as a split into folds has by default
T = TypeVar("T")


def parts_of(predictions: Predictions, dataset: Dataset, *, seed: int = 0) -> Ints:
    """Return the part [N] in which each row is left out of fitting.

    Under a split into folds these are its folds. Under a holdout, and under folds that divide subjects (the naive
    split), they are five groups of the held-out subjects, drawn by seed, a subject in one group only.

    Raises:
        NotEstimableError: there are fewer than two subjects to divide.
    """
    subject = dataset.subject_index[dataset.positions(predictions.images)]
    held, owner = np.unique(subject, return_inverse=True)
    folds, fold = np.unique(predictions.fold, return_inverse=True)
    whole = len(np.unique(owner.reshape(-1) * len(folds) + fold.reshape(-1))) == len(held)
    if len(folds) > 1 and whole:
        return fold.reshape(-1).astype(np.int64)
    if len(held) < 2:
        raise NotEstimableError(
            f"Nothing can be fitted and judged on {len(held)} subject.",
            remedy="Use a split with more subjects.",
        )
    order = np.random.default_rng(seed).permutation(len(held))
    group = np.empty(len(held), dtype=np.int64)
    group[order] = np.arange(len(held)) % min(HOLDOUT_PARTS, len(held))
    return group[owner.reshape(-1)]


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


def cross_fitted(
    base: Predictions, dataset: Dataset, parts: Ints, *, by: str, behind: Predictions | None = None
) -> Predictions:
    """Return the rows with the sources that they have once a combiner was fitted on the rows of all other parts.

    Args:
        base: the rows with the sources they had before.
        dataset: of the rows.
        parts: part of each row [N].
        by: the combiner, in words.
        behind: the rows [N] whose labels and predictions fitted the combiner, of the same universe; `base` if None.
    """
    source, sources = cross_fitted_sources(base, dataset, parts, by=by, behind=behind)
    return replace(base, source=source, sources=sources)


def cross_fitted_sources(
    base: Predictions, dataset: Dataset, parts: Ints, *, by: str, behind: Predictions | None = None
) -> tuple[NDArray[np.int32], tuple[RowProvenance, ...]]:
    """Return the source of each row [N], and the sources, of `cross_fitted`."""
    where = _subjects(base, dataset)
    fitted_rows = behind or base
    source = np.empty(base.n_images, dtype=np.int32)
    sources: list[RowProvenance] = []
    for part in range(int(parts.max()) + 1):
        inside, outside = parts == part, parts != part
        fitted = base.universe.no_subjects()
        fitted[where[outside]] = True
        models = [fitted_rows.sources[k] for k in np.unique(fitted_rows.source[outside]).tolist()]
        for k in np.unique(base.source[inside]).tolist():
            source[inside & (base.source == k)] = len(sources)
            sources.append(fitted_source(base.sources[k], models, fitted, base.universe, by=by))
    return source, tuple(sources)


def fitted_on_all(base: Predictions, dataset: Dataset, *, by: str) -> Provenance:
    """Return what a combiner that was fitted on all rows has seen: it goes with it to new images.

    Args:
        base: the rows that it was fitted on.
        dataset: of the rows.
        by: the combiner, in words.
    """
    universe = base.universe
    fitted = universe.no_subjects()
    fitted[_subjects(base, dataset)] = True
    nothing = RowProvenance(
        name=base.name,
        seen=universe.no_subjects(),
        seen_through=universe.no_subjects(),
        selected=universe.no_subjects(),
    )
    models = [base.sources[k] for k in np.unique(base.source).tolist()]
    return Provenance(universe, (fitted_source(nothing, models, fitted, universe, by=by),))


def with_fitted(predictions: Predictions, fitted: Provenance) -> Predictions:
    """Return the rows with what their combiner has seen joined into every source."""
    known, n = Provenance.joined((predictions.provenance, fitted)), len(predictions.sources)
    behind = known.sources[n:]
    sources = tuple(join_sources(s.name, [s, *behind], known.universe) for s in known.sources[:n])
    return replace(predictions, universe=known.universe, sources=sources)


def _subjects(base: Predictions, dataset: Dataset) -> NDArray[np.int64]:
    """Return the position of each row's subject [N] in the universe."""
    names = dataset.subjects[dataset.subject_index[dataset.positions(base.images)]]
    out: NDArray[np.int64] = np.searchsorted(base.universe.names, names)
    return out
