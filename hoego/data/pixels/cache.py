"""Building and reading the cache of decoded photos."""

from __future__ import annotations

import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hoego.data.images import Photo
from hoego.data.pixels.build import CacheBuild, CacheBuildOptions
from hoego.data.pixels.parts import PartsBuild
from hoego.data.pixels.store import PixelStore
from hoego.data.preprocess import Box, Preprocess
from hoego.errors import DataError
from hoego.short_repr import ShortRepr

if TYPE_CHECKING:
    from hoego.data.dataset import Dataset


class PixelRows(Protocol):
    """Photos of one size that are indexed along their first axis: by a position, by positions, a slice or a mask."""

    def __len__(self) -> int:
        """Return the number of photos R."""
        ...

    def __getitem__(self, which: Any, /) -> Any:
        """Return uint8 [H, W, 3] of one photo, [n, H, W, 3] of several."""
        ...

    @property
    def nbytes(self) -> int:
        """Bytes of all pixels."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PixelCache(ShortRepr):
    """Decoded pixels of N photos.

    Args:
        array: uint8 [R, H, W, 3], read-only, memory-mapped; R distinct photos in the order of their first use. Of a
            pack (`hoego pack`) the photos in the order of its shards.
        row: int64 [N], the row of each photo (0 to N-1 where no photo occurs twice).
        preprocess: what made them.
        folder: where they lie.
        decoded: how many rows this call decoded; the others were there already.
        seconds: what the call took, in all.
    """

    array: PixelRows
    row: NDArray[np.int64]
    preprocess: Preprocess
    folder: Path
    decoded: int = 0
    seconds: float = 0.0

    @property
    def n_images(self) -> int:
        """The number of images in the cache."""
        return len(self.row)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, H, W, 3)."""
        return (self.n_images, *self.preprocess.size, 3)

    @property
    def nbytes(self) -> int:
        """Bytes of the file."""
        return int(self.array.nbytes)

    @cached_property
    def aligned(self) -> bool:
        """Whether row k of `array` is photo k."""
        return len(self.array) == len(self.row)

    def rows(self, indices: NDArray[np.integer[Any]] | Sequence[int] | slice) -> Photo:
        """Return pixels uint8 [n, H, W, 3] of some photos, copied into memory."""
        return np.ascontiguousarray(self.array[self.row[indices]])

    @classmethod
    def of(
        cls, dataset: Dataset, preprocess: Preprocess, *, options: CacheBuildOptions | None = None
    ) -> PixelCache:
        """Return the cache of a Dataset's photos, in its order; see `build`."""
        images = dataset.image_ids.tolist()
        return cls.build(dataset.paths, dataset.contents, preprocess, images=images, options=options)

    @classmethod
    def existing(cls, dataset: Dataset, preprocess: Preprocess) -> PixelCache | None:
        """Return the cache of a Dataset's photos where it is there and whole; decode nothing, write nothing."""
        from hoego.data.contents import cache_folder

        boxes = _boxes(preprocess, dataset.image_ids.tolist(), dataset.n_images)
        unique, _, row = _first_use(_row_keys(dataset.contents, boxes))
        store = PixelStore.of(unique, preprocess, cache_folder())
        array = store.open()
        if array is None:
            return None
        return cls(array=array, row=row, preprocess=preprocess, folder=store.folder)

    @classmethod
    def build(
        cls,
        paths: Sequence[Path | str],
        contents: NDArray[np.uint64],
        preprocess: Preprocess,
        *,
        images: Sequence[str] | None = None,
        options: CacheBuildOptions | None = None,
    ) -> PixelCache:
        """Return the cache of the photos, made or completed where it is not there yet.

        Args:
            paths: files [N].
            contents: their content hashes [N] (`images.content_of`).
            preprocess: what is done to each.
            images: their ids [N]; needed only where `preprocess` has a crop file.
            options: folder, processes, progress.

        Raises:
            DataError: photos cannot be used (all are tried, up to 20 are named), one has changed since it was
                hashed, or the disk is full.
        """
        from hoego.data.contents import cache_folder  # here, so that decoding processes start without polars

        start = time.perf_counter()
        options = options or CacheBuildOptions()
        boxes = _boxes(preprocess, images, len(paths))
        keys = _row_keys(contents, boxes)
        unique, first, row = _first_use(keys)
        store = PixelStore.of(unique, preprocess, options.folder or cache_folder())
        array, decoded = store.open(), 0
        if array is None:
            build = CacheBuild(
                store=store,
                items=[(str(paths[i]), boxes[i]) for i in first.tolist()],
                contents=contents[first],
                preprocess=preprocess,
                options=options,
            )
            parts = PartsBuild(build=build)
            # A training that is started meanwhile takes its share.
            shared = options.parts or parts.others_at_work()
            array, decoded = parts.open_or_run() if shared else build.open_or_run()
        return cls(
            array=array,
            row=row,
            preprocess=preprocess,
            folder=store.folder,
            decoded=decoded,
            seconds=time.perf_counter() - start,
        )


def photo_keys(
    contents: NDArray[np.uint64], preprocess: Preprocess, images: Sequence[str] | None = None
) -> NDArray[np.uint64]:
    """Return keys of the pixels of photos under a preprocessing, uint64 [N]: content and box.

    Args:
        contents: content hashes [N].
        preprocess: what is done to each.
        images: their ids; needed only where `preprocess` has a crop file.
    """
    return _row_keys(contents, _boxes(preprocess, images, len(contents)))


def _boxes(preprocess: Preprocess, images: Sequence[str] | None, n: int) -> list[Box | None]:
    if preprocess.boxes is None:
        return [None] * n
    if images is None:
        raise DataError("The preprocessing has a crop file: the photos' ids are needed to find their boxes.")
    return [preprocess.box_of(image) for image in images]


def _row_keys(contents: NDArray[np.uint64], boxes: Sequence[Box | None]) -> NDArray[np.uint64]:
    keys = np.array(contents, dtype=np.uint64)
    for k, box in enumerate(boxes):
        if box is not None:
            packed = struct.pack("<Q4d", int(keys[k]), *box)
            keys[k] = int.from_bytes(blake2b(packed, digest_size=8).digest(), "little")
    return keys


def _first_use(keys: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
    """Return distinct keys [R] in the order of first use, the position [R] of that use, the row [N] of each."""
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return keys[first[order]], first[order].astype(np.int64), rank[inverse].astype(np.int64)
