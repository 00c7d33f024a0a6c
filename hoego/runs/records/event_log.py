"""Logs of events beside the runs: a line of JSON each, whose `kind` says what happened; `hoego merge` joins them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoego import files
from hoego.damage import parsing


@dataclass(frozen=True, kw_only=True)
class LogEvent:
    """A line of a log.

    Args:
        kind: what happened; "" where the line does not say.
        facts: the rest of the line.
        file, row: where it stands.
    """

    kind: str
    facts: Mapping[str, Any]
    file: Path
    row: int

    def reading(self) -> AbstractContextManager[None]:
        """Return the context in which the facts are read: what does not fit is an error that names the line."""
        return parsing(self.file, row=self.row, remedy=files.REMOVE)


def events(file: Path) -> Iterator[LogEvent]:
    """Yield the lines of a log, the oldest first; none where there is no file.

    Raises RecordError for a broken line, with its row.
    """
    for row, line in files.numbered_lines(file):
        facts = {k: v for k, v in line.items() if k != "kind"}
        yield LogEvent(kind=str(line.get("kind", "")), facts=facts, file=file, row=row)


def append_event(file: Path, kind: str, facts: Mapping[str, Any]) -> None:
    """Append a line to a log, whole or not at all."""
    files.append_line(file, {"kind": kind, **facts})
