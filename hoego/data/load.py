"""From a recipe to a Dataset: layout, labels, overlay, content, subjects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hoego.data.aliases import SubjectAliases
from hoego.data.contents import content_hashes
from hoego.data.dataset import Dataset, LabelCorrection
from hoego.data.encode import apply_corrections, encode_labels, with_combinations
from hoego.data.label_changes import table_of
from hoego.data.origin import DatasetOrigin
from hoego.data.overlay import read_overlay
from hoego.data.readers import read_layout, read_unlabelled
from hoego.data.readers.links import require_links_inside
from hoego.data.readers.raw_table import RawTable
from hoego.data.readers.unreadable import apart_where_unreadable
from hoego.data.schema import MISSING, LabelSchema
from hoego.data.spelling import plain_name
from hoego.data.subjects import join_subjects
from hoego.errors import DataError
from hoego.recipe import Recipe

OWN_COLUMNS = ("image", "path", "subject", "content", "row")


def load(recipe: Recipe) -> Dataset:
    """Read the Dataset that a recipe names. Raises as `read_dataset`."""
    return read_dataset(DatasetOrigin(recipe.dataset, recipe.labels, recipe.split.join))


def read_dataset(origin: DatasetOrigin) -> Dataset:
    """Read the Dataset of files or of a data frame.

    Raises:
        DataError: anything about the photos, their table or the overlay; names the file, the row and the remedy.
        SplitError: split.join names what is not there.
    """
    raw, schema, codes, numbers, corrections = _labelled(origin)
    rows = raw.rows
    linked = require_links_inside(raw.root, rows["path"].to_list(), origin.dataset.links)
    contents = _contents(raw)
    _require_subjects(raw)
    told_apart, unread = apart_where_unreadable(raw, contents)
    joined, said = join_subjects(rows, raw.subject_columns, told_apart, origin.join)
    namespace = origin.dataset.namespace
    subjects = [f"{namespace}/{s}" for s in joined] if namespace else joined
    return Dataset(
        root=raw.root,
        schema=schema,
        images=_images(rows, subjects, contents),
        codes=codes,
        numbers=numbers,
        # A subject of one photo each shows no independence: photos of one person have as many names as there are.
        subject_shown=bool(raw.subject_columns) and len(set(subjects)) < len(subjects),
        joins=(*raw.notes, *linked, *unread, *said),
        corrections=corrections,
        excluded=raw.excluded,
        aliases=SubjectAliases.of(rows, raw.subject_columns or ("image",), subjects, namespace),
        name=raw.root.name,
        origin=origin,
    )


def read_labels(origin: DatasetOrigin) -> pl.DataFrame:
    """Read the labels alone, as a label table; no photo is opened. Raises as `read_dataset`."""
    raw, schema, codes, _, _ = _labelled(origin)
    return table_of(schema, raw.rows["image"].to_list(), codes)


_Labelled = tuple[
    RawTable,
    LabelSchema,
    NDArray[np.int16],
    dict[str, NDArray[np.float64]],
    tuple[LabelCorrection, ...],
]


def _labelled(origin: DatasetOrigin) -> _Labelled:
    """Read the rows, sorted, with their labels encoded and corrected: schema, codes, numbers, corrections."""
    raw = read_layout(origin.dataset, origin.labels, origin.frame)
    rows = raw.rows.sort("image")
    rows = rows.with_columns(plain_name(rows[c].cast(pl.String)) for c in raw.subject_columns)
    raw = RawTable(**{**raw.__dict__, "rows": rows})
    _require_rows(raw)
    _require_plain_text(raw)
    schema, codes, numbers = encode_labels(raw)
    corrections: tuple[LabelCorrection, ...] = ()
    if origin.dataset.overlay is not None:
        images = rows["image"].to_list()
        corrections = tuple(read_overlay(raw.root / origin.dataset.overlay, schema, images))
        codes, numbers = apply_corrections(schema, images, (codes, numbers), corrections)
        if schema.combinations is not None:
            schema = with_combinations(schema, codes)
    return raw, schema, codes, numbers, corrections


def load_unlabelled(path: Path, schema: LabelSchema, *, root: Path | None = None) -> Dataset:
    """Return a set without truth: a folder of photos, or a table with a path column; the order of the table is kept.

    Args:
        path: the folder or the table.
        schema: the schema that predictions of it will have.
        root: what the table's paths are relative to; the table's folder where not given.
    """
    raw = read_unlabelled(path, root)
    _require_rows(raw)
    _require_plain_text(raw)
    contents = _contents(raw)
    subjects = raw.rows["image"].to_list()
    return Dataset(
        root=raw.root,
        schema=schema,
        images=_images(raw.rows, subjects, contents),
        codes=np.full((raw.rows.height, schema.n_attributes), MISSING, dtype=np.int16),
        subject_shown=False,
        labelled=False,
        name=path.name,
    )


def _contents(raw: RawTable) -> Any:
    lines = raw.rows["row"].to_list() if "row" in raw.rows.columns else [None] * raw.rows.height
    return content_hashes(raw.root, raw.rows["path"].to_list(), lines, raw.file)


def _images(rows: pl.DataFrame, subjects: list[str], contents: Any) -> pl.DataFrame:
    extra = [c for c in rows.columns if c not in OWN_COLUMNS]
    return pl.DataFrame(
        {
            "image": rows["image"].cast(pl.String),
            "path": rows["path"].cast(pl.String),
            "subject": pl.Series(subjects, dtype=pl.String),
            "content": pl.Series(contents, dtype=pl.UInt64),
            **{c: rows[c] for c in extra},
        }
    )


def _require_rows(raw: RawTable) -> None:
    if raw.rows.height == 0:
        raise DataError(
            "There are no photos in it.", remedy="Check dataset.root and dataset.table.", file=raw.file
        )
    repeated = raw.rows["image"].is_duplicated()
    if repeated.any():
        at = int(np.flatnonzero(repeated.to_numpy())[1])
        raise DataError(
            f"The image id {raw.rows['image'][at]!r} appears in more than one row.",
            remedy="Ids must be distinct; remove the repeated row.",
            file=raw.file,
            row=raw.rows["row"][at] if "row" in raw.rows.columns else None,
        )


def _require_plain_text(raw: RawTable) -> None:
    """Refuse NUL characters: numpy drops them from the end of a text, so two names would become one."""
    for column in (c for c, kind in raw.rows.schema.items() if kind == pl.String):
        found = raw.rows[column].str.contains("\0", literal=True).fill_null(False).to_numpy()
        if found.any():
            at = int(np.flatnonzero(found)[0])
            raise DataError(
                f"The text {raw.rows[column][at]!r} holds a NUL character.",
                remedy="Remove the character; a table of two bytes a letter (UTF-16) must be saved as UTF-8.",
                file=raw.file,
                row=raw.rows["row"][at] if "row" in raw.rows.columns else None,
                column=column,
            )


def _require_subjects(raw: RawTable) -> None:
    for column in raw.subject_columns:
        values = raw.rows[column].cast(pl.String).str.strip_chars()
        blank = (values.is_null() | (values == "")).to_numpy()
        if blank.any():
            at = int(np.flatnonzero(blank)[0])
            raise DataError(
                f"The photo {raw.rows['image'][at]!r} has no subject.",
                remedy="Every photo needs one, else the split cannot keep a subject on one side.",
                file=raw.file,
                row=raw.rows["row"][at] if "row" in raw.rows.columns else None,
                column=column,
            )
