"""Commands of apps and of other packages: entry points of the group `hoego.commands`, loaded when they are called.

The name of an entry point is the command's name. Its object is a function (its parameters annotated as Typer wants
them) or a `typer.Typer`:

    [project.entry-points."hoego.commands"]
    weather = "my_package.command:weather"

`hoego NAME` loads the entry point NAME alone, and `hoego --help` loads all of them for their one-line descriptions, so
their modules import what is heavy inside the function. A name that Hoego itself has stays Hoego's.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import typer

from hoego.errors import HoegoError, UsageError

GROUP = "hoego.commands"


@cache
def found() -> dict[str, EntryPoint]:
    """Return the entry points by command name, those of Hoego itself first; of two with one name, the first."""
    own = _of_checkout()
    others = sorted(entry_points(group=GROUP), key=lambda e: (not _is_own(e), _package(e)))
    points: dict[str, EntryPoint] = {}
    for point in (*own, *others):
        points.setdefault(point.name, point)
    return points


def _of_checkout() -> list[EntryPoint]:
    """Return the commands of a checkout's own pyproject.toml: what was installed of it may be older, or nothing."""
    file = Path(__file__).resolve().parents[2] / "pyproject.toml"
    if not file.is_file():
        return []
    import tomllib

    project = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {})
    if project.get("name") != "hoego":
        return []
    return [EntryPoint(n, v, GROUP) for n, v in project.get("entry-points", {}).get(GROUP, {}).items()]


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "hoego"


def _is_own(point: EntryPoint) -> bool:
    return _package(point) == "hoego"


def load(name: str) -> Any:
    """Return the command of an entry point.

    Raises:
        UsageError: it cannot be loaded; the message says whose it is, and why.
    """
    point = found()[name]
    try:
        return _command(name, point.load())
    except HoegoError:
        raise
    except Exception as e:  # another package's code may raise anything
        why = " ".join(f"{type(e).__name__}: {e}".split())
        raise UsageError(
            f"The command {name!r} of the package {_package(point)} cannot be loaded: {why}",
            remedy=f"Update {_package(point)}, or uninstall it.",
        ) from e


def _command(name: str, made: Any) -> Any:
    if not isinstance(made, typer.Typer):
        if not callable(made):
            raise TypeError(f"{made!r} is neither a function nor a typer.Typer")
        function, made = made, typer.Typer(add_completion=False, rich_markup_mode=None)
        made.command(name)(function)
    command = typer.main.get_command(made)
    command.name = name
    return command


def short_help(name: str) -> str:
    """Return the one-line description of a command, or that it cannot be loaded."""
    try:
        return str(load(name).get_short_help_str(200))
    except HoegoError as e:
        return f"cannot be loaded: {e.message.partition('cannot be loaded: ')[2] or e.message}"
