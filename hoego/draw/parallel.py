"""Parallel coordinates: one line for each trial of a search, across its settings to its score."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hoego.draw.svg import PALETTE, AxisScale, line, number, path, shorten, svg, text, tick_label

Value = float | int | str
TOP, BOTTOM, LEFT = 40.0, 270.0, 70.0


@dataclass(frozen=True, kw_only=True)
class ParallelAxis:
    """One axis.

    Args:
        name: above it.
        choices: names, bottom to top; () for numbers.
        low, high: ends of the numbers.
        log: whether they stand by their logarithm.
    """

    name: str
    choices: Sequence[str] = ()
    low: float = 0.0
    high: float = 1.0
    log: bool = False

    def place(self, value: Value) -> float:
        """Return the height of a value in pixels."""
        if self.choices:
            at = self.choices.index(str(value)) if str(value) in self.choices else 0
            return AxisScale(-0.5, len(self.choices) - 0.5, BOTTOM, TOP)(at)
        low, high, x = (math.log(v) if self.log else v for v in (self.low, self.high, float(value)))
        return AxisScale(low, high, BOTTOM, TOP)(x)

    def marks(self) -> list[tuple[float, str]]:
        """Return the heights and texts of its marks."""
        if self.choices:
            return [(self.place(c), shorten(c, 14)) for c in self.choices]
        middle = math.sqrt(self.low * self.high) if self.log else (self.low + self.high) / 2
        shown = (self.low, float(f"{middle:.2g}"), self.high)
        return [(self.place(v), tick_label(float(f"{v:.3g}"))) for v in shown]


def parallel(
    axes: Sequence[ParallelAxis],
    trials: Sequence[tuple[Mapping[str, Value], float]],
    *,
    score: str,
    higher_is_better: bool = True,
    label: str = "parallel coordinates",
) -> str:
    """Draw trials as lines across the axes; the last axis is the score, and the best trial is drawn thick.

    Args:
        axes: of the settings.
        trials: the values by axis name, and the score.
        score: its name.
        higher_is_better: which end is the best.
        label: read aloud in place of the picture.
    """
    if not trials or not axes:
        return svg(720, 40, [text(8, 24, "nothing to show", css="muted")], label)
    values = [v for _, v in trials]
    low, high = min(values), max(values)
    last = ParallelAxis(name=score, low=low - (low == high) * 0.01, high=high)
    everything = [*axes, last]
    step = max(110.0, 620.0 / (len(everything) - 1))
    at = [LEFT + step * i for i in range(len(everything))]
    parts = []
    ordered = sorted(trials, key=lambda t: t[1], reverse=not higher_is_better)
    for k, (point, value) in enumerate(ordered):
        ys = [a.place(point[a.name]) for a in axes] + [last.place(value)]
        best = k == len(ordered) - 1
        share = (value - low) / (high - low) if high > low else 1.0
        good = share if higher_is_better else 1 - share
        mixed = f"color-mix(in oklab, {PALETTE[0]} {15 + 70 * good:.0f}%, var(--cell))"
        parts.append(
            path(
                [*zip(at, ys, strict=True)],
                stroke=PALETTE[1] if best else mixed,
                css="line" if best else "thin",
            )
        )
    for x, axis in zip(at, everything, strict=True):
        parts += _axis(x, axis, step, is_score=axis is last)
    return svg(at[-1] + 40, BOTTOM + 24, parts, label)


def _axis(x: float, axis: ParallelAxis, step: float, *, is_score: bool) -> list[str]:
    """Draw one axis with its name and its marks; those of the score are numbers between its ends."""
    parts = [line((x, TOP), (x, BOTTOM), css="axis")]
    parts.append(text(x, 20, shorten(axis.name, int(step / 7)), anchor="middle"))
    for y, shown in axis.marks():
        at = axis.low + (BOTTOM - y) / (BOTTOM - TOP) * (axis.high - axis.low)
        parts.append(text(x - 5, y + 4, number(at) if is_score else shown, anchor="end", css="tiny"))
    return parts
