"""Files of predictions as other tools write them: CSV, TSV, Parquet, .npz."""

from __future__ import annotations

import zipfile
import zlib
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hoego.damage import described
from hoego.data.parquet_file import DamagedParquet, read_parquet
from hoego.errors import DataError, HoegoError, UsageError
from hoego.predictions.frame_columns import FrameRows, class_columns, image_column, read_frame
from hoego.predictions.outside import HeldOut

FORMATS = (".csv", ".tsv", ".parquet", ".npz")
IMAGES = ("images", "image", "items", "ids", "paths", "files", "filenames", "names")
VALUES = ("probabilities", "probs", "preds", "predictions", "p", "logits", "values")
CLASSES = ("classes", "vocab", "class_names", "labels")


def read_file(path: Path, held_out: HeldOut, image: str | None = None) -> FrameRows:
    """Read a file of predictions: photos by name, and values [N, C] in the schema's order of classes.

    Args:
        path: .csv, .tsv or .parquet with a column per class; or .npz with the arrays `images` [N], `probabilities` or
            `logits` [N, C] and `classes` [C] (also under the names that fastai uses: items, preds, vocab).
        held_out: what is predicted.
        image: the column that names the photo; found by its name where None.

    Raises:
        UsageError: there is no such file, or it is of another format.
        DataError: what it holds does not fit; names the file, and the column or the row.
    """
    _require_file(path)
    try:
        if path.suffix.lower() == ".npz":
            return _arrays(path, held_out)
        return read_frame(_table(path), held_out, image)
    except HoegoError as error:
        error.file = error.file or path
        raise


def names_in(path: Path, held_out: HeldOut, image: str | None = None) -> list[str]:
    """Read the names of the photos alone. Arguments and errors as `read_file`."""
    _require_file(path)
    try:
        if path.suffix.lower() == ".npz":
            return _arrays(path, held_out).images
        table = _table(path)
        return table[image_column(table, image, held_out)].cast(pl.String).fill_null("").to_list()
    except HoegoError as error:
        error.file = error.file or path
        raise


def _require_file(path: Path) -> None:
    if path.suffix.lower() not in FORMATS or not path.is_file():
        what = "There is no such file." if not path.is_file() else f"Not one of {', '.join(FORMATS)}."
        raise UsageError(
            what, file=path, remedy="Give a table with a column per class, or an .npz of arrays."
        )


def digest_of(path: Path) -> str:
    """Give the blake2b digest of a file's bytes, 32 hex digits."""
    h = blake2b(digest_size=16)
    with path.open("rb") as stream:
        while block := stream.read(1 << 22):
            h.update(block)
    return h.hexdigest()


def _table(path: Path) -> pl.DataFrame:
    try:
        if path.suffix.lower() == ".parquet":
            return read_parquet(path)[0]
        separator = "\t" if path.suffix.lower() == ".tsv" else ","
        # As text: an id such as 00012 must keep its zeros.
        return pl.read_csv(path, separator=separator, infer_schema=False)
    except (
        DamagedParquet,
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,
        OSError,
        UnicodeError,
    ) as problem:
        raise DataError(f"The file cannot be read: {described(problem)}", remedy="Write it again.") from None


def _arrays(path: Path, held_out: HeldOut) -> FrameRows:
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as problem:
        raise DataError(
            f"The arrays cannot be read: {problem}",
            remedy="Save names as text, not as objects: np.savez(FILE, images=np.array(names, dtype=str), ...).",
        ) from None
    images, values, classes = (_named(arrays, names) for names in (IMAGES, VALUES, CLASSES))
    names = [str(c) for c in classes.tolist()]
    if values.ndim != 2 or values.shape != (len(images), len(names)):
        raise DataError(
            f"{len(images):,} photos, {len(names)} classes, and values of the shape {values.shape}.",
            remedy="Save values [N, C] with N names of photos and C names of classes.",
        )
    order = [names.index(c) for c in class_columns(names, held_out)]
    # Bytes that were text, as some tools store names.
    texts = [n.decode() if isinstance(n, bytes) else str(n) for n in images.tolist()]
    ordered: NDArray[np.float32] = values[:, order].astype(np.float32)
    return FrameRows(texts, ordered)


def _named(arrays: dict[str, Any], names: tuple[str, ...]) -> NDArray[Any]:
    for name in names:
        if name in arrays:
            found: NDArray[Any] = arrays[name]
            return found
    raise DataError(
        f"The file has no array called {names[0]} among {', '.join(arrays)}.",
        remedy=f"Save one of {', '.join(names)}. The order of the classes is never guessed.",
    )
