"""A data frame of predictions from outside: which column names the photo, and which one is which class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from hoego.data.readers.frames import to_polars
from hoego.data.schema import COMPOSITE
from hoego.errors import DataError, LeakError, first_few, nearest
from hoego.predictions.match_images import match_images
from hoego.predictions.outside import HeldOut
from hoego.short_repr import ShortRepr

IMAGE_COLUMNS = (
    "image", "image_id", "id", "path", "image_path", "file_path", "filepath", "file", "filename", "file_name", "fname",
    "item", "items", "name", "img", "photo", "__index_level_0__", "index", "",
)  # fmt: skip
"""Names (lower case) by which the column of photos is known, the surest first; the last are those of a saved index."""
SAID_BESIDE = (
    "fold",
    "label",
    "labels",
    "target",
    "truth",
    "true",
    "y",
    "pred",
    "prediction",
    "predicted",
    "source",
)
"""Columns (lower case) that tools write beside the classes; of these only `fold` is read."""
PREFIXES = ("p:", "p_", "prob_", "proba_", "probability_", "logit_", "logits_", "score_")


@dataclass(frozen=True, eq=False, repr=False)
class FrameRows(ShortRepr):
    """The content of a data frame: N photos by name, and values [N, C] in the schema's order of classes."""

    images: list[str]
    values: NDArray[np.float32]


def read_frame(frame: Any, held_out: HeldOut, image: str | None = None) -> FrameRows:
    """Read a data frame with one row per photo and one column per class, found by name in any order.

    Args:
        frame: of polars or pandas, or a mapping of columns. Where no column names the photo, pandas' index does.
        held_out: what is predicted. A column `fold` is checked against the split.
        image: the column that names the photo; found by its name where None.

    Raises:
        DataError: a class has no column, a column is not a class, or a value is not a number; names it.
        LeakError: the column `fold` gives a photo another fold than the split.
    """
    table = _table(frame)
    named = image_column(table, image, held_out)
    columns = class_columns([c for c in table.columns if c != named], held_out)
    values = np.empty((table.height, len(columns)), dtype=np.float32)
    for k, column in enumerate(columns):
        values[:, k] = _numbers(table[column])
    photos = table[named]
    if photos.null_count():
        row = int(photos.is_null().arg_max() or 0)
        raise DataError(f"Row {row} (from 0) names no photo.", column=named, remedy="Name each row's photo.")
    images = photos.cast(pl.String).to_list()
    fold = next((c for c in table.columns if c.lower() == "fold" and c not in columns), None)
    if fold is not None:
        _require_folds(images, table[fold], held_out)
    return FrameRows(images, values)


def _table(frame: Any) -> pl.DataFrame:
    if type(frame).__module__.split(".")[0] == "pandas" and hasattr(frame, "columns"):
        names = {str(c).lower() for c in frame.columns}
        if not names & set(IMAGE_COLUMNS) and all(n is None for n in frame.index.names):
            frame = frame.rename_axis("__index_level_0__")
    table = to_polars(frame)
    if table is None:
        raise DataError(
            f"{type(frame).__name__} is not a data frame.",
            remedy="Give one of pandas or polars, or a mapping of columns.",
        )
    return table


def image_column(table: pl.DataFrame, asked: str | None, held_out: HeldOut) -> str:
    """Return the column that names the photos: the one asked for, else the surest by name. Raises DataError."""
    if asked is not None:
        if asked not in table.columns:
            raise DataError(f"There is no column {asked!r}.", remedy=nearest(asked, table.columns))
        return asked
    lower = {c.lower(): c for c in reversed(table.columns) if c not in held_out.classes}
    for name in IMAGE_COLUMNS:
        if name in lower:
            return lower[name]
    raise DataError(
        f"No column names the photos among {', '.join(map(repr, table.columns[:8]))}.",
        remedy="Add one with the ids or the paths of the photos, called image.",
    )


def class_columns(columns: Sequence[str], held_out: HeldOut) -> list[str]:
    """Find the column of each class, in the schema's order.

    A class is called by its name, as its folder in an export (`folder_name`), by its name after one common prefix
    (`p:`, `prob_` and the like), or, for the composite, by its number.

    Raises:
        DataError: a class has no column, or a column is none of the classes; names it and the nearest one.
    """
    classes = held_out.classes
    free = [c for c in columns if c.lower() not in SAID_BESIDE or c in classes]
    folders = [c.replace("/", "+") for c in classes]
    spelled = [list(classes), folders, *([f"{p}{c}" for c in classes] for p in PREFIXES)]
    if held_out.column == COMPOSITE:
        spelled.append([str(k) for k in range(len(classes))])
    found = max(spelled, key=lambda names: len(set(names) & set(free)))
    missing = [c for c in found if c not in free]
    stray = [c for c in free if c not in found]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(classes)} classes of {held_out.column!r} have no column: "
            f"{first_few([repr(c) for c in missing], 6)}.",
            remedy=nearest(missing[0], free) if free else "Give one column per class, called as the class.",
        )
    if stray:
        raise DataError(
            f"{first_few([repr(c) for c in stray], 6)} is not a class of {held_out.column!r}.",
            column=stray[0],
            remedy="Leave out columns that are not classes. A model with further classes solves another task.",
        )
    return found


def folder_name(label: str) -> str:
    """Name the folder of a class: its name, a composite's with + between the parts.

    Raises DataError where that cannot be the name of a folder.

    >>> folder_name("wear/male/<30")
    'wear+male+<30'
    """
    name = label.replace("/", "+")
    if name.strip(". ") != name or not name.isprintable() or "\\" in name:
        raise DataError(
            f"The class {label!r} cannot name a folder.",
            remedy="Export a table: --layout csv, or rename the class.",
        )
    return name


def _numbers(column: pl.Series) -> NDArray[np.float32]:
    if column.dtype == pl.String:
        column = column.str.strip_chars()
    plain = column.cast(pl.Float32, strict=False)
    if plain.null_count():
        row = int(plain.is_null().arg_max() or 0)
        raise DataError(
            f"Row {row} (from 0) holds {column[row]!r}, no number.",
            column=column.name,
            remedy="Give a number for each class of each photo.",
        )
    out: NDArray[np.float32] = plain.to_numpy()
    return out


def _require_folds(images: Sequence[str], column: pl.Series, held_out: HeldOut) -> None:
    """Raise LeakError where the frame states that another fold's model made a row."""
    said = column.cast(pl.Int64, strict=False).to_numpy()
    split = held_out.split
    ids = match_images(images, held_out.dataset)
    truth = split.fold[np.searchsorted(split.images, ids)]
    wrong = np.flatnonzero(~(said == truth))
    if len(wrong):
        row = int(wrong[0])
        raise LeakError(
            f"{len(wrong):,} of {len(ids):,} rows say another fold than the split {split.name!r}: row {row} (from 0), "
            f"{ids[row]!r}, says {column[row]!r}, and the split holds it out in fold {int(truth[row])}.",
            remedy="Train the model of each fold on this split (hoego folds export), or leave out the column fold if "
            "it means something else.",
        )


def class_values(values: Any, held_out: HeldOut) -> ArrayLike:
    """Return an array [N, C] as it is, and the columns of a data frame of classes alone in the schema's order."""
    table = to_polars(values) if hasattr(values, "columns") or isinstance(values, dict) else None
    if table is None:
        out: ArrayLike = values
        return out
    return np.stack([_numbers(table[c]) for c in class_columns(table.columns, held_out)], axis=1)
