"""What the truth of one attribute would be worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from hoego.draw import ForestRow
from hoego.results.base import Content, MaybeFloat, Result, Upgrade, forest_row
from hoego.results.score import IntervalEstimate

_LIMITS = ("low", "high", "level")


def _estimate(content: Content) -> Content | None:
    """Read an estimate from the keys gain, low, high (and level) among other keys."""
    limits = {k: content.pop(k) for k in _LIMITS if k in content}
    value = content.pop("gain")
    return None if value is None else {"value": value, **limits}


def _gains_beside(content: Content) -> Content:
    """Read diagnosis.json, which holds a gain as three numbers beside its score, and the softer oracle inside
    `soft`.
    """
    if not isinstance(content.get("soft"), Mapping):
        return content
    out, soft = dict(content), dict(content["soft"])
    out["gain"] = _estimate(out)
    return {**out, "soft": soft["score"], "soft_gain": _estimate(soft)}


class OracleAttribute(Result):
    """What fixing one attribute is worth.

    Args:
        score: macro F1 of the target with this attribute replaced by its truth; None where the hard oracle does not
            apply (the attribute is determined by the target, or the target is one attribute).
        gain: the score less today's, with interval.
        shapley: its share of the way from today's score to 1.0.
        soft: macro F1 of the most probable class that agrees with the true attribute.
        soft_gain: the same less today's, with interval.
        note: why the hard oracle does not apply; that few subjects carry the gain.
    """

    HONESTY_OF: ClassVar[str] = "that of the diagnosis it is part of"
    UPGRADES: ClassVar[tuple[Upgrade, ...]] = (_gains_beside,)

    score: MaybeFloat
    gain: IntervalEstimate | None
    shapley: MaybeFloat
    soft: float
    soft_gain: IntervalEstimate
    note: str = ""

    @property
    def best(self) -> tuple[float, IntervalEstimate]:
        """The score and the gain of the hard oracle where it applies, else those of the softer one."""
        if self.score is None or self.gain is None:
            return self.soft, self.soft_gain
        return self.score, self.gain

    def _arranged(self, content: Content) -> Content:
        def beside(gain: IntervalEstimate | None) -> dict[str, Any]:
            if gain is None:
                return {"gain": None, "low": None, "high": None}
            return {"gain": gain.value, **{k: getattr(gain, k) for k in _LIMITS}}

        return {
            "score": self.score,
            **beside(self.gain),
            "shapley": self.shapley,
            "soft": {"score": self.soft, **beside(self.soft_gain)},
            "note": self.note,
        }

    def _zero(self) -> float | None:
        return 0.0

    def rows(self, name: str) -> list[ForestRow]:
        """Return the gains as rows of a chart."""
        hard = [] if self.gain is None else [forest_row(f"{name} true", self.gain)]
        return [*hard, forest_row(f"{name} true, softer", self.soft_gain)]
