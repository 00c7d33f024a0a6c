"""Many ideas, one table of evidence: each change of a recipe against the unchanged recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from hoego.data.dataset import Dataset
from hoego.errors import NotEstimableError, UsageError
from hoego.evaluate.compare import CompareOptions, compare
from hoego.evaluate.score import require_applicable
from hoego.recipe import Recipe, parse_override
from hoego.results.ablation import Ablation, AblationEffect
from hoego.results.verdict import ComparisonVerdict
from hoego.runs.ablate_runs import (
    ON_THE_WAY,
    Enqueue,
    key_of,
    known_runs,
    locked,
    pending_of,
    refuse_twice,
    through_queue,
    worker_alive,
)
from hoego.runs.queue.train_record import enqueue as add_run
from hoego.runs.record_predictions import predictions_of
from hoego.runs.records import Record
from hoego.runs.required_runs import StudyRunner, varied

SIGNIFICANT = 0.05
NOT_COMPARABLE = {
    "split": "runs of different splits are scored on different people",
    "fold": "runs of different folds are scored on different people",
    "labels": "runs of different label schemas are scored on different classes",
    "dataset.root": "runs of different data sets are not compared",
    "seed": "every change is trained under the same seeds (--seeds)",
}


@dataclass(frozen=True, kw_only=True)
class AblateRequest:
    """The settings to vary.

    Args:
        vary: `key=v1,v2,...` each.
        grid: every combination instead of one change at a time.
        seeds: runs a side; a claim about recipes needs three.
        metric: what is compared.
        why: the hypothesis, kept in every record.
        queue: train through the queue (True), here (False), or through the queue where a worker is at work or runs
            of this ablation wait already (None).
    """

    vary: Sequence[str]
    grid: bool = False
    seeds: int = 3
    metric: str = "macro_f1"
    why: str = ""
    queue: bool | None = None


def ablate(
    recipe: Recipe,
    dataset: Dataset,
    request: AblateRequest,
    runner: StudyRunner,
    enqueue: Enqueue = add_run,
) -> Ablation:
    """Train the recipe and every change of it under the same seeds, and compare each change with the recipe.

    Args:
        recipe: the base.
        dataset: of the recipe.
        request: what is varied.
        runner: where to train; runs that are done already are taken as they are.
        enqueue: how a run is put into the queue.

    Returns:
        The table; or, if runs wait in the queue, the awaited runs: the same call gives the table once they are done.

    Raises:
        UsageError: nothing to vary, or a change that leaves the recipe as it is or that cannot be compared with it.
        RecipeError: an unknown setting or a value out of range (before anything is trained).
        NotEstimableError: a run of the recipe itself failed.
    """
    require_applicable(request.metric, dataset.schema, [dataset.schema.target])
    changes = changes_of(recipe, request)
    seeds = [recipe.seed + i for i in range(request.seeds)]
    plans = [
        [varied(recipe, change, name=title(recipe, change, s), seed=s, refit=False) for s in seeds]
        for change in ((), *changes)
    ]
    store = runner.store
    known = known_runs(store, runner.fold_of(recipe), dataset)
    queued = request.queue
    if queued is None:
        mine = [known[k] for plan in plans for r in plan if (k := key_of(r)) in known]
        queued = worker_alive(store) or any(r.state in ON_THE_WAY for r in mine)
    if queued:
        with locked(store):
            known = known_runs(store, runner.fold_of(recipe), dataset)
            records = through_queue(plans, known, runner, why=request.why, enqueue=enqueue)
    else:
        refuse_twice(plans, known)
        records = _here(plans, known, runner, request.why)
    return _read(recipe.name, ((), *changes), records, dataset, request)


def _here(
    plans: Sequence[Sequence[Recipe]], known: Mapping[str, Record], runner: StudyRunner, why: str
) -> list[list[Record]]:
    """Return the run of every recipe: the one that is done, else one trained now."""
    found: dict[str, Record] = {}
    missing: dict[str, Recipe] = {}
    for recipe in (r for plan in plans for r in plan):
        key = key_of(recipe)
        record = known.get(key)
        if record is not None and record.state == "done" and not runner.retrain:
            runner.log(f"{recipe.name}: done already ({record.id})")
            found[key] = record
        else:
            missing.setdefault(key, recipe)
    if missing:
        found |= zip(missing, runner.train_many(list(missing.values()), why=why), strict=True)
    return [[found[key_of(r)] for r in plan] for plan in plans]


def _read(
    name: str,
    changes: Sequence[tuple[str, ...]],
    records: Sequence[Sequence[Record]],
    dataset: Dataset,
    request: AblateRequest,
) -> Ablation:
    """Return the table if every run has ended, else the runs that are awaited."""
    awaited = pending_of(records, ("waiting", "running", "interrupted"))
    lost = pending_of(records, ("failed", "cancelled", "stopped"))
    if awaited:
        n = len({r.id for side in records for r in side})
        words = f"{n - len(awaited) - len(lost)} of {n} runs are done; `hoego queue work` trains what waits, "
        words += "and the same command then gives the table"
        return Ablation(recipe=name, metric=request.metric, notes=(words,), pending=(*awaited, *lost))
    whole = [all(r.state == "done" for r in side) for side in records]
    retry = "; ".join(f"{p.run} {p.state}: {p.reason}" for p in lost)
    if not whole[0] or not any(whole[1:]):
        raise NotEstimableError(
            f"Runs that the comparison needs have failed: {retry}.",
            remedy="hoego queue retry RUN trains one again.",
        )
    kept = [i for i, good in enumerate(whole) if good]
    found = judge(name, [changes[i] for i in kept], [records[i] for i in kept], dataset, request)
    left_out = tuple(
        f"left out, since a run of it failed: {', '.join(changes[i])}"
        for i, good in enumerate(whole)
        if not good
    )
    return found.with_(notes=(*found.notes, *left_out), pending=lost)


def judge(
    name: str,
    changes: Sequence[tuple[str, ...]],
    records: Sequence[Sequence[Record]],
    dataset: Dataset,
    request: AblateRequest,
) -> Ablation:
    """Return the table of runs that are done; the first side is the recipe without a change."""
    sides = [[predictions_of(r) for r in side] for side in records]
    seconds = [float(np.mean([_seconds(r) for r in side])) for side in records]
    options = CompareOptions(metric=request.metric)
    found = [compare([side, sides[0]], dataset, options) for side in sides[1:]]
    adjusted = holm([f.p_value for f in found])
    ids = [tuple(r.id for r in side) for side in records]
    base = AblationEffect(
        change=(), runs=ids[0], value=float(found[0].sides[1].value), seconds=seconds[0], cost=1.0
    )
    rows = [
        AblationEffect(
            change=changes[i],
            runs=ids[i],
            value=float(f.sides[0].value),
            difference=f.difference,
            p_value=f.p_value,
            p_adjusted=p,
            verdict=_decided(f.verdict, p),
            seconds=seconds[i],
            cost=seconds[i] / seconds[0] if seconds[0] else float("nan"),
            detectable=f.detectable,
        )
        for i, (f, p) in enumerate(zip(found, adjusted, strict=True), start=1)
    ]
    sign = 1.0 if found[0].better == "higher" else -1.0
    rows.sort(key=lambda r: -sign * r.value)
    scope = found[0].scope
    words = tuple(_words(r, scope, request.metric) for r in rows)
    _write_verdicts(rows, words, records, scope=scope, metric=request.metric)
    notes = tuple(dict.fromkeys(n for f in found for n in f.notes))
    return Ablation(
        recipe=name, metric=request.metric, scope=scope, rows=(base, *rows), words=words, notes=notes
    )


def _decided(verdict: str, p: float | None) -> str:
    """Return the verdict of one comparison once its p-value is adjusted for the others."""
    undecided = verdict in ("better", "worse") and (p is None or p >= SIGNIFICANT)
    return "not distinguishable" if undecided else verdict


def _seconds(record: Record) -> float:
    """Return the cost of a run in seconds; if it trained beside others, the seconds it would take alone at its
    measured speed.
    """
    timing = record.meta.timing
    return timing.seconds_alone or timing.seconds or 0.0


def changes_of(recipe: Recipe, request: AblateRequest) -> list[tuple[str, ...]]:
    """Return the changes to try, without those that leave the recipe as it is."""
    if request.seeds < 1:
        raise UsageError(f"{request.seeds} seeds train nothing.", remedy="--seeds 3")
    axes = []
    for text in request.vary:
        key, _, values = text.partition("=")
        parse_override(text)
        require_comparable(key.strip())
        axes.append([f"{key.strip()}={v.strip()}" for v in split_values(values)])
    if not axes:
        raise UsageError("Nothing is varied.", remedy="Example: --vary mixing.mixup.share=0,0.5,1")
    candidates = [tuple(c) for c in product(*axes)] if request.grid else [(c,) for axis in axes for c in axis]
    seen, kept = {_as_trained(recipe, ())}, []
    for change in candidates:
        result = _as_trained(recipe, change)
        if result not in seen:
            seen.add(result)
            kept.append(change)
    if not kept:
        raise UsageError("Every change leaves the training as it is.", remedy="Vary to other values.")
    return kept


def _as_trained(recipe: Recipe, change: Sequence[str]) -> str:
    """Return the training that a change makes, under the recipe's own seed."""
    return key_of(varied(recipe, change, name="", seed=recipe.seed, refit=False))


def require_comparable(key: str) -> None:
    """Raise UsageError if variants of a setting are scored on other photos or other classes."""
    first = key.split(".")[0]
    if first in NOT_COMPARABLE or key in NOT_COMPARABLE:
        raise UsageError(
            f"{key} cannot be varied: {NOT_COMPARABLE.get(key, NOT_COMPARABLE.get(first))}.",
            remedy="Vary settings of the training, not of the score.",
        )


def split_values(text: str) -> list[str]:
    """Split values at commas that stand outside brackets and quotes.

    >>> split_values("0,0.5,[1, 2]")
    ['0', '0.5', '[1, 2]']
    """
    out, depth, quote, start = [], 0, "", 0
    for i, c in enumerate(text):
        if quote:
            quote = "" if c == quote else quote
        elif c in "\"'":
            quote = c
        elif c in "[{(":
            depth += 1
        elif c in "]})":
            depth -= 1
        elif c == "," and depth == 0:
            out.append(text[start:i])
            start = i + 1
    return [v.strip() for v in [*out, text[start:]] if v.strip()]


def title(recipe: Recipe, change: Sequence[str], seed: int) -> str:
    """Name one run of an ablation."""
    return f"{recipe.name or 'recipe'}{''.join(f' {c}' for c in change)} seed {seed}"


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return Holm's step-down correction (1979); None stays None.

    >>> holm([0.01, None, 0.04])
    [0.02, None, 0.04]
    """
    order = sorted((i for i, p in enumerate(p_values) if p is not None), key=lambda i: p_values[i] or 0.0)
    out: list[float | None] = [None] * len(p_values)
    running = 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (len(order) - rank) * (p_values[i] or 0.0)))
        out[i] = running
    return out


def _words(row: AblationEffect, scope: str, metric: str) -> str:
    d = row.difference
    numbers = "" if d is None else f"{metric} {d.value:+.4f}"
    if d is not None and d.low is not None and d.high is not None:
        numbers += f" [{d.low:+.4f}, {d.high:+.4f}]"
    whose = "" if scope == "recipes" else " (these two models; three seeds allow a claim about the recipe)"
    more = (
        f"; {row.detectable:.4f} could have been detected"
        if row.verdict == "not distinguishable" and row.detectable
        else ""
    )
    return f"{row.title}: {row.verdict}, {numbers}{more}{whose}"


def _write_verdicts(
    rows: Sequence[AblationEffect],
    words: Sequence[str],
    records: Sequence[Sequence[Record]],
    *,
    scope: str,
    metric: str,
) -> None:
    by_id = {r.id: r for side in records for r in side}
    baseline = tuple(r.id for r in records[0])
    for row, text in zip(rows, words, strict=True):
        verdict = ComparisonVerdict(
            outcome=row.verdict,
            sentence=text,
            change=row.title,
            metric=metric,
            difference=row.difference,
            p_value=row.p_adjusted,
            scope=scope,
            baseline=baseline,
            runs=row.runs,
        )
        for run in row.runs:
            by_id[run].update(verdict=verdict)
