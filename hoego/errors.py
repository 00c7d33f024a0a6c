"""The exceptions: each names the place, the problem and the remedy."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable, Sequence
from pathlib import Path


class HoegoError(Exception):
    """Base of every error that a user can cause or correct.

    Args:
        message: what is wrong, one or more sentences.
        remedy: what to do about it.
        file: the file at fault.
        row: its line number, counted from 1 (a table's header is line 1).
        column: the column or key at fault.
    """

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        remedy: str = "",
        file: Path | str | None = None,
        row: int | None = None,
        column: str | None = None,
    ) -> None:
        self.message = _shortened(message)
        self.remedy = _shortened(remedy)
        self.file = None if file is None else Path(file)
        self.row = row
        self.column = column
        super().__init__(str(self))

    def __str__(self) -> str:
        where = [str(self.file)] if self.file is not None else []
        if self.row is not None:
            where.append(f"row {self.row}")
        if self.column is not None:
            where.append(f"column {self.column!r}")
        text = f"{_shortened(', '.join(where))}: {self.message}" if where else self.message
        return f"{text}\n  {self.remedy}" if self.remedy else text

    def __reduce__(self) -> tuple[object, ...]:
        return (
            _rebuild,
            (type(self), self.message, self.remedy, self.file, self.row, self.column),
        )


_LONGEST = 2000
"""Characters of a message: a damaged file may hold a name of a megabyte."""


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST - 200]} … ({len(text):,} characters) … {text[-100:]}"


def _rebuild(
    kind: type[HoegoError], message: str, remedy: str, file: Path | None, row: int | None, column: str | None
) -> HoegoError:
    return kind(message, remedy=remedy, file=file, row=row, column=column)


class UsageError(HoegoError):
    """The command line, or the order of commands, is wrong."""

    exit_code = 2


class MissingExtra(UsageError):
    """A package is not installed that an extra of Hoego brings; printed as one line.

    Args:
        task: what needs the package: the subject of the sentence.
        module: the package that is not there.
        extra: the extra that brings it.
    """

    def __init__(self, task: str, module: str, extra: str) -> None:
        self.task, self.module, self.extra = task, module, extra
        super().__init__(f"{task} needs {module}", remedy=f"pip install 'hoego[{extra}]'")

    def __str__(self) -> str:
        return f"{self.message}: {self.remedy}"

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.task, self.module, self.extra)


class DataError(HoegoError):
    """A photo, a table or a correction cannot be used as it is."""


class RecipeError(HoegoError):
    """A setting is unknown, of the wrong type or out of range."""


class SplitError(HoegoError):
    """A requested split cannot exist, or a saved one breaks its guarantees."""


class LeakError(HoegoError):
    """A score was requested on images whose subjects the model has seen."""


class MismatchError(HoegoError):
    """Two things that must be of one data set, split or schema are not; the message names the differences."""


class RecordError(HoegoError):
    """A run's folder is missing, ambiguous or damaged."""


class TrainError(HoegoError):
    """Training cannot start or continue."""


class ProcessDied(TrainError):
    """A process of a training was killed. The training can go on from its last state."""


class ParityError(HoegoError):
    """An exported model does not answer as the run that it was made of, or its files are not those that were scored."""


class NotEstimableError(HoegoError):
    """The data do not determine the requested number."""


def first_few(names: Sequence[str], most: int = 5) -> str:
    """Return the first names in a row, with an ellipsis if there are more.

    >>> first_few(["a", "b", "c"], 2), first_few(["a", "b"], 2)
    ('a, b, …', 'a, b')
    """
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the clause that names the closest valid name, or lists the few there are.

    >>> nearest("epoch", ["epochs", "seed"])
    "did you mean 'epochs'?"
    >>> nearest("zzz", ["epochs", "seed"])
    'valid names: epochs, seed'
    """
    names = sorted(set(known))
    close = difflib.get_close_matches(
        name, names, n=1, cutoff=0.6
    )  # difflib's default: a typo, not another word
    if close:
        return f"did you mean {close[0]!r}?"
    return f"valid names: {first_few(names, 20)}"


def is_out_of_memory(problem: BaseException) -> bool:
    """Return whether memory ran out: Python's MemoryError, torch's OutOfMemoryError, or an allocator's RuntimeError."""
    # torch's error is compared by name, since this module must not import torch.
    if isinstance(problem, MemoryError) or type(problem).__name__ == "OutOfMemoryError":
        return True
    text = str(problem).lower()
    return isinstance(problem, (RuntimeError, OSError)) and (
        "out of memory" in text
        or "not enough memory" in text
        or "can't allocate memory" in text
        or getattr(problem, "errno", None) == errno.ENOMEM
    )
