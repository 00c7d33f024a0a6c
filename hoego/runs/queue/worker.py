"""The worker: takes waiting runs one after another until the queue is empty or the deadline is near."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from hoego import claim_files, files
from hoego.errors import HoegoError, ProcessDied
from hoego.runs.queue import claims
from hoego.runs.queue.context import RunOutcome, StopRun, WorkerContext, stop_asked
from hoego.runs.queue.failures import one_line
from hoego.runs.queue.helping import folds_to_share, has_begun, led, to_help
from hoego.runs.queue.keep import tidy_run
from hoego.runs.queue.plan import PlannedJob, QueuePlan, default_reserve, fit, make_plan, order
from hoego.runs.queue.roster import crew_of, crew_size, on_roster
from hoego.runs.queue.times import format_duration
from hoego.runs.queue.timing import DurationEstimate, RunTimeHistory, observe
from hoego.runs.queue.work_options import FinishedRun, Runner, WorkOptions, WorkReport
from hoego.runs.records import Record, RunStore
from hoego.runs.records.reserve import free_reserve, keep_reserve
from hoego.storage import full_disk


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
    left_alone: set[str] = field(default_factory=set)

    @property
    def limit(self) -> float | None:
        return None if self.deadline is None else self.deadline - self.reserve

    def window(self) -> float:
        return math.inf if self.limit is None else self.limit - self.options.clock()


def work(store: RunStore, runner: Runner, options: WorkOptions | None = None) -> WorkReport:
    """Run what waits, best first, until the queue is empty, nothing more fits, or the worker is asked to end.

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
    with _signals(worker.stop), on_roster(store, options.name, deadline):
        worker.recovered += [r.id for r in claims.recover(store)]
        crew, states = crew_of(store, options.clock()), _states(store)
        first = make_plan(_jobs(worker), worker.history, window, reserve=reserve, workers=crew, states=states)
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
        folds=folds_to_share(record),
    )


def jobs(store: RunStore) -> list[PlannedJob]:
    """Return the waiting runs as the planner sees them, without those whose recipe cannot be read."""
    found = []
    for record in claims.waiting(store):
        with contextlib.suppress(HoegoError):
            found.append(job(record))
    return found


def _waiting(worker: _Worker) -> list[Record]:
    """Return the waiting runs that this worker may take."""
    only = worker.options.only
    return [record for record in claims.waiting(worker.store) if only in ("", record.id)]


def _jobs(worker: _Worker) -> list[PlannedJob]:
    only = worker.options.only
    return [j for j in jobs(worker.store) if only in ("", j.id)]


def _states(store: RunStore) -> dict[str, str]:
    return {record.id: record.state for record in store.list()}


def _leftover_plan(worker: _Worker) -> QueuePlan:
    window = None if worker.limit is None else max(0.0, worker.window())
    return make_plan(_jobs(worker), worker.history, window, reserve=0.0, states=_states(worker.store))


def _announce(plan: QueuePlan, tell: Callable[[str], None], store: RunStore) -> None:
    if plan.workers > 1:
        tell(f"{plan.workers} workers are alive; each is planned with the times of its machine.")
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
        if _help(worker):
            continue
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
    """Return whether to wait: for a run that another worker runs now, or for the folds of one that begins."""
    if worker.options.only:
        return worker.store.find(worker.options.only).state in ("waiting", "running", "interrupted")
    if worker.options.helper is not None and not all(map(has_begun, led(worker.store))):
        return True
    states = _states(worker.store)
    return any(
        any(states.get(parent) == "running" for parent in record.meta.after)
        for record in claims.waiting(worker.store)
    )


def _next(worker: _Worker) -> Record | None:
    """Claim the first run, in the planner's order, that fits in the time left (or whose time is not known)."""
    waiting = {record.id: record for record in _waiting(worker)}
    window = None if worker.limit is None else worker.window()
    readable = {}
    for record in waiting.values():
        try:
            readable[record.id] = job(record)
        except HoegoError as problem:
            if claims.take(record):
                claims.release(record, "failed", one_line(problem))
    crew = crew_size(worker.store) if readable else 1
    shared = [planned.shared(crew) for planned in readable.values()]
    ordered = order(shared, worker.history, window, crew)
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


def _help(worker: _Worker) -> bool:
    """Train open folds of a run that another worker leads; False where there is none that comes before what waits."""
    options = worker.options
    if options.helper is None:
        return False
    least = max((r.meta.priority for r in _waiting(worker)), default=-(2**31))
    record = to_help(worker.store, least=least, without=worker.left_alone, only=options.only)
    if record is None:
        return False
    began, folds, reason = options.clock(), list[int](), ""
    try:
        folds, reason = options.helper(record, _context(worker, record, 0))
    except StopRun as stop:
        reason = str(stop)
    except KeyboardInterrupt:
        reason = worker.stop.reason = "stopped by hand"
    except Exception as problem:
        reason = _failure(worker, record, problem).reason
    if reason or not folds:
        worker.left_alone.add(record.id)
    if folds or reason:
        said = "; ".join(
            part for part in (f"folds {', '.join(map(str, folds))}" if folds else "", reason) if part
        )
        seconds = options.clock() - began
        worker.ran.append(FinishedRun(record.id, "helped", said, round(seconds, 3), None))
        options.log(f"{record.id} helped for {format_duration(seconds)}: {said}")
    return True


def _context(worker: _Worker, record: Record, done: float) -> WorkerContext:
    options = worker.options
    return WorkerContext(
        record=record,
        history=worker.history,
        limit=worker.limit,
        resume=done > 0 or record.meta.attempt > 0,
        log=options.log,
        clock=options.clock,
        others_fit=lambda left: _another_fits(worker, record.id, left),
        stop_request=worker.stop,
        done_before=done,
        worker=options.name,
    )


def _run(worker: _Worker, record: Record) -> None:
    options, done = worker.options, claims.progress_of(record)
    predicted = worker.history.predict(record.recipe, record.fold, done=done)
    context = _context(worker, record, done)
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
        stop.reason = "stopped by hand" if number == signal.SIGINT else "the worker was asked to end"

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
