"""Building and reading the cache of decoded photos."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hoego.data.images import Photo, bad_photos, cpu_count
from hoego.data.pixels.store import PixelStore
from hoego.data.pixels.work import Item, ProgressBar, work
from hoego.data.preprocess import Box, Preprocess
from hoego.errors import DataError
from hoego.short_repr import ShortRepr
from hoego.storage import storing

if TYPE_CHECKING:
    from hoego.data.dataset import Dataset

MANY = 3_000
"""From this many photos on, decoding is done by processes."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PixelCache(ShortRepr):
    """Decoded pixels of N photos.

    Args:
        array: uint8 [R, H, W, 3], read-only, memory-mapped; R distinct photos in the order of their first use.
        row: int64 [N], the row of each photo (0 to N-1 where no photo occurs twice).
        preprocess: what made them.
        folder: where they lie.
        decoded: how many rows this call decoded; the others were there already.
        seconds: what the call took, in all.
    """

    array: Photo
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
            array, decoded = CacheBuild(
                store=store,
                items=[(str(paths[i]), boxes[i]) for i in first.tolist()],
                contents=contents[first],
                preprocess=preprocess,
                options=options,
            ).open_or_run()
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
    """Return what tells the pixels of photos apart under a preprocessing, uint64 [N]: content and box.

    Args:
        contents: content hashes [N].
        preprocess: what is done to each.
        images: their ids; needed only where `preprocess` has a crop file.
    """
    return _row_keys(contents, _boxes(preprocess, images, len(contents)))


@dataclass(frozen=True)
class CacheBuildOptions:
    """How a cache is built.

    Args:
        folder: cache folder; None takes `cache_folder()`.
        workers: processes (threads for few photos); 0 for one per core.
        progress: called with (photos done, photos in all); None shows a bar on stderr.
    """

    folder: Path | None = None
    workers: int = 0
    progress: Progress | None = None


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


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class CacheBuild(ShortRepr):
    """One build of a cache, under its lock."""

    store: PixelStore
    items: list[tuple[str, Box | None]]
    contents: NDArray[np.uint64]
    preprocess: Preprocess
    options: CacheBuildOptions

    def open_or_run(self) -> tuple[Photo, int]:
        """Return the finished cache, and how many photos this call decoded for it."""
        with self.store.lock():
            array, decoded = (
                self.store.open(),
                0,
            )  # the process that held the lock before may have finished it
            if array is None:
                decoded = self.run()
                array = self.store.open(trusted=True)
        assert array is not None
        return array, decoded

    def run(self) -> int:
        """Decode what is missing, and return the number of photos that were decoded."""
        store = self.store
        store.prepare()
        todo = np.flatnonzero(store.recorded() == 0).tolist()
        donors = self._donors(todo)
        jobs = [self._job(chunk, donors) for chunk in todo]
        n_rows = sum(len(job["items"]) for job in jobs)
        copied = sum(item[3] is not None for job in jobs for item in job["items"])
        bad: list[DataError] = []
        done = [store.shape[0] - n_rows]
        guard = threading.Lock()
        progress = self.options.progress or ProgressBar(store.shape[0])
        workers = min(self.options.workers or cpu_count(), len(jobs)) or 1

        def take(answer: dict[str, Any], job: dict[str, Any]) -> None:
            with guard:
                bad.extend(DataError(m, file=f) for f, m in answer["bad"])
                done[0] += len(job["items"])
                progress(done[0], store.shape[0])

        try:
            with storing(store.pixels):
                work(self._setup(), jobs, workers if n_rows - copied >= MANY else 0, workers, take)
        finally:
            if isinstance(progress, ProgressBar):
                progress.close()
        if bad:
            raise bad_photos(sorted(bad, key=lambda e: str(e.file)), store.shape[0])
        store.finish()
        return n_rows - copied

    def _setup(self) -> dict[str, Any]:
        plain = self.preprocess.with_boxes(None).to_dict()
        return {"folder": str(self.store.folder), "preprocess": plain, "row_bytes": self.store.row_bytes}

    def _job(self, chunk: int, donors: dict[int, tuple[str, int]]) -> dict[str, Any]:
        first, last = self.store.span(chunk)
        items: list[Item] = [
            (*self.items[k], int(self.contents[k]), *donors.get(k, (None, 0))) for k in range(first, last)
        ]
        return {"chunk": chunk, "first": first, "items": items}

    def _donors(self, todo: Sequence[int]) -> dict[int, tuple[str, int]]:
        """Return rows that another cache of the same preprocessing holds: row here -> (its pixel file, row there)."""
        if not todo:
            return {}
        wanted = np.concatenate([np.arange(*self.store.span(c)) for c in todo])
        found: dict[int, tuple[str, int]] = {}
        for other in self.store.siblings():
            _, here, there = np.intersect1d(self.store.keys[wanted], other.keys, return_indices=True)
            chunks = sorted(set((there // other.chunk_rows).tolist()))
            good = set(other.sound(chunks)) if chunks else set()
            for i, j in zip(wanted[here].tolist(), there.tolist(), strict=True):
                if j // other.chunk_rows in good:
                    found.setdefault(i, (str(other.pixels), j))
        return found
