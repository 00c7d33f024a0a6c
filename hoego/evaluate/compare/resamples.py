"""What the comparison of M runs rests on: their values, resamples, jackknife values and swaps, per kind of metric.

Resamples are paired: the same subjects are drawn for every run. A swap exchanges the predictions of two runs for
whole subjects.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from hoego.errors import NotEstimableError
from hoego.evaluate.score.count_columns import CountColumns, side_by_side, tally
from hoego.evaluate.score.interval import strata
from hoego.evaluate.score.metrics import Formula, OwnMetric, log_losses, own_value, placements
from hoego.evaluate.score.space import LabelSpace
from hoego.evaluate.score.subject_counts import CHUNK, STEP, SubjectTable
from hoego.short_repr import ShortRepr

Float = NDArray[np.float64]
OWN_RESAMPLES, OWN_SWAPS = 400, 999


@dataclass(frozen=True)
class ResamplingOptions:
    """Resamples R, swaps P and the seed of both."""

    resamples: int = 10_000
    swaps: int = 10_000
    seed: int = 0


@dataclass(frozen=True, eq=False, repr=False)
class Jackknife(ShortRepr):
    """How each run's value moves with each group of equal subjects.

    Args:
        slope: infinitesimal jackknife values [G, M].
        left_out: leave-one-out jackknife values [G, M].
        sizes: subjects of each group [G].
        stratum: the rarest class that the group holds [G].
    """

    slope: Float
    left_out: Float
    sizes: NDArray[np.int64]
    stratum: NDArray[np.int64]


class ResampledMetric(ABC):
    """M runs on the same N rows.

    Attributes:
        values: the metric of each run [M].
        n_subjects: S.
    """

    values: Float
    n_subjects: int

    @abstractmethod
    def replicates(self) -> Float:
        """Return the metric of each run [R, M] in each resample of subjects, paired."""

    @abstractmethod
    def jackknife(self) -> Jackknife | None:
        """Return jackknife values; None where they would cost too much (a custom metric)."""

    @abstractmethod
    def swapped(self, a: int, b: int) -> Float:
        """Return the difference of runs a and b [P] after swapping the predictions of random halves of the subjects."""


class CountMetric(ResampledMetric):
    """A metric of counts."""

    def __init__(self, spaces: Sequence[LabelSpace], formula: Formula, draws: ResamplingOptions) -> None:
        self.draws = draws
        self.formula = formula
        first = spaces[0]
        self.at = CountColumns(first.n_classes, first.ordered)
        self.m = len(spaces)
        names, owner = np.unique(first.subject, return_inverse=True)
        self.n_subjects = len(names)
        counts = [
            tally(s.truth, s.predicted, owner.reshape(-1), len(names), s.n_classes, ordered=s.ordered)
            for s in spaces
        ]
        self.table = SubjectTable.of(side_by_side(counts))
        self.present = self.at.truth(self.table.totals) > 0
        self.stratum, self.holders = strata(self.table, self.at)
        self.values = self._values(self.table.totals)

    def _values(self, totals: NDArray[Any]) -> Float:
        runs = totals.reshape(*totals.shape[:-1], self.m, self.at.width)
        return self.formula(runs, self.at, self.present)

    def replicates(self) -> Float:
        """Return the metric of each run [R, M] in each resample, from the totals of its counts."""
        chunks = self.table.resampled_with(self.draws.resamples, self.draws.seed, held_out=False)
        return np.concatenate([self._values(bag) for bag, _ in chunks])

    def jackknife(self) -> Jackknife:
        """Return the jackknife values, a block of groups at a time."""
        totals, sizes = self.table.totals, self.table.sizes
        gone, slope = [], []
        for _, block in self.table.blocks():
            without = self._values(totals - block)
            gone.append(np.where(np.isfinite(without), without, self.values))
            slope.append((self._values(totals + STEP * block) - self.values) / STEP)
        left = np.concatenate(gone)
        centre = sizes @ left / self.n_subjects
        return Jackknife(np.nan_to_num(np.concatenate(slope)), centre - left, sizes, self.stratum)

    def swapped(self, a: int, b: int) -> Float:
        """Return the difference of runs a and b [P] after random swaps of subjects' counts."""
        w = self.at.width
        rows, totals = self.table.rows, self.table.totals
        change = csr_array(rows[:, b * w : (b + 1) * w] - rows[:, a * w : (a + 1) * w])
        moved = swap_totals(change, self.table.sizes, self.draws)
        mine, other = (totals[k * w : (k + 1) * w] for k in (a, b))
        out = [
            self.formula(mine + t, self.at, self.present) - self.formula(other - t, self.at, self.present)
            for t in moved
        ]
        return np.concatenate(out)


class SubjectSumMetric(ResampledMetric):
    """A metric that is, or is closely approximated by, a sum over subjects: log loss; AUROC by its placements.

    The swap test of AUROC exchanges the placements of whole subjects, not their scores: two models' scores need not
    share a scale, so mixing them in one ranking would mean nothing.
    """

    def __init__(self, values: Float, moves: Jackknife, draws: ResamplingOptions) -> None:
        self.values, self.moves, self.draws = values, moves, draws
        self.n_subjects = int(moves.sizes.sum())

    def replicates(self) -> Float:
        """Return the metric of each run [R, M] in each resample, from the sums over its subjects."""
        rows = csr_array(self.moves.slope)
        chunks = SubjectTable.of(rows).resampled_with(self.draws.resamples, self.draws.seed, held_out=False)
        return np.concatenate([self.values + bag for bag, _ in chunks])

    def jackknife(self) -> Jackknife:
        """Return the jackknife values, which are known when the object is made."""
        return self.moves

    def swapped(self, a: int, b: int) -> Float:
        """Return the difference of runs a and b [P] after random swaps of subjects' contributions."""
        gap = self.moves.slope[:, [a]] - self.moves.slope[:, [b]]
        gap = gap + (self.values[a] - self.values[b]) / self.n_subjects
        change = csr_array(-2.0 * gap)
        moved = np.concatenate(list(swap_totals(change, self.moves.sizes, self.draws)))
        out: Float = (self.values[a] - self.values[b]) + moved[:, 0]
        return out


class CustomMetric(ResampledMetric):
    """A custom metric, by resampling rows; fewer draws, since each calls the function."""

    def __init__(self, spaces: Sequence[LabelSpace], function: OwnMetric, draws: ResamplingOptions) -> None:
        self.spaces, self.function, self.draws = spaces, function, draws
        names, owner = np.unique(spaces[0].subject, return_inverse=True)
        self.owner = owner.reshape(-1)
        self.n_subjects = len(names)
        every = np.arange(spaces[0].n_rows)
        self.values = np.asarray([self._value(s, s.probabilities, every) for s in spaces])

    def _value(self, space: LabelSpace, probabilities: Float, rows: NDArray[np.int64]) -> float:
        return own_value(self.function, space.truth[rows], probabilities[rows])

    def replicates(self) -> Float:
        """Return the metric of each run [R, M]; it is called again for each resample."""
        rng = np.random.default_rng(self.draws.seed)
        order = np.argsort(self.owner, kind="stable")
        rows = np.split(order, np.cumsum(np.bincount(self.owner))[:-1])
        out = np.full((min(self.draws.resamples, OWN_RESAMPLES), len(self.spaces)), np.nan)
        for r in range(len(out)):
            take = np.concatenate([rows[s] for s in rng.integers(0, self.n_subjects, self.n_subjects)])
            for k, space in enumerate(self.spaces):
                try:
                    out[r, k] = self._value(space, space.probabilities, take)
                except (NotEstimableError, ValueError, ZeroDivisionError):
                    continue
        return out

    def jackknife(self) -> None:
        """Give no jackknife values: a call for each subject would cost too much."""

    def swapped(self, a: int, b: int) -> Float:
        """Return the difference of runs a and b [P] after random swaps of subjects' rows."""
        rng = np.random.default_rng(self.draws.seed)
        one, two = self.spaces[a], self.spaces[b]
        every = np.arange(one.n_rows)
        out = np.empty(min(self.draws.swaps, OWN_SWAPS))
        for r in range(len(out)):
            swap = rng.integers(0, 2, self.n_subjects).astype(bool)[self.owner][:, None]
            left = np.where(swap, two.probabilities, one.probabilities)
            right = np.where(swap, one.probabilities, two.probabilities)
            out[r] = self._value(one, left, every) - self._value(two, right, every)
        return out


def swap_totals(change: csr_array, sizes: NDArray[np.int64], draws: ResamplingOptions) -> Any:
    """Return chunks of total change [p, columns] when each subject is swapped with probability 1/2.

    Args:
        change: what swapping one subject of each group adds [G, columns].
        sizes: subjects of each group [G].
    """
    moving = np.flatnonzero(np.diff(change.indptr) > 0)
    kept = csr_array(change[moving])
    kept.eliminate_zeros()
    some = np.diff(kept.indptr) > 0
    dense = kept[some].toarray().astype(np.float64)
    each = sizes[moving][some]
    rng = np.random.default_rng([draws.seed, 1])
    common = np.flatnonzero(each >= 24)
    members = np.repeat(np.flatnonzero(each < 24), each[each < 24])
    kind = (
        np.float32
        if np.issubdtype(change.dtype, np.integer) and np.abs(dense).sum() < 1 << 24
        else np.float64
    )
    singles, crowds = dense[members].astype(kind), dense[common].astype(kind)
    step = max(1, min(draws.swaps, CHUNK // max(1, len(members) + len(common))))
    for start in range(0, draws.swaps, step):
        p = min(step, draws.swaps - start)
        bits = rng.integers(0, 256, (p, (len(members) + 7) // 8), dtype=np.uint8)
        flips = np.unpackbits(bits, axis=1, count=len(members)).astype(kind)
        total = flips @ singles
        if len(common):
            total = total + rng.binomial(each[common], 0.5, size=(p, len(common))).astype(kind) @ crowds
        yield total


def log_loss_evidence(spaces: Sequence[LabelSpace], draws: ResamplingOptions) -> SubjectSumMetric:
    """Return the mean log loss of each run."""
    first = spaces[0]
    losses = np.stack([log_losses(s.truth, s.probabilities) for s in spaces], axis=1)
    n, mean = len(losses), losses.mean(axis=0)
    slope = _subject_sums(first, losses - mean) / n
    rest = n - _subject_sums(first, np.ones((n, 1)))
    return SubjectSumMetric(mean, _moves(first, slope, slope * n / np.maximum(rest, 1.0)), draws)


def auroc_evidence(spaces: Sequence[LabelSpace], draws: ResamplingOptions) -> SubjectSumMetric:
    """Return the mean one-vs-rest AUROC of each run."""
    first = spaces[0]
    present = np.unique(first.truth).tolist()
    if len(present) < 2:
        raise NotEstimableError("AUROC needs two classes in the truth of the scored rows.")
    values, slopes, jacks = [], [], []
    for space in spaces:
        areas = [placements(space.truth == c, space.probabilities[:, c]) for c in present]
        values.append(np.mean([a.value for a in areas]))
        slope = jack = np.zeros(len(np.unique(first.subject)))
        for area in areas:
            for side in (area.positive, ~area.positive):
                part = _subject_sums(first, np.where(side, area.share, 0.0)[:, None])[:, 0]
                rest = side.sum() - _subject_sums(first, side[:, None].astype(np.float64))[:, 0]
                slope = slope + part / len(areas)
                jack = jack + part * side.sum() / np.maximum(rest, 1.0) / len(areas)
        slopes.append(slope)
        jacks.append(jack)
    return SubjectSumMetric(np.asarray(values), _moves(first, np.stack(slopes, 1), np.stack(jacks, 1)), draws)


def _moves(space: LabelSpace, slope: Float, left_out: Float) -> Jackknife:
    names, owner = np.unique(space.subject, return_inverse=True)
    counts = tally(space.truth, space.truth, owner.reshape(-1), len(names), space.n_classes)
    table = SubjectTable(counts, np.ones(len(names), dtype=np.int64), np.arange(len(names)))
    return Jackknife(slope, left_out, table.sizes, strata(table, CountColumns(space.n_classes))[0])


def _subject_sums(space: LabelSpace, values: Float) -> Float:
    names, owner = np.unique(space.subject, return_inverse=True)
    out = np.zeros((len(names), values.shape[1]))
    np.add.at(out, owner.reshape(-1), values)
    return out
