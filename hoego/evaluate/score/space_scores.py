"""The numbers of label spaces: one resampling of the subjects serves every metric of every space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.errors import NotEstimableError
from hoego.evaluate.score import formulas
from hoego.evaluate.score.count_columns import CountColumns, side_by_side, tally
from hoego.evaluate.score.interval import (
    FEW_SUBJECTS,
    ConfidenceInterval,
    Marks,
    ProportionSupport,
    VarianceEstimate,
    any_mark,
    cautious_size,
    f1_mark,
    gathered,
    minority,
    plain_interval,
    precision_mark,
    proportion_interval,
    sensitivity_mark,
    specificity_mark,
    spread,
    strata,
    unknown,
)
from hoego.evaluate.score.metrics import (
    METRICS,
    Formula,
    Metric,
    load_own,
    log_losses,
    own_value,
    placements,
)
from hoego.evaluate.score.space import LabelSpace
from hoego.evaluate.score.subject_counts import Statistic, SubjectTable
from hoego.results.base import number
from hoego.results.score import ClassScore, LabelSpaceScore, MetricEstimate
from hoego.short_repr import ShortRepr

Float = NDArray[np.float64]
# Each resample calls the user's function. They give a standard error, which takes fewer of them than a quantile.
OWN_RESAMPLES = 400
CLASS_FORMULAS: Mapping[str, tuple[Formula, Marks]] = {
    "f1": (formulas.class_f1, f1_mark),
    "sensitivity": (formulas.class_sensitivity, sensitivity_mark),
    "specificity": (formulas.class_specificity, specificity_mark),
    "precision": (formulas.class_precision, precision_mark),
}
CANNOT = {
    "qwk": "the truth and the predictions hold one class only",
    "auroc": "a class and its complement must both be there",
    "specificity": "the truth holds one class only",
}


@dataclass(frozen=True)
class MetricOptions:
    """Confidence level, resamples over subjects, seed, and custom metrics."""

    level: float = 0.95
    resamples: int = 10_000
    seed: int = 0
    own: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class _Ground(ShortRepr):
    """What every metric of one space needs."""

    space: LabelSpace
    at: CountColumns
    present: NDArray[np.bool_]
    table: SubjectTable
    stratum: NDArray[np.int64]
    holders: NDArray[np.int64]
    resampled: NDArray[Any]
    subject: NDArray[np.int64]
    options: MetricOptions

    @property
    def n_subjects(self) -> int:
        return self.table.n_subjects


def score_spaces(spaces: Sequence[LabelSpace], options: MetricOptions) -> list[LabelSpaceScore]:
    """Return one LabelSpaceScore for each label space; the same resamples of subjects for all."""
    subjects = np.unique(np.concatenate([s.subject for s in spaces]))
    owners = [np.searchsorted(subjects, s.subject) for s in spaces]
    layouts, counts, start = [], [], 0
    for space, owner in zip(spaces, owners, strict=True):
        layouts.append(CountColumns(space.n_classes, space.ordered, start))
        start = layouts[-1].stop
        counts.append(
            tally(space.truth, space.predicted, owner, len(subjects), space.n_classes, ordered=space.ordered)
        )
    table = SubjectTable.of(side_by_side(counts))
    resampled = table.resampled(options.resamples, options.seed)
    parts = []
    for space, owner, at in zip(spaces, owners, layouts, strict=True):
        stratum, holders = strata(table, at)
        present = at.truth(table.totals) > 0
        parts.append(
            _part(
                _Ground(
                    space=space,
                    at=at,
                    present=present,
                    table=table,
                    stratum=stratum,
                    holders=holders,
                    resampled=resampled,
                    subject=owner,
                    options=options,
                )
            )
        )
    return parts


def bound(formula: Formula, at: CountColumns, present: NDArray[np.bool_]) -> Statistic:
    """Return a formula as a statistic of totals alone."""

    def statistic(totals: NDArray[Any]) -> Float:
        return formula(totals, at, present)

    return statistic


def _part(ground: _Ground) -> LabelSpaceScore:
    space = ground.space
    metrics = {m.name: _count_estimate(ground, m) for m in _counted(space)}
    area, areas = _auroc(ground)
    metrics["auroc"] = area
    metrics["log_loss"] = _log_loss(ground)
    metrics |= {name: _own(ground, name) for name in ground.options.own}
    confusion = np.bincount(
        space.truth * space.n_classes + space.predicted, minlength=space.n_classes**2
    ).reshape(space.n_classes, space.n_classes)
    return LabelSpaceScore(
        name=space.name,
        n_images=space.n_rows,
        n_subjects=space.n_subjects,
        n_missing=space.n_missing,
        metrics=metrics,
        classes=_classes(ground, areas),
        class_names=tuple(space.classes),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        notes=_notes(ground),
    )


def _counted(space: LabelSpace) -> list[Metric]:
    return [m for m in METRICS.values() if m.formula is not None and m.applies(space.ordered)]


def _notes(ground: _Ground) -> tuple[str, ...]:
    notes = []
    rare = (ground.holders > 0) & (ground.holders < FEW_SUBJECTS)
    if rare.any():
        names = [f"{ground.space.classes[c]} ({ground.holders[c]})" for c in np.flatnonzero(rare).tolist()]
        notes.append(
            f"fewer than {FEW_SUBJECTS} scored subjects hold {', '.join(names)}: "
            f"intervals of {ground.space.name} may be too narrow"
        )
    if ground.space.n_subjects < FEW_SUBJECTS:
        notes.append(f"no interval: only {ground.space.n_subjects} scored subjects")
    if ground.space.n_missing:
        notes.append(f"{ground.space.n_missing} images without a label for {ground.space.name} left out")
    return tuple(notes)


def estimates(
    values: Float, interval: ConfidenceInterval, level: float, note: str = ""
) -> list[MetricEstimate]:
    """Return one MetricEstimate per entry [K]; a number that is not finite becomes "cannot say"."""
    return [
        MetricEstimate(
            value=number(v),
            low=number(lo) if np.isfinite(v) else None,
            high=number(hi) if np.isfinite(v) else None,
            level=level,
            standard_error=number(se) if np.isfinite(v) else None,
            note=note if not np.isfinite(v) or not np.isfinite(lo) else "",
        )
        for v, lo, hi, se in zip(
            values.tolist(),
            interval.low.tolist(),
            interval.high.tolist(),
            interval.standard_error.tolist(),
            strict=True,
        )
    ]


def _bounded(
    ground: _Ground,
    found: VarianceEstimate,
    replicates: Float,
    support: ProportionSupport,
    span: tuple[float, float],
) -> ConfidenceInterval:
    with np.errstate(invalid="ignore"):
        interval = proportion_interval(found, replicates, support, ground.options.level, span)
    return unknown(interval) if ground.space.n_subjects < FEW_SUBJECTS else interval


def _why(ground: _Ground, name: str) -> str:
    if ground.space.n_subjects < FEW_SUBJECTS:
        return f"fewer than {FEW_SUBJECTS} scored subjects"
    return CANNOT.get(name, "a single subject holds the class, or it is never predicted")


def _count_estimate(ground: _Ground, row: Metric) -> MetricEstimate:
    assert row.formula is not None
    statistic = bound(row.formula, ground.at, ground.present)
    found = spread(statistic, ground.table, ground.stratum)
    size = (
        cautious_size(ground.holders, ground.space.n_subjects)
        if row.spread_over_classes
        else ground.space.n_subjects
    )
    few = minority(ground.table, ground.at, ground.present, any_mark)
    interval = _bounded(
        ground,
        found,
        statistic(ground.resampled),
        ProportionSupport(np.asarray([float(size)]), few),
        row.span(ground.space.n_classes),
    )
    return estimates(found.value, interval, ground.options.level, _why(ground, row.name))[0]


def _classes(ground: _Ground, areas: list[MetricEstimate]) -> tuple[ClassScore, ...]:
    holders = ground.holders[ground.present].astype(np.float64)
    columns: dict[str, list[MetricEstimate]] = {}
    for name, (formula, marks) in CLASS_FORMULAS.items():
        size = np.maximum(ground.space.n_subjects - holders, 1.0) if name == "specificity" else holders
        support = ProportionSupport(size, minority(ground.table, ground.at, ground.present, marks))
        statistic = bound(formula, ground.at, ground.present)
        found = spread(statistic, ground.table, ground.stratum)
        interval = _bounded(ground, found, statistic(ground.resampled), support, (0.0, 1.0))
        lone = holders == 1
        interval = ConfidenceInterval(
            np.where(lone, np.nan, interval.low),
            np.where(lone, np.nan, interval.high),
            interval.standard_error,
        )
        columns[name] = estimates(found.value, interval, ground.options.level, _why(ground, name))
    columns["auroc"] = areas
    truth, predicted = (f(ground.table.totals) for f in (ground.at.truth, ground.at.predicted))
    return tuple(
        ClassScore(
            name=ground.space.classes[c],
            images=int(truth[c]),
            subjects=int(ground.holders[c]),
            predicted=int(predicted[c]),
            metrics={name: column[k] for name, column in columns.items()},
        )
        for k, c in enumerate(np.flatnonzero(ground.present).tolist())
    )


def _per_subject(ground: _Ground, values: Float) -> Float:
    """Sum over the rows of each subject: [N, K] to [S, K]."""
    out = np.zeros((ground.n_subjects, values.shape[1]))
    np.add.at(out, ground.subject, values)
    return out


def _auroc(ground: _Ground) -> tuple[MetricEstimate, list[MetricEstimate]]:
    """Return the mean one-vs-rest area and that of each class, with clustered components (Obuchowski 1997, eq. 5-8)."""
    space, sizes = ground.space, np.ones(ground.n_subjects, dtype=np.int64)
    here = np.flatnonzero(ground.present).tolist()
    areas = [placements(space.truth == c, space.probabilities[:, c]) for c in here]
    value = np.asarray([a.value for a in areas])
    slope, jack = (np.zeros((ground.n_subjects, len(areas))) for _ in range(2))
    for k, area in enumerate(areas):
        for side in (area.positive, ~area.positive):
            part = _per_subject(ground, np.where(side, area.share, 0.0)[:, None])[:, 0]
            mine = _per_subject(ground, side.astype(np.float64)[:, None])[:, 0]
            rest = np.maximum(side.sum() - mine, 1.0)
            slope[:, k] += part
            jack[:, k] += part * side.sum() / rest
    stratum = ground.stratum[ground.table.group]
    holders = ground.holders[ground.present].astype(np.float64)
    each = gathered(value, slope, jack, sizes, stratum)
    moved = (slope != 0).sum(axis=0).astype(np.float64)
    limits = _bounded(ground, each, value[None], ProportionSupport(holders, moved), (0.0, 1.0))
    per_class = estimates(value, limits, ground.options.level, _why(ground, "auroc"))
    good = np.isfinite(value)
    if not good.any():
        return MetricEstimate(value=None, level=ground.options.level, note=CANNOT["auroc"]), per_class
    mean = gathered(
        value[good].mean(keepdims=True),
        slope[:, good].mean(axis=1, keepdims=True),
        jack[:, good].mean(axis=1, keepdims=True),
        sizes,
        stratum,
    )
    size = np.asarray([cautious_size(ground.holders, space.n_subjects)])
    limits = _bounded(
        ground, mean, mean.value[None], ProportionSupport(size, moved.max(keepdims=True)), (0.0, 1.0)
    )
    return estimates(mean.value, limits, ground.options.level, _why(ground, "auroc"))[0], per_class


def _log_loss(ground: _Ground) -> MetricEstimate:
    losses = log_losses(ground.space.truth, ground.space.probabilities)
    n, mean = len(losses), float(losses.mean())
    excess = _per_subject(ground, (losses - mean)[:, None])
    mine = _per_subject(ground, np.ones((n, 1)))
    found = gathered(
        np.asarray([mean]),
        excess / n,
        excess / np.maximum(n - mine, 1.0),
        np.ones(ground.n_subjects, dtype=np.int64),
        ground.stratum[ground.table.group],
    )
    interval = plain_interval(found, found.value[None], ground.options.level, least=0.0)
    if ground.space.n_subjects < FEW_SUBJECTS:
        interval = unknown(interval)
    return estimates(found.value, interval, ground.options.level, _why(ground, "log_loss"))[0]


def _own(ground: _Ground, name: str) -> MetricEstimate:
    """Compute a custom metric; its interval comes from fewer resamples: Student's t around the value
    less the bootstrap's bias.
    """
    function, space = load_own(name), ground.space
    value = own_value(function, space.truth, space.probabilities)
    order = np.argsort(ground.subject, kind="stable")
    ends = np.cumsum(np.bincount(ground.subject, minlength=ground.n_subjects))
    rows = np.split(order, ends[:-1])
    rng = np.random.default_rng(ground.options.seed)
    found = []
    for _ in range(min(ground.options.resamples, OWN_RESAMPLES)):
        take = np.concatenate([rows[s] for s in rng.integers(0, ground.n_subjects, ground.n_subjects)])
        try:
            found.append(own_value(function, space.truth[take], space.probabilities[take]))
        except (NotEstimableError, ValueError, ZeroDivisionError):
            found.append(np.nan)
    replicates = np.asarray(found)
    s = ground.n_subjects
    if s < FEW_SUBJECTS or np.isfinite(replicates).mean() < 0.9:
        note = "not defined in most resamples of the subjects"
        return MetricEstimate(value=value, level=ground.options.level, note=note)
    variance = np.nanvar(replicates, keepdims=True) * s / (s - 1)
    whole = VarianceEstimate(np.asarray([value]), variance, variance, np.asarray([s - 1.0]))
    return estimates(
        whole.value, plain_interval(whole, replicates, ground.options.level), ground.options.level
    )[0]
