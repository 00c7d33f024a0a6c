"""`hoego queue work`: the worker with the real runner, the deadline as written, and the ideas."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hoego.errors import UsageError
from hoego.extras import require
from hoego.recipe import Fold, Recipe, find_project, resolve
from hoego.runs.ideas import IdeaWorker
from hoego.runs.queue import WorkOptions, WorkReport, gpu_count, parse_duration, parse_until, work_many
from hoego.runs.queue.train_record import enqueue, train_helper, train_runner, warm_up
from hoego.runs.records import RunStore
from hoego.runs.records.mirrors import following
from hoego.terminal import visible


@dataclass(frozen=True, kw_only=True)
class WorkRequest:
    """What `hoego queue work` was asked, as it was written.

    `workers` 0 is one per GPU (at least one). `until` or `duration` set the deadline, `reserve` (a duration, or
    empty) what is kept before it. `ideas` takes ideas when the queue is empty, over `leader` (None: the best run).
    """

    workers: int = 1
    until: str | None = None
    duration: str | None = None
    reserve: str | None = None
    ideas: bool = False
    wait: bool = False
    leader: Recipe | None = None
    fold: Fold | None = None


def to_stderr(text: str) -> None:
    """Print a line on stderr."""
    print(visible(text, keep="\n"), file=sys.stderr, flush=True)


def deadline_of(request: WorkRequest, *, now: datetime.datetime | None = None) -> datetime.datetime | None:
    """Return the requested deadline. Raises UsageError if both forms are given, or one cannot be read."""
    if request.until and request.duration:
        raise UsageError("--until and --for both set the deadline", remedy="Give one of them.")
    current = now or datetime.datetime.now().astimezone()
    if request.until:
        return parse_until(request.until, now=current)
    if request.duration:
        return current + datetime.timedelta(seconds=parse_duration(request.duration))
    return None


def work_queue(
    runs: Path, request: WorkRequest | None = None, log: Callable[[str], None] = to_stderr
) -> WorkReport:
    """Run what waits in the folder `runs` (see `hoego.runs.queue.work`), by as many workers as were asked for.

    Raises UsageError for a deadline that cannot be read, RecordError where ideas are asked for and nothing leads.
    """
    require("train", "Training")
    request = request or WorkRequest()
    store = RunStore(runs)
    workers = request.workers or max(1, gpu_count())
    log = log if workers == 1 else to_stderr
    ideas = None
    if request.ideas:
        leader = request.leader.to_dict() if request.leader is not None else None
        ideas = IdeaWorker(
            recipe=leader, fold=request.fold, log=log, enqueue=enqueue, fallback=_usual(runs).to_dict()
        )
        ideas.record_verdicts(store)
    options = WorkOptions(
        until=deadline_of(request),
        reserve=reserve_of(request.reserve),
        wait=request.wait,
        idle=ideas.idle if ideas else None,
        after_run=ideas.after_run if ideas else None,
        log=log,
        warm=warm_up,
        helper=train_helper,
    )
    with following(store):
        return work_many(store, train_runner, options, workers=workers)


def _usual(runs: Path) -> Recipe:
    """Return what `hoego train` would train without a recipe: the project's settings over the profile quick."""
    return resolve(None, project=find_project(runs.resolve().parent))


def reserve_of(text: str | None) -> float | None:
    """Return the seconds kept before the deadline as asked for; None if they were not."""
    if not text:
        return None
    return 0.0 if text.strip() in ("0", "0s", "0m") else parse_duration(text)
