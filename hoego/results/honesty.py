"""How honest a score is: the levels from best to worst, and the one rule for what may be ranked."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, GetCoreSchemaHandler


class HonestyLevel(StrEnum):
    """What is known of a scored row, best first."""

    OUT_OF_FOLD = "out-of-fold"
    SELECTED = "selected"
    CROSS_FITTED = "cross-fitted"
    WITNESSED = "witnessed"
    DECLARED = "declared"
    NAIVE = "naive"
    IN_SAMPLE = "in-sample"

    @property
    def rank(self) -> int:
        """Place from best (0) to worst."""
        return list(HonestyLevel).index(self)


class HonestyMark(StrEnum):
    """What must be said beside a score, whatever its level."""

    INDEPENDENCE_NOT_SHOWN = "independence not shown"
    EXTERNAL = "external"
    LABELS_CHANGED = "labels changed"
    LABELS_CHANGED_SINCE = "labels changed since"
    PHOTOS_LEFT_OUT = "photos left out"
    AUDIT_WARNED = "audit warned"
    NOT_AUDITED = "not audited"


def stated(honesty: str, marks: Iterable[HonestyMark]) -> str:
    """Say how honest a score is, with what must be said beside it, as every list of scores does.

    >>> stated("out-of-fold", [HonestyMark.EXTERNAL])
    'out-of-fold; external'
    """
    return "; ".join(filter(None, (honesty, *(mark.value for mark in marks))))


# Beyond cross-fitting, a score rests on somebody's word (witnessed, declared) or has leaked (naive, in-sample): it is
# shown and never takes a place among the honest ones by itself.
RANKABLE = frozenset({HonestyLevel.OUT_OF_FOLD, HonestyLevel.SELECTED, HonestyLevel.CROSS_FITTED})


# A listing asks for the levels of thousands of scores, of which few differ.
@functools.cache
def _levels(text: str) -> tuple[HonestyLevel, ...]:
    return tuple(sorted((HonestyLevel(p) for p in text.split(", ") if p), key=lambda level: level.rank))


class ScoreHonesty(str):
    """The honesty of a score's worst row: one level, or several joined by ", ".

    It is text, so that it prints and compares as such; `levels` are its parts. The empty text says that nothing is
    known, as in records that were written by hand.

    >>> ScoreHonesty("selected, cross-fitted").rankable
    True
    >>> ScoreHonesty("naive").worst.value
    'naive'
    """

    __slots__ = ()

    def __new__(cls, text: str = "") -> ScoreHonesty:
        for part in filter(None, text.split(", ")):
            HonestyLevel(part)
        return super().__new__(cls, text)

    @property
    def levels(self) -> tuple[HonestyLevel, ...]:
        """The levels, best first."""
        return _levels(str(self))

    @property
    def worst(self) -> HonestyLevel | None:
        """The worst level; None where nothing is known."""
        return self.levels[-1] if self.levels else None

    @property
    def rankable(self) -> bool:
        """Whether a score of this honesty may be ranked beside others."""
        return bool(self.levels) and RANKABLE.issuperset(self.levels)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return handler.generate_schema(Annotated[str, AfterValidator(cls)])
