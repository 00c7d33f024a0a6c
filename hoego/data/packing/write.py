"""Writing a pack: the pixels of the cache, shard by shard, each whole or absent; the index last."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import PIL
import polars as pl
import simplejpeg
from numpy.typing import NDArray

from hoego import files
from hoego.data.dataset import Dataset
from hoego.data.packing.index import FORMAT, INDEX, PackIndex, digests, shard_path
from hoego.data.packing.members import BLOCK, END, Bytes, Members
from hoego.data.packing.plan import plan_shards
from hoego.data.pixels import PixelCache, ProgressBar, photo_keys
from hoego.data.preprocess import Preprocess
from hoego.errors import DataError
from hoego.results.pixels import PackedPhotos
from hoego.short_repr import ShortRepr

AT_ONCE = 8 << 20
"""Bytes of photos that are in memory at a time."""


@dataclass(frozen=True, kw_only=True)
class PackRequest:
    """What to pack.

    Args:
        to: the folder; a pack that was begun in it is continued.
        shard_bytes: about the size of a shard.
        seed: of the order in which subjects and photos are laid out.
    """

    to: Path
    shard_bytes: int = 256 << 20
    seed: int = 0


def pack(dataset: Dataset, preprocess: Preprocess, request: PackRequest) -> PackedPhotos:
    """Write the photos of a data set at training size as tar shards with an index.

    Shards that are there already and hold the same photos are kept, so a pack that was killed goes on.

    Args:
        dataset: its N photos.
        preprocess: what is done to each.
        request: where to, and how large.

    Raises:
        DataError: photos cannot be used, or the disk is full; the folder holds other files.
    """
    started = time.perf_counter()
    _require_own_folder(request.to)
    cache = PixelCache.of(dataset, preprocess)
    members = Members(*preprocess.size)
    per_shard = max(1, (request.shard_bytes - len(END)) // members.stride)
    shards = plan_shards(dataset.subject_index, per_shard, request.seed)
    (request.to / INDEX).unlink(missing_ok=True)
    written, found, first = 0, list[int](), 0
    bar = ProgressBar(dataset.n_images, "Packing photos")
    try:
        for number, rows in enumerate(shards):
            path = shard_path(request.to, number)
            shard = _Shard(cache, members, rows, first)
            known = shard.digests_of(path)
            found += shard.write(path) if known is None else known
            written += known is None
            first += len(rows)
            bar(first, dataset.n_images)
    finally:
        bar.close()
    _remove_others(request.to, len(shards))
    _index(dataset, preprocess, shards, members, found).write(request.to)
    return PackedPhotos(
        images=dataset.n_images,
        subjects=dataset.n_subjects,
        shards=len(shards),
        written=written,
        height=preprocess.size[0],
        width=preprocess.size[1],
        n_bytes=sum(shard_path(request.to, k).stat().st_size for k in range(len(shards))),
        seconds=round(time.perf_counter() - started, 3),
        folder=str(request.to),
    )


@dataclass(frozen=True, eq=False, repr=False)
class _Shard(ShortRepr):
    """One shard: the photos `rows` of the data set, numbered from `first`."""

    cache: PixelCache
    members: Members
    rows: NDArray[np.int64]
    first: int

    @property
    def n_bytes(self) -> int:
        return len(self.rows) * self.members.stride + len(END)

    def blocks(self) -> Iterator[Bytes]:
        """Yield the members, uint8 [n, stride], some at a time."""
        step = max(1, AT_ONCE // self.members.stride)
        for start in range(0, len(self.rows), step):
            yield self.members.written(self.cache.rows(self.rows[start : start + step]), self.first + start)

    def write(self, path: Path) -> list[int]:
        """Write the file, and return the digest of each member's content."""
        found: list[int] = []
        with files.writing(path) as part, part.open("wb") as stream:
            for block in self.blocks():
                stream.write(block.data)
                found += digests(self.members.files(block))
            stream.write(END)
        return found

    def digests_of(self, path: Path) -> list[int] | None:
        """Return the digests of a file that holds exactly this; None where there is no such file."""
        if not path.is_file() or path.stat().st_size != self.n_bytes:
            return None
        there, at, found = np.memmap(path, dtype=np.uint8, mode="r"), 0, list[int]()
        for block in self.blocks():
            if not np.array_equal(there[at : at + block.size], block.reshape(-1)):
                return None
            found += digests(self.members.files(block))
            at += block.size
        return found


def _index(
    dataset: Dataset,
    preprocess: Preprocess,
    shards: list[NDArray[np.int64]],
    members: Members,
    found: list[int],
) -> PackIndex:
    rows = np.concatenate(shards)
    sizes = np.asarray([len(s) for s in shards])
    place = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    names = _hashed(dataset)
    table = pl.DataFrame(
        {
            "id": dataset.image_ids[rows],
            "subject": names[dataset.subject_index[rows]],
            "shard": np.repeat(np.arange(len(shards)), sizes),
            "offset": place * members.stride + BLOCK,
            "length": np.full(len(rows), members.length),
            "digest": np.asarray(found, dtype=np.uint64),
            "content": photo_keys(dataset.contents, preprocess, dataset.image_ids.tolist())[rows],
        }
    )
    about = {
        "format": FORMAT,
        "height": members.height,
        "width": members.width,
        "shards": len(shards),
        "preprocess": preprocess.fingerprint,
        "decoders": {"pillow": PIL.__version__, "simplejpeg": simplejpeg.__version__},
    }
    return PackIndex(table, about)


def _hashed(dataset: Dataset) -> NDArray[np.str_]:
    """Return a hash of each subject's name [S]: equal for one subject of this data set, of no use in another."""
    key = dataset.fingerprint.encode()
    return np.asarray(
        [blake2b(s.encode(), digest_size=8, key=key).hexdigest() for s in dataset.subjects.tolist()]
    )


def _require_own_folder(folder: Path) -> None:
    """Refuse a folder that holds something else: its shards would be removed as those of an older pack."""
    if folder.is_file():
        raise DataError(
            "A file stands where the folder is to be.", file=folder, remedy="Choose another --to."
        )
    if not folder.is_dir():
        return
    others = [p.name for p in folder.iterdir() if not _ours(p.name)]
    if others:
        raise DataError(
            f"The folder holds other files, such as {min(others)!r}.",
            file=folder,
            remedy="Pack into a folder of its own.",
        )


def _ours(name: str) -> bool:
    return name == INDEX or name.startswith(("shard-", ".shard-", f".{INDEX}"))


def _remove_others(folder: Path, n_shards: int) -> None:
    """Remove shards of an older, larger pack, and parts that a killed process left."""
    for path in folder.iterdir():
        kept = path in {shard_path(folder, k) for k in range(n_shards)}
        if path.name.startswith(("shard-", ".shard-")) and not kept:
            path.unlink(missing_ok=True)
