"""Multinomial logistic regressions with squared penalties: several penalties and several parts of the rows at once.

The inner folds times the penalties are a few dozen small problems on the same features. Solved one by one, each
product of features and weights is too narrow for a processor's matrix units (45 ms for 3,700 x 1,280 features and three
classes, measured); side by side they are one product of 60 columns, which takes as long as one problem did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize

from hoego.short_repr import ShortRepr

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

ROWS = 512
"""Photos that are taken at a time, so that their features are still in the cache for the gradient."""

MOST_WEIGHTS = 2_000_000
"""Weights that are optimised together; L-BFGS keeps some twenty copies of them in double precision."""


@dataclass(frozen=True, eq=False, repr=False)
class LinearProblems(ShortRepr):
    """M regressions, each on a part of the same N rows.

    Minimises, for each part m and penalty L, the mean cross-entropy of its rows plus L/2 times the squared weights.
    The intercept is the log of the smoothed share of each class plus one more weight, which is penalised as well: a
    class that a part does not hold would otherwise drive it to minus infinity.

    Args:
        features: float32 [N, F], standardised, the last column 1.
        labels: int64 [N], classes.
        n_classes: C.
        parts: bool [M, N], the rows of each problem; none is empty.
    """

    features: Floats
    labels: NDArray[np.int64]
    n_classes: int
    parts: NDArray[np.bool_]

    @property
    def log_shares(self) -> Floats:
        """Log of the smoothed class shares of each part, float32 [M, C]."""
        counts = np.stack([np.bincount(self.labels[p], minlength=self.n_classes) for p in self.parts])
        shares = (counts + 0.5) / (counts.sum(axis=1, keepdims=True) + 0.5 * self.n_classes)
        out: Floats = np.log(shares).astype(np.float32)
        return out

    def solve(self, penalties: Sequence[float], *, tolerance: float = 1e-6, steps: int = 100) -> Floats:
        """Return weights float32 [L, M, F, C] for L penalties.

        Args:
            penalties: L of them.
            tolerance: relative fall of the sum of all objectives at which the search ends.
            steps: of L-BFGS (Liu & Nocedal 1989) at most.
        """
        each = self.features.shape[1] * len(self.parts) * self.n_classes
        group = max(1, MOST_WEIGHTS // each)
        found = [
            self._together(penalties[i : i + group], tolerance, steps)
            for i in range(0, len(penalties), group)
        ]
        return np.concatenate(found)

    def _together(self, penalties: Sequence[float], tolerance: float, steps: int) -> Floats:
        n_features = self.features.shape[1]
        shape = (n_features, len(penalties), len(self.parts), self.n_classes)
        problem = _Objective(self, np.asarray(penalties, dtype=np.float32))
        options = {"maxiter": steps, "ftol": tolerance, "gtol": 1e-5, "maxcor": 8}
        start = np.zeros(int(np.prod(shape)))
        found: Any = minimize(problem, start, jac=True, method="L-BFGS-B", options=options)
        weights = problem.weights(found.x).reshape(shape)
        return np.ascontiguousarray(weights.transpose(1, 2, 0, 3))


class _Objective:
    """The sum of the objectives of L penalties and M parts, and its gradient, in coordinates of curvature near 1.

    The curvature of a regression is close to c times the features' covariance plus the penalty, where c is the mean of
    p (1 - p). Its Cholesky factor turns the weights into coordinates in which L-BFGS needs some thirty steps instead of
    hundreds; the minimum is the same.
    """

    def __init__(self, problems: LinearProblems, penalties: Floats) -> None:
        self.problems, self.penalties = problems, penalties
        x, n_classes, parts = problems.features, problems.n_classes, problems.parts
        n, n_features = x.shape
        self.columns = (len(penalties), len(parts), n_classes)
        self.share = (parts / parts.sum(axis=1, keepdims=True)).T.astype(np.float32)
        self.prior = problems.log_shares
        curvature = max(n_classes - 1, 1) / n_classes**2
        middle = float(np.exp(np.log(penalties).mean()))
        covariance = (x.T @ x).astype(np.float64) * (curvature / n)
        covariance.flat[:: n_features + 1] += middle
        factor = cholesky(covariance, lower=True, check_finite=False)
        inverse = solve_triangular(factor, np.eye(n_features), lower=True, check_finite=False)
        self.basis = np.ascontiguousarray(inverse.T, dtype=np.float32)

    def weights(self, coordinates: Doubles) -> Floats:
        """Return weights float32 [F, L * M * C]."""
        u = coordinates.astype(np.float32).reshape(self.basis.shape[1], -1)
        out: Floats = self.basis @ u
        return out

    def __call__(self, coordinates: Doubles) -> tuple[float, Doubles]:
        w = self.weights(coordinates)
        loss, gradient = 0.0, np.zeros_like(w)
        for start in range(0, len(self.problems.labels), ROWS):
            part, residual = self._rows(slice(start, start + ROWS), w)
            loss += part
            gradient += self.problems.features[start : start + ROWS].T @ residual
        by_penalty = w.reshape(len(w), len(self.penalties), -1)
        squares = np.square(by_penalty, dtype=np.float64).sum(axis=(0, 2))
        loss += float((self.penalties / 2 * squares).sum())
        gradient += (by_penalty * self.penalties[:, None]).reshape(w.shape)
        return loss, (self.basis.T @ gradient).astype(np.float64).ravel()

    def _rows(self, rows: slice, w: Floats) -> tuple[float, Floats]:
        """Return the cross-entropy of some rows, and its gradient by their logits, float32 [n, L * M * C]."""
        labels, share = self.problems.labels[rows], self.share[rows, None, :]
        logits = (self.problems.features[rows] @ w).reshape(-1, *self.columns) + self.prior
        at = np.arange(len(labels))
        logits -= logits.max(axis=3, keepdims=True)
        of_label = logits[at, :, :, labels]
        np.exp(logits, out=logits)
        total = logits.sum(axis=3, keepdims=True)
        loss = float(((np.log(total[..., 0]) - of_label) * share).sum(dtype=np.float64))
        logits /= total
        logits[at, :, :, labels] -= 1
        logits *= share[..., None]
        return loss, logits.reshape(len(labels), -1)


def log_softmax(logits: NDArray[Any]) -> Floats:
    """Return log-probabilities of logits [..., C]."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    out: Floats = (shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))).astype(np.float32)
    return out
