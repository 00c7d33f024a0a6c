"""Binned attributes at their edges: how the error grows near an edge, and what moving the threshold is worth."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.data.schema import Attribute
from hoego.evaluate.compare.variants import variants_of
from hoego.evaluate.ensemble.crossfit import cross_fit, parts_of
from hoego.evaluate.score.formulas import macro_f1_score
from hoego.predictions import Predictions
from hoego.results.diagnosis import Boundary, EdgeBin

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]
GRID = np.round(np.arange(0.05, 0.96, 0.05), 2)
REACH = 10  # units of the number (years of an age) on each side of an edge


def boundaries(
    predictions: Predictions, dataset: Dataset, *, resamples: int = 2_000, seed: int = 0
) -> tuple[Boundary, ...]:
    """Return the boundary analysis of every binned attribute that the predictions hold."""
    found = []
    for attribute in predictions.schema.attributes:
        if attribute.kind == "binned" and predictions.has(attribute.name):
            found.append(_boundary(predictions, dataset, attribute, resamples, seed))
    return tuple(found)


def _boundary(
    predictions: Predictions, dataset: Dataset, attribute: Attribute, resamples: int, seed: int
) -> Boundary:
    rows = dataset.positions(predictions.images)
    truth = dataset.classes_of(attribute.name)[rows]
    probabilities = predictions.probabilities(attribute.name)
    predicted = probabilities.argmax(axis=1)
    parts = parts_of(predictions, dataset, seed=seed)

    def fit(outside: NDArray[np.int64]) -> tuple[float, ...]:
        return fit_thresholds(probabilities[outside], truth[outside])

    moved, _ = cross_fit(parts, fit, lambda t, inside: decide(probabilities[inside], t))
    counted = variants_of(
        {"said": predicted, "moved": moved},
        truth,
        dataset.subject_index[rows],
        attribute.n_classes,
        draws=(resamples, seed),
    )
    bins: tuple[EdgeBin, ...] = ()
    if attribute.name in dataset.numbers:
        wrong = (predicted != truth) & (truth >= 0)
        bins = edge_bins(attribute, dataset.numbers[attribute.name][rows], wrong, dataset.subject_index[rows])
    return Boundary(
        attribute=attribute.name,
        bins=bins,
        thresholds=fit_thresholds(probabilities, truth),
        gain=counted.difference("moved", "said"),
    )


def edge_bins(
    attribute: Attribute, numbers: Floats, wrong: NDArray[np.bool_], subject: Ints
) -> tuple[EdgeBin, ...]:
    """Return the error by whole-number distance to the nearest edge, to REACH on both sides."""
    edges = np.asarray(attribute.edges)
    known = np.isfinite(numbers)
    nearest = np.abs(numbers[known, None] - edges[None, :]).argmin(axis=1)
    distance = np.floor(numbers[known] - edges[nearest]).astype(np.int64)
    bins = []
    for e, edge in enumerate(edges.tolist()):
        for d in range(-REACH, REACH + 1):
            mine = (nearest == e) & (distance == d)
            if mine.any():
                bins.append(
                    EdgeBin(
                        edge=edge,
                        distance=d,
                        images=int(mine.sum()),
                        subjects=len(np.unique(subject[known][mine])),
                        error=float(wrong[known][mine].mean()),
                    )
                )
    return tuple(bins)


def decide(probabilities: Floats, thresholds: tuple[float, ...]) -> NDArray[np.int64]:
    """Return classes [N]: the number of edges k for which P(class >= k) is above its threshold."""
    above = np.cumsum(probabilities[:, ::-1], axis=1)[:, ::-1][:, 1:]
    out: NDArray[np.int64] = (above > np.asarray(thresholds)).sum(axis=1).astype(np.int64)
    return out


def fit_thresholds(probabilities: Floats, truth: Ints) -> tuple[float, ...]:
    """Return thresholds on a grid, one edge after the other, twice round, for the best macro F1 of the attribute."""
    known = truth >= 0
    p, t = probabilities[known], truth[known]
    thresholds = [0.5] * (p.shape[1] - 1)
    if not len(t):
        return tuple(thresholds)
    for _ in range(2):
        for k in range(len(thresholds)):
            tried = [(*thresholds[:k], float(g), *thresholds[k + 1 :]) for g in GRID]
            scores = [macro_f1_score(decide(p, candidate), t, p.shape[1]) for candidate in tried]
            best = max(scores)
            near = min(
                (abs(g - 0.5), float(g)) for g, s in zip(GRID, scores, strict=True) if s >= best - 1e-12
            )
            thresholds[k] = near[1]
    return tuple(thresholds)
