"""What the queue is doing now."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from hoego.runs.queue.claims import blocked, progress_of, waiting
from hoego.runs.queue.plan import PlannedJob, PlannedWorker, make_plan, order
from hoego.runs.queue.roster import crew_of
from hoego.runs.queue.timing import RunTimeHistory, row_seconds, units
from hoego.runs.queue.worker import job
from hoego.runs.records import Record, RunStore


@dataclass(frozen=True, kw_only=True)
class QueueRow:
    """A run in the queue.

    Args:
        progress: the share of its epochs that are behind it.
        seconds: to its end once it runs, on this machine for one that waits; None where it is not known.
        after: what it waits for, "" when nothing.
        where: the host that runs it.
        worker, ends_in: of one that waits: who of the living workers would train it, and seconds from now to its end.
    """

    run: str
    name: str
    state: str
    priority: int
    progress: float
    seconds: float | None
    after: str
    where: str
    reason: str
    worker: str = ""
    ends_in: float | None = None


@dataclass(frozen=True, kw_only=True)
class QueueWorker:
    """A worker that is alive.

    Args:
        name: of the worker.
        machine: it runs on.
        run: that it leads now; "" where it has none or helps with one.
        free_in: seconds until that is over.
        ends_in: seconds to its deadline; None without one.
        speed: how fast it trains beside the fastest worker, on the runs that wait; None where its times are not known.
    """

    name: str
    machine: str
    run: str
    free_in: float
    ends_in: float | None
    speed: float | None


@dataclass(frozen=True, kw_only=True)
class QueueStatus:
    """The queue: runs that are running, waiting (in the order of starting) and lately ended; counts by state; and the
    workers that are alive."""

    running: tuple[QueueRow, ...]
    waiting: tuple[QueueRow, ...]
    ended: tuple[QueueRow, ...]
    counts: dict[str, int]
    workers: tuple[QueueWorker, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return asdict(self)


def status(store: RunStore, *, ended: int = 5) -> QueueStatus:
    """Return the queue as it stands, with the last `ended` runs that ended."""
    records = store.list()
    states = {record.id: record.state for record in records}
    history = RunTimeHistory.of(store)
    queued = waiting(store)
    asked = [job(r) for r in queued]
    crew = crew_of(store, time.time())
    plan = make_plan(asked, history, None, workers=crew or 1, states=states)
    planned = {line.id: line for line in plan.lines}
    positions = {j.id: k for k, j in enumerate(order(asked, history, None))}
    queued.sort(key=lambda r: positions[r.id])
    over = [r for r in records if states[r.id] in ("done", "failed", "interrupted", "cancelled", "stopped")]
    over.sort(key=lambda r: r.meta.finished or r.meta.updated)
    return QueueStatus(
        running=tuple(_row(r, states, history) for r in records if states[r.id] == "running"),
        waiting=tuple(
            replace(_row(r, states, history), worker=planned[r.id].worker, ends_in=planned[r.id].ends_in)
            for r in queued
        ),
        ended=tuple(_row(r, states, history) for r in over[len(over) - min(ended, len(over)) :]),
        counts=dict(Counter(states.values())),
        workers=_workers(crew, asked),
    )


def _workers(crew: Sequence[PlannedWorker], asked: Sequence[PlannedJob]) -> tuple[QueueWorker, ...]:
    speeds = relative_speeds(crew, asked)
    return tuple(
        QueueWorker(
            name=worker.name,
            machine=worker.machine,
            run=worker.run,
            free_in=worker.free_in,
            ends_in=worker.ends_in,
            speed=speed,
        )
        for worker, speed in zip(crew, speeds, strict=True)
    )


def relative_speeds(crew: Sequence[PlannedWorker], asked: Sequence[PlannedJob]) -> list[float | None]:
    """Return each speed beside the fastest, on the run that most workers know; None where a worker does not know it."""
    best: list[float | None] = [None] * len(crew)
    for planned in asked:
        seconds = [w.history.predict(planned.recipe, planned.fold, done=planned.done).seconds for w in crew]
        if sum(s is not None for s in seconds) > sum(s is not None for s in best):
            least = min(s for s in seconds if s is not None)
            best = [None if s is None else least / max(s, 1e-9) for s in seconds]
    return best


def _row(record: Record, states: dict[str, str], history: RunTimeHistory) -> QueueRow:
    meta = record.meta
    state = states[record.id]
    total = units(record.recipe, record.fold)
    done = progress_of(record)
    seconds = None
    if state == "waiting":
        seconds = history.predict(record.recipe, record.fold, done=done).seconds
    elif state == "running":
        rows = [row for fold in record.folds() for row in record.epochs(fold)]
        own = [s for row in rows if (s := row_seconds(row)) is not None]
        seconds = history.remaining(record.recipe, record.fold, own).seconds
    return QueueRow(
        run=meta.id,
        name=meta.name,
        state=state,
        priority=meta.priority,
        progress=1.0 if state == "done" else min(1.0, done / total) if total else 0.0,
        seconds=seconds,
        after=blocked(record, states) if state == "waiting" else "",
        where=str((meta.process or {}).get("host", "")),
        reason=record.reason,
    )
