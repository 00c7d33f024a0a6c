"""Three layouts behind one contract: each gives a RawTable of the photos, their subjects and their labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl

from hoego.data.readers import competition, folders, frames, table_file
from hoego.data.readers.photo_files import photos_below
from hoego.data.readers.raw_table import RawTable
from hoego.data.readers.unlabelled import read_unlabelled
from hoego.data.spelling import plain_name
from hoego.errors import DataError
from hoego.recipe.sections import DatasetSettings, LabelSettings

__all__ = ["detect_layout", "photos_below", "read_layout", "read_unlabelled"]

_READERS = {"competition": competition.read, "folders": folders.read, "table": table_file.read}


def detect_layout(settings: DatasetSettings) -> str:
    """Return the layout of a folder: competition, table or folders.

    A table that is named decides; then the competition's folders; then a pattern; then any table that names photos.
    """
    root = Path(settings.root)
    if settings.table is not None or root.is_file():
        return "table"
    if competition.train_folder(root) is not None:
        return "competition"
    if settings.pattern is not None:
        return "folders"
    try:
        table_file.find_table(root)
    except DataError as error:
        if "tables (" in error.message:
            raise
        return "folders"
    return "table"


def read_layout(
    settings: DatasetSettings, labels: LabelSettings, frame: pl.DataFrame | None = None
) -> RawTable:
    """Read the photos below `settings.root` with their raw subjects and labels; `frame` is the table where given.

    Raises:
        DataError: the root is missing, or whatever is wrong with its photos and table: file, row, column, remedy.
    """
    root = Path(settings.root)
    if not root.exists():
        raise DataError("There is no such folder.", file=root, remedy="Check dataset.root.")
    if frame is not None:
        return _plainly_labelled(table_file.read_rows(frames.table_of(frame), settings, labels))
    if root.is_file():
        settings = settings.model_copy(update={"root": str(root.parent), "table": root.name})
    read = _READERS[detect_layout(settings) if settings.layout == "auto" else settings.layout]
    return _plainly_labelled(read(settings, labels))


def _plainly_labelled(raw: RawTable) -> RawTable:
    """Return the same with one spelling of every class, in the rows and in the settings (see `plain_name`)."""
    columns = set(raw.attribute_columns.values()) & set(raw.rows.columns) - {"image", "path", "row"}
    texts = [c for c in columns if raw.rows[c].dtype in (pl.String, pl.Categorical, pl.Enum)]
    attributes = {
        name: a.model_copy(update={"classes": _plain_classes(a.classes)})
        for name, a in raw.labels.attributes.items()
    }
    return replace(
        raw,
        rows=raw.rows.with_columns(plain_name(raw.rows[c].cast(pl.String)) for c in texts),
        labels=raw.labels.model_copy(update={"attributes": attributes}),
    )


def _plain_classes(classes: tuple[str, ...]) -> tuple[str, ...]:
    """Drop the second spelling of one class; a class that is written twice stays, and is refused later."""
    plain = plain_name(pl.Series(classes, dtype=pl.String)).to_list()
    return tuple(dict.fromkeys(plain) if len(set(classes)) == len(classes) else plain)
