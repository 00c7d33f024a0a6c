"""Text tables: the separator, the header or its absence, and the line of every row."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from hoego.data.images import is_photo
from hoego.errors import DataError

LONGEST_CELL = 131_072
"""Characters of the longest cell that is read: the limit of Python's csv module."""

_SEPARATORS = ",;\t|"
_LOOKED_AT = 50


@dataclass(frozen=True)
class TextTable:
    """What a text file says, for finding the line of a row.

    Args:
        path: its file.
        text: its content with plain line ends.
        separator: of the columns.
        header: whether its first line names the columns.
    """

    path: Path
    text: str
    separator: str
    header: bool = True

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the line on which each record starts, and its cells; records of blank cells alone are left out.

        Raises:
            DataError: a cell is too long.
        """
        reader = csv.reader(io.StringIO(self.text, newline=""), delimiter=self.separator)
        last = 0
        while True:
            try:
                record = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise DataError(
                    f"The row cannot be read ({error}).",
                    file=self.path,
                    row=last + 1,
                    remedy="Check its quotation marks and the length of its cells.",
                ) from None
            if any(cell.strip() for cell in record):
                yield last + 1, record
            last = reader.line_num

    def lines(self, n: int) -> list[int]:
        """Return the line on which each of the N rows starts."""
        first = 2 if self.header else 1
        if self.text.count("\n") + (not self.text.endswith("\n")) == n + first - 1:
            return list(range(first, n + first))
        return [line for line, _ in self.records()][first - 1 :]


def read_text_table(path: Path) -> tuple[pl.DataFrame, TextTable, tuple[str, ...]]:
    """Read a text table: its rows (all cells stripped texts, blank ones null), its text, and notes."""
    text = _decoded(path)
    first = text.split("\n", 1)[0]
    separator = max(_SEPARATORS, key=first.count)
    if separator not in first:
        text, separator = _with_tabs(text)
    table = TextTable(path, text, separator)
    _no_long_cell(table)
    records = [record for _, (_, record) in zip(range(2), table.records(), strict=False)]
    if _is_row(records):
        names = [f"column_{k + 1}" for k in range(len(records[0]))]
        table = TextTable(path, text, separator, header=False)
        note = f"{path.name} has no header: its first line names the photo {_photo_in(records[0])!r}"
        return _frame(table, names), table, (f"{note}; its columns are called {names[0]} to {names[-1]}",)
    names, blank = _names([name.strip() for name in records[0]], path)
    frame = _frame(table, names)
    for k in blank:
        values = frame[names[k]]
        if values.null_count() < len(values):
            raise DataError(f"Column {k + 1} has no name.", file=path, row=1, remedy="Name it in the header.")
    said = [f"{path.name}: column {k + 1} has neither a name nor a value and is left out" for k in blank]
    return frame.drop(names[k] for k in blank), table, tuple(said)


def _decoded(path: Path) -> str:
    try:
        data = path.read_bytes()
        wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"The table is not UTF-8 text (byte {error.start}).",
            file=path,
            remedy="Save it as CSV UTF-8 (a table saved by a Korean Excel is CP949 by default).",
        ) from None
    except OSError as error:
        raise DataError(
            f"The table cannot be read ({error.strerror}).", file=path, remedy="Check its rights."
        ) from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise DataError("The table is empty.", file=path, remedy="Write a header and one row per photo.")
    if "\x00" in text:
        raise DataError(
            "The file is not a text table (it holds zero bytes).",
            file=path,
            remedy="Save it as CSV UTF-8.",
        )
    return text


def _with_tabs(text: str) -> tuple[str, str]:
    """Return the text of a list with tabs for the blanks between its columns; any other text as it is.

    Taken for such a list: every one of the first lines has as many words, or ends in one word after a photo's name.
    """
    lines = text.split("\n")
    some = [line.split() for line in lines[:_LOOKED_AT] if line.strip()]
    if len({len(words) for words in some}) == 1 and len(some[0]) > 1:
        return "\n".join("\t".join(line.split()) for line in lines), "\t"
    halves = [line.rsplit(None, 1) for line in lines[:_LOOKED_AT] if line.strip()]
    if all(len(half) == 2 and is_photo(half[0]) for half in halves):
        return "\n".join("\t".join(line.rsplit(None, 1)) for line in lines), "\t"
    return text, ","


def _no_long_cell(table: TextTable) -> None:
    for number, line in enumerate(table.text.split("\n"), start=1):
        if len(line) <= LONGEST_CELL:
            continue
        longest = max(line.split(table.separator), key=len)
        if len(longest) > LONGEST_CELL:
            raise DataError(
                f"The cell {longest[:40] + '…'!r} has {len(longest):,} characters, more than {LONGEST_CELL:,}.",
                file=table.path,
                row=number,
                remedy="Correct the row, or remove it.",
            )


def _photo_in(cells: Sequence[str]) -> str | None:
    return next((c.strip() for c in cells if is_photo(c.strip())), None)


def _is_row(records: Sequence[Sequence[str]]) -> bool:
    """Return whether the first line is a row: it names a photo in the column where the second line names one."""
    if len(records) < 2:
        return False
    return any(is_photo(a.strip()) and is_photo(b.strip()) for a, b in zip(*records[:2], strict=False))


def _names(names: list[str], path: Path) -> tuple[list[str], list[int]]:
    """Return the column names, and the positions of columns without one (called column_K meanwhile)."""
    if len(names) > 1 and not names[0]:
        names[0] = "index"  # what pandas' to_csv writes before the first column
    blank = [k for k, name in enumerate(names) if not name]
    names = [name or f"column_{k + 1}" for k, name in enumerate(names)]
    for k, name in enumerate(names):
        if name in names[:k]:
            raise DataError(
                f"Two columns are called {name!r}.", file=path, row=1, column=name, remedy="Rename one."
            )
    return names, blank


def _frame(table: TextTable, names: list[str]) -> pl.DataFrame:
    """Return the table with all cells as stripped strings, blank ones null."""
    try:
        if table.text.count('"') % 2:
            frame = _slowly(table, names)
        else:
            text = io.BytesIO(table.text.encode())
            frame = pl.read_csv(
                text,
                separator=table.separator,
                infer_schema=False,
                new_columns=names,
                has_header=table.header,
            )
    except pl.exceptions.NoDataError:
        return pl.DataFrame(schema=dict.fromkeys(names, pl.String))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        frame = _slowly(table, names)
    frame = frame.select(pl.col(pl.String).str.strip_chars())
    frame = frame.with_columns(
        pl.when(pl.col(pl.String) == "").then(None).otherwise(pl.col(pl.String)).name.keep()
    )
    return frame.filter(~pl.all_horizontal(pl.all().is_null()))


def _slowly(table: TextTable, names: list[str]) -> pl.DataFrame:
    """Parse with the standard library, which names the row that is too long and accepts a stray quote."""
    rows: list[list[str | None]] = []
    torn = table.text.count('"') % 2 == 1
    records = list(table.records())[int(table.header) :]
    end = len(re.findall("\n", table.text.rstrip("\n"))) + 1
    for k, (line, record) in enumerate(records):
        if len(record) > len(names):
            raise DataError(
                f"The row has {len(record)} cells, the header {len(names)}.",
                file=table.path,
                row=line,
                remedy="Put quotes around cells that hold the separator.",
            )
        spans = "\n" in "".join(record).rstrip("\n")
        if torn and spans and k == len(records) - 1 and line < end:
            raise DataError(
                "A quotation mark that opens here is never closed, so the rest of the file is one cell.",
                file=table.path,
                row=line,
                remedy="Close it, or write it twice where it is meant as a character.",
            )
        rows.append([*record, *[None] * (len(names) - len(record))])
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
