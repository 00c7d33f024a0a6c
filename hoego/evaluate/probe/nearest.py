"""The votes of the nearest training photos, by the cosine between features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hoego.short_repr import ShortRepr

Floats = NDArray[np.float32]

COUNTS = (1, 3, 5, 10, 20, 40, 80)
"""Numbers of neighbours that are tried."""

BLOCK = 1024
"""Photos whose neighbours are looked for at a time."""


def unit_rows(features: Floats) -> Floats:
    """Return features float32 [N, F] with rows of length 1; a row of zeros stays as it is."""
    length = np.linalg.norm(features, axis=1, keepdims=True)
    out: Floats = features / np.maximum(length, 1e-12)
    return out


@dataclass(frozen=True, eq=False, repr=False)
class Neighbours(ShortRepr):
    """Training photos that vote.

    The probability of a class is its share of the k nearest and of one more vote, which is spread like the classes of
    all training photos; so none is 0.

    Args:
        features: float32 [N, F], rows of length 1.
        labels: int64 [N], classes.
        n_classes: C.
    """

    features: Floats
    labels: NDArray[np.int64]
    n_classes: int

    @property
    def shares(self) -> NDArray[np.float64]:
        """Smoothed class shares [C]."""
        counts = np.bincount(self.labels, minlength=self.n_classes) + 0.5
        return np.asarray(counts / counts.sum())

    def nearest(self, queries: Floats, k: int) -> NDArray[np.int64]:
        """Return the classes int64 [n, k] of the k nearest photos of each query, the nearest first.

        Args:
            queries: float32 [n, F], rows of length 1.
            k: at most N.
        """
        out = np.empty((len(queries), k), dtype=np.int64)
        for start in range(0, len(queries), BLOCK):
            distance = -(queries[start : start + BLOCK] @ self.features.T)
            first = np.argpartition(distance, k - 1, axis=1)[:, :k]
            order = np.argsort(np.take_along_axis(distance, first, axis=1), axis=1, kind="stable")
            out[start : start + BLOCK] = self.labels[np.take_along_axis(first, order, axis=1)]
        return out

    def losses(self, queries: Floats, truth: NDArray[np.int64], counts: Sequence[int]) -> NDArray[np.float64]:
        """Return the summed log loss [len(counts)] of queries of classes `truth` [n] for numbers of neighbours."""
        right = self.nearest(queries, max(counts)) == truth[:, None]
        votes = right.cumsum(axis=1)[:, np.asarray(counts) - 1]
        p = (votes + self.shares[truth][:, None]) / (np.asarray(counts) + 1)
        return np.asarray(-np.log(p).sum(axis=0))

    def log_probabilities(self, queries: Floats, k: int) -> Floats:
        """Return log-probabilities float32 [n, C] by k neighbours."""
        found = self.nearest(queries, k)
        votes = np.zeros((len(queries), self.n_classes))
        np.add.at(votes, (np.arange(len(queries))[:, None], found), 1.0)
        return np.log((votes + self.shares) / (k + 1)).astype(np.float32)
