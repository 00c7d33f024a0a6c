"""What the queue is doing now."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from hoego.runs.queue.claims import blocked, progress_of, waiting
from hoego.runs.queue.plan import order
from hoego.runs.queue.timing import RunTimeHistory, row_seconds, units
from hoego.runs.queue.worker import job
from hoego.runs.records import Record, RunStore


@dataclass(frozen=True, kw_only=True)
class QueueRow:
    """A run in the queue. `progress` is the share of its epochs that are behind it; `seconds` to its end as far
    as is known; `after` is what it waits for, "" when nothing."""

    run: str
    name: str
    state: str
    priority: int
    progress: float
    seconds: float | None
    after: str
    where: str
    reason: str


@dataclass(frozen=True)
class QueueStatus:
    """The queue: runs that are running, waiting (in the order of starting) and lately ended; counts by state."""

    running: tuple[QueueRow, ...]
    waiting: tuple[QueueRow, ...]
    ended: tuple[QueueRow, ...]
    counts: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return asdict(self)


def status(store: RunStore, *, ended: int = 5) -> QueueStatus:
    """Return the queue as it stands, with the last `ended` runs that ended."""
    records = store.list()
    states = {record.id: record.state for record in records}
    history = RunTimeHistory.of(store)
    queued = waiting(store)
    positions = {j.id: k for k, j in enumerate(order([job(r) for r in queued], history, None))}
    queued.sort(key=lambda r: positions[r.id])
    over = [r for r in records if states[r.id] in ("done", "failed", "interrupted", "cancelled", "stopped")]
    over.sort(key=lambda r: r.meta.finished or r.meta.updated)
    return QueueStatus(
        running=tuple(_row(r, states, history) for r in records if states[r.id] == "running"),
        waiting=tuple(_row(r, states, history) for r in queued),
        ended=tuple(_row(r, states, history) for r in over[len(over) - min(ended, len(over)) :]),
        counts=dict(Counter(states.values())),
    )


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
