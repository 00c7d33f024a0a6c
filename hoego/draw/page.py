"""The frame of every HTML page that Hoego writes: one file, no script to load, light and dark, narrow and wide."""

from __future__ import annotations

from html import escape
from pathlib import Path

STYLE = (Path(__file__).parent / "style.css").read_text(encoding="utf-8")


def page(title: str, body: str, *, lang: str = "en", head: str = "") -> str:
    """Return a whole HTML document.

    Args:
        title: plain text.
        body: HTML that is safe already.
        lang: of the text.
        head: further HTML of the head, safe already.
    """
    return (
        f'<!doctype html>\n<html lang="{lang}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style>{head}</head>\n<body><main>\n{body}\n</main></body></html>\n"
    )
