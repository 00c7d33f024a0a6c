"""Ideas: changes of the recipe that are kept with their hypothesis, and what has become of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from hoego.results.base import Content, Result, Upgrade
from hoego.results.verdict import ComparisonVerdict

IdeaState = Literal["untried", "queued", "tried", "failed"]
STATES: tuple[IdeaState, ...] = ("untried", "queued", "tried", "failed")


def _verdict_of_comparison(content: Content) -> Content:
    """Read the JSON, which holds the verdict's outcome as `verdict`, the whole of it as `comparison`."""
    if "comparison" not in content:
        return content
    rest = {k: v for k, v in content.items() if k != "comparison"}
    return {**rest, "verdict": content["comparison"]}


class Idea(Result):
    """An idea and what has become of it.

    Args:
        time: when it was kept; ISO 8601 in UTC.
        overlay: settings as `a.b=c`; `set` in the JSON.
        why: the hypothesis.
        source: where it comes from.
        promise: share of reports in which it helped, 0 to 1; 0.5 when nothing is known.
        state: untried, queued, tried (with the verdict), or failed (a run of it failed).
        runs, baseline: ids of the runs of both sides.
        verdict: None before the comparison.
    """

    KEYS: ClassVar[Mapping[str, str]] = {"overlay": "set"}
    DERIVED: ClassVar[tuple[str, ...]] = ("words",)
    UPGRADES: ClassVar[tuple[Upgrade, ...]] = (_verdict_of_comparison,)
    HONESTY_OF: ClassVar[str] = "that of the runs compared"

    id: str
    time: str
    text: str
    overlay: tuple[str, ...]
    why: str = ""
    source: str = ""
    promise: float = 0.5
    state: IdeaState = "untried"
    runs: tuple[str, ...] = ()
    baseline: tuple[str, ...] = ()
    verdict: ComparisonVerdict | None = None

    @property
    def words(self) -> str:
        """The verdict in a sentence with its numbers; "" before it."""
        return "" if self.verdict is None else str(self.verdict)

    def _arranged(self, content: Content) -> Content:
        outcome = "" if self.verdict is None else self.verdict.outcome
        return {**content, "verdict": outcome, "comparison": content["verdict"]}


class IdeaList(Result):
    """Every idea, and the recipe that leads (None before the first comparison)."""

    DERIVED: ClassVar[tuple[str, ...]] = ("counts",)

    ideas: tuple[Idea, ...]
    leader: Mapping[str, Any] | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many ideas are in each state."""
        return {state: sum(i.state == state for i in self.ideas) for state in STATES}
