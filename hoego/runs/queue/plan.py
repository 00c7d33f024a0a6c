"""What fits before the deadline, in which order, and what is shortened for it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from hoego.recipe.fold import Fold
from hoego.runs.queue.times import format_duration
from hoego.runs.queue.timing import DurationEstimate, RunTimeHistory, units

CONFIDENCE = 0.98
"""A run is started only when its time is enough with this probability: in benchmarks/results/deadline_simulation.json
all 600 deadlines were kept, and 0.2 % of the runs with a prediction were stopped before their end."""

LEAST_SHARE = 0.4
"""A run is shortened to no less than this share of its epochs."""


@dataclass(frozen=True, kw_only=True)
class PlannedJob:
    """A waiting run as the planner sees it: the recipe, its fold (None: the recipe's), its place in the queue.

    Of a run whose folds are spread, `folds` is their number, and `shared_by` that of the workers that share them.
    """

    id: str
    recipe: Mapping[str, Any]
    fold: Fold | None = None
    priority: int = 0
    value: float = 1.0
    created: str = ""
    after: tuple[str, ...] = ()
    done: float = 0
    folds: int = 1
    shared_by: int = 1

    @property
    def may_shorten(self) -> bool:
        """Whether its recipe allows fewer epochs (`queue.shorten`) and it has not begun."""
        return bool(self.recipe.get("queue", {}).get("shorten")) and self.done == 0

    def shared(self, workers: int) -> PlannedJob:
        """Return the job with its folds, where they are spread, shared by so many workers."""
        return replace(self, shared_by=max(1, min(workers, self.folds)))


@dataclass(frozen=True, kw_only=True)
class PlannedWorker:
    """A worker as the planner sees it.

    Args:
        history: the times of its machine.
        name, machine: of the worker.
        run: that it leads now; "" where it has none.
        free_in: seconds until that is over.
        ends_in: seconds until the worker ends by its own deadline; None without one.
    """

    history: RunTimeHistory
    name: str = ""
    machine: str = ""
    run: str = ""
    free_in: float = 0.0
    ends_in: float | None = None


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """What the plan says of one run. `fits` is None where its time is not known. `seconds` is the prediction,
    `epochs` the number it is shortened to (None: as asked), `ends_in` seconds from now when it would end, `worker`
    who would train it ("" where the workers have no names)."""

    id: str
    fits: bool | None
    seconds: float | None
    ends_in: float | None
    epochs: int | None
    reason: str
    worker: str = ""


@dataclass(frozen=True)
class QueuePlan:
    """The plan's lines in the order in which the runs would be started; `window` in seconds, None without end."""

    window: float | None
    reserve: float
    workers: int
    lines: tuple[PlannedRun, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types, with the counts of what fits and what does not."""
        fits = sum(line.fits is True for line in self.lines)
        return {**asdict(self), "fits": fits, "does_not_fit": sum(line.fits is False for line in self.lines)}


def default_reserve(window: float | None) -> float:
    """Return the seconds left for prediction and submission: 5 % of the window, ten minutes at most."""
    return 0.0 if window is None else min(600.0, 0.05 * window)


def order(
    jobs: Sequence[PlannedJob], history: RunTimeHistory, window: float | None, workers: int = 1
) -> list[PlannedJob]:
    """Return the order of starting: priority, then time of asking; when not everything fits in `window`
    (seconds), those of one priority by value per predicted second, so that the time left buys most.

    A run of unknown length comes where its time of asking puts it among runs of the average length.
    """
    by_time = sorted(jobs, key=lambda job: (-job.priority, job.created, job.id))
    if window is None:
        return by_time
    seconds = {job.id: _estimate(job, history).seconds for job in jobs}
    known = [s for s in seconds.values() if s is not None]
    if sum(known) <= 0.8 * window * workers:
        return by_time
    usual = sum(known) / len(known)
    density = {id_: (usual if s is None else s) for id_, s in seconds.items()}
    return sorted(
        by_time, key=lambda job: (-job.priority, -job.value / max(density[job.id], 1e-9), job.created, job.id)
    )


def fit(
    job: PlannedJob, history: RunTimeHistory, left: float
) -> tuple[bool | None, int | None, DurationEstimate]:
    """Return whether `job` ends within `left` seconds: (True / False / None: not known, epochs when shortened,
    estimate).

    A run that does not fit as asked and may be shortened gets the most epochs that fit, if these are at least
    LEAST_SHARE of what was asked.
    """
    estimate = _estimate(job, history)
    if estimate.seconds is None:
        return None, None, estimate
    if estimate.within(CONFIDENCE) <= left:
        return True, None, estimate
    if job.may_shorten:
        epochs = int(job.recipe.get("epochs", 10))
        for fewer in range(epochs - 1, math.ceil(LEAST_SHARE * epochs) - 1, -1):
            shorter = _estimate(replace(job, recipe={**job.recipe, "epochs": fewer}), history)
            if fewer > 0 and shorter.within(CONFIDENCE) <= left:
                return True, fewer, shorter
    return False, None, estimate


def _estimate(job: PlannedJob, history: RunTimeHistory) -> DurationEstimate:
    return history.predict(job.recipe, job.fold, done=job.done, shared_by=job.shared_by)


def make_plan(
    jobs: Sequence[PlannedJob],
    history: RunTimeHistory,
    window: float | None,
    *,
    reserve: float | None = None,
    workers: int | Sequence[PlannedWorker] = 1,
    states: Mapping[str, str] | None = None,
) -> QueuePlan:
    """Plan what `workers` would start within `window` seconds, less the reserve, one after another.

    `workers` is a number of workers as fast as `history` says, or the workers themselves, each with the times of its
    own machine: a run goes to the first that is free and in whose time it ends. The margin of a run covers its own
    error and, added in squares, those of the runs before it on its worker. `states` holds the states of the runs that
    others come after.
    """
    kept = default_reserve(window) if reserve is None else reserve
    crew = [PlannedWorker(history=history)] * max(1, workers) if isinstance(workers, int) else workers
    made = _Making(crew, math.inf if window is None else window - kept, kept)
    lines: dict[str, PlannedRun] = {}
    shared = [job.shared(len(crew)) for job in jobs]
    pending = order(shared, history, None if window is None else made.limit, len(crew))
    known, ends = dict(states or {}), made.ends
    while pending:
        job = next((j for j in pending if all(p in ends or known.get(p) == "done" for p in j.after)), None)
        if job is None:
            for rest in pending:
                lines[rest.id] = _waits_for(rest, known, ends)
            break
        pending.remove(job)
        lines[job.id] = made.place(job)
    return QueuePlan(window, kept, len(crew), tuple(lines.values()))


class _Making:
    """A plan that is being made: when each worker is free, with the spread of that time, and when each run ends."""

    def __init__(self, crew: Sequence[PlannedWorker], limit: float, kept: float) -> None:
        self.crew, self.limit, self.kept = crew, limit, kept
        self.free = [(worker.free_in, 0.0) for worker in crew]
        self.ends: dict[str, float] = {}

    def place(self, job: PlannedJob) -> PlannedRun:
        """Give a run to the first free worker in whose time it ends; say why where there is none."""
        refused: list[PlannedRun] = []
        tried = set()
        for k in sorted(range(len(self.crew)), key=lambda k: (*self.free[k], k)):
            worker = self.crew[k]
            if (kind := (id(worker.history), worker.ends_in)) in tried:
                continue  # as fast as one that is free earlier
            tried.add(kind)
            at, spread = self.free[k]
            start = max([at, *(self.ends[p] for p in job.after if p in self.ends)])
            limit = self.limit if worker.ends_in is None else min(self.limit, worker.ends_in - self.kept)
            line, margin = _line(job, worker, limit - start - spread, start)
            if line.fits:
                self._give(job, k, start + (line.seconds or 0.0), math.hypot(spread, margin))
                return line
            refused.append(line)
        return next((line for line in refused if line.fits is None), refused[0])

    def _give(self, job: PlannedJob, k: int, end: float, spread: float) -> None:
        self.ends[job.id] = end
        self.free[k] = (end, spread)
        if job.shared_by > 1:
            self.free = [max(free, (end, spread)) for free in self.free]


def _line(job: PlannedJob, worker: PlannedWorker, left: float, start: float) -> tuple[PlannedRun, float]:
    fits, epochs, estimate = fit(job, worker.history, left)
    if estimate.seconds is None:
        return PlannedRun(
            id=job.id,
            fits=None,
            seconds=None,
            ends_in=None,
            epochs=None,
            reason=f"{estimate.basis}; known after its first epoch",
        ), 0.0
    margin = estimate.within(CONFIDENCE) - estimate.seconds
    about = f"about {format_duration(estimate.seconds)} (from {estimate.basis})"
    if not fits:
        at_most = format_duration(estimate.within(CONFIDENCE))
        reason = f"needs {about}, {at_most} with the margin; {format_duration(left)} left by then"
        return PlannedRun(
            id=job.id, fits=False, seconds=estimate.seconds, ends_in=None, epochs=None, reason=reason
        ), 0.0
    asked = units(job.recipe, job.fold)
    shorter = f"; shortened from {job.recipe.get('epochs')} to {epochs} epochs" if epochs else ""
    goes_on = f"; goes on after {job.done:g} of {asked:g} epochs" if job.done else ""
    shared = f"; its folds shared by {job.shared_by} workers" if job.shared_by > 1 else ""
    line = PlannedRun(
        id=job.id,
        fits=True,
        seconds=estimate.seconds,
        ends_in=start + estimate.seconds,
        epochs=epochs,
        reason=about + shorter + goes_on + shared,
        worker=worker.name,
    )
    return line, margin


def _waits_for(job: PlannedJob, states: Mapping[str, str], ends: Mapping[str, float]) -> PlannedRun:
    missing = [p for p in job.after if p not in ends and states.get(p) != "done"]
    said = ", ".join(f"{p} ({states.get(p, 'missing')})" for p in missing)
    return PlannedRun(
        id=job.id,
        fits=False,
        seconds=None,
        ends_in=None,
        epochs=None,
        reason=f"comes after {said}, which will not be done by then",
    )
