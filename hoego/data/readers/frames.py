"""Tables that lie in memory: frames of polars and pandas, and mappings of columns."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from hoego.data.readers.tables import DataTable
from hoego.errors import DataError

SHOWN_AS = Path("data frame")
"""What messages call a table that lies in no file; its rows are counted from 0, as a notebook shows them."""


def to_polars(frame: Any) -> pl.DataFrame | None:
    """Return a polars frame with the columns of a frame or a mapping of columns; None for anything else.

    A pandas frame is converted column by column, without pyarrow; a named index becomes a column.

    >>> to_polars({"path": ["a.png"], "label": ["x"]}).columns
    ['path', 'label']

    Raises:
        DataError: a column cannot be read as text, numbers, dates or truth values.
    """
    if isinstance(frame, pl.DataFrame):
        return frame
    if isinstance(frame, pl.LazyFrame):
        return frame.collect()
    if type(frame).__module__.split(".")[0] == "pandas" and hasattr(frame, "columns"):
        plain = frame if all(n is None for n in frame.index.names) else frame.reset_index()
        return pl.DataFrame([_series(str(name), plain[name]) for name in plain.columns])
    if isinstance(frame, Mapping):
        return pl.DataFrame([_series(str(name), values) for name, values in frame.items()])
    return None


def _series(name: str, values: Any) -> pl.Series:
    """Return a column of numbers as numbers; any other as its values, with null for what pandas calls missing."""
    kind = getattr(getattr(values, "dtype", None), "kind", "")
    try:
        if kind in tuple("iufbM"):
            return pl.Series(name, values.to_numpy() if hasattr(values, "to_numpy") else values)
        cells = values.tolist() if hasattr(values, "tolist") else list(values)
        cells = [None if c is None or _differs_from_itself(c) else c for c in cells]
        if any(isinstance(c, os.PathLike) for c in cells):
            cells = [os.fspath(c) if isinstance(c, os.PathLike) else c for c in cells]
        return pl.Series(name, cells)
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"The values cannot be read ({error}).",
            file=SHOWN_AS,
            column=name,
            remedy="Use one kind of value in a column: text, numbers or truth values.",
        ) from None


def _differs_from_itself(cell: Any) -> bool:
    """Return whether a cell is NaN, NaT or pandas.NA: the only values that are not equal to themselves."""
    equal = cell == cell
    return equal is False or (not isinstance(equal, bool) and str(equal) == "<NA>")


def table_of(frame: pl.DataFrame) -> DataTable:
    """Return a frame as the table that the reader of tables takes.

    Raises:
        DataError: it has no rows.
    """
    if not frame.height:
        raise DataError("The data frame has no rows.", remedy="Give one row per photo.")
    texts = [c for c, t in frame.schema.items() if t in (pl.String, pl.Categorical, pl.Enum)]
    stripped = pl.col(texts).cast(pl.String).str.strip_chars()
    plain = frame.with_columns(stripped).with_columns(
        pl.when(pl.col(texts) == "").then(None).otherwise(pl.col(texts)).name.keep()
    )
    return DataTable(path=SHOWN_AS, frame=plain if texts else frame, first=0)


def root_of(frame: pl.DataFrame, column: str) -> Path:
    """Return the folder that a frame's paths start from: what absolute ones share, else the working directory."""
    if column in frame.columns:
        paths = [p for p in frame[column].cast(pl.String).to_list() if p]
        if paths and all(os.path.isabs(p) for p in paths):
            return Path(os.path.commonpath([os.path.dirname(p) for p in paths]))
    return Path.cwd()
