"""Calibration: reliability, expected calibration error, and a temperature across folds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from hoego.data.dataset import Dataset
from hoego.evaluate.ensemble.crossfit import cross_fit, parts_of
from hoego.predictions import Predictions
from hoego.results.diagnosis import Calibration

Floats = NDArray[np.float64]
Ints = NDArray[np.integer[Any]]
BINS = 15  # as in Guo et al. 2017, On Calibration of Modern Neural Networks


def calibration(predictions: Predictions, dataset: Dataset, *, seed: int = 0) -> Calibration:
    """Compute the reliability of the target's probabilities before and after a cross-fitted temperature."""
    rows = dataset.positions(predictions.images)
    truth = dataset.target[rows]
    known = truth >= 0
    p, t = predictions.target_probabilities()[known], truth[known]
    parts = parts_of(predictions, dataset, seed=seed)[known]
    scaled, _ = cross_fit(
        np.unique(parts, return_inverse=True)[1].reshape(-1),
        lambda outside: fit_temperature(p[outside], t[outside]),
        lambda temperature, inside: scale(p[inside], temperature),
    )
    bins, ece = reliability(p, t)
    return Calibration(
        bins=bins,
        ece=ece,
        ece_scaled=reliability(scaled, t)[1],
        temperature=fit_temperature(p, t),
        log_loss=_loss(p, t),
        log_loss_scaled=_loss(scaled, t),
    )


def useful_temperature(p: Floats, truth: Ints, parts: Ints) -> float:
    """Return the temperature fitted on all rows, or 1 where temperatures fitted on other parts do not help.

    Args:
        p: probabilities [N, C].
        truth: classes [N], all known.
        parts: the part of each row [N] that is left out of fitting (`parts_of`), 0 .. P-1.
    """
    if len(np.unique(parts)) < 2:
        return 1.0
    scaled, _ = cross_fit(
        np.unique(parts, return_inverse=True)[1].reshape(-1),
        lambda outside: fit_temperature(p[outside], truth[outside]),
        lambda temperature, inside: scale(p[inside], temperature),
    )
    return fit_temperature(p, truth) if _loss(scaled, truth) < _loss(p, truth) else 1.0


def reliability(p: Floats, truth: Ints) -> tuple[tuple[tuple[float, float, int], ...], float]:
    """Return bins (mean confidence, accuracy, count) and the expected calibration error of probabilities [N, C]."""
    confidence, right = p.max(axis=1), p.argmax(axis=1) == truth
    index = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    n = np.bincount(index, minlength=BINS)
    c = np.bincount(index, weights=confidence, minlength=BINS) / np.maximum(n, 1)
    a = np.bincount(index, weights=right.astype(np.float64), minlength=BINS) / np.maximum(n, 1)
    ece = float((n / max(n.sum(), 1) * np.abs(a - c)).sum())
    return tuple(zip(c.tolist(), a.tolist(), n.tolist(), strict=True)), ece


def scale(p: Floats, temperature: float) -> Floats:
    """Return probabilities [N, C] with their logits divided by a temperature."""
    logs = np.log(np.maximum(p, 1e-12)) / temperature
    logs -= logs.max(axis=1, keepdims=True)
    np.exp(logs, out=logs)
    out: Floats = logs / logs.sum(axis=1, keepdims=True)
    return out


def fit_temperature(p: Floats, truth: Ints) -> float:
    """Return the temperature with the lowest log loss, between 0.05 and 20; 1 where there is nothing to fit on."""
    if not len(truth):
        return 1.0
    found = minimize_scalar(
        lambda u: _loss(scale(p, float(np.exp(u))), truth), bounds=(-3.0, 3.0), method="bounded"
    )
    return float(np.exp(found.x))


def _loss(p: Floats, truth: Ints) -> float:
    return float(-np.log(np.maximum(p[np.arange(len(truth)), truth], 1e-12)).mean())
