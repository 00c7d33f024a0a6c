"""A square of numbers between the members of a group: how often two disagree, how their errors go together."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hoego.draw.svg import rect, shorten, svg, text, text_width

LONGEST_NAME = 24
SMALLEST, LARGEST, WITH_NUMBERS = 16.0, 52.0, 30.0


def matrix(
    values: Sequence[Sequence[float | None]],
    names: Sequence[str],
    *,
    top: float = 1.0,
    says: str = "{row} and {column}: {value:.3f}",
    label: str = "matrix",
) -> str:
    """Draw a symmetric matrix as a heat map; the diagonal is left empty.

    Args:
        values: [n, n]; None and NaN are left blank.
        names: of the rows and the columns [n].
        top: the value with the full colour; less than 0 takes another colour.
        says: tooltip of a cell, with `row`, `column` and `value`.
        label: of the picture.
    """
    n = len(names)
    if not n:
        return svg(420, 40, [text(8, 24, "nothing to show", css="muted")], label)
    short = [shorten(name, LONGEST_NAME) for name in names]
    cell = max(SMALLEST, min(LARGEST, 620.0 / n))
    width = max(text_width(s) for s in short)
    left, above = 16 + width, 16 + 0.72 * width
    parts = []
    for j, name in enumerate(short):
        slanted = text(0, 0, name, css="muted")
        place = f"translate({left + cell * (j + 0.5):.1f},{above - 8:.1f}) rotate(-45)"
        parts.append(f'<g transform="{place}">{slanted}</g>')
    for i, row in enumerate(values):
        y = above + cell * i
        parts.append(text(left - 8, y + cell / 2 + 4, short[i], anchor="end"))
        for j, value in enumerate(row):
            if i == j or value is None or not math.isfinite(value):
                parts.append(rect((left + cell * j, y), (cell - 1, cell - 1), fill="var(--cell)"))
                continue
            share = min(abs(value) / top, 1.0) if top > 0 else 0.0
            hue = "--s0" if value >= 0 else "--s1"
            fill = f"color-mix(in oklab, var({hue}) {100 * share:.0f}%, var(--cell))"
            tip = says.format(row=names[i], column=names[j], value=value)
            parts.append(rect((left + cell * j, y), (cell - 1, cell - 1), fill=fill, title=tip))
            if cell >= WITH_NUMBERS:
                at = (left + cell * (j + 0.5), y + cell / 2 + 3.5)
                css = "tiny light" if share > 0.55 else "tiny"
                parts.append(text(*at, f"{value:.2f}", anchor="middle", css=css))
    return svg(left + cell * n + max(0.72 * width - cell / 2, 8) + 8, above + cell * n + 8, parts, label)
