"""Train the folds of a run together with other workers: each takes the next fold that nobody has."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hoego.runs.fold_claims import FoldClaims, fold_of_claim
from hoego.runs.records import FINAL_STATES
from hoego.train.callbacks import Callbacks
from hoego.train.steps import Steps

LOOK_SECONDS = 2.0
"""Between two looks at whether a fold is still this worker's."""

POLL_SECONDS = 0.5


@dataclass(kw_only=True)
class FoldSharing:
    """One worker's part in a run whose folds are spread.

    The worker that has claimed the run leads: it waits until every fold is done, whoever trained it, and then joins
    and scores them. The others leave when no fold is open. Of a leader that dies the run is given back, and another
    worker leads; the folds of helpers are theirs until then and after.

    Args:
        claims: on the folds.
        leads: whether this worker has the run.
        may_start: whether a fold would end in time.
        on_fold: told of each fold that begins here.
        trained: the folds that were trained here.
    """

    claims: FoldClaims
    leads: bool
    may_start: Callable[[int], bool] = lambda _: True
    on_fold: Callable[[int], object] = lambda _: None
    trained: list[int] = field(default_factory=list)
    _should_stop: Callable[[], str] = field(default=lambda: "", repr=False)
    _claim: Path | None = field(default=None, repr=False)
    _looked: float = field(default=0.0, repr=False)

    def callbacks(self, own: Callbacks) -> Callbacks:
        """Return a training's callbacks that also stop it where the fold or the run is no longer this worker's.

        A helper measures no throughput: the figures of a run are those of the machine that leads it.
        """
        self._should_stop = own.should_stop
        return replace(
            own, should_stop=self.why_stop, measure_seconds=own.measure_seconds if self.leads else 0.0
        )

    def take_folds(self, folds: Sequence[int], train: Callable[[int], Steps[object]]) -> Steps[None]:
        """Train those of `folds` that nobody else does, one after another.

        Raises:
            TrainingStopped: this worker is to stop, or no further fold would end in time.
        """
        while left := [k for k in folds if not self.claims.is_done(k)]:
            claim = self.claims.take(left, self.may_start)
            if claim is None:
                if not self.leads:
                    break
                self._wait(left)
                continue
            k = fold_of_claim(claim)
            self._claim = claim
            self.on_fold(k)
            try:
                with self.claims.held(claim):
                    yield from train(k)
            finally:
                self._claim = None
            self.trained.append(k)
        self.claims.record.refresh()  # others have told of their folds

    def why_stop(self) -> str:
        """Return why the present fold is to stop: it is told to, its fold is another's by now, or the run ended."""
        asked = self._should_stop()
        now = time.monotonic()
        if asked or now - self._looked < LOOK_SECONDS:
            return asked
        self._looked = now
        if self._claim is not None and not self.claims.is_latest(self._claim):
            return f"another worker has taken fold {fold_of_claim(self._claim)} over"
        if not self.leads:
            state = self.claims.record.refresh().state
            return f"the run is {state}" if state in FINAL_STATES else ""
        return ""

    def _wait(self, left: Sequence[int]) -> None:
        """Wait a moment for the folds of others; stop where nobody has one and none may start here."""
        from hoego.train.loop import TrainingStopped

        reason = self._should_stop()
        missing = [k for k in left if not self.claims.is_done(k)]
        nobody_has = self.claims.unclaimed(missing)
        if not reason and missing and nobody_has == missing and not any(map(self.may_start, missing)):
            reason = "no further fold would end before the deadline"
        if reason:
            raise TrainingStopped(reason)
        time.sleep(POLL_SECONDS)
