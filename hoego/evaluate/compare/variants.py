"""Compare variants of the predictions of the same images: oracle substitutions, members left out, thresholds moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.errors import NotEstimableError
from hoego.evaluate.compare.paired import ENOUGH_SUBJECTS, PairedDifference, PairedResamples
from hoego.evaluate.compare.resamples import CountMetric, ResamplingOptions
from hoego.evaluate.score.metrics import METRICS, PRIMARY
from hoego.evaluate.score.space import LabelSpace
from hoego.results.score import LEVEL, IntervalEstimate

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]
SWAPS = 99  # an interval is asked for, not a p-value


def estimate(value: float, replicates: Floats, level: float = LEVEL) -> IntervalEstimate:
    """Return the basic bootstrap interval: the replicates' quantiles reflected about the value (Davison and Hinkley
    1997).
    """
    good = replicates[np.isfinite(replicates)]
    low, high = np.quantile(good, [(1 - level) / 2, (1 + level) / 2])
    return IntervalEstimate(
        value=float(value), low=float(2 * value - high), high=float(2 * value - low), level=level
    )


@dataclass(frozen=True)
class Variants:
    """V predictions of the same images.

    Args:
        names: of the variants [V].
        bench: their values and resamples.
    """

    names: tuple[str, ...]
    bench: PairedResamples

    def value(self, name: str) -> float:
        """Return macro F1 of a variant."""
        return float(self.bench.evidence.values[self.names.index(name)])

    def difference(self, name: str, base: str) -> IntervalEstimate:
        """Return macro F1 of `name` less that of `base`, paired, with the interval of `hoego compare`."""
        found = self.pair(name, base)
        return found.interval(self.bench.level)

    def pair(self, name: str, base: str) -> PairedDifference:
        """Return the same with its p-value, as fine as the swaps that `variants_of` was asked for."""
        return self.bench.pair([self.names.index(name)], [self.names.index(base)])


def variants_of(
    predicted: Mapping[str, Ints],
    truth: Ints,
    subject: Ints,
    n_classes: int,
    *,
    draws: tuple[int, int] = (2_000, 0),
    swaps: int = SWAPS,
) -> Variants:
    """Compare V predictions of the same N images by macro F1.

    Args:
        predicted: name -> classes [N]; -1 is not a class, and counts as wrong.
        truth: classes [N]; -1 leaves the image out.
        subject: position of each image's subject [N].
        n_classes: C.
        draws: resamples over subjects, and their seed.
        swaps: random swaps of subjects behind a p-value.

    Raises:
        NotEstimableError: fewer than six subjects have a label.
    """
    known = truth >= 0
    n_subjects = len(np.unique(subject[known]))
    if n_subjects < ENOUGH_SUBJECTS:
        raise NotEstimableError(
            f"{n_subjects} subjects do not show how a score varies from subject to subject.",
            remedy="Score more subjects (hoego train --fold all).",
        )
    classes = tuple(str(c) for c in range(n_classes + 1))
    rows = np.flatnonzero(known)
    spaces = []
    for classes_of_one in predicted.values():
        one = np.zeros((len(rows), n_classes + 1))
        one[np.arange(len(rows)), np.where(classes_of_one < 0, n_classes, classes_of_one)[rows]] = 1
        spaces.append(
            LabelSpace(
                name="target",
                classes=classes,
                ordered=False,
                truth=truth[rows].astype(np.int64),
                probabilities=one,
                subject=subject[rows].astype(np.int64),
                rows=rows,
            )
        )
    formula = METRICS[PRIMARY].formula
    assert formula is not None
    evidence = CountMetric(spaces, formula, ResamplingOptions(draws[0], swaps, draws[1]))
    return Variants(tuple(predicted), PairedResamples.of(evidence, LEVEL, draws[1]))
