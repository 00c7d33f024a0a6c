"""The arguments and the result of a runner."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hoego.recipe.fold import Fold
from hoego.runs.queue.plan import CONFIDENCE
from hoego.runs.queue.times import format_duration
from hoego.runs.queue.timing import DurationEstimate, RunTimeHistory, units
from hoego.runs.records import Record

STOP_FILE = "stop"
"""In a record: a search wants the run to end, since it is behind others; the file holds the reason."""


class StopRun(KeyboardInterrupt):
    """Raised inside a run that is to stop now; what Ctrl-C leaves, it leaves: a record that can go on."""


def stop_asked(record: Record) -> str:
    """Return why a search wants this run to end; "" if none does."""
    try:
        return (record.folder / STOP_FILE).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended: `done`, `interrupted` (it can go on later), `cancelled` or `failed`, and a reason of one
    line. `score` goes into the record when it is given."""

    state: str
    reason: str = ""
    score: dict[str, Any] | None = None


@dataclass(kw_only=True)
class WorkerContext:
    """The worker's side of one run, handed to the runner with its record.

    The runner calls `should_stop()` as often as it likes (each step) and, when it answers with a reason, saves
    its state and returns `Outcome("interrupted", reason)`; it calls `epoch_done(seconds)` after each epoch.
    Times are seconds since the Unix epoch; `limit` is the deadline less the reserve, None without one.
    """

    record: Record
    history: RunTimeHistory
    limit: float | None = None
    resume: bool = False
    log: Callable[[str], None] = lambda _: None
    clock: Callable[[], float] = time.time
    others_fit: Callable[[float], bool] = lambda _: False
    stop_request: Callable[[], str] = lambda: ""
    epoch_seconds: list[float] = field(default_factory=list)
    done_before: float = 0
    worker: str = ""
    _fold: Fold = 0
    _first: int = 0
    _recipe: dict[str, Any] = field(default_factory=dict)
    _looked: float = 0.0
    _mark: float | None = None
    _asked: float = 0.0
    _reason: str = ""

    def __post_init__(self) -> None:
        self._recipe = self._recipe or self.record.recipe
        self._fold = self.record.fold

    def should_stop(self) -> str:
        """Return why to stop now (cancelled, the worker is asked to end, the deadline); empty to go on."""
        self._asked = time.monotonic()
        self._mark = self.clock() if self._mark is None else self._mark
        return self._why_stop()

    def _why_stop(self) -> str:
        if self._reason:
            return self._reason
        now = self.clock()
        asked = self.stop_request()
        if asked:
            self._reason = asked
        elif self.limit is not None and now >= self.limit:
            self._reason = "stopped at the deadline"
        elif now - self._looked >= 1.0:
            self._looked = now
            if (self.record.folder / "cancel").exists():
                self._reason = "cancelled by hand"
            else:
                self._reason = stop_asked(self.record)
        return self._reason

    def epoch_done(self, seconds: float) -> DurationEstimate:
        """Note an epoch's seconds; predicts the rest, and stops the run here when the rest will not fit.

        The epoch counts as long as the clock shows since the last one (since the run first asked whether to stop),
        so that scoring and saving are in it even where `seconds` leaves them out.
        It is stopped when the next epoch would not end before the limit (a part of an epoch is lost anyway), or
        when the whole run will not and another run that waits would.
        """
        now = self.clock()
        self.epoch_seconds.append(max(seconds, now - (now - seconds if self._mark is None else self._mark)))
        self._mark = now
        left = self.remaining()
        if self.limit is None or self._reason or left.seconds is None:
            return left
        window = self.limit - self.clock()
        total = units(self._recipe, self._fold)
        unfinished = self.done_before + len(self.epoch_seconds) - self._first < total
        next_epoch = max(self.epoch_seconds[-3:]) * 1.15 if unfinished else 0.0
        if next_epoch > window:
            takes = f"an epoch takes {format_duration(next_epoch)}, {format_duration(window)} left"
            self._reason = f"stopped before the deadline: {takes}"
        elif left.within(0.9) > window and left.seconds > window and self.others_fit(window):
            to_go = f"{format_duration(left.seconds)} to go, {format_duration(window)} left"
            self._reason = f"makes room: {to_go}, and another run fits"
        return left

    def fold_fits(self, fold: int) -> bool:
        """Return whether a fold, were it to begin now, would end before the limit; True where its time is not known."""
        if self.limit is None:
            return True
        recipe = {**self.record.recipe, "refit": False}
        estimate = self.history.predict(recipe, fold, done=len(self.record.epochs(fold)))
        return estimate.seconds is None or estimate.within(CONFIDENCE) <= self.limit - self.clock()

    def fold_begins(self, fold: int) -> None:
        """Judge the time by this fold alone from here on: others may be trained by other workers."""
        self._recipe = {**self.record.recipe, "refit": False}
        self._fold, self.done_before = fold, len(self.record.epochs(fold))
        self._first, self._mark = len(self.epoch_seconds), None

    def remaining(self) -> DurationEstimate:
        """Return seconds to the end, as far as is known."""
        recipe = dict(self._recipe)
        if self.done_before:
            folds = units({**recipe, "epochs": 1}, self._fold)
            recipe["epochs"] = max(0.0, recipe.get("epochs", 10) - self.done_before / max(folds, 1.0))
        return self.history.remaining(recipe, self._fold, self.epoch_seconds[self._first :])

    @contextlib.contextmanager
    def interrupting(self, patience: float = 10.0) -> Iterator[None]:
        """Raise StopRun in a body that does not call `should_stop` often (it decodes, it scores): when there is
        a reason to stop and it has not asked for `patience` seconds.

        A thread watches, and reaches the main thread by SIGUSR1; in any other thread nothing is raised, and the
        body must ask for itself.
        """
        on_main = threading.current_thread() is threading.main_thread()
        if not on_main or not hasattr(signal, "SIGUSR1"):  # Windows has no signal that reaches a thread
            yield
            return
        main, ended = threading.get_ident(), threading.Event()

        def raise_stop(*_: object) -> None:
            if not ended.is_set():
                ended.set()
                raise StopRun(self._reason)

        def watch() -> None:
            while not ended.wait(min(0.5, patience)):
                if self._why_stop() and time.monotonic() - self._asked > patience:
                    signal.pthread_kill(main, signal.SIGUSR1)
                    return

        before = signal.signal(signal.SIGUSR1, raise_stop)
        thread = threading.Thread(target=watch, name="watch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            signal.signal(signal.SIGUSR1, before)
