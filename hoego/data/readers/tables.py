"""Tables as people write them: CSV with any of four separators, TSV, Parquet; every cell traceable to its line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from hoego.errors import DataError, nearest

SUFFIXES = frozenset((".csv", ".tsv", ".txt", ".parquet", ".pq"))
"""File name endings (lower case) that are taken for tables."""

_SEPARATORS = ",;\t|"


@dataclass(frozen=True)
class Table:
    """A table that was read.

    Args:
        path: its file.
        frame: its rows. From text every column is a string and a blank cell is null; from Parquet, as stored.
        text: what the file said (CSV and TSV), for finding the line of a row; None for Parquet.
        separator: of the columns.
    """

    path: Path
    frame: pl.DataFrame
    text: str | None = None
    separator: str = ","

    @cached_property
    def lines(self) -> list[int]:
        """Line of the file on which each row starts; the header is line 1 (Parquet: as if it were printed)."""
        n = self.frame.height
        if self.text is None or self.text.count("\n") + (not self.text.endswith("\n")) == n + 1:
            return list(range(2, n + 2))
        reader = csv.reader(io.StringIO(self.text, newline=""), delimiter=self.separator)
        starts, last = [], 0
        for record in reader:
            if any(cell.strip() for cell in record):
                starts.append(last + 1)
            last = reader.line_num
        return starts[1:]

    def line(self, row: int) -> int:
        """Line of row `row` (counted from 0)."""
        return self.lines[row]

    def require(self, *columns: str) -> None:
        """Raises DataError naming the nearest column when one is missing."""
        for column in columns:
            if column not in self.frame.columns:
                raise DataError(
                    f"There is no column {column!r}.",
                    file=self.path,
                    row=1,
                    column=column,
                    remedy=nearest(column, self.frame.columns),
                )


def read_table(path: Path | str) -> Table:
    """A CSV, TSV or Parquet file.

    The separator of a text table is whichever of comma, semicolon, tab and bar its header holds most often. A byte
    order mark, quoted cells and line breaks within quotes are understood. Text must be UTF-8.

    Raises:
        DataError: the file is missing, not a table, has no rows, two columns of one name, or a row of another length.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError("There is no such table.", file=path, remedy="Check dataset.table and dataset.root.")
    if path.suffix.lower() in (".parquet", ".pq"):
        try:
            table = Table(path, pl.read_parquet(path))
        except Exception as error:
            raise DataError(f"It is not a readable Parquet file ({error}).", file=path) from error
    else:
        table = _read_text(path)
    if not table.frame.height:
        raise DataError(
            "The table has no rows.", file=path, remedy="Write one row per photo below the header."
        )
    return table


def _read_text(path: Path) -> Table:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"The table is not UTF-8 text (byte {error.start}).",
            file=path,
            remedy="Save it as CSV UTF-8 (a table saved by a Korean Excel is CP949 by default).",
        ) from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise DataError("The table is empty.", file=path, remedy="Write a header and one row per photo.")
    if "\x00" in text:
        raise DataError("The file is not a text table (it holds zero bytes).", file=path)
    first = text.split("\n", 1)[0]
    separator = max(_SEPARATORS, key=first.count)
    names = [name.strip() for name in next(_records(text, separator))]
    if len(names) > 1 and not names[0]:
        names[0] = "index"  # what pandas' to_csv writes before the first column
    for k, name in enumerate(names):
        if not name:
            raise DataError(f"Column {k + 1} has no name.", file=path, row=1, remedy="Name it in the header.")
        if name in names[:k]:
            raise DataError(
                f"Two columns are called {name!r}.", file=path, row=1, column=name, remedy="Rename one."
            )
    table = Table(path, pl.DataFrame(), text, separator)
    return Table(path, _frame(table, names), text, separator)


def _records(text: str, separator: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=separator)


def _frame(table: Table, names: list[str]) -> pl.DataFrame:
    """All cells as stripped strings, blank ones null."""
    assert table.text is not None
    try:
        if table.text.count('"') % 2:
            frame = _slowly(table, names)
        else:
            text = io.BytesIO(table.text.encode())
            frame = pl.read_csv(text, separator=table.separator, infer_schema=False, new_columns=names)
    except pl.exceptions.NoDataError:
        return pl.DataFrame(schema=dict.fromkeys(names, pl.String))
    except pl.exceptions.PolarsError:
        frame = _slowly(table, names)
    frame = frame.select(pl.col(pl.String).str.strip_chars())
    frame = frame.with_columns(
        pl.when(pl.col(pl.String) == "").then(None).otherwise(pl.col(pl.String)).name.keep()
    )
    return frame.filter(~pl.all_horizontal(pl.all().is_null()))


def _slowly(table: Table, names: list[str]) -> pl.DataFrame:
    """By the standard library, which says where a row is too long and forgives a stray quote."""
    assert table.text is not None
    rows: list[list[str | None]] = []
    reader = csv.reader(io.StringIO(table.text, newline=""), delimiter=table.separator)
    next(reader)
    last = reader.line_num
    for record in reader:
        if len(record) > len(names):
            raise DataError(
                f"The row has {len(record)} cells, the header {len(names)}.",
                file=table.path,
                row=last + 1,
                remedy="Put quotes around cells that hold the separator.",
            )
        if (
            table.text.count('"') % 2
            and reader.line_num > last + 1
            and reader.line_num >= table.text.count("\n")
        ):
            raise DataError(
                "A quotation mark that opens here is never closed, so the rest of the file is one cell.",
                file=table.path,
                row=last + 1,
                remedy="Close it, or write it twice where it is meant as a character.",
            )
        rows.append([*record, *[None] * (len(names) - len(record))])
        last = reader.line_num
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
