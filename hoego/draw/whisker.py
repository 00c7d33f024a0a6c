"""A value with its interval, small enough for a row of a table."""

from __future__ import annotations

import math

from hoego.draw.svg import AxisScale, circle, line

WIDTH, HEIGHT = 96, 14
Estimate = tuple[float | None, float | None, float | None]


def whisker(estimate: Estimate, axis: tuple[float, float]) -> str:
    """Draw a value and its interval on an axis that all rows share; nothing where there is no value.

    The numbers stand beside it in the table, so that it is hidden from those who listen to the page.

    Args:
        estimate: value, low, high; None where unknown.
        axis: the ends of the axis.

    >>> whisker((None, None, None), (0.0, 1.0))
    ''
    """
    value, low, high = estimate
    if value is None or not math.isfinite(value):
        return ""
    x, middle = AxisScale(*axis, 6, WIDTH - 6), HEIGHT / 2
    parts = []
    if low is not None and high is not None:
        parts.append(line((x(low), middle), (x(high), middle), css="whisker", stroke="var(--s0)"))
    parts.append(circle(x(value), middle, 3.5, fill="var(--s0)"))
    return f'<svg class="mini" viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true">{"".join(parts)}</svg>'
