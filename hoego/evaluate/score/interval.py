"""Intervals over subjects that hold their level: bias from the bootstrap, spread from the jackknife, Wilson's form.

A plain percentile interval of macro F1 is too narrow and lies too low: F1 is concave in a rare class's counts (a bias
of the order of 1 / subjects in the class, which the bootstrap doubles), the variance within n subjects is short by
(n-1)/n, and near 1 the interval collapses. The interval here, for a metric m of the subjects' totals T:

- **centre**: m(T) minus the bootstrap's bias, mean(m(T*)) - m(T) over R resamples of subjects (Efron 1979);
- **variance**: the sum over subjects of |u_s j_s|, u_s the infinitesimal and j_s the leave-one-out jackknife value
  (Efron and Stein 1981): exactly unbiased for a mean within each class, as CR2 is for regressions with clusters
  (Bell and McCaffrey 2002);
- **quantile**: Student's t with Satterthwaite's degrees of freedom (1946) over strata: a subject belongs to the
  rarest class that it holds; a class with a single subject borrows the others' mean variance between subjects;
- **form**: Wilson's score interval (1927) with the effective sample size centre (1 - centre) / variance (Korn and
  Graubard 1998); where few subjects err (or few do not), that size is drawn towards the one at which the photos of a
  subject err together, with the weight of `PRIOR` against the square of the number of these subjects.

`benchmarks/coverage_score.py` measures the coverage, beside that of the percentile interval.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from hoego.evaluate.score.count_columns import CountColumns
from hoego.evaluate.score.subject_counts import STEP, Statistic, SubjectTable

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]
# From five subjects in each class on, the coverage is 92 to 98 % (benchmarks/results/coverage_score.md).
FEW_SUBJECTS = 5
PRIOR = 1.0  # with one subject that errs both sizes weigh alike; with five the cautious one weighs 1 in 26


@dataclass(frozen=True)
class VarianceEstimate:
    """How a statistic varies with the subjects; scalars as [1], one entry per class as [K].

    Args:
        value: the statistic of all subjects.
        variance: its variance over new subjects, corrected for small numbers.
        cautious: the same by the plain jackknife, which is a little too large.
        df: degrees of freedom of the variance.
    """

    value: Float
    variance: Float
    cautious: Float
    df: Float


@dataclass(frozen=True)
class ProportionSupport:
    """What stands behind a proportion when few subjects err.

    Args:
        cautious_size: subjects that the proportion would rest on if all photos of a subject erred together [K].
        minority: number of subjects that err, or that do not, whichever are fewer [K].
    """

    cautious_size: Float
    minority: Float


@dataclass(frozen=True)
class ConfidenceInterval:
    """Limits [K]; NaN where nothing can be said."""

    low: Float
    high: Float
    standard_error: Float


def strata(table: SubjectTable, at: CountColumns) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rarest class that each group [G] holds (C where it holds none), and the number of subjects per class
    [C].
    """
    held = table.rows[:, at.start + 2 * at.n_classes : at.start + 3 * at.n_classes] > 0
    holders = np.asarray(held.T @ table.sizes).astype(np.int64)
    rank = np.argsort(np.argsort(holders, kind="stable"), kind="stable")
    entry = held.tocoo()
    best = np.full(len(table.sizes), at.n_classes, dtype=np.int64)
    np.minimum.at(best, entry.coords[0], rank[entry.coords[1]])
    by_rank = np.append(np.argsort(rank), at.n_classes)
    return by_rank[best], holders


def spread(statistic: Statistic, table: SubjectTable, stratum: NDArray[np.int64]) -> VarianceEstimate:
    """Return the value, variance and degrees of freedom of a statistic of the totals.

    Args:
        statistic: totals [..., columns] to [...] or [..., K]; smooth where subjects are many.
        table: the subjects.
        stratum: one small integer for each group [G].
    """
    totals = table.totals
    value = np.atleast_1d(statistic(totals))
    left_out, slopes = [], []
    for _, block in table.blocks():
        without = statistic(totals - block).reshape(len(block), -1)
        left_out.append(np.where(np.isfinite(without), without, value))
        slopes.append((statistic(totals + STEP * block).reshape(len(block), -1) - value) / STEP)
    gone = np.concatenate(left_out)
    jack = table.sizes @ gone / table.n_subjects - gone
    return gathered(value, np.nan_to_num(np.concatenate(slopes)), jack, table.sizes, stratum)


def gathered(
    value: Float, slope: Float, jack: Float, sizes: NDArray[np.int64], stratum: NDArray[np.int64]
) -> VarianceEstimate:
    """Return the spread of a statistic [K] whose jackknife values are known.

    Args:
        value: the statistic [K].
        slope: infinitesimal jackknife values of each group [G, K].
        jack: leave-one-out jackknife values [G, K].
        sizes, stratum: subjects and stratum of each group [G].
    """
    n_strata = int(stratum.max(initial=0)) + 1
    corrected = np.zeros((n_strata, len(value)))
    np.add.at(corrected, stratum, sizes[:, None] * np.abs(slope * jack))
    members = np.bincount(stratum, weights=sizes, minlength=n_strata)
    alone, several = members == 1, members > 1
    if alone.any() and several.any():
        borrowed = (members[:, None] * corrected)[several].mean(axis=0)
        corrected[alone] = np.maximum(corrected[alone], borrowed)
    variance = corrected.sum(axis=0)
    below = (corrected**2 / np.maximum(members - 1, 1)[:, None]).sum(axis=0)
    df = np.divide(variance**2, below, out=np.full(len(value), np.inf), where=below > 0)
    return VarianceEstimate(value, variance, sizes @ (jack * jack), np.maximum(df, 1.0))


def proportion_interval(
    found: VarianceEstimate,
    replicates: Float,
    support: ProportionSupport,
    level: float,
    span: tuple[float, float] = (0.0, 1.0),
) -> ConfidenceInterval:
    """Return Wilson's form for a statistic within `span`.

    Args:
        found: value and variance [K].
        replicates: the statistic of each resample [R, K]; NaN where it is not defined.
        support: what to fall back on where few subjects err.
        level: confidence level, such as 0.95.
    """
    low, high = span
    width = high - low
    value, variance = (found.value - low) / width, found.variance / width**2
    centre = np.clip(value - (_mean(replicates, found.value) - found.value) / width, 0.0, 1.0)
    inverse = np.divide(
        variance, centre * (1 - centre), out=np.zeros_like(centre), where=(centre > 0) & (centre < 1)
    )
    cautious = 1.0 / np.maximum(support.cautious_size, 1.0)
    drawn = (support.minority**2 * inverse + PRIOR * cautious) / (support.minority**2 + PRIOR)
    inverse = np.where(inverse < cautious, drawn, inverse)
    quantile = np.where(
        variance > 0, student.ppf((1 + level) / 2, found.df), student.ppf((1 + level) / 2, np.inf)
    )
    q2 = quantile**2 * inverse
    middle = (centre + q2 / 2) / (1 + q2)
    half = np.sqrt(q2 * centre * (1 - centre) + q2 * q2 / 4) / (1 + q2)
    return ConfidenceInterval(
        low + width * np.minimum(middle - half, value),
        low + width * np.maximum(middle + half, value),
        np.sqrt(found.variance),
    )


def plain_interval(
    found: VarianceEstimate, replicates: Float, level: float, least: float = -np.inf
) -> ConfidenceInterval:
    """Return Student's t interval around the value less the bootstrap's bias, for statistics without an upper
    bound.
    """
    centre = 2 * found.value - _mean(replicates, found.value)
    half = student.ppf((1 + level) / 2, found.df) * np.sqrt(found.variance)
    return ConfidenceInterval(
        np.maximum(np.minimum(centre - half, found.value), least),
        np.maximum(centre + half, found.value),
        np.sqrt(found.variance),
    )


def _mean(replicates: Float, otherwise: Float) -> Float:
    rows = replicates.reshape(len(replicates), -1)
    good = np.isfinite(rows)
    total = np.where(good, rows, 0.0).sum(axis=0)
    out: Float = np.divide(total, good.sum(axis=0), out=otherwise.copy(), where=good.any(axis=0))
    return out


Marks = Callable[[NDArray[Any], CountColumns, Mask], tuple[Mask, Mask]]
"""Counts [G, columns] to two masks [G, 1] or [G, K]: subjects that lower the statistic, and subjects that raise it."""


def any_mark(block: NDArray[Any], at: CountColumns, present: Mask) -> tuple[Mask, Mask]:
    """Return subjects with a wrong image, and with a right one."""
    right, truth = (f(block).sum(axis=-1, keepdims=True) for f in (at.right, at.truth))
    return right < truth, right > 0


def sensitivity_mark(block: NDArray[Any], at: CountColumns, present: Mask) -> tuple[Mask, Mask]:
    """Return subjects with an image of the class that was missed, and with one that was found."""
    right = at.right(block)[..., present]
    return at.truth(block)[..., present] > right, right > 0


def precision_mark(block: NDArray[Any], at: CountColumns, present: Mask) -> tuple[Mask, Mask]:
    """Return subjects with an image wrongly taken for the class, and with one rightly."""
    right = at.right(block)[..., present]
    return at.predicted(block)[..., present] > right, right > 0


def specificity_mark(block: NDArray[Any], at: CountColumns, present: Mask) -> tuple[Mask, Mask]:
    """Return subjects with an image wrongly taken for the class, and with one of another class that was not."""
    right, said = at.right(block)[..., present], at.predicted(block)[..., present]
    others = at.truth(block).sum(axis=-1, keepdims=True) - at.truth(block)[..., present]
    return said > right, others > said - right


def f1_mark(block: NDArray[Any], at: CountColumns, present: Mask) -> tuple[Mask, Mask]:
    """Return subjects with an image missed or wrongly taken for the class, and with one found."""
    missed, found = sensitivity_mark(block, at, present)
    return missed | precision_mark(block, at, present)[0], found


def minority(table: SubjectTable, at: CountColumns, present: Mask, marks: Marks) -> Float:
    """Return subjects that err, or that do not, whichever are fewer [1] or [K]."""
    lower: Float = np.zeros(1)
    raised: Float = np.zeros(1)
    for where, block in table.blocks():
        down, up = marks(block, at, present)
        lower = lower + table.sizes[where] @ down.astype(np.float64)
        raised = raised + table.sizes[where] @ up.astype(np.float64)
    return np.minimum(lower, raised)


def cautious_size(holders: NDArray[np.int64], n_subjects: int) -> float:
    """Return subjects behind a mean over classes when a subject's photos err together: K^2 / sum(1 / holders), at most
    S.
    """
    held = holders[holders > 0]
    return float(min(len(held) ** 2 / (1.0 / held).sum(), n_subjects)) if len(held) else 0.0


def unknown(interval: ConfidenceInterval) -> ConfidenceInterval:
    """Return the same without limits: too few subjects for any."""
    nothing = np.full_like(interval.low, np.nan)
    return replace(interval, low=nothing, high=nothing)
