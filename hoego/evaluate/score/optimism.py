"""The winner's curse: how much the best of M candidates, chosen on the images that score it, is flattered.

Bootstrap bias corrected cross-validation (Tsamardinos, Greasidou and Borboudakis 2018, algorithm 4), over subjects:
in each resample the candidate is chosen by the subjects in the bag and scored by those out of it; the mean of these
scores is free of the choice. Out-of-bag sets hold about 0.368 of the subjects, where macro F1 lies lower than on the
whole set because it is concave in the counts of rare classes; that difference is measured on choices made in *other*
bags, which know nothing of this resample's subjects, and taken off. For the same reason a set of S subjects lies a
little below the population: the bootstrap's bias (the score of a bag under another bag's choice, less that of the
whole set) is taken off too, so that the corrected score is about new subjects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.errors import MismatchError, NotEstimableError, UsageError
from hoego.evaluate.score.count_columns import CountColumns, side_by_side, tally
from hoego.evaluate.score.metrics import METRICS, PRIMARY, Metric
from hoego.evaluate.score.subject_counts import SubjectTable
from hoego.results.score import Optimism
from hoego.short_repr import ShortRepr

Float = NDArray[np.float64]
Ints = NDArray[np.integer[Any]]
CELLS = 2_000_000_000  # multiplications that one fold's resamples may cost
HELD = 60_000_000  # totals held at once
PLACEBOS = 8  # other bags, whose choices show the effect of resampling alone; their mean is less noisy
GROUPS = ("placebo", "bag", "full")


@dataclass(frozen=True)
class OptimismOptions:
    """How the winner's curse is estimated.

    Args:
        metric: a metric of counts, by which the candidate is chosen and scored.
        ordered: whether the classes are ordered (metrics that need it).
        resamples: R.
        seed: of the resamples.
    """

    metric: str = PRIMARY
    ordered: bool = False
    resamples: int = 1000
    seed: int = 0


def optimism(
    candidates: Ints | Sequence[Ints],
    truth: Ints,
    subject: Ints,
    n_classes: int,
    options: OptimismOptions | None = None,
    fold: Ints | None = None,
) -> Optimism:
    """Return the optimism of the best of M candidates.

    Args:
        candidates: predicted classes [M, N] (epochs, or runs); with folds, candidate m of every fold is chosen by
            that fold's own subjects, and the chosen rows are scored together.
        truth: true classes [N]; -1 leaves an image out.
        subject: subject of each image [N], any integers.
        n_classes: C.
        fold: fold of each image [N]; None for one.

    Raises:
        NotEstimableError: fewer than ten subjects in a fold: bags would leave too few out.
        MismatchError: shapes differ.
    """
    settings = options or OptimismOptions()
    predicted = np.asarray(candidates)
    _require_alike(predicted, truth, subject)
    row = _metric_of_counts(settings.metric)
    kept = np.asarray(truth) >= 0
    folds = np.zeros(len(truth), dtype=np.int64) if fold is None else np.asarray(fold)
    at = CountColumns(n_classes, settings.ordered)
    present = np.bincount(np.asarray(truth)[kept], minlength=n_classes) > 0
    judge = _Judge(at, present, row, settings)
    pooled = _Pool()
    for k, f in enumerate(np.unique(folds[kept]).tolist()):
        rows = kept & (folds == f)
        pooled.add(_fold(predicted[:, rows], truth[rows], subject[rows], judge, k))
    plain = float(judge.value(pooled.plain))
    each = _less_flattery(pooled, judge) if len(predicted) > 1 else np.full(len(pooled.own), plain)
    good = np.isfinite(each)
    corrected = float(each[good].mean()) if len(predicted) > 1 else plain
    error = float(each[good].std() / np.sqrt(max(good.sum(), 1)))
    return Optimism(
        metric=settings.metric,
        plain=plain,
        corrected=corrected,
        optimism=plain - corrected,
        standard_error=error,
        chosen=tuple(pooled.chosen),
        n_candidates=len(predicted),
        resamples=len(each),
    )


def _require_alike(predicted: NDArray[Any], truth: Ints, subject: Ints) -> None:
    if predicted.ndim != 2 or predicted.shape[1] != len(truth) or len(subject) != len(truth):
        raise MismatchError(
            f"Candidates of shape {predicted.shape}, {len(truth)} labels and {len(subject)} subjects do not fit."
        )


def _metric_of_counts(name: str) -> Metric:
    row = METRICS.get(name)
    if row is None or row.formula is None:
        raise UsageError(f"The optimism of {name!r} is not defined: choose a metric of counts.")
    return row


def _less_flattery(pooled: _Pool, judge: _Judge) -> Float:
    """Return the score of the chosen candidate in each resample, less what choosing and resampling add to it."""
    value = judge.value
    placebo = np.mean([value(p) - value(f) for p, f in zip(pooled.placebo, pooled.full, strict=True)], axis=0)
    bag = np.mean([value(p) - value(f) for p, f in zip(pooled.bag, pooled.full, strict=True)], axis=0)
    out: Float = value(pooled.own) - placebo - bag
    return out


@dataclass(frozen=True, eq=False, repr=False)
class _Judge(ShortRepr):
    """The metric by which candidates are chosen and scored."""

    at: CountColumns
    present: NDArray[np.bool_]
    row: Metric
    options: OptimismOptions

    def value(self, totals: NDArray[Any]) -> Float:
        """Return the metric [...] of totals [..., columns]."""
        assert self.row.formula is not None
        return self.row.formula(totals, self.at, self.present)

    def ranked(self, totals: NDArray[Any]) -> Float:
        """Return the same, larger where better; what is not defined comes last."""
        sign = 1.0 if self.row.better == "higher" else -1.0
        out: Float = np.nan_to_num(sign * self.value(totals), nan=-np.inf)
        return out


@dataclass(kw_only=True)
class _Fold:
    plain: Float
    own: Float
    placebo: list[Float]
    bag: list[Float]
    full: list[Float]
    chosen: int


class _Pool:
    """Totals of the chosen candidates, added over the folds."""

    def __init__(self) -> None:
        self.plain: Any = 0.0
        self.own: Any = 0.0
        self.placebo: list[Any] = [0.0] * PLACEBOS
        self.bag: list[Any] = [0.0] * PLACEBOS
        self.full: list[Any] = [0.0] * PLACEBOS
        self.chosen: list[int] = []

    def add(self, part: _Fold) -> None:
        n = len(part.own)
        if isinstance(self.own, np.ndarray):
            n = min(n, len(self.own))
            self.own, part.own = self.own[:n], part.own[:n]
            for name in GROUPS:
                setattr(self, name, [p[:n] for p in getattr(self, name)])
        self.plain = self.plain + part.plain
        self.own = self.own + part.own
        for name in GROUPS:
            both = zip(getattr(self, name), getattr(part, name), strict=True)
            setattr(self, name, [a + b[:n] for a, b in both])
        self.chosen.append(part.chosen)


def _fold(predicted: Ints, truth: Ints, subject: Ints, judge: _Judge, k: int) -> _Fold:
    at, options = judge.at, judge.options
    names, owner = np.unique(subject, return_inverse=True)
    if len(names) < 10:
        raise NotEstimableError(
            f"The optimism of a choice cannot be estimated from {len(names)} subjects.",
            remedy="Ten subjects a fold are the least; hold out more.",
        )
    owner = owner.reshape(-1)
    m, width = len(predicted), at.width
    parts = [tally(truth, p, owner, len(names), at.n_classes, ordered=at.ordered) for p in predicted]
    table = SubjectTable.of(side_by_side(parts))
    resamples = int(
        np.clip(min(CELLS // max(1, table.rows.nnz), HELD // (m * width)), 100, options.resamples)
    )
    everywhere = table.totals.reshape(m, width)
    best = int(np.argmax(judge.ranked(everywhere)))
    chosen, own, out_all, bags = [], [], [], []
    for inside, outside in table.resampled_with(resamples, options.seed + 7919 * k, held_out=True):
        assert outside is not None
        bag = inside.reshape(-1, m, width)
        choice = np.argmax(judge.ranked(bag), axis=1)
        out = outside.reshape(-1, m, width)
        own.append(out[np.arange(len(out)), choice])
        chosen.append(choice)
        out_all.append(out)
        bags.append(bag)
    choices = np.concatenate(chosen)
    out, bag = np.concatenate(out_all), np.concatenate(bags)
    shifts = [np.roll(choices, s) for s in range(1, PLACEBOS + 1)]
    return _Fold(
        plain=everywhere[best],
        own=np.concatenate(own).astype(np.float64),
        placebo=[out[np.arange(len(out)), c].astype(np.float64) for c in shifts],
        bag=[bag[np.arange(len(bag)), c].astype(np.float64) for c in shifts],
        full=[everywhere[c] for c in shifts],
        chosen=best,
    )
