"""Who is served worse: accuracy by slice against the rest, over subjects, with multiplicity corrected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.stats import norm

from hoego.compare.variants import Estimate, estimate
from hoego.dataset.manifest import Dataset
from hoego.predictions import Predictions
from hoego.score.table import SubjectTable

MOST_VALUES = 12
FEW_SUBJECTS = 5


@dataclass(frozen=True)
class Slice:
    """One slice of the scored images.

    Args:
        accuracy: of the target inside the slice.
        difference: accuracy inside less outside, over subjects; None where too few subjects are on a side.
        p_value: of no difference, Holm-corrected over all slices shown.
        verdict: `lower`, `higher`, `not distinguishable`, `cannot say`.
    """

    column: str
    value: str
    images: int
    subjects: int
    accuracy: float
    difference: Estimate | None
    p_value: float | None
    verdict: str

    def to_dict(self) -> dict[str, Any]:
        return {**self.__dict__, "difference": None if self.difference is None else self.difference.to_dict()}


def slices(
    predictions: Predictions,
    dataset: Dataset,
    columns: tuple[str, ...] = (),
    *,
    resamples: int = 2_000,
    seed: int = 0,
) -> tuple[Slice, ...]:
    """Every slice of every column (all further columns of the data set, and the photo's type, where not named)."""
    rows = dataset.positions(predictions.images)
    truth = dataset.target[rows]
    known = truth >= 0
    right = (predictions.target_probabilities().argmax(axis=1) == truth)[known]
    table = sliceable(dataset)[rows.tolist()].filter(pl.Series(known))
    subject = dataset.subject_index[rows][known]
    named = [c for c in table.columns if not columns or c in columns]
    found = []
    for column in named:
        for value, mask in values_of(table[column]):
            found.append(_slice(column, value, mask, right, subject, resamples, seed))
    return _corrected(found)


def sliceable(dataset: Dataset) -> pl.DataFrame:
    """The columns that a data set can be sliced by."""
    own = {"image", "path", "subject", "content"}
    table = dataset.images.select([c for c in dataset.images.columns if c not in own])
    stems = dataset.images["path"].str.extract(r"([^/]+?)(?:\.[^./]+)?$", 1)
    if 2 <= stems.n_unique() <= MOST_VALUES and "photo" not in table.columns:
        table = table.with_columns(photo=stems)
    return table


def values_of(column: pl.Series) -> list[tuple[str, NDArray[np.bool_]]]:
    """The slices of a column: its values where they are few, quarters where it is a number, else none."""
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
    subject: NDArray[np.int32],
    *how: int,
) -> Slice:
    inside, outside = len(np.unique(subject[mask])), len(np.unique(subject[~mask]))
    accuracy = float(right[mask].mean()) if mask.any() else float("nan")
    common = (column, value, int(mask.sum()), inside, accuracy)
    if min(inside, outside) < FEW_SUBJECTS:
        return Slice(*common, None, None, "cannot say")
    names, index = np.unique(subject, return_inverse=True)
    flags = np.column_stack([mask, mask & right, ~mask, ~mask & right])
    row, flag = np.nonzero(flags)
    ones = np.ones(len(row), dtype=np.int64)
    counts = csr_array((ones, (index.reshape(-1)[row], flag)), shape=(len(names), 4))
    counts.sum_duplicates()
    table = SubjectTable.of(counts)
    replicates = _gap(table.resampled(how[0], how[1]))
    found = float(_gap(table.totals[None])[0])
    spread = float(np.nanstd(replicates))
    p = float(2 * norm.sf(abs(found) / spread)) if spread > 0 else 1.0
    return Slice(*common, estimate(found, replicates), p, "")


def _gap(totals: NDArray[Any]) -> NDArray[np.float64]:
    t = totals.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        out: NDArray[np.float64] = t[:, 1] / t[:, 0] - t[:, 3] / t[:, 2]
    return out


def _corrected(found: list[Slice]) -> tuple[Slice, ...]:
    """Holm's correction (1979) over the slices that have a p-value, and the verdicts."""
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
        out[i] = Slice(**{**s.__dict__, "p_value": running, "verdict": verdict})
    return tuple(out)
