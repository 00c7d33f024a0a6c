"""Tables as people write them: CSV, TSV, lists with blanks, JSON lines, Parquet; every cell traceable to its line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from hoego.data.parquet_file import read_parquet
from hoego.data.readers.text_table import TextTable, read_text_table
from hoego.errors import DataError, nearest
from hoego.short_repr import ShortRepr

_PARQUET, _LINES = (".parquet", ".pq"), (".jsonl", ".ndjson")
SUFFIXES = frozenset((".csv", ".tsv", ".txt", ".list", ".lst", *_PARQUET, *_LINES))
"""File name endings (lower case) that are taken for tables."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class DataTable(ShortRepr):
    """A table that was read.

    Args:
        path: its file.
        frame: its rows. From text every column is a string and a blank cell is null; from Parquet, as stored.
        text: what the file said (CSV, TSV, lists), for finding the line of a row; None for the other kinds.
        first: line of the first row where there is no text.
        notes: sentences on what the reader did (a column without a name left out, a table without a header).
    """

    path: Path
    frame: pl.DataFrame
    text: TextTable | None = None
    first: int = 2
    notes: tuple[str, ...] = ()

    @cached_property
    def lines(self) -> list[int]:
        """Line of the file on which each row starts; a header is line 1 (Parquet: as if it were printed)."""
        if self.text is None:
            return list(range(self.first, self.frame.height + self.first))
        return self.text.lines(self.frame.height)

    def line(self, row: int) -> int:
        """Return the line of row `row` (counted from 0)."""
        return self.lines[row]

    def require(self, *columns: str) -> None:
        """Raise DataError if a column is missing, with the nearest name."""
        for column in columns:
            if column not in self.frame.columns:
                raise DataError(
                    f"There is no column {column!r}.",
                    file=self.path,
                    row=1,
                    column=column,
                    remedy=nearest(column, self.frame.columns),
                )


def read_table(path: Path | str) -> DataTable:
    """Read a CSV, TSV, Parquet or JSON-lines file, or a list of paths and labels with blanks between.

    The separator of a text table is whichever of comma, semicolon, tab and bar its first line holds most often, else
    blanks. A byte order mark, quoted cells and line breaks within quotes are understood. Text must be UTF-8 (or UTF-16
    with its mark). A table whose first line names a photo has no header: its columns are column_1, column_2, ....

    Raises:
        DataError: the file is missing, not a table, has no rows, two columns of one name, a cell of more than 131,072
            characters, or a row of another length.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError("There is no such table.", file=path, remedy="Check dataset.table and dataset.root.")
    ending = path.suffix.lower()
    if ending in _PARQUET:
        table = DataTable(path=path, frame=_read(path, lambda p: read_parquet(p)[0], "Parquet"))
    elif ending in _LINES:
        table = _json_lines(path)
    else:
        frame, text, notes = read_text_table(path)
        table = DataTable(path=path, frame=frame, text=text, notes=notes)
    if not table.frame.height:
        raise DataError(
            "The table has no rows.", file=path, remedy="Write one row per photo below the header."
        )
    return table


def _read(path: Path, reader: Callable[[Path], pl.DataFrame], kind: str) -> pl.DataFrame:
    try:
        return reader(path)
    except (Exception, pl.exceptions.PanicException) as error:
        why = " ".join(str(error).split())[:200]
        raise DataError(
            f"It is not a readable {kind} file ({why}).",
            file=path,
            remedy="Write it again, or save it as CSV UTF-8.",
        ) from None


def _json_lines(path: Path) -> DataTable:
    """Read one object per line, as texts; a value that holds lists or objects has no column."""
    frame = _read(path, pl.read_ndjson, "JSON lines")
    nested = [c for c in frame.columns if frame[c].dtype.is_nested()]
    notes = [f"{path.name}: {c!r} holds lists or objects and is left out" for c in nested]
    frame = frame.drop(nested).select(pl.all().cast(pl.String).str.strip_chars())
    return DataTable(path=path, frame=frame, first=1, notes=tuple(notes))
