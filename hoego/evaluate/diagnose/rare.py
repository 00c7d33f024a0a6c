"""Intervals of what rests on few subjects and cannot fall below a known least: a gain, errors beyond the first.

The percentile interval of such a quantity is too narrow and lies too low where a handful of subjects carry it (measured
coverage of 67 to 90 % in place of 95): the subjects that would carry it and happen not to be there are in no resample.
Here: Wilson's form above the least (see `hoego.evaluate.score.interval`), and for fewer than ten such subjects a
lower limit no
higher than that of as many Poisson events (Garwood, Fiducial Limits for the Poisson Distribution, 1936; the mid-P
limit, half a step inside), since Wilson's is too high for one to four events. The coverage is measured by
`benchmarks/coverage_diagnose.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from hoego.evaluate.score.interval import ProportionSupport, VarianceEstimate, proportion_interval
from hoego.results.score import LEVEL, IntervalEstimate

FEW_CARRIERS = 10  # below, percentile intervals covered 67 to 90 % in place of 95 (see the head of this file)


def rare_interval(
    found: VarianceEstimate,
    replicates: NDArray[np.float64],
    n_subjects: float,
    carriers: int,
    span: tuple[float, float],
) -> IntervalEstimate:
    """Return the interval of a value [1] at 95 %.

    Args:
        found: value and variance [1].
        replicates: of the bootstrap [R].
        n_subjects: that the value would rest on if all photos of a subject were alike.
        carriers: number of subjects without which the value would be its least.
        span: the least and the most that the value can be.
    """
    value, (least, most) = float(found.value[0]), span
    if most <= least:
        return IntervalEstimate(value=value, low=value, high=value)
    support = ProportionSupport(np.asarray([n_subjects]), np.asarray([float(carriers)]))
    limits = proportion_interval(found, replicates, support, LEVEL, span)
    low = float(limits.low[0])
    if 0 < carriers < FEW_CARRIERS:
        events = float(chi2.ppf((1 - LEVEL) / 2, 2 * carriers + 1)) / 2
        low = min(low, least + max(value - least, 0.0) * events / carriers)
    return IntervalEstimate(value=value, low=low, high=float(limits.high[0]))


def carriers(subject: NDArray[np.integer[Any]], mask: NDArray[np.bool_]) -> int:
    """Return the number of subjects with an image in the mask [N]."""
    return len(np.unique(subject[mask]))


def said_of(carriers: int) -> str:
    """Return what an interval says of itself when few subjects carry the value; empty where they are enough."""
    if carriers >= FEW_CARRIERS:
        return ""
    who = "1 subject" if carriers == 1 else f"{carriers} subjects"
    return f"rests on {who}: its 95 % interval is wide on purpose (measured to hold 97 to 100 %)"


def uneven_spread(
    value: NDArray[np.float64], left_out: NDArray[np.float64], sizes: NDArray[np.int64]
) -> VarianceEstimate:
    """Return the spread of a value [1] to which a few subjects contribute much more than the others.

    Args:
        left_out: leave-one-out jackknife values of each group of equal subjects [G].
        sizes: subjects of each group [G].

    The variance is the plain jackknife's, V = sum j^2; its degrees of freedom (Satterthwaite 1946) take the variance of
    V itself from the fourth powers: 2 V^2 / (sum j^4 - V^2 / S), which is S where the contributions are normal.
    """
    square = left_out**2
    variance = float(sizes @ square)
    fourth = float(sizes @ square**2) - variance**2 / float(sizes.sum())
    df = np.asarray([max(2 * variance**2 / fourth, 1.0) if fourth > 0 else np.inf])
    each = np.asarray([variance])
    return VarianceEstimate(value, each, each, df)


def less(
    first: tuple[float, float, float], second: tuple[float, float, float], correlation: float
) -> tuple[float, float]:
    """Return the interval of the first less the second, each given as value, low and high.

    Made of the limits of both and their correlation (Zou, Toward Using Confidence Intervals to Compare Correlations,
    Psychological Methods 2007), so that it is as skewed as they are.
    """

    def joined(a: float, b: float) -> float:
        return float(np.sqrt(max(a * a + b * b - 2 * correlation * a * b, 0.0)))

    difference = first[0] - second[0]
    low = difference - joined(first[0] - first[1], second[2] - second[0])
    return low, difference + joined(first[2] - first[0], second[0] - second[1])
