"""Small cards for a notebook: facts, bars and notes as HTML with its own styles, in the notebook's colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

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
