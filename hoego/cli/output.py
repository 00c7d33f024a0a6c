"""Printing results: one JSON object, or a text for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from hoego.cli.options import plain


class Result(Protocol):
    """What every command's library function returns."""

    def to_dict(self) -> dict[str, Any]: ...


R = TypeVar("R", bound=Result)


def emit(result: R, as_json: bool, show: Callable[[R], None]) -> None:
    """Print a result: as JSON on stdout, or by `show`."""
    if as_json:
        print_json(result.to_dict())
    else:
        show(result)


def print_json(data: Any) -> None:
    """One JSON object on stdout."""
    sys.stdout.write(json.dumps(plain(data), ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], right: Sequence[str] = ()
) -> None:
    """A table on stdout; as wide as needed where stdout is no terminal."""
    from rich.table import Table

    out = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        out.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        out.add_row(*("" if cell is None else str(cell) for cell in row))
    console().print(out)


def say(text: str = "") -> None:
    """A line on stdout, with rich's markup."""
    console().print(text, highlight=False, soft_wrap=True)


def console(stderr: bool = False) -> Any:
    """A rich console; wide where the stream is no terminal, so that nothing is cut."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else 200)


def interval(value: float | None, low: float | None, high: float | None, digits: int = 3) -> str:
    """`0.812 [0.790, 0.833]`, or `cannot say` where there is no number."""
    if value is None:
        return "cannot say"
    if low is None or high is None:
        return f"{value:.{digits}f} [no interval]"
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
