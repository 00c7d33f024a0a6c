"""One head, fitted on a training side: penalty, number of neighbours and rule are chosen by inner folds there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hoego.evaluate.probe.linear import LinearProblems, log_softmax
from hoego.evaluate.probe.nearest import COUNTS, Neighbours, unit_rows
from hoego.results.probe import HeadChoice
from hoego.short_repr import ShortRepr
from hoego.split.assign import assign_folds

Floats = NDArray[np.float32]

PENALTIES = (0.1, 0.3, 1.0)
"""Penalties that are tried first, for features of deviation 1; where an end is best, two more beyond it are tried."""

SMALLEST, LARGEST = 1e-3, 100.0
USUAL = 0.3
"""The penalty where there are too few subjects to choose one."""

QUERIES = 4096
"""Photos of an inner fold that try the nearest neighbours, at most: the time grows with their number times the rest."""


@dataclass(frozen=True)
class HeadOptions:
    """How a head is fitted.

    Args:
        inner_folds: over the subjects of the training side.
        seed: of the inner folds.
        penalties: that are tried first, ascending.
    """

    inner_folds: int = 3
    seed: int = 0
    penalties: tuple[float, ...] = PENALTIES


@dataclass(frozen=True, eq=False, repr=False)
class TrainingSide(ShortRepr):
    """The labelled photos of a training side: all that a head may know.

    Args:
        features: [N, F], in half or single precision.
        labels: int [N], classes; none is missing.
        subjects: int [N].
        n_classes: C.
    """

    features: NDArray[np.floating]
    labels: NDArray[np.integer]
    subjects: NDArray[np.integer]
    n_classes: int


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class FittedHead(ShortRepr):
    """A head that gives log-probabilities of C classes from F features.

    Args:
        mean, scale: float32 [F], that standardise features.
        weights: float32 [F, C] on features as they come.
        intercept: float32 [C].
        neighbours: the training photos, standardised; None unless the rule is `nearest`.
        choice: what the inner folds chose.
    """

    mean: Floats
    scale: Floats
    weights: Floats
    intercept: Floats
    neighbours: Neighbours | None
    choice: HeadChoice

    def log_probabilities(self, features: NDArray[np.floating]) -> Floats:
        """Return log-probabilities float32 [n, C] of photos with features [n, F]."""
        x = features.astype(np.float32)
        if self.neighbours is not None:
            queries = unit_rows((x - self.mean) / self.scale)
            return self.neighbours.log_probabilities(queries, self.choice.neighbours)
        return log_softmax(x @ self.weights + self.intercept)


@dataclass
class _Tried:
    """The log losses of what was tried, by penalty and by number of neighbours."""

    linear: dict[float, float] = field(default_factory=dict)
    nearest: dict[int, float] = field(default_factory=dict)


def fit_head(side: TrainingSide, options: HeadOptions | None = None) -> FittedHead:
    """Fit a linear head and nearest neighbours on a training side, and keep the better rule.

    Penalty, number of neighbours and rule are those of the smallest log loss on inner folds, which keep the subjects of
    the training side apart. With fewer than two subjects nothing is chosen: the linear head takes the penalty USUAL.

    Raises:
        ValueError: there is no photo.
    """
    settings = options or HeadOptions()
    if not len(side.labels):
        raise ValueError("a head needs labelled photos")
    x, mean, scale = _standardised(side.features)
    labels = side.labels.astype(np.int64)
    inner = _inner_folds(side, settings)
    tried = _Tried()
    if inner is not None:
        folds = np.unique(inner)
        problems = LinearProblems(x, labels, side.n_classes, inner[None, :] != folds[:, None])
        _try_penalties(tried, problems, settings.penalties)
        _try_neighbours(tried, problems)
    penalty = min(tried.linear, key=tried.linear.__getitem__, default=USUAL)
    k = min(tried.nearest, key=tried.nearest.__getitem__, default=0)
    losses = tried.linear.get(penalty), tried.nearest.get(k)
    nearest = losses[0] is not None and losses[1] is not None and losses[1] < losses[0]
    problem = LinearProblems(x, labels, side.n_classes, np.ones((1, len(x)), dtype=bool))
    w = problem.solve([penalty], tolerance=1e-9, steps=300)[0, 0]
    weights = w[:-1] / scale[:, None]
    return FittedHead(
        mean=mean,
        scale=scale,
        weights=weights,
        intercept=(w[-1] + problem.log_shares[0] - mean @ weights).astype(np.float32),
        neighbours=Neighbours(unit_rows(x[:, :-1]), labels, side.n_classes) if nearest else None,
        choice=HeadChoice(
            attribute="",
            rule="nearest" if nearest else "linear",
            penalty=penalty,
            neighbours=k,
            linear_loss=losses[0],
            nearest_loss=losses[1],
            n_images=len(labels),
            n_subjects=len(np.unique(side.subjects)),
        ),
    )


def _inner_folds(side: TrainingSide, settings: HeadOptions) -> NDArray[np.int16] | None:
    """Return the inner fold of each photo, int16 [N]; None where there are fewer than two subjects."""
    n = min(settings.inner_folds, len(np.unique(side.subjects)))
    return None if n < 2 else assign_folds(side.subjects, [side.labels], n, settings.seed)


def _standardised(features: NDArray[np.floating]) -> tuple[Floats, Floats, Floats]:
    """Return features of mean 0 and deviation 1 and a column of ones, float32 [N, F + 1]; mean and deviation [F]."""
    n, n_features = features.shape
    out = np.ones((n, n_features + 1), dtype=np.float32)
    x = out[:, :-1]
    x[:] = features
    mean = x.mean(axis=0, dtype=np.float64).astype(np.float32)
    x -= mean
    scale = np.sqrt(np.square(x).mean(axis=0, dtype=np.float64)).astype(np.float32)
    scale[scale < 1e-6] = 1.0  # a feature that is constant here says nothing, whatever it is elsewhere
    x /= scale
    return out, mean, scale


def _try_penalties(tried: _Tried, problems: LinearProblems, penalties: Sequence[float]) -> None:
    """Note the log loss of each penalty on the inner folds, and of further ones beyond an end that is best."""
    prior, labels = problems.log_shares, problems.labels
    step = np.sqrt(10.0)
    asked = list(penalties)
    while asked:
        for penalty, by_fold in zip(asked, problems.solve(asked), strict=True):
            loss = 0.0
            for w, share, part in zip(by_fold, prior, problems.parts, strict=True):
                said = log_softmax(problems.features[~part] @ w + share)
                loss -= float(said[np.arange(len(said)), labels[~part]].sum(dtype=np.float64))
            tried.linear[float(penalty)] = loss / len(labels)
        best = min(tried.linear, key=tried.linear.__getitem__)
        low, high = min(tried.linear), max(tried.linear)
        asked = []
        if best == low and low > SMALLEST:
            asked = [float(low / step**2), float(low / step)]
        elif best == high and high < LARGEST:
            asked = [float(high * step), float(high * step**2)]


def _try_neighbours(tried: _Tried, problems: LinearProblems) -> None:
    """Note the log loss of each number of neighbours on the inner folds."""
    unit, labels, parts = unit_rows(problems.features[:, :-1]), problems.labels, problems.parts
    smallest = int(parts.sum(axis=1).min())
    counts = [k for k in COUNTS if k <= smallest]
    total, n = np.zeros(len(counts)), 0
    for part in parts:
        held = np.flatnonzero(~part)
        held = held[np.unique(np.linspace(0, len(held) - 1, QUERIES).astype(int))]
        others = Neighbours(unit[part], labels[part], problems.n_classes)
        total += others.losses(unit[held], labels[held], counts)
        n += len(held)
    tried.nearest |= dict(zip(counts, (total / n).tolist(), strict=True))
