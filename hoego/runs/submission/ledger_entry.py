"""A line of the ledger: one submission, with what was expected of it and what came back."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field, field_validator

from hoego.results.base import Content, MaybeFloat, Result, Upgrade
from hoego.results.honesty import HonestyMark, ScoreHonesty, stated
from hoego.results.score import MetricEstimate, Score, ScoreSummary
from hoego.runs.submission.expected import Expected


def _honest_by_name(content: Content) -> Content:
    """Read the honesty of the first ledgers: they entered only scores called honest, without saying how honest."""
    if "honesty" in content:
        return content
    return {**content, "honesty": "out-of-fold" if content.get("honest", True) else "in-sample"}


class SubmittedScore(MetricEstimate):
    """The score of the run behind a submission, with its honesty."""

    DERIVED: ClassVar[tuple[str, ...]] = ("honest",)
    UPGRADES: ClassVar[tuple[Upgrade, ...]] = (_honest_by_name,)

    honesty: ScoreHonesty
    marks: tuple[HonestyMark, ...] = ()

    @classmethod
    def of(cls, score: Score | ScoreSummary | None, metric: str) -> SubmittedScore | None:
        """Take one metric of a run's score; None where it has none."""
        found = None if score is None else score.metrics.get(metric)
        if found is None or score is None:
            return None
        numbers = {name: getattr(found, name) for name in ("value", "low", "high", "level")}
        return cls(**numbers, honesty=score.honesty, marks=score.marks)

    @property
    def stated(self) -> str:
        """The honesty with the marks, as it stands beside the number."""
        return stated(self.honesty, self.marks)

    @property
    def honest(self) -> bool:
        """Whether it may be compared with others, under its name in the ledger."""
        return self.honesty.rankable


def _score_was_honest(content: Content) -> Content:
    """Drop the expected score of old lines: they called every score `honest`, leaked or not."""
    score = content.get("score", content.get("honest"))
    if not isinstance(score, Mapping):
        return content
    leaked = not SubmittedScore.model_validate(score).honest
    return {**content, "score": score, **({"expected": None} if leaked else {})}


class LedgerEntry(Result):
    """One submission.

    Args:
        id: of the entry.
        time: ISO 8601, UTC.
        file: where it was written.
        run: name of the predictions.
        lineage: ids of all runs behind them.
        metric: what the leaderboard shows.
        score: of the run, or None.
        expected: what the leaderboard was expected to say; None without an honest score.
        classes: answers per class.
        public: what the leaderboard said; None until it is recorded.
    """

    DERIVED: ClassVar[tuple[str, ...]] = ("honest",)
    UPGRADES: ClassVar[tuple[Upgrade, ...]] = (_score_was_honest,)

    id: str
    time: str
    file: str
    run: str = ""
    lineage: tuple[str, ...] = ()
    metric: str = ""
    score: SubmittedScore | None = None
    expected: Expected | None = None
    classes: dict[str, int] = Field(default_factory=dict)
    public: MaybeFloat = None

    @field_validator("time")
    @classmethod
    def _is_time(cls, time: str) -> str:
        if datetime.datetime.fromisoformat(time).tzinfo is None:
            raise ValueError("the time has no time zone")
        return time

    @property
    def honest(self) -> SubmittedScore | None:
        """The score where it is an honest one, else None: nothing is compared with another."""
        return self.score if self.score is not None and self.score.honest else None

    @classmethod
    def of_line(cls, line: Mapping[str, Any]) -> LedgerEntry:
        """Read a line of the ledger; what a newer version added to it is left out."""
        known = (*cls.model_fields, *cls.DERIVED)
        return cls.model_validate({name: line[name] for name in known if name in line})
