"""Building a cache in one process: which chunks are missing, and their decoding."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.data.images import Photo, bad_photos, cpu_count
from hoego.data.pixels.store import PixelStore
from hoego.data.pixels.work import Item, work
from hoego.data.preprocess import Box, Preprocess
from hoego.data.progress_bar import ProgressBar
from hoego.errors import DataError
from hoego.short_repr import ShortRepr
from hoego.storage import storing

MANY = 3_000
"""From this many photos on, decoding is done by processes."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class CacheBuildOptions:
    """How a cache is built.

    Args:
        folder: cache folder; None takes `cache_folder()`.
        workers: processes (threads for few photos); 0 for one per core.
        progress: called with (photos done, photos in all); None shows a bar on stderr.
        parts: claimed one by one by as many processes, of as many machines, as share the folder; 0: one process
            decodes all, and others wait for it.
    """

    folder: Path | None = None
    workers: int = 0
    progress: Progress | None = None
    parts: int = 0


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
            # The process that held the lock before may have finished it.
            array, decoded = self.store.open(), 0
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
        jobs = self.jobs(todo)
        n_rows = sum(len(job["items"]) for job in jobs)
        copied = sum(map(n_copied, jobs))
        bad: list[DataError] = []
        done = store.shape[0] - n_rows

        def take(answer: dict[str, Any], job: dict[str, Any]) -> int:
            nonlocal done
            bad.extend(DataError(m, file=f) for f, m in answer["bad"])
            done += len(job["items"])
            return done

        self.work(iter(jobs), n_rows - copied, take)
        if bad:
            raise bad_photos(sorted(bad, key=lambda e: str(e.file)), store.shape[0])
        store.finish()
        return n_rows - copied

    def work(self, jobs: Iterator[dict[str, Any]], n_photos: int, take: Callable[..., int]) -> None:
        """Do jobs on all cores, and show the photos done.

        Args:
            jobs: as `jobs` makes them.
            n_photos: about how many photos there are to decode.
            take: called with the answer and the job, never twice at once; returns the photos done.
        """
        guard = threading.Lock()
        workers = min(self.options.workers or cpu_count(), self.store.n_chunks) or 1
        progress = self.options.progress or ProgressBar(self.store.shape[0])

        def took(answer: dict[str, Any], job: dict[str, Any]) -> None:
            with guard:
                progress(take(answer, job), self.store.shape[0])

        try:
            with storing(self.store.pixels):
                work(self._setup(), jobs, workers if n_photos >= MANY else 0, workers, took)
        finally:
            if isinstance(progress, ProgressBar):
                progress.close()

    def jobs(self, chunks: Sequence[int]) -> list[dict[str, Any]]:
        """Return what is to be decoded for some chunks, a job for each."""
        donors = self._donors(chunks)
        return [self._job(chunk, donors) for chunk in chunks]

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


def n_copied(job: dict[str, Any]) -> int:
    """Return how many photos of a job are copied from another cache."""
    return sum(item[3] is not None for item in job["items"])
