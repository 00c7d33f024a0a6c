"""The overlay: corrections of labels, each with its reason and its source, laid over the data and never into it.

The file is a CSV with the columns image, attribute, value, reason, source and, where the predictions of a run suggested
the correction, run; `hoego` reads it on every load, so that taking a row out takes the correction back.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from hoego import files
from hoego.data.dataset import LabelCorrection
from hoego.data.readers.tables import DataTable, read_table
from hoego.data.schema import Attribute, LabelSchema
from hoego.data.spelling import plain_name
from hoego.errors import DataError, nearest

COLUMNS = ("image", "attribute", "value", "reason", "source")
RUN = "run"
SUSPECTS = "suspects"
"""The source of a correction that the predictions of a run suggested."""
REVIEW = "review:"
"""Before the name of a reviewer in the source of a correction."""


def reviewed_by(correction: LabelCorrection) -> str:
    """Return who made a correction in a review; "" where it comes from elsewhere."""
    return correction.source.removeprefix(REVIEW) if correction.source.startswith(REVIEW) else ""


def read_overlay(path: Path, schema: LabelSchema, images: Sequence[str]) -> tuple[LabelCorrection, ...]:
    """Return the corrections of a file, in its order; one that is repeated with the same value is taken once.

    Args:
        path: the file.
        schema: the attributes they may name, and the classes.
        images: ids of the data set's images.

    Raises:
        DataError: a column is missing; a row lacks its reason or source; it names an unknown image, attribute or
            value; two rows disagree. Names the row and the column.
    """
    if path.is_file() and _only_header(path):
        return ()
    table = read_table(path)
    table.require(*COLUMNS)
    given = [*COLUMNS, *(c for c in (RUN,) if c in table.frame.columns)]
    said = table.frame.select(pl.col(given).cast(pl.String).fill_null(""))
    rows = said.with_columns(plain_name(said["value"])).rows()
    known = set(images)
    found: dict[tuple[str, str], tuple[LabelCorrection, int]] = {}
    for k, cells in enumerate(rows):
        said_here = {name: cell.strip() for name, cell in zip(given, cells, strict=True)}
        row = _run_out_of_source(LabelCorrection(**said_here))
        _check(row, table, k, schema, known)
        before = found.setdefault((row.image, row.attribute), (row, k))
        if before[0].value != row.value:
            raise DataError(
                f"{row.image!r} is given {row.attribute} {row.value!r} here and {before[0].value!r} in row "
                f"{table.line(before[1])}.",
                file=path,
                row=table.line(k),
                column="value",
                remedy="Decide which is right, and remove the other row.",
            )
    return tuple(correction for correction, _ in found.values())


def _run_out_of_source(row: LabelCorrection) -> LabelCorrection:
    """Move the run out of the source: overlays of early versions wrote `suspects of RUN` there."""
    before = f"{SUSPECTS} of "
    if row.run or not row.source.startswith(before):
        return row
    return replace(row, source=SUSPECTS, run=row.source.removeprefix(before))


def _only_header(path: Path) -> bool:
    """Accept an overlay whose corrections have all been taken back: it is not an error."""
    if path.suffix.lower() not in (".csv", ".tsv", ".txt"):
        return False
    with open(path, "rb") as file:
        return len(file.read(4096).strip().splitlines()) == 1


def _check(row: LabelCorrection, table: DataTable, k: int, schema: LabelSchema, known: set[str]) -> None:
    def refuse(column: str, message: str, remedy: str) -> DataError:
        return DataError(message, file=table.path, row=table.line(k), column=column, remedy=remedy)

    for column in ("reason", "source"):
        if not getattr(row, column):
            raise refuse(column, f"The correction has no {column}.", "Say why, and who or what says so.")
    if row.image not in known:
        close = nearest(row.image, known) if len(known) <= 20_000 else "Check the id."
        raise refuse("image", f"There is no image {row.image!r}.", close)
    if row.attribute not in schema.names:
        raise refuse(
            "attribute", f"There is no attribute {row.attribute!r}.", nearest(row.attribute, schema.names)
        )
    attribute = schema.attribute(row.attribute)
    if not row.value and attribute.missing != "allow":
        raise refuse(
            "value",
            "The corrected value is blank.",
            f'Give one, or set labels.attributes.{row.attribute}.missing = "allow" to blank labels out.',
        )
    if row.value and not is_value(attribute, row.value):
        what = "neither a class nor a number" if attribute.kind == "binned" else "not a class"
        raise refuse(
            "value", f"{row.value!r} is {what} of {row.attribute!r}.", nearest(row.value, attribute.classes)
        )


def is_value(attribute: Attribute, value: str) -> bool:
    """Return whether a text is a class of the attribute or, of a binned one, a finite number."""
    if value in attribute.classes:
        return True
    try:
        return attribute.kind == "binned" and abs(float(value)) < float("inf")
    except ValueError:
        return False


def write_overlay(path: Path, corrections: Iterable[LabelCorrection]) -> None:
    """Write an overlay file whole: the old file stays if writing fails.

    Raises:
        DataError: a correction has no reason or no source.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*COLUMNS, RUN))
    for c in corrections:
        if not (c.reason.strip() and c.source.strip()):
            raise DataError(
                f"The correction of {c.attribute} of {c.image!r} has no reason or no source.",
                file=path,
                remedy="Say why, and who or what says so.",
            )
        writer.writerow([c.image, c.attribute, c.value, c.reason, c.source, c.run])
    files.write_text(path, text.getvalue())


def append_overlay(
    path: Path, corrections: Iterable[LabelCorrection], schema: LabelSchema, images: Sequence[str]
) -> tuple[LabelCorrection, ...]:
    """Add corrections to an overlay file (made where there is none) and return all of them.

    Raises:
        DataError: as `read_overlay`, of the file as it would be; it is then left as it was.
    """
    before = read_overlay(path, schema, images) if path.exists() else ()
    every = (*before, *corrections)
    trial = path.with_name(f".{path.stem}.{os.getpid()}.trial.csv")
    try:
        write_overlay(trial, every)
        merged = read_overlay(trial, schema, images)
    except DataError as error:
        raise DataError(
            error.message, file=path, row=error.row, column=error.column, remedy=error.remedy
        ) from None
    finally:
        trial.unlink(missing_ok=True)
    write_overlay(path, merged)
    return merged
