"""Printing results: one JSON object, or a text for people.

Brackets are printed as they are, unless they hold a style of STYLES and are closed by `[/]`. A value that somebody
typed goes through `literal` where it stands in a line of the output, so that it cannot be taken for a style or for a
line of Hoego's own; no control character of any text reaches the terminal.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from hoego.files import plain
from hoego.terminal import visible


class HasModelDump(Protocol):
    """A `hoego.results.base.Result`, said without importing pydantic."""

    def model_dump(self, *, mode: str = ...) -> dict[str, Any]:
        """Return the result as a dictionary; as JSON types with `mode="json"`."""


class HasToDict(Protocol):
    """A result of the queue, which is no `hoego.results.base.Result` yet."""

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON types."""


R = TypeVar("R", bound=HasToDict | HasModelDump)
STYLES = ("bold red", "bold", "dim", "green", "red", "yellow", "cyan", "blue")
_STYLED = rf"\[({'|'.join(STYLES)})\]"
_MARKS = re.compile(rf"\\\[|{_STYLED}(.*?)(?<!\\)\[/\]", re.DOTALL)


class StyledText(str):
    """A text with styles; in a table's cell, any other text is printed as it is."""


def literal(value: object) -> str:
    """Escape a value inside a marked text, so that it is printed as it is.

    >>> literal("see [/x]")
    'see \\\\[/x]'
    """
    return visible(value).replace("[", "\\[")


def styled(value: object, style: str) -> StyledText:
    """Return a value in one of STYLES, or in none where the style is empty.

    >>> styled("done", "green")
    '[green]done[/]'
    """
    return StyledText(f"[{style}]{literal(value)}[/]" if style else literal(value))


def emit(result: R, as_json: bool, show: Callable[[R], None]) -> None:
    """Print a result: as JSON on stdout, or by `show`."""
    if as_json:
        dump = getattr(result, "model_dump", None)
        print_json(dump(mode="json") if dump is not None else result.to_dict())  # type: ignore[union-attr]
    else:
        show(result)


def print_json(data: Any) -> None:
    """Print one JSON object on stdout."""
    sys.stdout.write(json.dumps(plain(data), ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], right: Sequence[str] = ()
) -> None:
    """Print a table on stdout; as wide as needed if stdout is not a terminal."""
    from rich.table import Table

    out = Table(
        title=visible(title) or None, title_justify="left", header_style="bold", box=None, pad_edge=False
    )
    for column in columns:
        out.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        out.add_row(*map(_cell, row))
    console().print(out)


def _cell(value: Any) -> Any:
    return "" if value is None else _rich(value) if isinstance(value, StyledText) else visible(value)


def echo(text: str = "") -> None:
    """Print a line on stdout; `[bold]so[/]` is styled, all other brackets are printed as they are."""
    console().print(_rich(text), highlight=False, soft_wrap=True)


def _rich(text: str) -> Any:
    from rich.text import Text

    text = visible(text, keep="\n\t")
    out, end = Text(), 0
    for mark in _MARKS.finditer(text):
        out.append(text[end : mark.start()])
        if style := mark[1]:
            out.append(mark[2].replace("\\[", "["), style)
        else:
            out.append("[")
        end = mark.end()
    return out.append(text[end:])


def console(stderr: bool = False) -> Any:
    """Return a rich console that prints text as it is; wide if the stream is not a terminal."""
    from rich.console import Console

    class PlainConsole(Console):
        """A console that shows the control characters of the texts that it is given."""

        def print(self, *objects: Any, **options: Any) -> None:
            super().print(*(visible(o, keep="\n\t") if type(o) is str else o for o in objects), **options)

    stream = sys.stderr if stderr else sys.stdout
    return PlainConsole(file=stream, width=None if stream.isatty() else 200, markup=False, emoji=False)


def interval(value: float | None, low: float | None, high: float | None, digits: int = 3) -> str:
    """Format `0.812 [0.790, 0.833]`, or `cannot say` if there is no number."""
    if value is None:
        return "cannot say"
    if low is None or high is None:
        return f"{value:.{digits}f} [no interval]"
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
