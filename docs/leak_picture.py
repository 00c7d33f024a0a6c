"""Draw docs/img/leak.svg, the leak that the demo measures, from the figures in docs/img/leak.json.

Usage: python -m docs.leak_picture

The figures are those that `make demo` prints.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from hoego.draw import STYLE
from hoego.draw.svg import PALETTE, AxisScale, circle, line, svg, text, tick_label

FIGURES = Path(__file__).parent / "img" / "leak.json"
PICTURE = FIGURES.with_suffix(".svg")
# Narrow, with each label above its interval: the text stays legible where a telephone shrinks the picture.
WIDTH, LEFT, ROW, TOP = 440.0, 18.0, 44.0, 10.0
# An SVG that a page shows as an image cannot see the page's style: it carries its own, with both colour schemes.
# The card behind the chart keeps it legible where the page is dark and the reader's system is light.
SCHEMES = "".join(re.findall(r"(?:@media \(prefers-color-scheme:dark\)\{)?:root\{[^}]*\}\}?", STYLE))
CHART = "".join(re.findall(r"^(?:svg\.chart|\.chart).*$", STYLE, re.MULTILINE))


def picture() -> str:
    """Return the SVG file as text."""
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    rows = figures["rows"]
    bottom = TOP + ROW * len(rows) + 4
    x = AxisScale(figures["low"], figures["high"], LEFT, WIDTH - LEFT)
    parts = [f'<rect width="{WIDTH:.0f}" height="{bottom + 26:.0f}" rx="8" style="fill:var(--card)"/>']
    parts += [text(x(t), bottom + 17, tick_label(t), anchor="middle", css="muted") for t in x.ticks()]
    for i, row in enumerate(rows):
        y, colour = TOP + ROW * i, PALETTE[row["mark"]]
        # The grid stands behind the intervals alone, so that it crosses no word.
        parts += [line((x(t), y + 24), (x(t), y + 38), css="grid") for t in x.ticks()]
        numbers = f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
        parts.append(text(LEFT, y + 17, row["label"]))
        parts.append(text(WIDTH - LEFT, y + 17, f"{numbers}  {row['note']}", anchor="end", css="muted"))
        parts.append(line((x(row["low"]), y + 31), (x(row["high"]), y + 31), css="whisker", stroke=colour))
        parts.append(circle(x(row["value"]), y + 31, 5, fill=colour))
    chart = svg(WIDTH, bottom + 26, parts, figures["what"])
    opening, body = chart.split(">", 1)
    opening = re.sub(r' width="[^"]*"', f' width="600" height="{600 * (bottom + 26) / WIDTH:.0f}"', opening)
    opening = opening.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ')
    return f"{opening}><style>{SCHEMES}{CHART}</style>{body}\n"


def is_current() -> bool:
    """Say whether the committed picture is what the figures and the drawing code give."""
    return PICTURE.is_file() and PICTURE.read_text(encoding="utf-8") == picture()


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
