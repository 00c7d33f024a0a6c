"""Who trains which fold of a run whose folds are spread over workers.

The folds are claimed one by one: `claims/fold-K.N` is a file that only one process can create, and its heartbeat. A
fold whose claim is a dead process's is open again under the next N; it goes on from its last state.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hoego import claim_files
from hoego.runs.record_predictions import PREDICTIONS
from hoego.runs.records import Record
from hoego.runs.records.environment import machine_key


@dataclass(frozen=True)
class FoldClaims:
    """The claims on the folds of a run.

    Args:
        record: of the run.
        worker: name of the worker that claims.
    """

    record: Record
    worker: str = ""

    def is_done(self, fold: int) -> bool:
        """Return whether the fold's predictions, which are written last, lie in the record."""
        return (self.record.folder / f"fold-{fold}" / PREDICTIONS).is_file()

    def latest(self) -> dict[int, Path]:
        """Return the latest claim of every fold that has one."""
        return {fold_of_claim(path): path for path in claim_files.latest_of(self._folder).values()}

    def unclaimed(self, folds: Sequence[int]) -> list[int]:
        """Return those of `folds` that are not done and that no living process has."""
        latest = self.latest()
        return [
            k for k in folds if not self.is_done(k) and not (k in latest and claim_files.is_alive(latest[k]))
        ]

    def any_alive(self) -> bool:
        """Return whether a living process has a fold that is not done."""
        return any(not self.is_done(k) and claim_files.is_alive(path) for k, path in self.latest().items())

    def take(self, folds: Sequence[int], may_start: Callable[[int], bool] = lambda _: True) -> Path | None:
        """Claim the first of `folds` that is open and that `may_start` lets through; None where there is none."""
        latest = self.latest()
        for k in self.unclaimed(folds):
            path = claim_files.following(self._folder, f"fold-{k}", latest.get(k))
            if not may_start(k) or not claim_files.create(path, self.worker, {"machine": machine_key()}):
                continue
            # It may have been claimed, trained and given back since the look at what is done.
            if not self.is_done(k):
                return path
            path.unlink(missing_ok=True)
        return None

    def is_latest(self, claim: Path) -> bool:
        """Return whether no other process has taken the fold over; it does so where this one seemed dead."""
        return self.latest().get(fold_of_claim(claim)) == claim and claim.exists()

    @contextlib.contextmanager
    def held(self, claim: Path) -> Iterator[None]:
        """Keep a claim alive while the body runs; give the fold back after it unless it is done by then.

        The claim of a done fold stays, and says who trained it.
        """
        try:
            with claim_files.beating(lambda: os.utime(claim)):
                yield
        finally:
            if not self.is_done(fold_of_claim(claim)):
                claim.unlink(missing_ok=True)

    def machines(self) -> dict[int, str]:
        """Return the machine of each fold's latest claim, as `machine_key` names it."""
        return {k: str(claim_files.owner_of(path).get("machine", "")) for k, path in self.latest().items()}

    @property
    def _folder(self) -> Path:
        return self.record.folder / "claims"


def fold_of_claim(claim: Path) -> int:
    """Return the fold that a claim is of.

    >>> fold_of_claim(Path("claims/fold-3.0001"))
    3
    """
    return int(claim.name.removeprefix("fold-").partition(".")[0])
