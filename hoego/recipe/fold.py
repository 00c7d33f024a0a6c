"""Which fold a run holds out: one number, or all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from hoego.errors import UsageError

ALL: Final = "all"

Fold = Annotated[int, Field(ge=0)] | Literal["all"]
"""A fold's number, counted from 0, or "all": out-of-fold predictions of every image. In TOML and JSON it is written
as it stands, and `str` gives the text that `parse_fold` reads."""


def parse_fold(text: str | int | None) -> Fold | None:
    """Read a fold from a command line or a settings file.

    Args:
        text: a number from 0, its digits, or "all"; None or "" where nothing is said.

    Returns:
        The fold, or None where nothing is said: the recipe's own fold then counts.

    Raises:
        UsageError: anything else.

    >>> parse_fold("3"), parse_fold("all"), parse_fold("")
    (3, 'all', None)
    """
    if text is None or text == "":
        return None
    if text == ALL:
        return ALL
    if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
        return text
    # isascii: str.isdigit also holds for "²" and digits of other scripts, which int() refuses or few can read back.
    if isinstance(text, str) and text.isascii() and text.isdigit():
        return int(text)
    raise UsageError(f'--fold takes a number from 0 or "all", not {text!r}.')


def fold_of(settings: Mapping[str, Any], chosen: Fold | None = None) -> Fold:
    """Give the fold that counts: the chosen one, else the one that the settings of a recipe name, else fold 0."""
    named = parse_fold(settings.get("fold")) if chosen is None else chosen
    return 0 if named is None else named
