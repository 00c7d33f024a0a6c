"""`hoego compare`: runs on the same photos, with the same split and labels, or an error that says what differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hoego.data.dataset import Dataset
from hoego.errors import MismatchError, NotEstimableError, UsageError, first_few
from hoego.evaluate.compare.paired import ENOUGH_SEEDS, ENOUGH_SUBJECTS, PairedDifference, PairedResamples
from hoego.evaluate.compare.ranking import ranked
from hoego.evaluate.compare.resamples import (
    CountMetric,
    CustomMetric,
    ResampledMetric,
    ResamplingOptions,
    auroc_evidence,
    log_loss_evidence,
)
from hoego.evaluate.score.metrics import PRIMARY, Metric, load_own, require_applicable
from hoego.evaluate.score.scoring import scored_target
from hoego.evaluate.score.space import LabelSpace, scored_rows, space_of, voted
from hoego.predictions import NAIVE, Honesty, Predictions, labels_apart, require_alike, require_honest
from hoego.results.base import number
from hoego.results.comparison import Comparison, RankedSide, SideResult
from hoego.results.honesty import ScoreHonesty
from hoego.results.score import DefinedEstimate

Side = Predictions | Sequence[Predictions]
SIGNIFICANT = 0.05  # benchmarks/coverage_compare.py measures how often a verdict is wrong at this level


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """How sides are compared.

    Args:
        metric: a name of METRICS, or a custom one ("module:function").
        label: an attribute or "composite"; "" for the target.
        level: confidence level of the interval.
        resamples, permutations: over subjects.
        seed: of both.
        allow_in_sample: compare even rows that a model has seen; said in the notes.
        by_subject: a subject's photos vote first.
        names: of the sides; () for those of their runs.
    """

    metric: str = PRIMARY
    label: str = ""
    level: float = 0.95
    resamples: int = 10_000
    permutations: int = 10_000
    seed: int = 0
    allow_in_sample: bool = False
    by_subject: bool = False
    names: tuple[str, ...] = ()


def compare(sides: Sequence[Side], dataset: Dataset, options: CompareOptions | None = None) -> Comparison:
    """Compare two or more sides on the same subjects.

    Args:
        sides: a run each, or for a claim about recipes a list of at least three runs (seeds) each.
        dataset: holds the truth, in one labels version for all.
        options: see `CompareOptions`.

    Raises:
        MismatchError: other data set, split, schema or images (the message says what differs), or a naive split's
            predictions beside honest ones.
        LeakError: in-sample rows.
        UsageError: the metric means nothing for the label that is compared.
        NotEstimableError: nothing to compare.
    """
    settings = options or CompareOptions()
    grouped, repeated = _grouped(sides)
    runs = [r for side in grouped for r in side]
    checked = _checked(runs, dataset, settings)
    notes = list(dict.fromkeys(n for h in checked for n in h.notes)) + labels_apart(runs, dataset) + repeated
    spaces = _spaces(runs, dataset, settings, notes)
    row = require_applicable(settings.metric, dataset.schema, [spaces[0].name])
    draws = ResamplingOptions(settings.resamples, settings.permutations, settings.seed)
    bench = PairedResamples.of(gather(row, spaces, draws), settings.level, settings.seed)
    members = _members(grouped)
    names = list(settings.names) if len(settings.names) == len(sides) else _names(grouped)
    first = replace(bench.pair(*members[:2]), same_classes=_same_classes(spaces, *members[:2]))
    higher = row.better == "higher"
    notes += _said(grouped, spaces, checked, first)
    places = ranked(bench, members, names, higher)
    said = verdict(first, higher)
    return Comparison(
        metric=settings.metric,
        better=row.better,
        label=spaces[0].name,
        scope=first.scope,
        sides=tuple(_side(names[k], grouped[k], bench, m, checked) for k, m in enumerate(members)),
        difference=as_estimate(first, settings.level),
        p_value=number(first.p_value),
        detectable=number(first.detectable) if first.standard_error else None,
        verdict=said,
        sentence=_sentence(names, settings, first, said, places, spaces[0].n_subjects),
        ranking=places,
        n_images=spaces[0].n_rows,
        n_subjects=spaces[0].n_subjects,
        dataset_fingerprint=dataset.fingerprint,
        split_fingerprint=runs[0].split_fingerprint,
        labels_version=dataset.labels_version,
        resamples=settings.resamples,
        permutations=settings.permutations,
        seed=settings.seed,
        notes=tuple(dict.fromkeys(notes)),
    )


def _grouped(sides: Sequence[Side]) -> tuple[list[list[Predictions]], list[str]]:
    """Return the distinct runs of each side, and a note if one is named twice."""
    if len(sides) < 2:
        raise UsageError("A comparison needs two runs or more.")
    given = [[s] if isinstance(s, Predictions) else list(s) for s in sides]
    if not all(given):
        raise UsageError("One side of the comparison has no runs.")
    grouped = [_distinct(side) for side in given]
    repeated = sum(map(len, grouped)) < sum(map(len, given))
    note = "a run named twice on one side is counted once: it is one seed"
    return grouped, [note] if repeated else []


def _members(grouped: Sequence[Sequence[Predictions]]) -> list[list[int]]:
    """Return the positions of each side's runs among all runs."""
    ends = np.cumsum([len(side) for side in grouped]).tolist()
    return [list(range(end - len(side), end)) for side, end in zip(grouped, ends, strict=True)]


def _side(
    name: str,
    side: Sequence[Predictions],
    bench: PairedResamples,
    members: Sequence[int],
    checked: Sequence[Honesty],
) -> SideResult:
    value = float(bench.evidence.values[list(members)].mean())
    runs = tuple(r.name for r in side)
    return SideResult(name=name, runs=runs, value=value, honesty=_honesty(checked, members))


def gather(row: Metric, spaces: Sequence[LabelSpace], draws: ResamplingOptions) -> ResampledMetric:
    """Return the evidence of M runs, of the kind that the metric needs."""
    if row.formula is not None:
        found: ResampledMetric = CountMetric(spaces, row.formula, draws)
    elif row.name == "log_loss":
        found = log_loss_evidence(spaces, draws)
    elif row.name == "auroc":
        found = auroc_evidence(spaces, draws)
    else:
        found = CustomMetric(spaces, load_own(row.name), draws)
    if not np.isfinite(found.values).all():
        raise NotEstimableError(f"{row.name} is not defined on these rows for every run.")
    return found


def verdict(found: PairedDifference, higher: bool) -> str:
    """Return better or worse only if p < 0.05 and the interval excludes 0."""
    if not np.isfinite(found.p_value):
        return "cannot say"
    excludes = found.low > 0 or found.high < 0
    if found.p_value >= SIGNIFICANT or not excludes:
        return "not distinguishable"
    return "better" if (found.difference > 0) == higher else "worse"


def as_estimate(found: PairedDifference, level: float) -> DefinedEstimate:
    """Return a paired difference as a number with an interval."""
    few = not np.isfinite(found.low)
    note = f"fewer than {ENOUGH_SUBJECTS} subjects: swapping them cannot give p < 0.05" if few else ""
    return found.estimate(level, note)


def _checked(runs: Sequence[Predictions], dataset: Dataset, settings: CompareOptions) -> list[Honesty]:
    require_alike(runs, values=False)
    first = set(runs[0].images.tolist())
    for r in runs[1:]:
        other = set(r.images.tolist())
        if first != other:
            only = sorted(first ^ other)
            raise MismatchError(
                f"{runs[0].name!r} and {r.name!r} predict different images: {len(first - other)} are in the first "
                f"only, {len(other - first)} in the second only (such as {only[0]!r}).",
                remedy="Compare runs of the same held-out images, or train --fold all.",
            )
    if not first:
        raise NotEstimableError(
            "There is no image to compare on.", remedy="The slice or the held-out side is empty."
        )
    checked = [require_honest(r, dataset, allow_in_sample=settings.allow_in_sample) for r in runs]
    naive = [r.name for r, h in zip(runs, checked, strict=True) if h.label == NAIVE]
    if naive and len(naive) < len(runs):
        raise MismatchError(
            f"{', '.join(naive)} come from a naive split: a score that knows the subjects is never set beside "
            "an honest one.",
            remedy="Train them on a split by subject; `hoego diagnose --leak` measures what the naive one promised.",
        )
    return checked


def _spaces(
    runs: Sequence[Predictions], dataset: Dataset, settings: CompareOptions, notes: list[str]
) -> list[LabelSpace]:
    name = settings.label or scored_target(runs[0], notes)
    out = []
    for r in runs:
        rows = scored_rows(r, dataset)
        space = space_of(name, rows.predictions, dataset, rows.positions)
        if settings.by_subject:
            together = voted(space)
            if together is None:
                raise NotEstimableError(f"Photos cannot vote on {name!r}: it varies within subjects.")
            space = together
        out.append(space)
    if not out[0].n_rows:
        raise NotEstimableError(f"No compared image has a label for {name!r}.")
    return out


def _honesty(checked: Sequence[Honesty], members: Sequence[int]) -> ScoreHonesty:
    """Return the honesty of a side's runs together."""
    parts = [part for i in members for part in checked[i].label.split(", ")]
    return ScoreHonesty(", ".join(dict.fromkeys(parts)))


def _distinct(side: Sequence[Predictions]) -> list[Predictions]:
    """Return the runs of a side, each once: three times one seed are not three seeds."""
    kept: list[Predictions] = []
    for run in side:
        if not any(_same(run, other) for other in kept):
            kept.append(run)
    return kept


def _same(a: Predictions, b: Predictions) -> bool:
    return a is b or (
        (a.name, a.lineage) == (b.name, b.lineage)
        and np.array_equal(a.images, b.images)
        and a.values.keys() == b.values.keys()
        and all(np.array_equal(v, b.values[k]) for k, v in a.values.items())
    )


def _same_classes(spaces: Sequence[LabelSpace], first: Sequence[int], second: Sequence[int]) -> bool:
    """Return whether all runs of two sides predict the same class for every image."""
    own = spaces[first[0]].predicted
    return all(np.array_equal(own, spaces[k].predicted) for k in (*first, *second))


def _names(grouped: Sequence[Sequence[Predictions]]) -> list[str]:
    names = [" + ".join(dict.fromkeys(r.name for r in side)) or "unnamed" for side in grouped]
    return [n if names.count(n) == 1 else f"{n} ({i + 1})" for i, n in enumerate(names)]


def _said(
    grouped: Sequence[Sequence[Predictions]],
    spaces: Sequence[LabelSpace],
    checked: Sequence[Honesty],
    first: PairedDifference,
) -> list[str]:
    notes = []
    runs = [r for side in grouped for r in side]
    leaked = [h.label for h in checked if h.in_sample.any() or h.naive.any()]
    if leaked:
        notes.append(f"not honest: {', '.join(dict.fromkeys(leaked))}")
    outside = [f"{r.name} ({h.label})" for r, h in zip(runs, checked, strict=True) if h.outside]
    if outside:
        notes.append(f"trained outside Hoego: {', '.join(outside)}; the difference is as sure as that")
    if any(h.selected.any() for h in checked):
        notes.append("selected: the epoch was chosen on the scored images; the difference may be flattered")
    if len(grouped) > 2:
        notes.append(
            f"selected: the first in rank is the highest of {len(grouped)} on the images that rank them"
        )
    sizes = [len(side) for side in grouped[:2]]
    if max(sizes) > 1 and min(sizes) < ENOUGH_SEEDS:
        notes.append(f"scope models: a claim about recipes needs {ENOUGH_SEEDS} seeds a side, here {sizes}")
    elif first.scope == "models":
        notes.append("these two models, not their recipes: one seed a side")
    present = np.unique(spaces[0].truth)
    for r, space in zip(runs, spaces, strict=True):
        never = np.setdiff1d(present, space.predicted)
        if len(never):
            shown = first_few([space.classes[c] for c in never.tolist()])
            notes.append(f"{r.name} never predicts {shown}")
    if first.same_classes:
        notes.append("the first two predict the same classes for every image")
    return notes


def _sentence(
    names: Sequence[str],
    settings: CompareOptions,
    found: PairedDifference,
    said: str,
    places: Sequence[RankedSide],
    n_subjects: int,
) -> str:
    a, b = names[0], names[1]
    gap = f"{settings.metric} {found.difference:+.4f}"
    if said == "cannot say":
        return f"Cannot say which of {a} and {b} is better: {gap} on {n_subjects} subjects, too few for any test."
    whose = "of the recipes" if found.scope == "recipes" else "of these two models"
    facts = (
        f"{gap} ({100 * settings.level:g} % interval {found.low:+.4f} to {found.high:+.4f}, "
        f"p = {found.p_value:.4f}, {n_subjects} subjects)"
    )
    if found.standard_error == 0 and found.difference == 0:
        # An equal metric is not equal predictions: a custom metric may be constant.
        equal = (
            "they predict the same class for every image"
            if found.same_classes
            else "the metric never differs"
        )
        text = f"{a} and {b} are not distinguishable: {equal}."
    elif said == "not distinguishable":
        text = (
            f"{a} and {b} are not distinguishable, {whose}: {facts}. "
            f"A difference of {found.detectable:.4f} could have been detected."
        )
    else:
        text = f"{a} is {said} than {b}, {whose}: {facts}."
    if len(places) > 2:
        best = [p.name for p in places if p.in_best_set]
        text += f" Of all {len(places)}, not distinguishable from the best: {', '.join(best)}."
    return text
