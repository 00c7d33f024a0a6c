"""Pixels on their way to the model: resident on the training device where they fit, else streamed from the memory map.

The rows of every batch are known before the epoch starts, so whatever prepares them can run ahead.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hoego.data.pixels import PixelCache
from hoego.short_repr import ShortRepr

SHARE = 0.4
"""Share of the free memory that resident pixels may take; the rest is for the model and its activations."""

UNKNOWN_MEMORY = 4 << 30
"""Bytes taken as free where the system does not say (Windows): small data sets stay resident, others are streamed."""

CHUNK = 1024
"""Photos that are brought to the device at a time, so that the host never holds all of them beside it."""

AHEAD = 3
"""Batches that a background thread prepares ahead."""


class PixelLoader(Protocol):
    """Photos by row, as uint8 [B, H, W, 3] on the training device."""

    @property
    def resident(self) -> bool:
        """True where all photos are in the device's memory."""
        ...

    @property
    def n_images(self) -> int:
        """Number of photos N."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        ...

    def batches(self, rows: Sequence[NDArray[np.int64]]) -> Iterator[Tensor]:
        """Yield one tensor per entry of `rows`, in turn."""
        ...


@dataclass(frozen=True, eq=False, repr=False)
class ResidentPixelLoader(ShortRepr):
    """All photos in the memory of the training device."""

    array: Tensor
    resident: bool = True

    @property
    def n_images(self) -> int:
        """Number of photos N."""
        return len(self.array)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return (self.array.shape[1], self.array.shape[2])

    def batches(self, rows: Sequence[NDArray[np.int64]]) -> Iterator[Tensor]:
        """Yield uint8 [B, H, W, 3] on the device for each entry int64 [B] of `rows`."""
        if self.array.device.type == "cpu":
            photos = self.array.numpy()
            for r in rows:
                yield torch.from_numpy(photos.take(r, axis=0))
            return
        order = torch.from_numpy(np.concatenate(list(rows)) if len(rows) else np.empty(0, np.int64))
        if self.array.device.type == "cuda":
            order = order.pin_memory()
        there = order.to(self.array.device, non_blocking=True)
        start = 0
        for r in rows:
            yield self.array.index_select(0, there[start : start + len(r)])
            start += len(r)


@dataclass(frozen=True, eq=False, repr=False)
class StreamedPixelLoader(ShortRepr):
    """Photos that stay in the cache's memory map; a background thread reads ahead."""

    cache: PixelCache
    rows_of: NDArray[np.int64]
    device: torch.device
    resident: bool = False

    @property
    def n_images(self) -> int:
        """Number of photos N."""
        return len(self.rows_of)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.cache.preprocess.size

    def read(self, rows: NDArray[np.int64]) -> Tensor:
        """Read photos [B, H, W, 3] into host memory, pinned for a GPU, in the order of their places in the file."""
        where = self.cache.row[self.rows_of[rows]]
        order = np.argsort(where, kind="stable")
        out = np.empty((len(rows), *self.size, 3), dtype=np.uint8)
        for k in order.tolist():
            out[k] = self.cache.array[where[k]]
        batch = torch.from_numpy(out)
        return batch.pin_memory() if self.device.type == "cuda" else batch

    def batches(self, rows: Sequence[NDArray[np.int64]]) -> Iterator[Tensor]:
        """Yield uint8 [B, H, W, 3] on the device for each entry int64 [B] of `rows`."""
        for batch in ahead(self.read(r) for r in rows):
            yield batch.to(self.device, non_blocking=True)


def ahead(source: Iterator[Tensor], depth: int = AHEAD) -> Iterator[Tensor]:
    """Yield the same items, prepared by a background thread up to `depth` ahead; its errors are raised here.

    The thread ends when the consumer stops early.
    """
    ready: queue.Queue[tuple[Tensor | None, BaseException | None]] = queue.Queue(maxsize=depth)
    stop = threading.Event()

    def put(item: tuple[Tensor | None, BaseException | None]) -> bool:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in source:
                if not put((item, None)):
                    return
            put((None, None))
        except BaseException as e:
            put((None, e))

    thread = threading.Thread(target=work, name="hoego-pixels", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item
    finally:
        stop.set()
        thread.join()


def open_pixels(
    cache: PixelCache, images: NDArray[np.int64], device: torch.device, *, budget: int | None = None
) -> PixelLoader:
    """Open the pixels of some images of a cache.

    Args:
        cache: decoded photos of the whole data set.
        images: positions [n] in the data set.
        device: where the model is.
        budget: bytes that may be resident; None takes `SHARE` of what is free on the device.
    """
    height, width = cache.preprocess.size
    n_bytes = len(images) * height * width * 3
    if n_bytes > (free_bytes(device) * SHARE if budget is None else budget):
        return StreamedPixelLoader(cache, images, device)
    photos = torch.empty((len(images), height, width, 3), dtype=torch.uint8, device=device)
    for start in range(0, len(images), CHUNK):
        chunk = cache.array[cache.row[images[start : start + CHUNK]]]
        photos[start : start + CHUNK] = torch.from_numpy(chunk).to(device)
    return ResidentPixelLoader(photos)


def free_bytes(device: torch.device) -> int:
    """Return the free memory of the device; for the CPU the least of the system's, the group's and the process's."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    bounds = [_available()]
    bounds += _limits_of_process()
    for name, used in (("memory.max", "memory.current"),):
        group = _number(Path("/sys/fs/cgroup") / name)
        if group is not None:
            bounds.append(group - (_number(Path("/sys/fs/cgroup") / used) or 0))
    return max(0, min(bounds))


def _available() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    if not hasattr(os, "sysconf"):
        return UNKNOWN_MEMORY
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _limits_of_process() -> list[int]:
    """Return the bytes that each limit of this process leaves (address space, data); [] where there are none."""
    try:
        import resource
    except ImportError:
        return []
    left = []
    for limit, column in ((resource.RLIMIT_AS, 0), (resource.RLIMIT_DATA, 5)):
        soft, _ = resource.getrlimit(limit)
        if soft != resource.RLIM_INFINITY:
            left.append(soft - _statm(column) * resource.getpagesize())
    return left


def _statm(column: int) -> int:
    """Return a column of /proc/self/statm in pages (0: address space, 5: data); 0 where there is no such file."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[column])
    except OSError:
        return 0


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def batch_rows(order: NDArray[np.int64], batch_size: int) -> list[NDArray[np.int64]]:
    """Cut an epoch's order [N] into round(N / batch_size) batches of one size, at least one.

    A remainder below half a batch waits for another epoch's order; a larger one is topped up from this order's start.
    With fewer photos than a batch there is one batch of all of them.
    """
    size = min(batch_size, len(order))
    steps = steps_per_epoch(len(order), batch_size)
    filled = order[: steps * size]
    if len(filled) < steps * size:
        filled = np.concatenate([filled, order[: steps * size - len(filled)]])
    return list(filled.reshape(steps, size))


def steps_per_epoch(n_images: int, batch_size: int) -> int:
    """Return the number of batches of an epoch."""
    return max(1, round(n_images / batch_size))


def eval_batch(size: tuple[int, int], batch_size: int, device: torch.device) -> int:
    """Return the batch size without a backward pass: photos of some 32 MB on a CPU, 256 MB on a GPU."""
    room = (256 if device.type == "cuda" else 12) << 20
    return max(batch_size, min(4096, room // (size[0] * size[1] * 12)))
