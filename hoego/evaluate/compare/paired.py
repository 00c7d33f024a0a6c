"""The difference of two sides: its interval, its p-value and what the split could have detected.

- **Interval**: percentiles of the paired bootstrap over subjects, moved to the difference and stretched so that their
  spread is that of the jackknife (see `hoego.evaluate.score.interval`: bootstrap spread is short by (n-1)/n in each
  class) times Student's t over the normal quantile.
- **p**: swapping whole subjects between two models (Fisher's randomisation test; Good 2005, chapter 3). For recipes,
  Student's t over seeds and subjects.
- **Recipes**: variance over subjects + over seeds - of their interaction, the two-way clustered variance of Cameron,
  Gelbach and Miller (2011), with Satterthwaite's degrees of freedom; with three seeds this errs on the wide side.
- **Detectable**: 2.8 standard errors, the difference that is found with a power of 80 % at the level of 5 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from scipy.stats import t as student

from hoego.evaluate.compare.resamples import Jackknife, ResampledMetric
from hoego.results.base import number
from hoego.results.score import DefinedEstimate, IntervalEstimate

Float = NDArray[np.float64]
POWER = 2.8  # 1.96 + 0.84: the normal quantiles of a level of 5 %, two-sided, and of a power of 80 %
ENOUGH_SEEDS = 3  # with two, the variance between seeds would have one degree of freedom
ENOUGH_SUBJECTS = 6  # swapping S subjects gives p of 2 / 2^S at least: 0.06 with five, 0.03 with six
TIE = 1e-9  # rounding: a swap that gives the observed difference again counts as reaching it


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """Side A less side B.

    Args:
        difference: of the metric (of its mean over seeds).
        low, high: interval; NaN where there are too few subjects.
        p_value: two-sided; NaN likewise.
        standard_error: of the difference.
        scope: `models` or `recipes`.
        same_classes: both sides predict the same class for every image.
    """

    difference: float
    low: float
    high: float
    p_value: float
    standard_error: float
    scope: str
    same_classes: bool = False

    @property
    def detectable(self) -> float:
        """The difference that the split finds with a power of 80 % at the level of 5 %."""
        return POWER * self.standard_error

    def interval(self, level: float) -> IntervalEstimate:
        """Return the difference with its interval, which is at `level`."""
        return IntervalEstimate(value=self.difference, low=self.low, high=self.high, level=level)

    def estimate(self, level: float, note: str = "") -> DefinedEstimate:
        """Return the difference with its interval, which is at `level`; None for a bound that is not defined."""
        return DefinedEstimate(
            value=self.difference,
            low=number(self.low),
            high=number(self.high),
            level=level,
            standard_error=number(self.standard_error),
            note=note,
        )


@dataclass(frozen=True, kw_only=True)
class PairedResamples:
    """Evidence with its resamples and jackknife computed once, for any number of pairs."""

    evidence: ResampledMetric
    replicates: Float
    moves: Jackknife | None
    level: float
    seed: int

    @classmethod
    def of(cls, evidence: ResampledMetric, level: float, seed: int) -> PairedResamples:
        """Draw the resamples and compute the jackknife of the evidence, once."""
        return cls(
            evidence=evidence,
            replicates=evidence.replicates(),
            moves=evidence.jackknife(),
            level=level,
            seed=seed,
        )

    def pair(self, a: Sequence[int], b: Sequence[int]) -> PairedDifference:
        """Compare the runs `a` with the runs `b` (positions among the M runs)."""
        weights = np.zeros(len(self.evidence.values))
        weights[list(a)] += 1 / len(a)
        weights[list(b)] -= 1 / len(b)
        difference = float(self.evidence.values @ weights)
        scope = "recipes" if min(len(a), len(b)) >= ENOUGH_SEEDS else "models"
        if self.evidence.n_subjects < ENOUGH_SUBJECTS:
            return PairedDifference(
                difference=difference,
                low=np.nan,
                high=np.nan,
                p_value=np.nan,
                standard_error=np.nan,
                scope=scope,
            )
        variance, df = self._over_subjects(weights)
        if scope == "recipes":
            variance, df = self._with_seeds(variance, df, (a, b))
            drawn = self._both_resampled(a, b)
        else:
            drawn = self.replicates @ weights
        error = float(np.sqrt(variance))
        low, high = self._limits(difference, drawn[np.isfinite(drawn)], error, df, scope)
        p = self._p(difference, error, df, a, b, scope)
        return PairedDifference(
            difference=difference, low=low, high=high, p_value=p, standard_error=error, scope=scope
        )

    def _over_subjects(self, weights: Float) -> tuple[float, float]:
        s = self.evidence.n_subjects
        if self.moves is None:
            return float(np.nanvar(self.replicates @ weights)) * s / (s - 1), float(s - 1)
        slope, left_out = self.moves.slope @ weights, self.moves.left_out @ weights
        sizes, stratum = self.moves.sizes, self.moves.stratum
        middle = (np.abs(slope * left_out) + left_out**2) / 2
        each = np.bincount(stratum, weights=sizes * middle)
        members = np.bincount(stratum, weights=sizes)
        total = float(each.sum())
        below = float((each**2 / np.maximum(members - 1, 1)).sum())
        return total, max(1.0, total**2 / below if below > 0 else s - 1.0)

    def _with_seeds(
        self, variance: float, df: float, sides: tuple[Sequence[int], Sequence[int]]
    ) -> tuple[float, float]:
        own, both = [], 0.0
        for side in sides:
            k = len(side)
            own.append(float(self.evidence.values[list(side)].var(ddof=1)) / k)
            if self.moves is not None:
                moved = self.moves.left_out[:, list(side)]
                apart = moved - moved.mean(axis=1, keepdims=True)
                both += float(self.moves.sizes @ (apart**2).sum(axis=1)) / (k * (k - 1))
        seeds = sum(own)
        total = max(variance, seeds, variance + seeds - both)
        below = variance**2 / df + sum(v * v / (len(side) - 1) for v, side in zip(own, sides, strict=True))
        return total, max(1.0, total**2 / below) if below > 0 else df

    def _both_resampled(self, a: Sequence[int], b: Sequence[int]) -> Float:
        rng = np.random.default_rng([self.seed, 2])
        rows = np.arange(len(self.replicates))[:, None]
        sides = []
        for side in (a, b):
            seeds = np.asarray(side)[rng.integers(0, len(side), (len(rows), len(side)))]
            sides.append(self.replicates[rows, seeds].mean(axis=1))
        out: Float = sides[0] - sides[1]
        return out

    def _limits(
        self, difference: float, drawn: Float, error: float, df: float, scope: str
    ) -> tuple[float, float]:
        tail = (1 - self.level) / 2
        spread = float(drawn.std()) if len(drawn) else 0.0
        if error == 0 or spread == 0:
            return difference, difference
        freedom = df if scope == "recipes" else self.evidence.n_subjects - 1
        wide = float(student.ppf(1 - tail, freedom) / norm.ppf(1 - tail))
        low, high = np.quantile(drawn, [tail, 1 - tail]) - drawn.mean()
        stretch = wide * error / spread
        return difference + stretch * float(low), difference + stretch * float(high)

    def _p(
        self, difference: float, error: float, df: float, a: Sequence[int], b: Sequence[int], scope: str
    ) -> float:
        if len(a) == len(b) == 1:
            swapped = self.evidence.swapped(a[0], b[0])
            swapped = swapped[np.isfinite(swapped)]
            reached = int((np.abs(swapped) >= abs(difference) - TIE).sum())
            return (1 + reached) / (1 + len(swapped))
        if error == 0:
            return 1.0
        return float(2 * student.sf(abs(difference) / error, df))
