"""The charts of the report, the board and the retrospective."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hoego.draw.svg import (
    PALETTE,
    AxisScale,
    area,
    circle,
    leading_to,
    line,
    number,
    padded,
    path,
    rect,
    shorten,
    svg,
    text,
    text_width,
    tick_label,
)

ROW = 26.0


@dataclass(frozen=True, kw_only=True)
class ForestRow:
    """A value with its interval, for a row of a forest plot.

    Args:
        label: left of the row.
        value: None draws the words of `note` alone.
        low, high: the interval, or None.
        note: right of the row; the numbers where empty.
        mark: 0 to 5, the colour.
    """

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    note: str = ""
    mark: int = 0


@dataclass(frozen=True, kw_only=True)
class LineSeries:
    """A series of a line chart: x [n], y [n] (NaN leaves a gap), and a band where there is one."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None


def forest(
    rows: Sequence[ForestRow], *, zero: float | None = None, digits: int = 3, label: str = "intervals"
) -> str:
    """Draw values with intervals, one row each; `zero` adds the line of no difference."""
    ends = [v for r in rows for v in (r.value, r.low, r.high) if v is not None and math.isfinite(v)]
    if not ends:
        return svg(720, 40, [text(8, 24, "nothing to show", css="muted")], label)
    low, high = padded(
        min([*ends, *([zero] if zero is not None else [])]),
        max([*ends, *([zero] if zero is not None else [])]),
    )
    left = min(260.0, 16 + max(text_width(shorten(r.label, 40)) for r in rows))
    notes = [r.note or _numbers(r, digits) for r in rows]
    right = 720 - 16 - max(text_width(n) for n in notes)
    x = AxisScale(low, high, left, max(right, left + 160))
    bottom = ROW * len(rows) + 8
    width = x.end + 16 + max(text_width(n) for n in notes) + 8
    parts = [line((x(t), 4), (x(t), bottom), css="grid") for t in x.ticks()]
    parts += [text(x(t), bottom + 16, tick_label(t), anchor="middle", css="muted") for t in x.ticks()]
    if zero is not None:
        parts.append(line((x(zero), 2), (x(zero), bottom), css="zero"))
    for i, r in enumerate(rows):
        y = ROW * i + ROW / 2 + 4
        parts.append(text(left - 12, y + 4, shorten(r.label, 40), anchor="end"))
        if r.value is not None:
            colour = PALETTE[r.mark % len(PALETTE)]
            if r.low is not None and r.high is not None:
                parts.append(line((x(r.low), y), (x(r.high), y), css="whisker", stroke=colour))
            parts.append(circle(x(r.value), y, 4.5, fill=colour, title=f"{r.label}: {_numbers(r, digits)}"))
        parts.append(text(x.end + 12, y + 4, notes[i], css="muted"))
    return svg(width, bottom + 24, parts, label)


def _numbers(r: ForestRow, digits: int) -> str:
    if r.value is None:
        return "cannot say"
    inner = (
        f" [{number(r.low, digits)}, {number(r.high, digits)}]"
        if r.low is not None and r.high is not None
        else ""
    )
    return number(r.value, digits) + inner


def lines(
    series: Sequence[LineSeries],
    *,
    x_label: str = "",
    y_label: str = "",
    mark_x: float | None = None,
    label: str = "curves",
) -> str:
    """Draw a line chart with a legend; `mark_x` adds a vertical line (the selected epoch)."""
    xs = [v for s in series for v in s.x]
    ys = [v for s in series for group in (s.y, s.low or (), s.high or ()) for v in group if math.isfinite(v)]
    if not xs or not ys:
        return svg(720, 40, [text(8, 24, "nothing to show", css="muted")], label)
    width, height = 720.0, 280.0
    x = AxisScale(min(xs), max(xs), 56, width - 16)
    y = AxisScale(*padded(min(ys), max(ys)), height - 40, 34)
    parts = [line((x.start, y(t)), (x.end, y(t)), css="grid") for t in y.ticks()]
    parts += [text(x.start - 8, y(t) + 4, tick_label(t), anchor="end", css="muted") for t in y.ticks()]
    parts += [text(x(t), height - 22, tick_label(t), anchor="middle", css="muted") for t in x.ticks(8)]
    parts.append(text((x.start + x.end) / 2, height - 5, x_label, anchor="middle", css="muted"))
    if mark_x is not None:
        parts.append(line((x(mark_x), y.start), (x(mark_x), y.end), css="zero"))
    cursor = x.start
    for i, s in enumerate(series):
        colour = PALETTE[i % len(PALETTE)]
        if s.low is not None and s.high is not None:
            upper = [(x(a), y(b)) for a, b in zip(s.x, s.high, strict=True) if math.isfinite(b)]
            lower = [(x(a), y(b)) for a, b in zip(s.x, s.low, strict=True) if math.isfinite(b)]
            parts.append(area([*upper, *reversed(lower)], fill=colour))
        parts += [path(run, stroke=colour) for run in _unbroken(s, x, y)]
        parts.append(rect((cursor, 8), (14, 4), fill=colour))
        parts.append(text(cursor + 19, 14, s.label))
        cursor += 19 + text_width(s.label) + 18
    parts.append(text(4, 28, y_label, css="muted"))
    return svg(max(width, cursor), height, parts, label)


def _unbroken(s: LineSeries, x: AxisScale, y: AxisScale) -> list[list[tuple[float, float]]]:
    runs: list[list[tuple[float, float]]] = [[]]
    for a, b in zip(s.x, s.y, strict=True):
        if math.isfinite(b):
            runs[-1].append((x(a), y(b)))
        elif runs[-1]:
            runs.append([])
    return [r for r in runs if r]


def heatmap(
    counts: Sequence[Sequence[float]],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    label: str = "confusion",
    link: Callable[[int, int], str] | None = None,
    chosen: tuple[int, int] | None = None,
) -> str:
    """Draw a confusion matrix: rows are the truth, shaded by their share of the row, with counts where they fit.

    `link` gives the address that a cell with a count leads to; `chosen` is framed.
    """
    n, m = len(rows), len(columns)
    cell = max(14.0, min(48.0, 620.0 / max(m, 1)))
    left = 16 + max((text_width(shorten(r, 24)) for r in rows), default=0)
    top = 16 + max((text_width(shorten(c, 24)) for c in columns), default=0) * 0.72
    parts = []
    for j, c in enumerate(columns):
        cx = left + cell * (j + 0.5)
        name = text(0, 0, shorten(c, 24), css="muted")
        parts.append(f'<g transform="translate({cx:.1f},{top - 8:.1f}) rotate(-45)">{name}</g>')
    for i, r in enumerate(rows):
        total = sum(counts[i])
        cy = top + cell * i
        parts.append(text(left - 8, cy + cell / 2 + 4, shorten(r, 24), anchor="end"))
        for j in range(m):
            share = counts[i][j] / total if total else 0.0
            hue = "--right" if i == j else "--wrong"
            fill = f"color-mix(in oklab, var({hue}) {100 * share**0.7:.0f}%, var(--cell))"
            tip = f"true {r}, said {columns[j]}: {counts[i][j]:g} ({100 * share:.1f} %)"
            frame = "chosen" if chosen == (i, j) else ""
            square = [rect((left + cell * j, cy), (cell - 1, cell - 1), fill=fill, css=frame, title=tip)]
            if counts[i][j] and cell >= 22:
                at = (left + cell * (j + 0.5), cy + cell / 2 + 3.5)
                css = "tiny light" if share > 0.45 else "tiny"
                square.append(text(*at, f"{counts[i][j]:g}", anchor="middle", css=css))
            parts += [leading_to(link(i, j), square, tip)] if link and counts[i][j] else square
    overhang = max((text_width(shorten(c, 24)) for c in columns), default=0) * 0.72
    width, height = left + cell * m + max(overhang - cell / 2, 8) + 8, top + cell * n + 8
    return svg(width, height, parts, label, role="group" if link else "img")


def waterfall(
    start: ForestRow, steps: Sequence[ForestRow], end: ForestRow, *, label: str = "waterfall"
) -> str:
    """Draw the gains from today's score to the final one: one bar each, with the interval of each gain."""
    names = [start.label, *(s.label for s in steps), end.label]
    slot = max(86.0, min(150.0, 700.0 / len(names)))
    width, height = 60 + slot * len(names), 300.0
    lowest = min(start.value or 0.0, end.value or 0.0)
    y = AxisScale(max(0.0, math.floor((lowest - 0.08) * 10) / 10), 1.0, height - 44, 24)
    parts = [line((48, y(t)), (width - 8, y(t)), css="grid") for t in y.ticks()]
    parts += [text(42, y(t) + 4, tick_label(t), anchor="end", css="muted") for t in y.ticks()]
    level = y.low
    reached = start.value or 0.0
    for i, item in enumerate((start, *steps, end)):
        left = 60 + slot * i
        whole = i in (0, len(names) - 1)
        value = item.value or 0.0
        base, top = (level, value) if whole else (reached, reached + value)
        colour = "var(--s0)" if whole else ("var(--right)" if value >= 0 else "var(--wrong)")
        parts.append(
            rect((left, y(max(base, top))), (slot * 0.72, abs(y(base) - y(top))), fill=colour, title=names[i])
        )
        peak = max(base, top)
        if item.low is not None and item.high is not None:
            offset = 0.0 if whole else reached
            mid, reach = left + slot * 0.36, min(offset + item.high, 1.02)
            parts.append(line((mid, y(offset + item.low)), (mid, y(reach)), css="whisker ink"))
            peak = max(peak, reach)
        shown = number(value) if whole else f"{value:+.3f}"
        parts.append(text(left + slot * 0.36, y(peak) - 8, shown, anchor="middle"))
        parts.append(text(left + slot * 0.36, height - 24, shorten(names[i], int(slot / 7)), anchor="middle"))
        if not whole:
            reached += value
    return svg(width, height, parts, label)


def bars(
    labels: Sequence[str],
    values: Sequence[float],
    *,
    other: Sequence[float] | None = None,
    label: str = "bars",
) -> str:
    """Draw horizontal bars; `other` adds a second bar under each (training beside predicted)."""
    top = max([*values, *(other or ()), 1e-12])
    left = 16 + max((text_width(shorten(s, 30)) for s in labels), default=0)
    x = AxisScale(0, top, left, 640)
    row = 30.0 if other else 22.0
    parts = []
    for i, name in enumerate(labels):
        y = 6 + row * i
        parts.append(text(left - 8, y + 12, shorten(name, 30), anchor="end"))
        parts.append(
            rect((left, y + 2), (x(values[i]) - left, 12), fill=PALETTE[0], title=f"{name}: {values[i]:g}")
        )
        parts.append(text(x(values[i]) + 6, y + 12, tick_label(round(values[i], 4)), css="muted"))
        if other:
            parts.append(
                rect((left, y + 15), (x(other[i]) - left, 7), fill=PALETTE[1], title=f"{name}: {other[i]:g}")
            )
    return svg(720, 12 + row * len(labels), parts, label)


def reliability(bins: Sequence[tuple[float, float, int]], *, label: str = "reliability") -> str:
    """Draw a reliability diagram: confidence, accuracy and count of each bin; the diagonal is perfect calibration."""
    size = 280.0
    x, y = AxisScale(0, 1, 44, size), AxisScale(0, 1, size - 36, 12)
    parts = [line((x(t), y.start), (x(t), y.end), css="grid") for t in x.ticks(4)]
    parts += [line((x.start, y(t)), (x.end, y(t)), css="grid") for t in y.ticks(4)]
    parts += [text(x(t), size - 18, tick_label(t), anchor="middle", css="muted") for t in x.ticks(4)]
    parts += [text(38, y(t) + 4, tick_label(t), anchor="end", css="muted") for t in y.ticks(4)]
    parts.append(line((x(0), y(0)), (x(1), y(1)), css="zero"))
    most = max((n for _, _, n in bins), default=1) or 1
    for confidence, accuracy, n in bins:
        if n:
            tip = f"confidence {confidence:.3f}, accuracy {accuracy:.3f}, {n} images"
            parts.append(
                circle(
                    x(confidence),
                    y(accuracy),
                    3 + 7 * math.sqrt(n / most),
                    fill=PALETTE[0],
                    css="soft",
                    title=tip,
                )
            )
    parts.append(text((x.start + x.end) / 2, size - 3, "confidence", anchor="middle", css="muted"))
    return svg(size + 12, size, parts, label)


def scatter(
    points: Sequence[tuple[float, float, str]],
    *,
    x_label: str,
    y_label: str,
    diagonal: bool = False,
    label: str = "scatter",
) -> str:
    """Draw points with a tooltip each; `diagonal` adds y = x."""
    if not points:
        return svg(420, 40, [text(8, 24, "nothing to show", css="muted")], label)
    values = [v for p in points for v in p[:2]]
    x_range = padded(
        *((min(values), max(values)) if diagonal else (min(p[0] for p in points), max(p[0] for p in points)))
    )
    y_range = x_range if diagonal else padded(min(p[1] for p in points), max(p[1] for p in points))
    x, y = AxisScale(*x_range, 60, 440), AxisScale(*y_range, 300, 16)
    parts = [line((x.start, y(t)), (x.end, y(t)), css="grid") for t in y.ticks()]
    parts += [text(x.start - 8, y(t) + 4, tick_label(t), anchor="end", css="muted") for t in y.ticks()]
    parts += [text(x(t), 318, tick_label(t), anchor="middle", css="muted") for t in x.ticks()]
    if diagonal:
        parts.append(line((x(x.low), y(x.low)), (x(x.high), y(x.high)), css="zero"))
    parts += [circle(x(a), y(b), 5, fill=PALETTE[0], css="soft", title=tip) for a, b, tip in points]
    parts.append(text(250, 336, x_label, anchor="middle", css="muted"))
    parts.append(text(4, 12, y_label, css="muted"))
    return svg(456, 344, parts, label)
