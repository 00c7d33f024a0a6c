"""The trials of a search, as the records tell them: nothing else is kept of a search anywhere."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hoego.errors import RecordError
from hoego.runs.queue.timing import row_seconds
from hoego.runs.records import Record, RunStore, SearchFacts
from hoego.runs.records.ranking import metric_value
from hoego.runs.records.run_facts import SearchPoint

OPEN = ("waiting", "running", "interrupted")


@dataclass(frozen=True, kw_only=True)
class SearchTrial:
    """One trial.

    Args:
        number: from 0, in the order of asking.
        point: what it tries.
        state: of its run.
        value: its score where it is done, larger where better; None otherwise.
        curve: the metric after each epoch (the mean over folds that have got there), larger where better.
        epochs: that it was asked to train.
        seconds: of training so far.
        run: id of its run; "" for trials that are only planned.
    """

    number: int
    point: SearchPoint
    state: str
    value: float | None = None
    curve: tuple[float, ...] = ()
    epochs: int = 0
    seconds: float = 0.0
    run: str = ""

    @property
    def open(self) -> bool:
        """Whether it may still give a value."""
        return self.state in OPEN


def facts_of(record: Record) -> SearchFacts | None:
    """Return what a search knows of a run; None if no search made it."""
    return record.meta.queue.search


def records_of(store: RunStore, search: str, *roles: str) -> list[Record]:
    """Return the runs of a search, oldest first; those of some roles where they are named."""

    def mine(record: Record) -> bool:
        facts = facts_of(record)
        return facts is not None and facts.search == search and (not roles or facts.role in roles)

    return [r for r in store.list() if mine(r)]


def trials_of(store: RunStore, search: str, metric: str, sign: float) -> list[SearchTrial]:
    """Return the trials of a search, by number. `sign` is -1 for a metric that is better when lower."""
    found = [_trial(r, metric, sign) for r in records_of(store, search, "trial")]
    return sorted(found, key=lambda t: t.number)


def _trial(record: Record, metric: str, sign: float) -> SearchTrial:
    facts, state = facts_of(record), record.state
    assert facts is not None
    value = metric_value(record.score, metric) if state == "done" else None
    recipe = record.recipe
    rows = {fold: record.epochs(fold) for fold in record.folds()}
    return SearchTrial(
        number=facts.trial or 0,
        point=dict(facts.point),
        state=state,
        value=None if value is None or not math.isfinite(value) else sign * value,
        curve=curve_of(rows, metric, sign, inner=recipe.get("select", {}).get("on") == "inner"),
        epochs=int(recipe.get("epochs", 10)),
        seconds=_seconds(record, rows),
        run=record.id,
    )


def curve_of(
    rows: Mapping[int, Sequence[Mapping[str, Any]]], metric: str, sign: float, *, inner: bool = False
) -> tuple[float, ...]:
    """Return the metric after each epoch: of several kinds of weights the best, over folds the mean.

    Args:
        rows: of epochs.jsonl, by fold.
        metric: of the search; where the epochs do not have it, macro F1.
        sign: -1 where lower is better.
        inner: the epochs are judged by a slice of the training subjects.
    """
    prefix = "inner_" if inner else ""
    known = any(f"{prefix}{metric}" in row for fold in rows.values() for row in fold)
    name, sign = (f"{prefix}{metric}", sign) if known else (f"{prefix}macro_f1", 1.0)
    curves = [[_best(row, name, sign) for row in fold] for fold in rows.values() if fold]
    longest = max(map(len, curves), default=0)
    out = []
    for epoch in range(longest):
        there = [v for c in curves if epoch < len(c) and math.isfinite(v := c[epoch])]
        out.append(sum(there) / len(there) if there else math.nan)
    return tuple(out)


def _best(row: Mapping[str, Any], name: str, sign: float) -> float:
    values = [row.get(f"{name}{kind}") for kind in ("", "_ema", "_swa")]
    numbers = [sign * float(v) for v in values if isinstance(v, (int, float)) and math.isfinite(v)]
    return max(numbers, default=math.nan)


def _seconds(record: Record, rows: Mapping[int, Sequence[Mapping[str, Any]]]) -> float:
    if record.meta.timing.seconds:
        return float(record.meta.timing.seconds)
    try:
        return sum(row_seconds(row) or 0.0 for fold in rows.values() for row in fold)
    except RecordError:
        return 0.0
