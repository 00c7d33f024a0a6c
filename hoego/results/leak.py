"""The leak, measured: what a photo-level split promised and what it is on new subjects."""

from __future__ import annotations

from typing import ClassVar

from hoego.draw import ForestRow
from hoego.results.base import Result, forest_row
from hoego.results.honesty import ScoreHonesty
from hoego.results.score import DefinedEstimate, MetricEstimate


class LeakSide(Result):
    """One of the two runs.

    Args:
        run: its id.
        macro_f1: of the target.
        honesty: of that score; empty where an early record does not say.
    """

    run: str
    macro_f1: MetricEstimate
    honesty: ScoreHonesty = ScoreHonesty()


class LeakStudy(Result):
    """What a photo-level split would have promised.

    Args:
        naive, honest: the runs on the two splits.
        leak: macro F1, naive less honest, of these two models; no limits where a score has none.
        correlation: of the two scores, by the people who have photos on both sides.
        words: one sentence.
    """

    TITLE: ClassVar[str] = "The leak of a photo-level split"

    naive: LeakSide
    honest: LeakSide
    leak: DefinedEstimate
    correlation: float = 0.0
    words: str

    def _honesty_text(self) -> str:
        return f"{self.naive.honesty or 'not known'} and {self.honest.honesty or 'not known'}"

    def _intervals(self) -> list[ForestRow]:
        sides = {"photo-level split": self.naive, "split by subject": self.honest}
        return [*(forest_row(k, v.macro_f1) for k, v in sides.items()), forest_row("leak", self.leak)]
