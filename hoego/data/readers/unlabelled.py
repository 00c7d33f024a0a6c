"""Sets without labels: a test folder, or a table that only names photos. Their order is kept."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl

from hoego.data.readers.photo_files import photos_below
from hoego.data.readers.raw_table import RawTable
from hoego.data.readers.table_file import PATH_COLUMNS, locate
from hoego.data.readers.tables import SUFFIXES, DataTable, read_table
from hoego.errors import DataError, nearest

INFO = "info.csv"


def read_unlabelled(path: Path, root: Path | None = None) -> RawTable:
    """Read the photos of a set without labels.

    A folder with info.csv is read by that table, any other folder as all photos below it, sorted. A table keeps its
    order; an image's id is what its path column says. Paths start from `root`, where the first photo is there, else
    from the table's folder (or its `images` folder).

    Raises:
        DataError: there is no such folder or table, no path column, or a photo is missing or leaves the root.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / INFO).is_file():
            return _folder(path)
        path = path / INFO
    elif not path.is_file():
        raise DataError("There is no such folder or table.", file=path, remedy="Check the path.")
    elif path.suffix.lower() not in SUFFIXES:
        raise DataError(
            "It is neither a folder nor a table (CSV, TSV, Parquet).", file=path, remedy="Name one of these."
        )
    table = read_table(path)
    column = _column(table)
    texts = [t for t in table.frame[column].cast(pl.String).to_list() if t is not None]
    where = _root(texts, path, root)
    rows = locate(table, column, where)
    return RawTable(root=where, rows=rows.with_columns(image=pl.Series(texts, dtype=pl.String)), file=path)


def _folder(folder: Path) -> RawTable:
    paths = photos_below(folder)
    if not paths:
        raise DataError("There is no photo in this folder.", file=folder, remedy="Check the path.")
    rows = pl.DataFrame({"image": paths, "path": paths}).with_columns(row=pl.lit(None, dtype=pl.Int64))
    return RawTable(root=folder, rows=rows, file=folder)


def _column(table: DataTable) -> str:
    """Return the path column: by its name, or the only column there is."""
    columns = table.frame.columns
    lower = {c.lower(): c for c in reversed(columns)}
    for name in PATH_COLUMNS:
        if name in lower:
            return lower[name]
    if len(columns) == 1:
        return columns[0]
    raise DataError(
        "No column holds the photos' paths.",
        file=table.path,
        row=1,
        remedy=f"Call one of them 'path' ({nearest('path', columns)}).",
    )


def _root(texts: list[str], table: Path, root: Path | None) -> Path:
    """Return the folder that the paths are relative to."""
    beside = table.parent
    if texts and os.path.isabs(texts[0]):
        if root is not None and all(Path(os.path.normpath(t)).is_relative_to(root) for t in texts):
            return root
        return Path(os.path.commonpath([os.path.dirname(os.path.normpath(t)) for t in texts]))
    candidates: list[Path] = [beside] if root is None else [root, beside]
    for folder in candidates:
        if texts and os.path.isfile(folder / texts[0]):
            return folder
    return beside
