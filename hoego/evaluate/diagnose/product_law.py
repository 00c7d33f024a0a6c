"""The product law, tested: is the joint accuracy what independent attribute errors would give?

Errors that are independent within every class still look associated when classes are pooled (a class that is hard for
one attribute may be hard for another), so the expectation is formed within classes and then weighted:
sum_c n_c/N * prod_a accuracy(a | c).

The gap is the mean number of wrong attributes beyond the first of each image, less what that number would be if errors
were independent. The former cannot fall below 0 and often rests on few subjects, so the interval is that of
`hoego.evaluate.diagnose.rare`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from hoego.data.dataset import Dataset
from hoego.data.schema import COMPOSITE
from hoego.evaluate.diagnose.rare import carriers, rare_interval, said_of
from hoego.evaluate.score.interval import spread
from hoego.evaluate.score.subject_counts import SubjectTable
from hoego.predictions import Predictions
from hoego.results.diagnosis import ProductLaw
from hoego.results.score import IntervalEstimate

Ints = NDArray[np.integer[Any]]


def product_law(
    predictions: Predictions, dataset: Dataset, *, resamples: int = 2_000, seed: int = 0
) -> ProductLaw | None:
    """Return the product law over the attributes of the composite; None where the target is not a composite of two or
    more.

    The attributes are those into which the predicted composite class decodes, so that `observed` is its accuracy.
    """
    schema = predictions.schema
    if schema.target != COMPOSITE or len(schema.composite) < 2:
        return None
    rows = dataset.positions(predictions.images)
    truth = dataset.target[rows]
    decoded = schema.decode(predictions.target_probabilities().argmax(axis=1))
    codes = dataset.codes[rows][:, [schema.position(a) for a in schema.composite]]
    known = truth >= 0
    right = (decoded == codes)[known]
    return law_of(right, truth[known], dataset.subject_index[rows][known], (resamples, seed))


def law_of(right: NDArray[np.bool_], truth: Ints, subject: Ints, draws: tuple[int, int]) -> ProductLaw:
    """Return the product law of N images.

    Args:
        right: whether each attribute is right [N, A].
        truth, subject: class and subject of each image [N].
        draws: resamples over subjects, and their seed.
    """
    subjects, owner = np.unique(subject, return_inverse=True)
    present, cls = np.unique(truth, return_inverse=True)
    shape = (len(subjects), len(present))
    counts = _counts(right, owner.reshape(-1), cls.reshape(-1), shape)
    table = SubjectTable.of(counts)
    width = right.shape[1] + 2

    def law(totals: NDArray[Any]) -> NDArray[np.float64]:
        """Return the expected and the observed score [..., 2]."""
        cells = totals.reshape(*totals.shape[:-1], len(present), width).astype(np.float64)
        n = cells[..., 0]
        accuracy = np.divide(
            cells[..., 2:], n[..., None], out=np.zeros_like(cells[..., 2:]), where=n[..., None] > 0
        )
        expected = (n * accuracy.prod(axis=-1)).sum(axis=-1)
        both: NDArray[np.float64] = (
            np.stack([expected, cells[..., 1].sum(axis=-1)], axis=-1) / n.sum(axis=-1)[..., None]
        )
        return both

    expected, observed = law(table.totals).tolist()
    resampled = law(table.resampled(*draws))
    gaps = resampled[:, 1] - resampled[:, 0]
    found = spread(lambda totals: law(totals) @ [-1.0, 1.0], table, _rarest(table, width))
    found = replace(found, variance=found.cautious)
    wrong = (~right).sum(axis=1)
    least = float(wrong.mean()) - (1 - expected)
    twice = carriers(subject, wrong > 1)
    gap = rare_interval(found, gaps, len(subjects), twice, (-least, right.shape[1] - 1 - least))
    independent = observed * (1 - observed) / len(truth)
    effect = float(resampled[:, 1].var() / independent) if independent > 0 else float("nan")
    return ProductLaw(
        expected=expected,
        observed=observed,
        gap=gap,
        design_effect=effect,
        verdict=_words(gap, effect, twice),
    )


def _rarest(table: SubjectTable, width: int) -> NDArray[np.int64]:
    """Return the rarest class that each group of subjects [G] holds."""
    images = table.rows[:, ::width] > 0
    holders = np.asarray(images.T @ table.sizes)
    rank = np.argsort(np.argsort(holders, kind="stable"), kind="stable")
    entry = images.tocoo()
    best = np.full(len(table.sizes), len(holders), dtype=np.int64)
    np.minimum.at(best, entry.coords[0], rank[entry.coords[1]])
    return best


def _counts(
    right: NDArray[np.bool_], subject: NDArray[np.int64], cls: NDArray[np.int64], shape: tuple[int, int]
) -> csr_array:
    """Count, per subject and class: images, all attributes right, each attribute right. [S, C * (2 + A)]."""
    flags = np.column_stack([np.ones(len(right), dtype=bool), right.all(axis=1), right])
    width = flags.shape[1]
    where_row, where_flag = np.nonzero(flags)
    columns = cls[where_row] * width + where_flag
    ones = np.ones(len(where_row), dtype=np.int64)
    counts = csr_array((ones, (subject[where_row], columns)), shape=(shape[0], shape[1] * width))
    counts.sum_duplicates()
    return counts


def _words(gap: IntervalEstimate, effect: float, carriers: int) -> str:
    if gap.low > 0:
        photos = "errors of different attributes pile up on the same photos: the product is too low"
    elif gap.high < 0:
        photos = "errors of different attributes avoid one another: the product is too high"
    else:
        photos = "the product of the attributes' accuracies is not distinguishable from the joint accuracy"
    people = f"; errors pile up on the same subjects (design effect {effect:.1f})" if effect > 1.5 else ""
    few = f"; the gap {text}" if (text := said_of(carriers)) else ""
    return photos + people + few
