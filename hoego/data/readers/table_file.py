"""Layout `table`: a CSV, TSV or Parquet file with one row per photo."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import polars as pl

from hoego.data.readers.finder import PhotoFinder
from hoego.data.readers.frames import SHOWN_AS as FRAME
from hoego.data.readers.indicators import expanded
from hoego.data.readers.photo_files import inside, left_out, shown
from hoego.data.readers.raw_table import RawTable
from hoego.data.readers.tables import SUFFIXES, DataTable, read_table
from hoego.errors import DataError, nearest
from hoego.recipe.sections import AttributeSettings, DatasetSettings, LabelSettings

PATH_COLUMNS = (
    "path", "image_path", "file_path", "filepath", "img_path", "file", "filename", "file_name", "fname", "image",
    "img", "photo", "image_id", "imageid", "image_name", "id_code", "img_id",
)  # fmt: skip
"""Names (lower case) by which a path column is known, the surest first."""


def read(settings: DatasetSettings, labels: LabelSettings) -> RawTable:
    """Read the photos that a table names.

    Raises:
        DataError: the table, a column or a photo is missing; a path is blank or leaves the root.
    """
    root = Path(settings.root)
    path = find_table(root) if settings.table is None else root / settings.table
    return read_rows(read_table(path), settings, labels)


def read_rows(table: DataTable, settings: DatasetSettings, labels: LabelSettings) -> RawTable:
    """Read the photos that the rows of a table name. Raises as `read`."""
    root = Path(settings.root)
    column = path_column(table, settings.path)
    rows = locate(table, column, root)
    if settings.image is not None:
        table.require(settings.image)
        rows = rows.with_columns(image=table.frame[settings.image].cast(pl.String))
        _no_blank(rows["image"], table, settings.image)
    table.require(*settings.subject)
    gone, counts = left_out(rows["path"].to_list(), settings.exclude)
    rows = rows.filter(~pl.Series(gone, dtype=pl.Boolean))
    rows, labels = expanded(rows, labels, table)
    rows, subjects, attributes = _free_names(rows, settings.subject, _attributes(table, labels))
    if settings.subject_regex is not None:
        names = subjects_by_regex(rows["path"].to_list(), settings.subject_regex, root)
        own = "subject" if "subject" not in rows.columns else "subject_by_name"
        rows = rows.with_columns(pl.Series(own, names, dtype=pl.String))
        subjects = (*subjects, own)
    return RawTable(
        root=root,
        rows=rows,
        file=table.path,
        subject_columns=subjects,
        attribute_columns=attributes,
        labels=labels,
        notes=table.notes,
        excluded=counts,
    )


def _attributes(table: DataTable, labels: LabelSettings) -> dict[str, str]:
    """Return attribute -> column: those of the settings, or the target alone if none is named."""
    named = {name: a.column or name for name, a in labels.attributes.items()}
    if not named and labels.target in table.frame.columns:
        named = {str(labels.target): str(labels.target)}
    return named


def _free_names(
    rows: pl.DataFrame, subjects: tuple[str, ...], attributes: dict[str, str]
) -> tuple[pl.DataFrame, tuple[str, ...], dict[str, str]]:
    """Rename the table's own columns that have one of our names (see `locate`)."""
    renamed = {c.removeprefix("table_"): c for c in rows.columns if c.startswith("table_")}
    renamed = {old: new for old, new in renamed.items() if old in ("image", "path", "row")}
    subjects = tuple(renamed.get(s, s) for s in subjects)
    return rows, subjects, {name: renamed.get(column, column) for name, column in attributes.items()}


def find_table(root: Path) -> Path:
    """Return the table in a folder that names photos and labels them.

    Raises:
        DataError: there is none, or several of equal claim.
    """
    if root.is_file():
        return root
    tables = sorted(p for p in root.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
    good = [p for p in tables if _names_photos(p)]
    for stem in ("train", "labels", "metadata", "data"):
        if len(good) > 1 and any(p.stem.lower() == stem for p in good):
            good = [p for p in good if p.stem.lower() == stem]
    if len(good) != 1:
        what = "No table" if not good else f"{len(good)} tables ({', '.join(p.name for p in good)})"
        raise DataError(
            f"{what} in this folder could be the one of the photos.",
            file=root,
            remedy="Name it: dataset.table.",
        )
    return good[0]


def _names_photos(path: Path) -> bool:
    try:
        columns = read_table(path).frame.columns
    except DataError:
        return False
    return len(columns) > 1 and guess_path_column(columns) is not None


def guess_path_column(columns: Sequence[str]) -> str | None:
    """Return the column that holds paths, judged by its name."""
    lower = {c.lower(): c for c in reversed(columns)}
    return next((lower[name] for name in PATH_COLUMNS if name in lower), None)


def path_column(table: DataTable, asked: str) -> str:
    """Return the path column: the one asked for, else (for the default name) one known by its name."""
    if asked in table.frame.columns:
        return asked
    guess = guess_path_column(table.frame.columns) if asked == "path" else None
    if guess is None:
        raise DataError(
            f"There is no column {asked!r} with the photos' paths.",
            file=table.path,
            row=1,
            column=asked,
            remedy=f"Name it: dataset.path ({nearest(asked, table.frame.columns)}).",
        )
    return guess


def locate(table: DataTable, column: str, root: Path) -> pl.DataFrame:
    """Return the table's rows with `image` and `path` (relative to root) and `row` (line number).

    A column of the table that has one of these three names and is not the path column is kept as `table_<name>`.

    Raises:
        DataError: a path is blank or leaves the root, or there is no such photo.
    """
    frame = table.frame
    taken: dict[str, str] = {
        c: f"table_{c}" for c in ("image", "path", "row") if c in frame.columns and c != column
    }
    _no_blank(frame[column], table, column)
    finder = PhotoFinder(root, table.path.parent)
    paths = []
    for k, text in enumerate(frame[column].cast(pl.String).to_list()):
        found = finder.find(text)
        if found is None:
            _refuse(text, table, k, column, root)
        paths.append(found)
    rest = frame.drop(column).rename(taken)
    return pl.DataFrame(
        {
            "image": pl.Series(paths, dtype=pl.String),
            "path": pl.Series(paths, dtype=pl.String),
            "row": pl.Series([table.line(k) for k in range(len(paths))], dtype=pl.Int64),
        }
    ).hstack(rest)


def _refuse(text: str, table: DataTable, k: int, column: str, root: Path) -> NoReturn:
    where: dict[str, Any] = {"file": table.path, "row": table.line(k), "column": column}
    inside(text, root, **where)
    # A frame lies in no folder, so its relative paths start from the working directory unless root= names another.
    place = (
        "Give root=, the folder that the paths start from" if table.path == FRAME else "Check dataset.root"
    )
    raise DataError(
        f"There is no photo {shown(text)} below {root}.", **where, remedy=f"{place}, or remove the row."
    )


def _no_blank(values: pl.Series, table: DataTable, column: str) -> None:
    blank = values.is_null()
    if blank.any():
        at = int(blank.arg_max() or 0)
        raise DataError(
            f"The {column} is blank.",
            file=table.path,
            row=table.line(at),
            column=column,
            remedy="Fill it in.",
        )


def subjects_by_regex(paths: Sequence[str], pattern: str, root: Path) -> list[str]:
    """Return the subject of each path: the first group of a regular expression (all that matches where it has
    no group).

    Raises:
        DataError: the expression is not valid, or a path does not match.
    """
    try:
        compiled = re.compile(unicodedata.normalize("NFC", pattern))
    except re.error as error:
        raise DataError(
            f"dataset.subject_regex {pattern!r} is not a regular expression ({error}).",
            remedy="Example: 'person_(\\d+)'; its first group is the subject.",
        ) from None
    subjects = []
    for path in paths:
        match = compiled.search(unicodedata.normalize("NFC", path))
        name = None if match is None else match.group(1 if compiled.groups else 0)
        if not name:
            raise DataError(
                f"dataset.subject_regex {pattern!r} finds no subject in {path!r}.",
                file=root / path,
                remedy="Correct the expression, or leave the photo out (dataset.exclude).",
            )
        subjects.append(name)
    return subjects


def defaults(name: str, given: AttributeSettings | None, **known: object) -> AttributeSettings:
    """Return the settings of an attribute: those given, else those that the layout knows."""
    base = AttributeSettings.model_validate(known)
    if given is None:
        return base
    plain = AttributeSettings()
    said = {f: v for f in AttributeSettings.model_fields if (v := getattr(given, f)) != getattr(plain, f)}
    return base.model_copy(update=said)
