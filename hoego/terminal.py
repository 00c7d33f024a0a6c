"""Text for a terminal: what people typed is shown, and never steers the terminal that shows it."""

from __future__ import annotations

import re

# C0 and C1 control characters, and the marks that reorder the letters of a line (Unicode Technical Report 36, 2.10).
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def visible(text: object, keep: str = "") -> str:
    r"""Write control characters as escapes, so that a name cannot clear the screen or add a line to the output.

    Args:
        text: anything; its `str` is taken.
        keep: control characters that stay, such as the line breaks of a message of several lines.

    >>> visible("fine\x1b[2J\nmacro F1 0.999")
    'fine\\x1b[2J\\nmacro F1 0.999'
    """
    return _CONTROLS.sub(lambda found: found[0] if found[0] in keep else ascii(found[0])[1:-1], str(text))
