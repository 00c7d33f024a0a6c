"""Subjects as rows of counts, grouped where they are alike, and their bootstrap and jackknife.

Subjects whose counts are equal are exchangeable, so a resample is drawn over groups of equal subjects: the number of
times that a group is drawn is multinomial with its share. That is exact, and makes the cost that of the distinct
rows (a set of 150,000 subjects has few distinct ones when most predictions are right).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from hoego.short_repr import ShortRepr

Float = NDArray[np.float64]
Statistic = Callable[[NDArray[Any]], NDArray[np.float64]]
"""Totals [..., columns] to a number [...] or to one per class [..., K]."""

COMMON = 24  # a group of at least this many equal subjects is drawn by one binomial instead of one by one
CHUNK = 24_000_000  # weights held at once
DENSE = 60_000_000  # cells above which the counts stay sparse
STEP = 1e-3  # how far the infinitesimal jackknife moves a weight
EXACT = 1 << 24  # float32 holds every integer up to here


@dataclass(frozen=True, eq=False, repr=False)
class SubjectTable(ShortRepr):
    """S subjects in G groups of equal rows.

    Args:
        rows: distinct counts [G, columns], in the order in which they first appear.
        sizes: number of subjects of each group [G].
        group: group of each subject [S].
    """

    rows: csr_array
    sizes: NDArray[np.int64]
    group: NDArray[np.int64]

    @classmethod
    def of(cls, counts: csr_array) -> SubjectTable:
        """Group the subjects of counts [S, columns]; sums that are not counts (floats) stay one by one."""
        n = counts.shape[0]
        if not np.issubdtype(counts.dtype, np.integer):
            return cls(counts, np.ones(n, dtype=np.int64), np.arange(n))
        key = np.random.default_rng(0x5EED).integers(1, 2**62, counts.shape[1], dtype=np.int64) | 1
        with np.errstate(over="ignore"):
            mark = counts.astype(np.int64) @ key
        _, first, group, sizes = np.unique(mark, return_index=True, return_inverse=True, return_counts=True)
        order = np.argsort(first, kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        return cls(csr_array(counts[first[order]]), sizes[order].astype(np.int64), rank[group.reshape(-1)])

    @property
    def n_subjects(self) -> int:
        """The number of subjects S."""
        return int(self.sizes.sum())

    @cached_property
    def totals(self) -> Float:
        """Column totals [columns]."""
        total: Float = (self.rows.T @ self.sizes).astype(np.float64)
        return total

    def block(self, start: int, stop: int) -> Float:
        """Return the groups start to stop as dense counts [stop - start, columns]."""
        dense: Float = self.rows[start:stop].toarray().astype(np.float64)
        return dense

    def blocks(self) -> Iterator[tuple[slice, Float]]:
        """Yield all groups as dense counts, some thousands at a time."""
        step = max(1, 4_000_000 // max(1, self.rows.shape[1]))
        for start in range(0, len(self.sizes), step):
            stop = min(start + step, len(self.sizes))
            yield slice(start, stop), self.block(start, stop)

    def resampled(self, resamples: int, seed: int) -> NDArray[Any]:
        """Return column totals [R, columns] of R bootstrap resamples of S subjects, drawn with replacement."""
        return np.concatenate([t for t, _ in self.resampled_with(resamples, seed, held_out=False)])

    def resampled_with(
        self, resamples: int, seed: int, *, held_out: bool
    ) -> Iterator[tuple[NDArray[Any], NDArray[Any] | None]]:
        """Yield chunks of totals [r, columns] in the bag and, where asked for, of the subjects out of it.

        The subjects out of the bag need to be distinct, so with `held_out` no group is drawn as one.
        """
        if held_out:
            yield from self._with_held_out(resamples, seed)
            return
        rng = np.random.default_rng(seed)
        multiply = GroupedProduct(self.rows, float(self.totals.max(initial=0.0)))
        step = max(1, min(resamples, CHUNK // max(1, len(self.sizes), self.n_subjects // 8)))
        for start in range(0, resamples, step):
            yield multiply(draw(self.sizes, min(step, resamples - start), rng)), None

    def _with_held_out(self, resamples: int, seed: int) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        rng = np.random.default_rng(seed)
        s = self.n_subjects
        multiply = GroupedProduct(self.rows, float(self.totals.max(initial=0.0)))
        groups = len(self.sizes)
        member = (
            csr_array((np.ones(s, dtype=np.float32), (np.arange(s), self.group)), shape=(s, groups))
            if groups < s
            else None
        )
        step = max(1, min(resamples, CHUNK // max(1, s)))
        for start in range(0, resamples, step):
            weights = draw(np.ones(s, dtype=np.int64), min(step, resamples - start), rng)
            out = (weights == 0).astype(np.float32)
            if member is None:
                order = np.argsort(self.group)
                weights, out = weights[:, order], out[:, order]
            else:
                weights, out = weights @ member, out @ member
            yield multiply(weights), multiply(out)


class GroupedProduct:
    """Weights [r, G] times counts [G, columns]: empty columns left out, equal ones multiplied once.

    Exact in float32 wherever no sum can pass 2^24; float64 otherwise.
    """

    def __init__(self, rows: csr_array, largest: float) -> None:
        whole = np.issubdtype(rows.dtype, np.integer)
        self.dtype = np.float32 if whole and largest * 2 < EXACT else np.float64
        columns, self.place = _distinct_columns(rows)
        used = rows[:, columns].astype(self.dtype)
        self.counts = used.toarray() if used.shape[0] * used.shape[1] <= DENSE else csr_array(used.T)

    def __call__(self, weights: NDArray[np.float32]) -> NDArray[Any]:
        w = weights.astype(self.dtype, copy=False)
        found = np.asarray(w @ self.counts if isinstance(self.counts, np.ndarray) else (self.counts @ w.T).T)
        if len(self.place) == found.shape[1]:
            return found
        out: NDArray[Any] = np.concatenate([found, np.zeros((len(found), 1), self.dtype)], axis=1)[
            :, self.place
        ]
        return out


def _distinct_columns(rows: csr_array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return columns to multiply, and for every column its place among them (one past the last: empty)."""
    filled = np.unique(rows.indices).astype(np.int64)
    if not np.issubdtype(rows.dtype, np.integer):
        distinct, where = filled, np.arange(len(filled))
    else:
        key = np.random.default_rng(0xC01).integers(1, 2**62, rows.shape[0], dtype=np.int64) | 1
        with np.errstate(over="ignore"):
            mark = (rows.astype(np.int64).T @ key)[filled]
        _, first, where = np.unique(mark, return_index=True, return_inverse=True)
        order = np.argsort(first, kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        distinct, where = filled[first[order]], rank[where.reshape(-1)]
    place = np.full(rows.shape[1], len(distinct), dtype=np.int64)
    place[filled] = where
    if len(distinct) == rows.shape[1]:
        return distinct, np.arange(len(distinct))
    return distinct, place


def draw(sizes: NDArray[np.int64], resamples: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return how often each group [R, G] is drawn when as many subjects as there are are drawn with replacement."""
    total = int(sizes.sum())
    common = np.flatnonzero(sizes >= COMMON)
    rare = np.flatnonzero(sizes < COMMON)
    out = np.empty((resamples, len(sizes)), dtype=np.float32)
    members = np.repeat(np.arange(len(rare)), sizes[rare])
    if len(common):
        shares = np.append(sizes[common], len(members)) / total
        drawn = rng.multinomial(total, shares / shares.sum(), size=resamples)
        out[:, common] = drawn[:, :-1]
        times = drawn[:, -1]
    else:
        times = np.full(resamples, total)
    for r, n in enumerate(
        times.tolist() if len(rare) else []
    ):  # one resample at a time stays in the processor's cache
        picked = rng.integers(0, len(members), n)
        if len(members) > len(rare):
            picked = members[picked]
        rows = np.bincount(picked, minlength=len(rare))
        if len(common):
            out[r, rare] = rows
        else:
            out[r] = rows
    return out
