"""Several predictions of the same images under one bootstrap over subjects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.errors import CannotSay
from hoego.score.formulas import accuracy, macro_f1
from hoego.score.layout import Layout, side_by_side, tally
from hoego.score.table import SubjectTable

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A value with its interval at `level`."""

    value: float
    low: float
    high: float
    level: float = LEVEL

    def to_dict(self) -> dict[str, float]:
        return {"value": self.value, "low": self.low, "high": self.high, "level": self.level}

    def named(self, name: str) -> dict[str, float]:
        """The same with the value under another key."""
        return {name: self.value, "low": self.low, "high": self.high}


def estimate(value: float, replicates: Floats, level: float = LEVEL) -> Estimate:
    """The basic bootstrap interval: the replicates' quantiles reflected about the value (Davison and Hinkley 1997).

    Reflection takes out the bias of macro F1's resamples, which a percentile interval would double.
    """
    good = replicates[np.isfinite(replicates)]
    low, high = np.quantile(good, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(float(value), float(2 * value - high), float(2 * value - low), level)


@dataclass(frozen=True)
class Variants:
    """Macro F1 of V predictions of the same images, with R joint resamples.

    Args:
        names: of the variants.
        values: macro F1 [V].
        replicates: macro F1 [R, V], each row one resample of subjects.
    """

    names: Sequence[str]
    values: Floats
    replicates: Floats

    def value(self, name: str) -> float:
        return float(self.values[list(self.names).index(name)])

    def difference(self, name: str, base: str) -> Estimate:
        """Macro F1 of `name` less that of `base`, paired."""
        i, j = list(self.names).index(name), list(self.names).index(base)
        return estimate(self.values[i] - self.values[j], self.replicates[:, i] - self.replicates[:, j])

    def estimate(self, name: str) -> Estimate:
        i = list(self.names).index(name)
        return estimate(self.values[i], self.replicates[:, i])


@dataclass(frozen=True)
class VariantCounts:
    """Per-subject counts of V variants, ready to be resampled."""

    names: tuple[str, ...]
    table: SubjectTable
    layouts: tuple[Layout, ...]
    present: NDArray[np.bool_]
    metric: Any = field(default=macro_f1)

    def bootstrap(self, resamples: int, seed: int) -> Variants:
        totals = self.table.resampled(resamples, seed)
        values = np.asarray([self.metric(self.table.totals, at, self.present) for at in self.layouts])
        replicates = np.stack([self.metric(totals, at, self.present) for at in self.layouts], axis=1)
        return Variants(self.names, values.astype(np.float64), replicates.astype(np.float64))


def variants_of(
    predicted: Mapping[str, Ints], truth: Ints, subject: Ints, n_classes: int, *, metric: str = "macro_f1"
) -> VariantCounts:
    """Count V predictions of the same N images by subject.

    Args:
        predicted: name -> classes [N]; -1 is no class at all and counts as wrong.
        truth: classes [N]; -1 leaves the image out.
        subject: position of each image's subject [N].
        n_classes: C.
        metric: "macro_f1" or "accuracy".

    Raises:
        CannotSay: fewer than three subjects have a label.
    """
    subjects, index = np.unique(subject[truth >= 0], return_inverse=True)
    if len(subjects) < 3:
        raise CannotSay(
            f"{len(subjects)} subjects do not show how a score varies from subject to subject.",
            remedy="Score more subjects (hoego train --fold all).",
        )
    known = truth >= 0
    parts, layouts, start = [], [], 0
    for classes in predicted.values():
        extended = np.where(classes < 0, n_classes, classes)[known]
        parts.append(tally(truth[known], extended, index.reshape(-1), len(subjects), n_classes + 1))
        layouts.append(Layout(n_classes + 1).moved(start))
        start += Layout(n_classes + 1).width
    present = np.bincount(truth[known], minlength=n_classes + 1) > 0
    chosen = {"macro_f1": macro_f1, "accuracy": accuracy}[metric]
    return VariantCounts(
        tuple(predicted), SubjectTable.of(side_by_side(parts)), tuple(layouts), present, chosen
    )
