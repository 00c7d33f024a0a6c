"""What an ablation found: each change of a recipe against the recipe as it stands."""

from __future__ import annotations

from typing import ClassVar

from hoego.draw import ForestRow
from hoego.results.base import MaybeFloat, NanFloat, Result, forest_row
from hoego.results.score import DefinedEstimate

OF_THE_RUNS = "that of the runs compared"


class PendingRun(Result):
    """A run that has no result yet, or never will: its state and, where there is one, the reason."""

    run: str
    name: str
    state: str
    reason: str = ""


class AblationEffect(Result):
    """One row of the table.

    Args:
        change: the settings that differ from the recipe, `a=b` each; empty for the recipe itself.
        runs: ids, one a seed.
        value: the metric (mean over seeds).
        difference: against the recipe, paired, as in `hoego compare`; None for the recipe itself.
        p_value, p_adjusted: plain, and by Holm over all rows.
        verdict: better, worse, not distinguishable, cannot say; "" for the recipe itself.
        seconds: of training, mean over seeds; `cost` is that over the recipe's.
        detectable: the smallest difference that these runs could have shown.
    """

    HONESTY_OF: ClassVar[str] = OF_THE_RUNS
    DERIVED: ClassVar[tuple[str, ...]] = ("title",)

    change: tuple[str, ...]
    runs: tuple[str, ...]
    value: float
    difference: DefinedEstimate | None = None
    p_value: MaybeFloat = None
    p_adjusted: MaybeFloat = None
    verdict: str = ""
    seconds: float
    cost: NanFloat
    detectable: MaybeFloat = None

    @property
    def title(self) -> str:
        """The change in words."""
        return ", ".join(self.change) or "the recipe as it stands"


class Ablation(Result):
    """The result of `hoego ablate`.

    Args:
        recipe: its name.
        metric: what is compared.
        scope: `recipes` with at least three seeds a side, else `models`; "" while runs are awaited.
        rows: the recipe first, then the changes, best first; empty while runs are awaited.
        words: a sentence for each change.
        notes: sentences to show.
        pending: the runs that are awaited, and those that failed.
    """

    HONESTY_OF: ClassVar[str] = OF_THE_RUNS

    recipe: str
    metric: str
    scope: str = ""
    rows: tuple[AblationEffect, ...] = ()
    words: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    pending: tuple[PendingRun, ...] = ()

    def _intervals(self) -> list[ForestRow]:
        return [forest_row(row.title, row.difference) for row in self.rows if row.difference is not None]

    def _zero(self) -> float | None:
        return 0.0
