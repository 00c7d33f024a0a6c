"""Content hashes of photos, remembered between runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hoego import files
from hoego.data.images import content_of
from hoego.data.parquet_file import DamagedParquet, read_parquet
from hoego.data.progress_bar import counted
from hoego.errors import DataError

_FACTS = ("size", "time", "changed", "inode")
_INT64 = 2**63 - 1


def cache_folder() -> Path:
    """Return HOEGO_CACHE, or `hoego` in the user's cache folder."""
    if given := os.environ.get("HOEGO_CACHE"):
        return Path(given).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "hoego"


def content_hashes(
    root: Path, paths: Sequence[str], rows: Sequence[int | None], file: Path
) -> NDArray[np.uint64]:
    """Return the content hash of each photo [N]. A file is read again only if its size, times or inode changed.

    The time of the last change to the inode is among them, since nobody can set it back.

    Args:
        root: folder of the photos.
        paths: relative paths [N].
        rows: line of each in `file`, for messages.
        file: the table that names them.

    Raises:
        DataError: a photo is missing or cannot be read; names the file and the row of the table.
    """
    facts = np.zeros((len(paths), len(_FACTS)), dtype=np.int64)
    for i, p in enumerate(paths):
        try:
            s = os.stat(root / p)
        except OSError as e:
            raise _unreadable(paths[i], rows[i], file, e) from None
        facts[i] = s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino & _INT64
    store = (
        cache_folder()
        / "contents"
        / f"{blake2b(str(root.resolve()).encode(), digest_size=8).hexdigest()}.parquet"
    )
    now = pl.DataFrame({"path": list(paths), **{name: facts[:, k] for k, name in enumerate(_FACTS)}})
    known = _remembered(store)
    found = now.join(known, on=["path", *_FACTS], how="left", maintain_order="left")["content"]
    hashes = found.fill_null(0).to_numpy().astype(np.uint64)
    fresh = np.flatnonzero(found.is_null().to_numpy())
    if len(fresh):

        def one(i: int) -> int:
            try:
                return content_of((root / paths[i]).read_bytes())
            except OSError as e:
                raise _unreadable(paths[i], rows[i], file, e) from None

        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            found_now = pool.map(one, fresh.tolist(), chunksize=64)
            hashes[fresh] = np.fromiter(
                counted(found_now, len(fresh), "Reading photos"), np.uint64, count=len(fresh)
            )
        _remember(store, pl.concat([known, now.with_columns(content=hashes)]).unique("path", keep="last"))
    return hashes


def _unreadable(path: str, row: int | None, file: Path, error: OSError) -> DataError:
    why = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
    return DataError(
        f"The photo {path!r} {why}.",
        remedy="Restore it, or remove its row from the table.",
        file=file,
        row=row,
    )


_EMPTY = pl.Schema({"path": pl.String, **dict.fromkeys(_FACTS, pl.Int64), "content": pl.UInt64})


def _remembered(store: Path) -> pl.DataFrame:
    try:
        return read_parquet(store)[0].select(*_EMPTY.names()).cast(_EMPTY)
    except (DamagedParquet, pl.exceptions.PolarsError):
        return pl.DataFrame(schema=_EMPTY)


def _remember(store: Path, table: pl.DataFrame) -> None:
    try:
        with files.writing(store, durable=False) as temporary:
            table.write_parquet(temporary)
    except (OSError, DataError):
        return
