"""What a reader says of a file whose content makes no sense: one error that names the file, and no traceback."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from hoego.errors import HoegoError, RecordError, is_out_of_memory
from hoego.storage import full_disk

RESTORE = "Restore the file from a copy, or move the record's folder away."

_OWN = (ArithmeticError, AttributeError, BufferError, EOFError, LookupError, RecursionError)
_FAULTS = (*_OWN, OSError, RuntimeError, SyntaxError, TypeError, ValueError)
"""What code raises that is given content of another shape than it was written for."""
_LIBRARIES = ("polars", "pyo3_runtime", "zlib", "struct", "zipfile", "safetensors_rust", "pickle", "_pickle")
"""Modules whose errors are theirs alone. A panic of polars (pyo3_runtime) is not even an Exception."""


@contextlib.contextmanager
def parsing(
    path: Path, *, row: int | None = None, remedy: str = RESTORE, error: type[HoegoError] = RecordError
) -> Iterator[None]:
    """Raise `error` naming `path` where the body cannot make sense of what the file holds.

    Keep the body to the reading of that one file: any mistake of the code within it would be called damage, too.

    Args:
        path: the file.
        row: its line, where the body reads one line of it.
        remedy: what to do.
        error: the class to raise; an error of Hoego's own goes through, and gets the file where it names none.

    >>> with parsing(Path("score.json")):
    ...     {}["macro_f1"]
    Traceback (most recent call last):
    hoego.errors.RecordError: score.json: the entry 'macro_f1' is missing
      Restore the file from a copy, or move the record's folder away.
    """
    try:
        yield
    except HoegoError as problem:
        if problem.file is None:
            raise type(problem)(
                problem.message,
                remedy=problem.remedy or remedy,
                file=path,
                row=row if problem.row is None else problem.row,
                column=problem.column,
            ) from None
        raise
    except BaseException as problem:
        if not is_damage(problem):
            raise
        raise error(described(problem), file=path, row=row, remedy=remedy) from problem


def is_damage(problem: BaseException) -> bool:
    """Return whether an error can come from a damaged file, so that a reader may say so; Ctrl-C, for one,
    cannot.
    """
    if is_out_of_memory(problem) or full_disk(problem):
        return False
    return isinstance(problem, _FAULTS) or type(problem).__module__.split(".")[0] in _LIBRARIES


def described(problem: BaseException) -> str:
    """Say in words what an error finds wrong with a file's content, in one line of at most 200 characters."""
    if hasattr(problem, "errors") and type(problem).__name__ == "ValidationError":  # pydantic's
        first = problem.errors()[0]
        said = str(first["msg"]).removeprefix("Value error, ")
        where = ".".join(map(str, first["loc"]))
        return _one_line(f"{where}: {said}" if where else said)
    if isinstance(problem, json.JSONDecodeError):
        return f"not valid JSON: {problem.msg}"
    if isinstance(problem, UnicodeError):
        return "not UTF-8 text"
    if isinstance(problem, KeyError):
        return _one_line(
            f"the entry {problem.args[0]!r} is missing" if problem.args else "an entry is missing"
        )
    if isinstance(problem, RecursionError):
        return "its content is nested too deep"
    if isinstance(problem, OSError):
        return f"it cannot be read: {problem.strerror or problem}"
    return _one_line(f"its content is damaged ({problem or type(problem).__name__})")


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 200 else f"{line[:199]}…"
