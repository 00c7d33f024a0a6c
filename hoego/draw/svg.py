"""The few SVG elements that charts are made of, and the scales under them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

PALETTE = tuple(f"var(--s{i})" for i in range(6))


def text(x: float, y: float, content: object, *, anchor: str = "start", css: str = "") -> str:
    """Return a text element; its content is escaped."""
    label = escape(str(content))
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{_css(css)}>{label}</text>'


def line(a: tuple[float, float], b: tuple[float, float], *, css: str = "", stroke: str = "") -> str:
    """Return a straight line from a to b, in pixels."""
    paint = f' stroke="{stroke}"' if stroke else ""
    return f'<line x1="{a[0]:.1f}" y1="{a[1]:.1f}" x2="{b[0]:.1f}" y2="{b[1]:.1f}"{paint}{_css(css)}/>'


def rect(
    corner: tuple[float, float],
    size: tuple[float, float],
    *,
    fill: str = "",
    css: str = "",
    title: object = "",
) -> str:
    """Return a rectangle by its top left corner and its size, in pixels; `title` is its tooltip."""
    paint = f' fill="{fill}"' if fill else ""
    tip = f"<title>{escape(str(title))}</title>" if title else ""
    return (
        f'<rect x="{corner[0]:.1f}" y="{corner[1]:.1f}" width="{max(size[0], 0):.1f}" '
        f'height="{max(size[1], 0):.1f}"{paint}{_css(css)}>{tip}</rect>'
    )


def circle(x: float, y: float, r: float, *, fill: str = "", css: str = "", title: object = "") -> str:
    """Return a circle of radius r around (x, y), in pixels; `title` is its tooltip."""
    paint = f' fill="{fill}"' if fill else ""
    tip = f"<title>{escape(str(title))}</title>" if title else ""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r:.1f}"{paint}{_css(css)}>{tip}</circle>'


def path(points: Sequence[tuple[float, float]], *, stroke: str = "", css: str = "line") -> str:
    """Return a line through the points, in pixels."""
    data = " ".join(f"{'M' if i == 0 else 'L'}{x:.1f},{y:.1f}" for i, (x, y) in enumerate(points))
    paint = f' stroke="{stroke}"' if stroke else ""
    return f'<path d="{data}" fill="none"{paint}{_css(css)}/>'


def area(points: Sequence[tuple[float, float]], *, fill: str) -> str:
    """Return a filled polygon through the points, in pixels."""
    data = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polygon points="{data}" fill="{fill}" class="band"/>'


def leading_to(address: str, parts: Sequence[str], label: str) -> str:
    """Return parts of a picture that lead to an address; `label` is what is read out."""
    return f'<a href="{escape(address, quote=True)}" aria-label="{escape(label, quote=True)}">{"".join(parts)}</a>'


def svg(width: float, height: float, parts: Sequence[str], label: str, *, role: str = "img") -> str:
    """Return the whole picture; it shrinks with the page and never exceeds its natural width.

    `role` is "group" for a picture with links, which a reader of the page must find in it.
    """
    return (
        f'<svg class="chart" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" role="{role}" '
        f'aria-label="{escape(label, quote=True)}">{"".join(parts)}</svg>'
    )


def _css(name: str) -> str:
    return f' class="{name}"' if name else ""


def text_width(content: str, size: float = 12) -> float:
    """Estimate the width of a text in pixels; characters of East Asia count double."""
    return sum(1.0 if ord(c) > 0x2E80 else 0.56 for c in content) * size


def shorten(content: str, limit: int) -> str:
    """Shorten a text to at most `limit` characters, with an ellipsis."""
    return content if len(content) <= limit else content[: limit - 1] + "…"


def number(value: float, digits: int = 3) -> str:
    """Format a number; a dash for one that is not finite."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"


@dataclass(frozen=True)
class AxisScale:
    """A linear scale from values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low or 1.0
        return self.start + (value - self.low) / span * (self.end - self.start)

    def ticks(self, about: int = 5) -> list[float]:
        """Round values inside the scale."""
        span = self.high - self.low
        if span <= 0 or not math.isfinite(span):
            return [self.low]
        raw = span / max(about, 1)
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [i * step for i in range(first, last + 1)]


def tick_label(value: float) -> str:
    """Format the label of a tick."""
    return f"{value:.10g}" if abs(value) >= 1e-9 else "0"


def padded(low: float, high: float, share: float = 0.06) -> tuple[float, float]:
    """Return a range with a margin on both sides."""
    span = (high - low) or abs(high) or 1.0
    return low - share * span, high + share * span
