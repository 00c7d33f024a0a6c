"""Draw docs/img/leak.svg, the leak that the demo measures, from the figures in docs/img/leak.json.

Usage: python -m docs.leak_picture

The figures are those that `make demo` prints. `--check` says whether the picture is current.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from hoego.draw import STYLE, Interval, forest

FIGURES = Path(__file__).parent / "img" / "leak.json"
PICTURE = FIGURES.with_suffix(".svg")
# An SVG that a page shows as an image cannot see the page's style: it carries its own, with both colour schemes.
# The card behind the chart keeps it legible where the page is dark and the reader's system is light.
SCHEMES = re.findall(r"(?:@media \(prefers-color-scheme:dark\)\{)?:root\{[^}]*\}\}?", STYLE)
CHART = "".join(re.findall(r"^(?:svg\.chart|\.chart).*$", STYLE, re.MULTILINE))


def picture() -> str:
    """Return the SVG file as text."""
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    chart = forest([Interval(**row) for row in figures["rows"]], label=figures["what"])
    opening, body = chart.split(">", 1)
    box = re.search(r'viewBox="0 0 (\d+) (\d+)"', opening)
    assert box is not None
    width, height = int(box[1]) + 32, int(box[2]) + 28
    opening = opening.replace(box[0], f'viewBox="-16 -14 {width} {height}" width="{width}" height="{height}"')
    opening = opening.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ')
    opening = re.sub(r' style="[^"]*"', "", opening)
    card = f'<rect x="-16" y="-14" width="{width}" height="{height}" rx="8" style="fill:var(--card)"/>'
    return f"{opening}><style>{''.join(SCHEMES)}{CHART}</style>{card}{body}\n"


def is_current() -> bool:
    """Say whether the committed picture is what the figures and the drawing code give."""
    return PICTURE.is_file() and PICTURE.read_text(encoding="utf-8") == picture()


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(0 if is_current() else "docs/img/leak.svg is not current; run `make docs`")
    PICTURE.write_text(picture(), encoding="utf-8")
