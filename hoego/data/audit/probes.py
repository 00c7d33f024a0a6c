"""What the headers of the photos say, remembered by content between audits."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path

import numpy as np
import polars as pl

from hoego.data.contents import cache_folder
from hoego.data.dataset import Dataset
from hoego.data.images import cpu_count, decode, read_header
from hoego.data.parquet_file import DamagedParquet, read_parquet
from hoego.data.progress_bar import counted
from hoego.errors import DataError
from hoego.files import write_bytes

SCHEMA = pl.Schema(
    {
        "content": pl.UInt64,
        "height": pl.Int64,
        "width": pl.Int64,
        "mode": pl.String,
        "format": pl.String,
        "orientation": pl.Int64,
    }
)


def probes(dataset: Dataset) -> pl.DataFrame:
    """Return one row per photo [N], in the data set's order; nulls where the header cannot be read."""
    store = (
        cache_folder()
        / "probes"
        / f"{blake2b(str(dataset.root.resolve()).encode(), digest_size=8).hexdigest()}.parquet"
    )
    wanted = pl.DataFrame({"content": pl.Series(dataset.contents, dtype=pl.UInt64)})
    known = _remembered(store)
    fresh = np.flatnonzero(~wanted["content"].is_in(known["content"].implode()).to_numpy())
    if len(fresh):
        paths = dataset.paths
        with ThreadPoolExecutor(cpu_count()) as pool:
            found = pool.map(_row, [paths[i] for i in fresh.tolist()], chunksize=64)
            rows = list(counted(found, len(fresh), "Reading headers"))
        new = pl.DataFrame(rows, schema=list(SCHEMA)[1:], orient="row").insert_column(
            0, wanted["content"][fresh]
        )
        known = pl.concat([known, new.cast(SCHEMA)]).unique("content", keep="last")
        _remember(store, known)
    return wanted.join(known, on="content", how="left", maintain_order="left")


def _row(path: Path) -> tuple[int | None, int | None, str | None, str | None, int | None]:
    try:
        p = read_header(path)
    except DataError:
        return (None, None, None, None, None)
    return (p.height, p.width, p.mode, p.format, p.orientation)


def unreadable(dataset: Dataset) -> dict[int, str]:
    """Return the rows of photos that cannot be decoded, each with the reason. Decodes every photo at full size."""

    def one(path: Path) -> str | None:
        try:
            decode(path)
        except DataError as e:
            return e.message
        return None

    with ThreadPoolExecutor(cpu_count()) as pool:
        found = pool.map(one, dataset.paths, chunksize=16)
        said = list(counted(found, dataset.n_images, "Looking for damaged photos"))
    return {i: text for i, text in enumerate(said) if text is not None}


def _remembered(store: Path) -> pl.DataFrame:
    try:
        return read_parquet(store)[0].select(*SCHEMA.names()).cast(SCHEMA)
    except (DamagedParquet, pl.exceptions.PolarsError):
        return pl.DataFrame(schema=SCHEMA)


def _remember(store: Path, table: pl.DataFrame) -> None:
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    try:
        write_bytes(store, buffer.getvalue(), durable=False)
    except (OSError, DataError):
        return
