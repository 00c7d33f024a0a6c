"""The ledger of looks: how much choosing the first of a ranking flatters it."""

from __future__ import annotations

from typing import ClassVar

from hoego.results.base import Result
from hoego.results.score import Optimism

THOSE = "that of the scores that are ranked"


class RankingLooks(Result):
    """What the first place of a ranking is flattered by: the highest of n scores has been chosen by these scores.

    Args:
        metric: by which the runs are ranked.
        n_runs: n, the runs that are ranked.
        n_used: those whose predictions the estimate rests on.
        n_subjects: the held-out subjects that all of them are scored on; None where that is not known.
        optimism: of the choice; None where it was not estimated.
        reason: why it was not.
        notes: what else must be said of the estimate.
    """

    HONESTY_OF: ClassVar[str] = THOSE
    TITLE: ClassVar[str] = "How much the first place is flattered"

    metric: str
    n_runs: int
    n_used: int = 0
    n_subjects: int | None = None
    optimism: Optimism | None = None
    reason: str = ""
    notes: tuple[str, ...] = ()

    @property
    def flattery(self) -> float | None:
        """Return by how much the first score is expected to exceed what that run is worth, at least 0."""
        return None if self.optimism is None else max(0.0, self.optimism.optimism)

    @property
    def partial(self) -> bool:
        """Whether the estimate rests on some of the runs alone."""
        return self.optimism is not None and self.n_used < self.n_runs

    def __str__(self) -> str:
        """Return `37 runs ranked on these 540 subjects: about +0.011`."""
        people = "" if self.n_subjects is None else f" on these {self.n_subjects:,} subjects"
        text = f"{self.n_runs:,} runs ranked{people}: "
        if self.flattery is None:
            return f"{text}not estimated ({self.reason})"
        of = f" (estimated from {self.n_used:,} of them)" if self.partial else ""
        return "; ".join((f"{text}about +{self.flattery:.3f}{of}", *self.notes))
