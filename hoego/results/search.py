"""What a search over settings found: its trials, its winner, and the winner's gain without the luck of the choice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from hoego.draw import ForestRow
from hoego.results.base import MaybeFloat, Result, forest_row
from hoego.results.comparison import Comparison
from hoego.results.score import Optimism


class SearchRow(Result):
    """One trial.

    Args:
        number: from 0.
        run: id.
        state: done, stopped, failed ...
        point: the searched settings and their values.
        value: of the metric; None where the trial did not end.
        reached: epochs that it trained.
        seconds: of its training.
    """

    number: int
    run: str
    state: str
    point: Mapping[str, float | int | str]
    value: MaybeFloat = None
    reached: int = 0
    seconds: float = 0.0


class SearchResult(Result):
    """The result of `hoego search`.

    Args:
        search: its id.
        name: of the recipe.
        metric: that was searched by; `better` says in which direction.
        sampler: that chose the points.
        space: the axes as they are written.
        rows: the trials, by number.
        winner: the run of the best trial; "" while none is done.
        point: of the winner.
        importance: each setting's share of the variance of the score.
        optimism: how much the choice among the trials flatters the winner; None where it cannot be estimated.
        gain: the winner's settings less the recipe as it stands, both on new seeds; None before they are trained.
        confirming: runs of that comparison that are not done.
        hours: of training, over all runs of the search.
        ended: why no further trial was started.
        page: the page of the search.
    """

    TITLE: ClassVar[str] = "Search"
    HONESTY_OF: ClassVar[str] = "selected: the trial was chosen by the photos that score it"

    search: str
    name: str
    metric: str
    better: str
    sampler: str
    space: tuple[str, ...]
    rows: tuple[SearchRow, ...]
    winner: str = ""
    point: Mapping[str, float | int | str] = Field(default_factory=dict)
    importance: Mapping[str, float] = Field(default_factory=dict)
    optimism: Optimism | None = None
    gain: Comparison | None = None
    confirming: tuple[str, ...] = ()
    hours: float = 0.0
    ended: str = ""
    page: str = ""
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many trials ended in which state."""
        states = [row.state for row in self.rows]
        return {state: states.count(state) for state in dict.fromkeys(states)}

    @property
    def value(self) -> float | None:
        """The winner's value as it was searched."""
        return next((row.value for row in self.rows if row.run == self.winner), None)

    def _intervals(self) -> list[ForestRow]:
        return [] if self.gain is None else [forest_row("honest gain", self.gain.difference)]

    def _zero(self) -> float | None:
        return 0.0
