"""Successive halving: which running trials are behind, read from the epochs that all trials have recorded.

The rule is the stopping variant of asynchronous successive halving (Li et al. 2020, section 3): at the epochs
`first`, `first * factor`, `first * factor^2` ... a trial goes on if it is among the best 1 / factor of all trials
that have reached that epoch, at least the best one. It needs no random number and no memory, so that the records
alone decide, and whoever reads them later can say why a trial was stopped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hoego.runs.searching.trials import SearchTrial


@dataclass(frozen=True)
class Halving:
    """When trials are compared, and how many go on.

    Args:
        first: epochs before the first comparison.
        factor: one of so many goes on at each.
    """

    first: int = 3
    factor: int = 3

    def rungs(self, epochs: int) -> Iterator[int]:
        """Yield the epochs at which a trial of so many epochs is compared; never its last one."""
        rung = max(1, self.first)
        while rung < epochs:
            yield rung
            rung *= self.factor


def behind(trial: SearchTrial, trials: Sequence[SearchTrial], rule: Halving) -> str:
    """Say why a trial is to be stopped; "" where it goes on.

    Args:
        trial: that runs.
        trials: all of the search, it among them.
        rule: when and how many.
    """
    curve = trial.curve
    reached = [rung for rung in rule.rungs(trial.epochs) if rung <= len(curve)]
    for rung in reversed(reached):
        own = best_until(curve, rung)
        others = [best_until(t.curve, rung) for t in trials if len(t.curve) >= rung]
        going_on = max(1, len(others) // rule.factor)
        better = sum(value > own for value in others)
        if better >= going_on:
            return (
                f"behind after {rung} epoch{'s' * (rung != 1)}: {better} of {len(others)} trials were better, "
                f"{going_on} go on"
            )
        return ""
    return ""


def best_until(curve: Sequence[float], rung: int) -> float:
    """Return the best value of the first `rung` epochs; minus infinity where none is a number."""
    return max((v for v in curve[:rung] if math.isfinite(v)), default=-math.inf)
