"""Slices: accuracy inside a slice against the rest, over subjects, corrected for multiplicity.

How often the intervals hold and how often a slice is called different where none is: `benchmarks/coverage_diagnose.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.sparse import csr_array

from hoego.data.dataset import Dataset
from hoego.errors import UsageError, nearest
from hoego.evaluate.diagnose.rare import less
from hoego.evaluate.score.interval import ProportionSupport, VarianceEstimate, gathered, proportion_interval
from hoego.evaluate.score.subject_counts import SubjectTable
from hoego.predictions import Predictions
from hoego.results.diagnosis import Slice
from hoego.results.score import LEVEL, IntervalEstimate
from hoego.short_repr import ShortRepr

Ints = NDArray[np.integer[Any]]
MOST_VALUES = 12  # numbers of more values become quarters: Holm's correction takes power for every slice
FEW_SUBJECTS = 5  # fewer on a side have no interval that holds (see hoego.evaluate.score.interval)
MOST_BITS = 40.0  # p no smaller than 2 to the minus this


def slices(
    predictions: Predictions,
    dataset: Dataset,
    columns: tuple[str, ...] = (),
) -> tuple[Slice, ...]:
    """Return every slice of every column (all further columns of the data set, and the photo's type, where not named).

    Raises:
        UsageError: a column that is not there, or that has one value only or too many to slice by.
    """
    rows = dataset.positions(predictions.images)
    truth = dataset.target[rows]
    known = truth >= 0
    right = (predictions.target_probabilities().argmax(axis=1) == truth)[known]
    table = sliceable(dataset)
    # A frame without columns has no rows either, so none can be taken.
    table = table[rows.tolist()].filter(pl.Series(known)) if table.width else table
    subject = dataset.subject_index[rows][known]
    masks = []
    for column in columns or table.columns:
        if column not in table.columns:
            raise UsageError(
                f"There is no column {column!r} to slice by.", remedy=nearest(column, table.columns)
            )
        values = values_of(table[column])
        if columns and not values:
            raise UsageError(
                f"{column!r} cannot be sliced by: it has one value, or more than {MOST_VALUES} that are not numbers."
            )
        masks += [(column, value, mask) for value, mask in values]
    return compared(masks, right, subject)


def compared(
    masks: Sequence[tuple[str, str, NDArray[np.bool_]]], right: NDArray[np.bool_], subject: Ints
) -> tuple[Slice, ...]:
    """Return slices against the rest.

    Args:
        masks: column, value and images [N] of each slice.
        right: whether the target of each image is right [N].
        subject: of each image [N].
    """
    return _corrected([_slice(*one, right, subject) for one in masks])


def sliceable(dataset: Dataset) -> pl.DataFrame:
    """Return the columns that a data set can be sliced by."""
    own = {"image", "path", "subject", "content"}
    table = dataset.images.select([c for c in dataset.images.columns if c not in own])
    stems = dataset.images["path"].str.extract(r"([^/]+?)(?:\.[^./]+)?$", 1)
    if 2 <= stems.n_unique() <= MOST_VALUES and "photo" not in table.columns:
        table = table.with_columns(photo=stems)
    return table


def values_of(column: pl.Series) -> list[tuple[str, NDArray[np.bool_]]]:
    """Return the slices of a column: its values where they are few, quarters where it is a number, else none."""
    if column.n_unique() < 2:
        return []
    if column.n_unique() <= MOST_VALUES:
        text = column.cast(pl.String).fill_null("(blank)")
        return [(v, (text == v).to_numpy()) for v in sorted(text.unique().to_list())]
    numbers = column.cast(pl.Float64, strict=False)
    if numbers.null_count() > len(numbers) // 10:
        return []
    values = numbers.fill_null(float("nan")).to_numpy()
    cuts = np.unique(np.nanquantile(values, [0, 0.25, 0.5, 0.75, 1]))
    out = []
    for i, (low, high) in enumerate(zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True)):
        last = i == len(cuts) - 2
        mask = (values >= low) & ((values <= high) if last else (values < high))
        out.append((f"{low:g} to {'' if last else '<'}{high:g}", mask))
    return out


def _slice(
    column: str,
    value: str,
    mask: NDArray[np.bool_],
    right: NDArray[np.bool_],
    subject: Ints,
) -> Slice:
    inside, outside = len(np.unique(subject[mask])), len(np.unique(subject[~mask]))
    accuracy = float(right[mask].mean()) if mask.any() else None
    found = Slice(
        column=column,
        value=value,
        images=int(mask.sum()),
        subjects=inside,
        accuracy=accuracy,
        difference=None,
        p_value=None,
        verdict="cannot say",
    )
    if min(inside, outside) < FEW_SUBJECTS:
        return found
    sides = SliceContrast.of(mask, right, subject)
    low, high = sides.limits(LEVEL)
    difference = IntervalEstimate(value=sides.difference, low=low, high=high)
    return found.with_(difference=difference, p_value=sides.p_value(), verdict="")


def accuracy_within(
    mask: NDArray[np.bool_], right: NDArray[np.bool_], subject: Ints, level: float = LEVEL
) -> IntervalEstimate:
    """Return the accuracy of some images with its interval over subjects.

    Args:
        mask: the images [N], at least one.
        right: whether each image is right [N].
        subject: of each image [N].
        level: of the interval.
    """
    inside = _Proportions.of([mask], right, subject)
    found = inside.found
    interval = proportion_interval(found, found.value[None], inside.support, level)
    low, high = float(interval.low[0]), float(interval.high[0])
    return IntervalEstimate(value=float(found.value[0]), low=low, high=high, level=level)


@dataclass(frozen=True, eq=False, repr=False)
class _Proportions(ShortRepr):
    """The accuracies within K masks, what they rest on, and the covariance [K, K] of their jackknife values."""

    found: VarianceEstimate
    support: ProportionSupport
    covariance: NDArray[np.float64]

    @classmethod
    def of(cls, masks: Sequence[NDArray[np.bool_]], right: NDArray[np.bool_], subject: Ints) -> _Proportions:
        k = len(masks)
        names, owner = np.unique(subject, return_inverse=True)
        row, flag = np.nonzero(np.column_stack([*masks, *(mask & right for mask in masks)]))
        ones = np.ones(len(row), dtype=np.int64)
        counts = csr_array((ones, (owner.reshape(-1)[row], flag)), shape=(len(names), 2 * k))
        counts.sum_duplicates()
        table = SubjectTable.of(counts)
        cells = table.rows.toarray()
        images, hits, sizes = cells[:, :k], cells[:, k:], table.sizes
        total, rate = sizes @ images, (sizes @ hits) / (sizes @ images)
        slope = (hits - rate * images) / total
        jack = slope * total / np.maximum(total - images, 1)
        stratum = (images > 0) @ (1 << np.arange(k))
        erring = np.minimum(sizes @ (hits < images), sizes @ (hits > 0)).astype(np.float64)
        holders = (sizes @ (images > 0)).astype(np.float64)
        found = gathered(rate, slope, jack, sizes, stratum)
        return cls(found, ProportionSupport(holders, erring), (sizes[:, None] * slope).T @ jack)


@dataclass(frozen=True)
class SliceContrast:
    """The accuracy inside a slice and outside, as two proportions over subjects that may be on both sides.

    Each has the interval of a score (`hoego.evaluate.score.interval`), and that of the difference is made of both,
    so that a slice without any error does not look certain. p is the level at which it would just touch 0.
    """

    found: VarianceEstimate
    support: ProportionSupport
    correlation: float

    @classmethod
    def of(cls, mask: NDArray[np.bool_], right: NDArray[np.bool_], subject: Ints) -> SliceContrast:
        """Count the subjects inside and outside a slice, and return the contrast of both accuracies."""
        both = _Proportions.of([mask, ~mask], right, subject)
        scale = float(np.sqrt(both.found.variance.prod()))
        shared = float(both.covariance[0, 1])
        return cls(both.found, both.support, float(np.clip(shared / scale, -1, 1)) if scale else 0.0)

    @property
    def difference(self) -> float:
        """Inside less outside."""
        return float(self.found.value[0] - self.found.value[1])

    def limits(self, level: float) -> tuple[float, float]:
        """Return the limits of the difference."""
        each = proportion_interval(self.found, self.found.value[None], self.support, level)
        sides = np.stack([self.found.value, each.low, each.high], axis=1).tolist()
        return less(tuple(sides[0]), tuple(sides[1]), self.correlation)

    def p_value(self) -> float:
        """Return the two-sided p-value: 1 less the level of the interval that just touches 0."""

        def distance(bits: float) -> float:
            low, high = self.limits(1 - 2.0**-bits)
            return low if self.difference > 0 else -high

        if self.difference == 0:
            return 1.0
        if distance(MOST_BITS) > 0:
            return float(2.0**-MOST_BITS)
        return float(2.0 ** -brentq(distance, 0.0, MOST_BITS, xtol=1e-4))


def _corrected(found: list[Slice]) -> tuple[Slice, ...]:
    """Apply Holm's correction (1979) over the slices that have a p-value, and return the verdicts."""
    tested = sorted(
        (i for i, s in enumerate(found) if s.p_value is not None), key=lambda i: found[i].p_value or 0.0
    )
    out, running = list(found), 0.0
    for rank, i in enumerate(tested):
        s = found[i]
        running = max(running, min(1.0, (len(tested) - rank) * (s.p_value or 0.0)))
        low, high = (s.difference.low, s.difference.high) if s.difference else (0.0, 0.0)
        decided = running < 0.05 and (low > 0 or high < 0)
        verdict = ("higher" if low > 0 else "lower") if decided else "not distinguishable"
        out[i] = s.with_(p_value=running, verdict=verdict)
    return tuple(out)
