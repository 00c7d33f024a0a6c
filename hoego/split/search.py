"""Greedy placing of subjects, then local search by moves and swaps between two sides, evaluated in batches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csr_array

from hoego.split.problem import BalanceProblem, Floats, Ints

Generator = np.random.Generator

LACKING = 1e6
"""Cost of an avoidable absence of a class, or of an empty side. It exceeds every other cost, whose terms are at most
a few units, so the search never trades an absence for better balance."""
SPREAD, SIZE, SQUARES = 0.5, 0.05, 0.05
"""Costs, relative to the worst deviation, of the worst spread of a class (`balance.spread_deviation`), of the worst
relative error of a side's size, and of the root of the summed squares of all three (which leads out of plateaus)."""
BATCH_CELLS = 250_000
"""Eight times the cells of an array [candidates, C] that is evaluated at once: 250 KB of float64, whatever the data."""
MAX_STEPS = 1_000
"""Pairs of sides tried in one descent; a bound on the time where each step still gains a little."""
SMALL = 3_000
"""Types of subjects up to which the search starts several times; beyond, one greedy start is near perfect."""


def greedy(problem: BalanceProblem, rng: Generator, noise: float) -> Ints:
    """Place every subject, the large and the rare first, where the chi-square distance to the ideal grows least.

    Of each type of n subjects, floor(n * ideal) go to every side at once; only the rest is placed one by one.

    Args:
        noise: standard deviation of the logarithm by which the order of placing is disturbed; 0 for none.

    Returns:
        int64[K, T], subjects of each type on each side.
    """
    ideal = problem.ideal
    placed = np.floor(
        problem.number[None, :] * ideal[:, None] + 1e-9  # 3 * (1 / 3) may be a little less than 1
    ).astype(np.int64)
    left = np.repeat(np.arange(problem.n_types), problem.number - placed.sum(axis=0))
    weight = 1.0 / np.maximum(problem.totals, 1.0)
    weight_size = 1.0 / problem.n_images
    gap = problem.contents(placed) - ideal[:, None] * problem.totals
    gap_size = placed @ problem.sizes[:-1] - ideal * problem.n_images
    pull = _pulls(problem, weight)[left] * np.exp(noise * rng.standard_normal(len(left)))
    per_ideal = 1.0 / ideal
    for t, columns, values in _subjects(problem, left[np.argsort(-pull, kind="stable")]):
        size = problem.sizes[t]
        drawn = values * weight[columns]
        rise = 2.0 * (gap[:, columns] @ drawn) + values @ drawn
        rise += (2.0 * gap_size * size + size * size) * weight_size
        k = int(np.argmin(np.round(rise * per_ideal, 10)))
        placed[k, t] += 1
        gap[k, columns] += values
        gap_size[k] += size
    return placed


def _pulls(problem: BalanceProblem, weight: Floats) -> Floats:
    """Return the effect of one subject of each type, float64[T]: the root of the weighted sum of its squared counts."""
    vectors = problem.vectors[: problem.n_types]
    if isinstance(vectors, csr_array):
        squares = np.asarray(vectors.power(2) @ weight, dtype=np.float64).ravel()
    else:
        squares = np.einsum("tc,tc,c->t", vectors, vectors, weight)
    root: Floats = np.sqrt(squares)
    return root


def _subjects(problem: BalanceProblem, types: Ints) -> Iterator[tuple[int, slice | Ints, Floats]]:
    """Yield for each subject its type, the columns that it touches and its counts there."""
    vectors = problem.vectors
    if isinstance(vectors, csr_array):
        starts = vectors.indptr
        for t in types.tolist():
            part = slice(starts[t], starts[t + 1])
            yield t, vectors.indices[part], vectors.data[part]
    else:
        every = slice(None)
        for t in types.tolist():
            yield t, every, vectors[t]


class SplitAssignment:
    """A division under improvement: subjects per side and type, and what every side holds."""

    def __init__(self, problem: BalanceProblem, placed: Ints) -> None:
        self.problem = problem
        self.placed = placed.copy()
        self.contents = problem.contents(placed)
        self.sizes: Floats = placed @ problem.sizes[:-1]
        self.subjects: Ints = placed.sum(axis=1)
        self.share = problem.totals / problem.n_images
        self.rate = 1.0 / np.maximum(problem.totals, 1.0)
        self.terms = np.array(
            [
                self._terms(k, self.contents[k : k + 1], self.sizes[k : k + 1])[:, 0]
                for k in range(problem.n_sides)
            ]
        )
        self.cost = self._cost()

    def _terms(self, side: int, contents: Floats, sizes: Floats) -> Floats:
        """Return deviation, spread, size error and squares of a side, float64[4, B].

        The B candidates have contents [B, C] and sizes [B].
        """
        ideal = self.problem.ideal[side]
        mix = np.abs(contents / np.maximum(sizes, 1.0)[:, None] - self.share)
        spread = np.abs(contents * self.rate - ideal)
        size = np.abs(sizes / self.problem.n_images - ideal) / ideal
        squares = np.einsum("bc,bc->b", mix, mix) + SQUARES * (
            size * size + np.einsum("bc,bc->b", spread, spread)
        )
        return np.array([np.where(sizes > 0, mix.max(axis=1), 1.0), spread.max(axis=1), size, squares])

    def _cost(self) -> float:
        lacking = (
            np.maximum(self.problem.need - (self.contents > 0).sum(axis=0), 0).sum()
            + (self.subjects == 0).sum()
        )
        worst = self.terms[:, :3].max(axis=0)
        return float(LACKING * lacking + _price(worst, self.terms[:, 3].sum()))

    @property
    def lacking(self) -> int:
        """Number of avoidable absences (a class with enough subjects is missing from a side) and of empty sides."""
        return int(self.cost // LACKING)

    def improve_pair(self, i: int, j: int, rng: Generator) -> bool:
        """Make the best move or swap of subjects between sides i and j, if it lowers the cost."""
        problem = self.problem
        out, back = self._candidates(i, j, rng)
        if not len(out):
            return False
        drift = problem.rows(out) - problem.rows(back)
        weight = problem.sizes[out] - problem.sizes[back]
        new_i, new_j = self.contents[i] - drift, self.contents[j] + drift
        terms_i = self._terms(i, new_i, self.sizes[i] - weight)
        terms_j = self._terms(j, new_j, self.sizes[j] + weight)
        others = np.delete(self.terms, (i, j), axis=0)
        worst = np.maximum(terms_i[:3], terms_j[:3])
        if len(others):
            worst = np.maximum(worst, others[:, :3].max(axis=0)[:, None])
        elsewhere = (self.contents > 0).sum(axis=0) - (self.contents[i] > 0) - (self.contents[j] > 0)
        lacking = np.maximum(problem.need - elsewhere - (new_i > 0) - (new_j > 0), 0).sum(axis=1)
        shift = (back < problem.n_types).astype(np.int64) - (out < problem.n_types)
        empty = np.delete(self.subjects == 0, (i, j)).sum()
        lacking = lacking + (self.subjects[i] + shift == 0) + (self.subjects[j] - shift == 0) + empty
        cost = LACKING * lacking + _price(worst, terms_i[3] + terms_j[3] + others[:, 3].sum())
        best = int(np.argmin(np.round(cost, 12)))
        # A gain below the rounding of the cost would let the search run in a circle.
        if cost[best] >= self.cost - 1e-11:
            return False
        self._move(i, j, int(out[best]))
        self._move(j, i, int(back[best]))
        self.contents[i], self.contents[j] = new_i[best], new_j[best]
        self.terms[i], self.terms[j] = terms_i[:, best], terms_j[:, best]
        self.cost = float(cost[best])
        return True

    def _candidates(self, i: int, j: int, rng: Generator) -> tuple[Ints, Ints]:
        """Return the types that move from i to j and from j to i, [B] each; type T is the empty subject."""
        nobody = self.problem.n_types
        here = np.append(np.flatnonzero(self.placed[i]), nobody)
        there = np.append(np.flatnonzero(self.placed[j]), nobody)
        n_all = len(here) * len(there) - 1
        n_most = max(32, BATCH_CELLS // (8 * self.problem.n_classes))
        chosen = np.arange(n_all) if n_all <= n_most else rng.integers(0, n_all, n_most)
        return here[chosen // len(there)], there[chosen % len(there)]

    def _move(self, source: int, goal: int, kind: int) -> None:
        if kind < self.problem.n_types:
            self.placed[source, kind] -= 1
            self.placed[goal, kind] += 1
            self.subjects[source] -= 1
            self.subjects[goal] += 1
            self.sizes[source] -= self.problem.sizes[kind]
            self.sizes[goal] += self.problem.sizes[kind]

    def descend(self, rng: Generator) -> None:
        """Improve pair after pair of sides until no pair can be improved, or MAX_STEPS pairs were tried."""
        n_sides = self.problem.n_sides
        pairs = [(i, j) for i in range(n_sides) for j in range(i + 1, n_sides)]
        pairs = [pairs[p] for p in rng.permutation(len(pairs))]
        idle = 0
        for step in range(MAX_STEPS):
            idle = 0 if self.improve_pair(*pairs[step % len(pairs)], rng) else idle + 1
            if idle == len(pairs):
                return

    def disturb(self, rng: Generator, n_moves: int) -> Ints:
        """Return this assignment, int64[K, T], after n random moves of single subjects."""
        placed = self.placed.copy()
        for _ in range(n_moves):
            i, j = rng.choice(len(placed), 2, replace=False)
            here = np.flatnonzero(placed[i])
            if len(here):
                kind = rng.choice(here)
                placed[i, kind] -= 1
                placed[j, kind] += 1
        return placed


def _price(worst: Floats, squares: Floats) -> Floats:
    price: Floats = (
        worst[0] + SPREAD * worst[1] + SIZE * worst[2] + SQUARES * np.sqrt(np.maximum(squares, 0.0))
    )
    return price


def solve(problem: BalanceProblem, rng: Generator) -> SplitAssignment:
    """Find the best assignment: greedy starts, each descended; then the best one disturbed and descended again.

    While a class still lacks a side, ten times as many disturbances are tried (by that, every one of 400 random
    problems reached the fewest absences that an integer program proves possible; see tests/test_split_oracle.py).
    """
    starts, kicks = (2, 6) if problem.n_types <= SMALL else (1, 0)
    best: SplitAssignment | None = None
    for start in range(starts):
        division = SplitAssignment(problem, greedy(problem, rng, 0.1 + 0.4 * (start > 0)))
        division.descend(rng)
        if best is None or division.cost < best.cost:
            best = division
    assert best is not None
    for kick in range(10 * max(kicks, 1)):
        if kick >= kicks and not best.lacking:
            break
        division = SplitAssignment(problem, best.disturb(rng, 3))
        division.descend(rng)
        if division.cost < best.cost:
            best = division
    return best
