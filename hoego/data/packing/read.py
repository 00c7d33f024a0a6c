"""Reading a pack: its shards as one array that a training indexes as it indexes the pixel cache."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.data.images import Photo
from hoego.data.packing.index import AGAIN, INDEX, PackIndex, digests, shard_path
from hoego.data.packing.members import BLOCK, END, Members
from hoego.data.pixels import PixelCache, photo_keys
from hoego.data.preprocess import Preprocess
from hoego.errors import DataError, MismatchError
from hoego.short_repr import ShortRepr

SAMPLED = 64 << 20
"""Bytes whose digests are checked when a pack is opened, spread over all shards."""


@dataclass(frozen=True, eq=False, repr=False)
class PackedRows(ShortRepr):
    """The photos of all shards, as an array that is indexed along its first axis.

    Pickled, it holds the paths of its shards and not their pixels.

    Args:
        paths: files of the shards.
        members: how photos lie in them.
        shard: number of each photo's shard [N].
        place: its place therein [N].
    """

    paths: tuple[Path, ...]
    members: Members
    shard: NDArray[np.int32]
    place: NDArray[np.int64]

    @cached_property
    def shards(self) -> tuple[Photo, ...]:
        """The photos of each shard, uint8 [n, H, W, 3], memory-mapped."""
        return tuple(self.members.pixels(np.memmap(p, dtype=np.uint8, mode="r")) for p in self.paths)

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave the mapped pixels out."""
        return PackedRows, (self.paths, self.members, self.shard, self.place)

    def __len__(self) -> int:
        """Return the number of photos N."""
        return len(self.shard)

    def __getitem__(self, which: Any, /) -> Any:
        """Return one photo [H, W, 3], or those of positions, a slice or a mask [n, H, W, 3]."""
        if isinstance(which, (int, np.integer)):
            return self.shards[self.shard[which]][self.place[which]]
        shard, place = self.shard[which], self.place[which]
        out = np.empty((len(shard), self.members.height, self.members.width, 3), dtype=np.uint8)
        # In the order of the disk.
        for k in np.lexsort((place, shard)).tolist():
            out[k] = self.shards[shard[k]][place[k]]
        return out

    @property
    def nbytes(self) -> int:
        """Bytes of the pixels."""
        return len(self) * self.members.height * self.members.width * 3


def open_packed(folder: Path, dataset: Dataset, preprocess: Preprocess) -> PixelCache:
    """Return the pixels of a data set's photos from a pack, found by the photos' contents and crops.

    Args:
        folder: of the pack.
        dataset: N photos, which may be some of those of the pack.
        preprocess: must be that of the pack.

    Raises:
        MismatchError: the pack is of another size or preprocessing, or it lacks photos.
        DataError: there is no pack, or it is damaged; names the file.
    """
    index = PackIndex.read(folder)
    _require_same(index, preprocess, folder)
    keys = photo_keys(dataset.contents, preprocess, dataset.image_ids.tolist())
    there = index.column("content")
    order = np.argsort(there, kind="stable")
    row = order[np.minimum(np.searchsorted(there, keys, sorter=order), len(there) - 1)]
    missing = np.flatnonzero(there[row] != keys)
    if len(missing):
        raise MismatchError(
            f"The pack {folder} lacks {len(missing):,} of {len(keys):,} photos, or they have changed since, such as "
            f"{str(dataset.image_ids[missing[0]])!r}.",
            remedy=AGAIN,
        )
    return PixelCache(array=_rows(index, folder), row=row, preprocess=preprocess, folder=folder)


def _require_same(index: PackIndex, preprocess: Preprocess, folder: Path) -> None:
    if index.about["preprocess"] == preprocess.fingerprint:
        return
    here, there = (f"{h} x {w}" for h, w in (preprocess.size, index.size))
    what = (
        f"{there} pixels, not {here}"
        if here != there
        else "another preprocessing (fit, interpolation or crop)"
    )
    raise MismatchError(
        f"The pack {folder} is of {what}.", remedy="Pack with the settings that the training has."
    )


def _rows(index: PackIndex, folder: Path) -> PackedRows:
    members = Members(*index.size)
    shard, offset = index.column("shard"), index.column("offset")
    place = (offset - BLOCK) // members.stride
    sizes = np.bincount(shard, minlength=int(index.about["shards"])) if (shard >= 0).all() else np.zeros(0)
    fits = (place * members.stride + BLOCK == offset) & (index.column("length") == members.length)
    known = len(sizes) == int(index.about["shards"]) and fits.all() and (place >= 0).all()
    if not known or (place >= sizes[shard]).any():
        raise DataError("The index names places that no shard has.", file=folder / INDEX, remedy=AGAIN)
    paths = tuple(shard_path(folder, number) for number in range(len(sizes)))
    for path, n in zip(paths, sizes.tolist(), strict=True):
        wanted = n * members.stride + len(END)
        size = path.stat().st_size if path.is_file() else -1
        if size != wanted:
            what = "is missing" if size < 0 else f"has {size:,} bytes, not {wanted:,}"
            raise DataError(f"The shard {what}.", file=path, remedy=AGAIN)
    _require_sound(index, paths, members)
    return PackedRows(paths, members, shard, place)


def _require_sound(index: PackIndex, paths: tuple[Path, ...], members: Members) -> None:
    """Compare some photos of all shards with their digests."""
    shards = [np.memmap(path, dtype=np.uint8, mode="r") for path in paths]
    n = min(index.table.height, max(1, SAMPLED // members.stride))
    looked_at = index.table[np.unique(np.linspace(0, index.table.height - 1, n).astype(int)).tolist()]
    for image, shard, offset, digest in looked_at.select("id", "shard", "offset", "digest").iter_rows():
        content = shards[shard][offset : offset + members.length]
        if digests(content[None])[0] != digest:
            raise DataError(
                f"The photo {image!r} is not the one that was packed: the shard is damaged.",
                file=paths[shard],
                remedy=AGAIN,
            )
