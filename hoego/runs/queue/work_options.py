"""How a worker works, and what it tells afterwards."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from hoego.runs.queue.context import RunOutcome, WorkerContext
from hoego.runs.queue.plan import QueuePlan
from hoego.runs.records import Record, RunStore

Runner = Callable[[Record, WorkerContext], RunOutcome]
"""Runs (or goes on with) a record; it may raise anything."""

Helper = Callable[[Record, WorkerContext], tuple[list[int], str]]
"""Trains open folds of a record that another worker leads: which, and why it stopped before none was open."""


def no_log(_: str) -> None:
    """Log nothing."""


@dataclass(frozen=True, kw_only=True)
class WorkOptions:
    """How a worker works. `until` is the deadline (aware); `reserve` seconds are left before it for prediction
    and submission (None: 5 % of the time, at most ten minutes). `idle` is asked to queue more when nothing is
    left to start (the ideas), with the seconds left, and says whether it did; `wait` keeps the worker there
    until the deadline. `limit` runs at most (0: no limit). `after_run` is called after each, `warm` once
    before the plan, so that what a process does once is no part of a run's time; `clock` gives the Unix time
    (simulations bring their own). `helper` trains open folds of a run that another worker leads. `only` is
    the one run to work on; the worker then stays until that run has ended, whoever ends it.
    """

    until: datetime.datetime | None = None
    reserve: float | None = None
    name: str = ""
    limit: int = 0
    wait: bool = False
    poll: float = 1.0
    idle: Callable[[RunStore, float], bool] | None = None
    after_run: Callable[[RunStore, Record], None] | None = None
    warm: Callable[[], None] | None = None
    helper: Helper | None = None
    only: str = ""
    log: Callable[[str], None] = no_log
    clock: Callable[[], float] = time.time


@dataclass(frozen=True)
class FinishedRun:
    """One run that a worker took: how it ended, and its seconds beside the predicted ones."""

    run: str
    state: str
    reason: str
    seconds: float
    predicted: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class WorkReport:
    """What a worker did. `left` maps each run that still waits to the reason; `ended_early` is the seconds
    between the end and the deadline (None without one; negative had it been missed)."""

    plan: QueuePlan
    ran: tuple[FinishedRun, ...]
    left: dict[str, str]
    deadline: str | None
    ended_early: float | None
    recovered: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {**asdict(self), "plan": self.plan.to_dict()}
