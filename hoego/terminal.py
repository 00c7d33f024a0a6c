"""Text for a terminal or a spreadsheet: what people typed is shown, and never steers the program that shows it."""

from __future__ import annotations

import re

# C0 and C1 control characters, the marks that reorder the letters of a line (Unicode Technical Report 36, 2.10), and
# halves of surrogate pairs, which no stream can write.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: object, keep: str = "") -> str:
    r"""Write control characters as escapes, so that a name cannot clear the screen or add a line to the output.

    Args:
        text: anything; its `str` is taken.
        keep: control characters that stay, such as the line breaks of a message of several lines.

    >>> visible("fine\x1b[2J\nmacro F1 0.999")
    'fine\\x1b[2J\\nmacro F1 0.999'
    """
    return _CONTROLS.sub(lambda found: found[0] if found[0] in keep else ascii(found[0])[1:-1], str(text))


# What makes a spreadsheet take a cell for a formula (OWASP, "CSV Injection"); full-width forms count for some of them.
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def spreadsheet_cell(value: object) -> object:
    """Put an apostrophe before a text that a spreadsheet would run as a formula; numbers stay as they are.

    >>> [spreadsheet_cell(v) for v in ("=1+1", "fine", -0.5, "-0.5")]
    ["'=1+1", 'fine', -0.5, '-0.5']
    """
    if not isinstance(value, str) or not value.lstrip(" ").startswith(_FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value
