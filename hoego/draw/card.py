"""Small cards for a notebook: facts, bars and notes as HTML with its own styles, in the notebook's colours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape

from hoego.draw.page import STYLE

MOST_BARS = 20
"""Classes that get a bar; the others are counted in one line, so that a thousand classes do not fill the page."""


def card(title: str, facts: Mapping[str, str], body: str = "", notes: Sequence[str] = ()) -> str:
    """Return a card as HTML.

    Args:
        title: HTML that is safe already.
        facts: name -> text; an empty text leaves its row out.
        body: HTML that is safe already.
        notes: sentences below.

    >>> "folds" in card("Split", {"folds": "5", "notes": ""}), "notes" in card("Split", {"notes": ""})
    (True, False)
    """
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(text)}</td></tr>'
        for name, text in facts.items()
        if text
    )
    said = "".join(f'<div style="opacity:.75">{escape(note)}</div>' for note in notes)
    return f'<div style="margin:.4em 0"><b>{title}</b><table>{rows}</table>{body}{said}</div>'


def _chart_style() -> str:
    """Return the rules of the pages' style that charts need, for the inside of `notebook_chart` alone.

    A notebook has its own light and dark themes, so text takes the colour of the text around it.
    """
    found = re.search(r":root\{(.*?)\}", STYLE, re.DOTALL)
    assert found is not None
    rules = [line for line in STYLE.splitlines() if line.startswith((".chart", "svg.chart"))]
    scoped = "".join(rules).replace("svg.chart", ".chart").replace(".chart", ".hoego-result .chart")
    return f".hoego-result{{{found[1]};--ink:currentColor;--muted:currentColor}}{scoped}".replace("\n", "")


_CHART_STYLE = _chart_style()


def notebook_chart(svg: str) -> str:
    """Wrap a chart of `hoego.draw` so that it has its colours in a notebook, and changes nothing outside itself."""
    return f'<div class="hoego-result"><style>{_CHART_STYLE}</style>{svg}</div>' if svg else ""


def class_bars(counts: Mapping[str, int]) -> str:
    """Return a bar for the count of each class, as HTML; the classes beyond `MOST_BARS` as one sentence."""
    most = max([*counts.values(), 1])
    shown = list(counts.items())[:MOST_BARS]
    rows = "".join(
        f'<tr><td style="text-align:left">{escape(name)}</td><td style="text-align:left">'
        f'<div style="display:inline-block;height:.7em;width:{180 * count / most:.0f}px;background:#4a7fbf">'
        f"</div> {count:,}</td></tr>"
        for name, count in shown
    )
    rest = len(counts) - len(shown)
    more = f'<div style="opacity:.75">and {rest:,} more classes</div>' if rest > 0 else ""
    return f"<table>{rows}</table>{more}"
