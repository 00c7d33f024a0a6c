"""The index of a pack: where each photo lies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import polars as pl
from numpy.typing import NDArray

from hoego import files
from hoego.data.packing.members import Bytes
from hoego.data.parquet_file import DamagedParquet, read_parquet
from hoego.errors import DataError
from hoego.short_repr import ShortRepr

INDEX = "index.parquet"
FORMAT = 1
COLUMNS = pl.Schema(
    {
        "id": pl.String,
        "subject": pl.String,
        "shard": pl.Int32,
        "offset": pl.Int64,
        "length": pl.Int64,
        "digest": pl.UInt64,
        "content": pl.UInt64,
    }
)
AGAIN = "Pack the photos again; shards that are whole are kept."


@dataclass(frozen=True, eq=False, repr=False)
class PackIndex(ShortRepr):
    """What `index.parquet` says.

    Args:
        table: a row per photo [N], in the order of the shards: `id`, `subject` (a hash), `shard` (its number), `offset`
            and `length` of its .npy file in bytes, `digest` of that file, `content` (of the photo and its crop).
        about: format, height, width, shards, and what made the pixels.
    """

    table: pl.DataFrame
    about: Mapping[str, Any]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return int(self.about["height"]), int(self.about["width"])

    def column(self, name: str) -> NDArray[Any]:
        """Return one column [N]."""
        return self.table[name].to_numpy()

    def write(self, folder: Path) -> None:
        """Write the index; the file appears whole or not at all."""
        with files.writing(folder / INDEX) as part:
            self.table.cast(COLUMNS).write_parquet(part, metadata={"hoego": json.dumps(dict(self.about))})

    @classmethod
    def read(cls, folder: Path) -> PackIndex:
        """Read the index of a pack.

        Raises:
            DataError: there is none, it is damaged, or a later version wrote it.
        """
        path = folder / INDEX
        if not path.is_file():
            raise DataError(
                "There is no pack of photos in this folder.", file=path, remedy="hoego pack --to DIR"
            )
        try:
            table, said = read_parquet(path)
            about = json.loads(said or "{}")
            found = cls(table.select(*COLUMNS.names()).cast(COLUMNS), about)
            sound = about["format"] == FORMAT and min(*found.size, int(about["shards"])) > 0
        except (DamagedParquet, pl.exceptions.PolarsError, ValueError, KeyError, TypeError) as problem:
            raise DataError(f"The index is damaged: {problem}", file=path, remedy=AGAIN) from None
        if not sound:
            raise DataError(
                f"The index has the format {about['format']}, not {FORMAT}.", file=path, remedy=AGAIN
            )
        return found


def shard_path(folder: Path, number: int) -> Path:
    """Return the file of a shard."""
    return folder / f"shard-{number:05d}.tar"


def digests(npy_files: Bytes) -> list[int]:
    """Return the digest of each file [n, length]: 64 bits of BLAKE2b."""
    return [int.from_bytes(blake2b(one.tobytes(), digest_size=8).digest(), "little") for one in npy_files]
