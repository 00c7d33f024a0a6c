"""The worker: takes waiting runs one after another until the queue is empty or the deadline is near."""

from __future__ import annotations

import contextlib
import datetime
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from hoego import claim_files, files
from hoego.errors import HoegoError, ProcessDied
from hoego.runs.queue import claims
from hoego.runs.queue.context import RunOutcome, StopRun, WorkerContext, stop_asked
from hoego.runs.queue.failures import one_line
from hoego.runs.queue.keep import tidy_run
from hoego.runs.queue.plan import PlannedJob, QueuePlan, default_reserve, fit, make_plan, order
from hoego.runs.queue.times import format_duration
from hoego.runs.queue.timing import DurationEstimate, RunTimeHistory, observe
from hoego.runs.records import Record, RunStore
from hoego.runs.records.reserve import free_reserve, keep_reserve
from hoego.storage import full_disk

Runner = Callable[[Record, WorkerContext], RunOutcome]
"""Runs (or goes on with) a record; it may raise anything."""


def no_log(_: str) -> None:
    """Log nothing."""


@dataclass(frozen=True, kw_only=True)
class WorkOptions:
    """How a worker works. `until` is the deadline (aware); `reserve` seconds are left before it for prediction
    and submission (None: 5 % of the time, at most ten minutes). `idle` is asked to queue more when nothing is
    left to start (the ideas), with the seconds left, and says whether it did; `wait` keeps the worker there
    until the deadline. `limit` runs at most (0: no limit). `after_run` is called after each, `warm` once
    before the plan, so that what a process does once is no part of a run's time; `clock` gives the Unix time
    (simulations bring their own).
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


@dataclass
class _Stop:
    """Set by the first SIGINT or SIGTERM; a second one raises KeyboardInterrupt at once."""

    reason: str = ""

    def __call__(self) -> str:
        return self.reason


@dataclass(kw_only=True)
class _Worker:
    store: RunStore
    runner: Runner
    options: WorkOptions
    stop: _Stop
    deadline: float | None
    reserve: float
    history: RunTimeHistory
    ran: list[FinishedRun] = field(default_factory=list)
    recovered: list[str] = field(default_factory=list)
    tried: set[str] = field(default_factory=set)

    @property
    def limit(self) -> float | None:
        return None if self.deadline is None else self.deadline - self.reserve

    def window(self) -> float:
        return math.inf if self.limit is None else self.limit - self.options.clock()


def work(store: RunStore, runner: Runner, options: WorkOptions | None = None) -> WorkReport:
    """Run what waits, best first, until the queue is empty, nothing more fits, or the worker is told to end.

    At the start it says what will fit before the deadline and what will not. It starts no run that is predicted
    not to end in time; a run of unknown length is tried, and stopped between two epochs if it will not end. Every
    failure of a run ends that run with a reason of one line, and the next is taken. SIGINT and SIGTERM put the
    present run back to waiting at its next step.
    """
    options = options or WorkOptions()
    if options.warm is not None and (options.idle is not None or options.wait or claims.waiting(store)):
        options.warm()
    deadline = options.until.timestamp() if options.until else None
    window = None if deadline is None else max(0.0, deadline - options.clock())
    reserve = default_reserve(window) if options.reserve is None else options.reserve
    keep_reserve(store.root)
    store.remove_leftovers()
    worker = _Worker(
        store=store,
        runner=runner,
        options=options,
        stop=_Stop(),
        deadline=deadline,
        reserve=reserve,
        history=RunTimeHistory.of(store),
    )
    with _signals(worker.stop):
        worker.recovered += [r.id for r in claims.recover(store)]
        first = make_plan(jobs(store), worker.history, window, reserve=reserve, states=_states(store))
        _announce(first, options.log, store)
        _loop(worker)
    left = {line.id: line.reason for line in _leftover_plan(worker).lines}
    ended = None if deadline is None else round(deadline - options.clock(), 3)
    shown = options.until.isoformat(timespec="seconds") if options.until else None
    return WorkReport(first, tuple(worker.ran), left, shown, ended, tuple(worker.recovered))


def job(record: Record) -> PlannedJob:
    """Return the planner's view of a waiting record."""
    meta = record.meta
    return PlannedJob(
        id=meta.id,
        recipe=record.recipe,
        fold=record.fold,
        priority=meta.priority,
        value=meta.value,
        created=meta.created,
        after=meta.after,
        done=claims.progress_of(record),
    )


def jobs(store: RunStore) -> list[PlannedJob]:
    """Return the waiting runs as the planner sees them, without those whose recipe cannot be read."""
    found = []
    for record in claims.waiting(store):
        with contextlib.suppress(HoegoError):
            found.append(job(record))
    return found


def _states(store: RunStore) -> dict[str, str]:
    return {record.id: record.state for record in store.list()}


def _leftover_plan(worker: _Worker) -> QueuePlan:
    window = None if worker.limit is None else max(0.0, worker.window())
    return make_plan(jobs(worker.store), worker.history, window, reserve=0.0, states=_states(worker.store))


def _announce(plan: QueuePlan, tell: Callable[[str], None], store: RunStore) -> None:
    if plan.window is not None:
        tell(
            f"{format_duration(plan.window)} to the deadline, "
            f"of which {format_duration(plan.reserve)} are kept for what comes after."
        )
    for line in plan.lines:
        verdict = {True: "fits", False: "does not fit", None: "not known"}[line.fits]
        name = store.find(line.id).meta.name
        tell(f"{line.id}{f' {name}' if name else ''}: {verdict}: {line.reason}")


def _loop(worker: _Worker) -> None:
    options = worker.options
    while not worker.stop() and not (options.limit and len(worker.ran) >= options.limit):
        if worker.window() <= 0:
            return
        record = _next(worker)
        if record is None and options.idle is not None and options.idle(worker.store, worker.window()):
            record = _next(worker)
        if record is not None:
            _run(worker, record)
            if options.after_run is not None:
                options.after_run(worker.store, record)
        elif options.wait or _busy(worker):
            time.sleep(min(options.poll, max(0.0, worker.window())))
            worker.recovered += [r.id for r in claims.recover(worker.store)]
        else:
            return


def _busy(worker: _Worker) -> bool:
    """Return whether a waiting run comes after one that another worker runs now, so that waiting is worthwhile."""
    states = _states(worker.store)
    return any(
        any(states.get(parent) == "running" for parent in record.meta.after)
        for record in claims.waiting(worker.store)
    )


def _next(worker: _Worker) -> Record | None:
    """Claim the first run, in the planner's order, that fits in the time left (or whose time is not known)."""
    waiting = {record.id: record for record in claims.waiting(worker.store)}
    window = None if worker.limit is None else worker.window()
    readable = {}
    for record in waiting.values():
        try:
            readable[record.id] = job(record)
        except HoegoError as problem:
            if claims.take(record):
                claims.release(record, "failed", one_line(problem))
    ordered = order(list(readable.values()), worker.history, window)
    fitting = []
    for candidate in ordered:
        if candidate.id in worker.tried and window is not None:
            continue
        fits, epochs, _ = fit(candidate, worker.history, worker.window())
        if fits is not False:
            fitting.append((waiting[candidate.id], epochs))
    taken = claims.claim(worker.store, worker.options.name, candidates=[r for r, _ in fitting])
    if taken is not None:
        epochs = next(e for r, e in fitting if r.id == taken.id)
        if epochs is not None:
            _shorten(taken, epochs)
    return taken


def _shorten(record: Record, epochs: int) -> None:
    recipe = record.recipe
    files.write_text(record.folder / "recipe-asked.toml", (record.folder / "recipe.toml").read_text())
    record.save_recipe({**recipe, "epochs": epochs})
    record.update(queue={"shortened": {"asked": recipe.get("epochs"), "epochs": epochs}})
    record.log(f"shortened from {recipe.get('epochs')} to {epochs} epochs to end before the deadline")


def _run(worker: _Worker, record: Record) -> None:
    options, done = worker.options, claims.progress_of(record)
    predicted = worker.history.predict(record.recipe, record.fold, done=done)
    context = WorkerContext(
        record=record,
        history=worker.history,
        limit=worker.limit,
        resume=done > 0 or record.meta.attempt > 0,
        log=options.log,
        clock=options.clock,
        others_fit=lambda left: _another_fits(worker, record.id, left),
        stop_request=worker.stop,
        done_before=done,
    )
    worker.options.log(f"{record.id} starts{f' after {done} epochs' if done else ''}")
    began = options.clock()
    try:
        with claim_files.beating(record.heartbeat):
            outcome = worker.runner(record, context)
    except StopRun as stop:
        outcome = RunOutcome("interrupted", str(stop))
    except KeyboardInterrupt:
        worker.stop.reason = "stopped by hand"
        outcome = RunOutcome("interrupted", "stopped by hand")
    except ProcessDied as death:
        outcome = RunOutcome("died", death.message.rstrip("."))
    except Exception as problem:
        outcome = _failure(worker, record, problem)
    seconds = options.clock() - began
    _finish(worker, record, outcome, seconds, predicted.seconds)
    if outcome.state == "done":
        _learn(worker, context, seconds, predicted)


def _another_fits(worker: _Worker, present: str, left: float) -> bool:
    states = _states(worker.store)
    for record in claims.waiting(worker.store):
        if record.id == present or record.id in worker.tried or claims.blocked(record, states):
            continue
        if fit(job(record), worker.history, left)[0]:
            return True
    return False


def _failure(worker: _Worker, record: Record, problem: Exception) -> RunOutcome:
    import traceback

    if full_disk(problem):
        free_reserve(worker.store.root)
    with contextlib.suppress(OSError, HoegoError):
        record.log("".join(traceback.format_exception(problem)))
    return RunOutcome("failed", one_line(problem))


def _finish(
    worker: _Worker, record: Record, outcome: RunOutcome, seconds: float, predicted: float | None
) -> None:
    state, reason = outcome.state, outcome.reason
    if state == "interrupted":
        state = "stopped" if stop_asked(record) else "waiting"
        state = "cancelled" if (record.folder / "cancel").exists() else state
        worker.tried.add(record.id)
    elif state == "died":
        worker.tried.add(record.id)
    elif state not in ("done", "failed", "cancelled"):
        state, reason = "failed", f"its runner answered with the unknown state {state!r}"
    if outcome.score is not None:
        record.update(score=outcome.score)
    if state == "died":
        meta = claims.release_dead(record, reason)
        state, reason = meta.state, meta.reason
    else:
        claims.release(record, state, reason)
    worker.ran.append(FinishedRun(record.id, state, reason, round(seconds, 3), predicted))
    worker.options.log(f"{record.id} {state} in {format_duration(seconds)}{f': {reason}' if reason else ''}")
    with contextlib.suppress(HoegoError, OSError):
        tidy_run(record)


def _learn(worker: _Worker, context: WorkerContext, seconds: float, predicted: DurationEstimate) -> None:
    """Keep the run's timing, and by how much its prediction erred: the next margins rest on it."""
    record = context.record
    record.update(timing={"seconds": seconds})
    sample = observe(record, context.epoch_seconds)
    if sample is None:
        return
    if predicted.seconds:
        error = (predicted.level, math.log(max(seconds, 1e-9) / predicted.seconds))
        sample = sample.with_(error=error)
    record.update(timing={"sample": sample})
    worker.history.add(sample)


@contextlib.contextmanager
def _signals(stop: _Stop) -> Iterator[None]:
    """Stop the present run at its next step on SIGINT and SIGTERM; only the main thread can receive them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, _: object) -> None:
        if stop.reason:
            raise KeyboardInterrupt
        stop.reason = "stopped by hand" if number == signal.SIGINT else "the worker was told to end"

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
