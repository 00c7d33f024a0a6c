"""The folder of one pixel cache: its files, their checksums, its lock."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import numpy as np
import PIL
import simplejpeg
from numpy.typing import NDArray

from hoego import files
from hoego.data.images import Photo, cpu_count
from hoego.data.preprocess import Preprocess
from hoego.errors import DataError
from hoego.short_repr import ShortRepr
from hoego.storage import full_disk, storing

FORMAT = 1
DONE = 1 << 32
"""Added to the checksum of a finished chunk, so that none is marked 0."""

CHUNK_BYTES, CHUNK_ROWS = 8 << 20, 256
SAMPLED = 256 << 20
"""Bytes whose checksums are read on opening a cache that has not been touched since it was finished."""


@dataclass(frozen=True, eq=False, repr=False)
class PixelStore(ShortRepr):
    """The folder of one cache."""

    folder: Path
    shape: tuple[int, int, int, int]
    keys: NDArray[np.uint64] = field(repr=False)

    @classmethod
    def of(cls, keys: NDArray[np.uint64], preprocess: Preprocess, root: Path) -> PixelStore:
        """Return the store of these images under this preprocessing; its folder is named by a hash of both."""
        made_by = (
            f"{FORMAT} {preprocess.fingerprint} pillow {PIL.__version__} simplejpeg {simplejpeg.__version__}"
        )
        kind = blake2b(made_by.encode(), digest_size=8).hexdigest()
        name = blake2b(keys.tobytes(), digest_size=8).hexdigest()
        return cls(root / "pixels" / kind / name, (len(keys), *preprocess.size, 3), keys)

    @property
    def row_bytes(self) -> int:
        """The bytes of one image."""
        return self.shape[1] * self.shape[2] * 3

    @property
    def chunk_rows(self) -> int:
        """The images of one chunk."""
        return max(1, min(CHUNK_ROWS, CHUNK_BYTES // self.row_bytes))

    @property
    def n_chunks(self) -> int:
        """The number of chunks."""
        return -(-self.shape[0] // self.chunk_rows)

    @property
    def n_bytes(self) -> int:
        """The bytes of all images."""
        return self.shape[0] * self.row_bytes

    @property
    def pixels(self) -> Path:
        """The file of the pixels."""
        return self.folder / "pixels.u8"

    def span(self, chunk: int) -> tuple[int, int]:
        """Return the first row and the row after the last."""
        start = chunk * self.chunk_rows
        return start, min(start + self.chunk_rows, self.shape[0])

    def recorded(self) -> NDArray[np.uint64]:
        """Return the marks of the chunks [n_chunks]; all 0 if the file is missing or has another length."""
        try:
            marks = np.fromfile(self.folder / "chunks.u64", dtype="<u8")
        except OSError:
            marks = np.empty(0, dtype="<u8")
        return marks.astype(np.uint64) if len(marks) == self.n_chunks else np.zeros(self.n_chunks, np.uint64)

    def sound(self, chunks: Sequence[int]) -> list[int]:
        """Return those of the chunks whose pixels are recorded and agree with their checksum."""
        marks = self.recorded()
        try:
            file = os.open(self.pixels, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except OSError:
            return []

        def agrees(chunk: int) -> bool:
            first, last = self.span(chunk)
            data = read_at(file, (last - first) * self.row_bytes, first * self.row_bytes)
            return len(data) == (last - first) * self.row_bytes and int(marks[chunk]) == DONE + zlib.crc32(
                data
            )

        try:
            with ThreadPoolExecutor(cpu_count()) as pool:
                marked = [c for c in chunks if marks[c]]
                return [c for c, ok in zip(marked, pool.map(agrees, marked), strict=True) if ok]
        finally:
            os.close(file)

    def open(self, trusted: bool = False) -> Photo | None:
        """Return the finished cache, or None where it is not finished or is damaged.

        A file that was touched since it was finished is read in full; otherwise chunks of up to SAMPLED bytes,
        spread over it.
        """
        try:
            about = json.loads((self.folder / "cache.json").read_text())
            stat = self.pixels.stat()
        except (OSError, ValueError, RecursionError):
            return None
        if (
            not isinstance(about, dict)
            or about.get("shape") != list(self.shape)
            or stat.st_size != self.n_bytes
        ):
            return None
        if not trusted:
            chunks = np.arange(self.n_chunks)
            sampled = max(1, SAMPLED // (self.chunk_rows * self.row_bytes))
            if stat.st_mtime_ns == about.get("mtime_ns") and len(chunks) > sampled:
                chunks = np.unique(np.linspace(0, len(chunks) - 1, sampled).astype(int))
            if len(self.sound(chunks.tolist())) < len(chunks):
                return None
        if not self.n_bytes:
            return np.zeros(self.shape, dtype=np.uint8)
        return np.asarray(np.memmap(self.pixels, dtype=np.uint8, mode="r", shape=self.shape))

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold a lock that is exclusive among processes of this machine; the system releases it when its holder
        dies.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = open(self.folder / "lock", "a")  # noqa: SIM115
        except OSError as error:
            raise DataError(
                f"The cache folder cannot be written ({error.strerror}).",
                file=self.folder,
                remedy="Set HOEGO_CACHE.",
            ) from None
        with file:
            # On a file system without locks two builders write the same bytes to the same places.
            try:
                files.lock(file, wait=False)
            except BlockingIOError:
                print("Waiting for another process that decodes the same photos ...", file=sys.stderr)
                files.lock(file)
            yield

    def prepare(self) -> None:
        """Reserve room for all pixels, and keep only the marks that agree with the file."""
        (self.folder / "cache.json").unlink(missing_ok=True)
        good = self.sound(range(self.n_chunks))
        marks = self.recorded()
        marks[np.setdiff1d(np.arange(self.n_chunks), good)] = 0
        with storing(self.pixels):
            stream = open(self.pixels, "ab")  # noqa: SIM115
        with stream as file:
            try:
                file.truncate(self.n_bytes)
                # macOS and Windows have no such call; there a full disk shows while the photos are decoded.
                if self.n_bytes and hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, self.n_bytes)
            except OSError as error:
                if not full_disk(error):
                    return
                self.pixels.unlink()
                raise DataError(
                    f"the disk is full: it has no room for {self.n_bytes / 1e6:,.1f} MB of decoded photos.",
                    file=self.folder,
                    remedy="Free some, set HOEGO_CACHE to another disk, or choose a smaller dataset.size.",
                ) from None
            finally:
                files.write_bytes(self.folder / "chunks.u64", marks.astype("<u8").tobytes())
                files.write_bytes(self.folder / "keys.u64", self.keys.astype("<u8").tobytes())

    def finish(self) -> None:
        """Write the pixels to the disk, and then the file that marks them as complete."""
        with open(self.pixels, "rb") as file:
            os.fsync(file.fileno())
        about = {"format": FORMAT, "shape": list(self.shape), "mtime_ns": self.pixels.stat().st_mtime_ns}
        files.write_bytes(self.folder / "cache.json", json.dumps(about).encode())

    def siblings(self) -> Iterator[PixelStore]:
        """Yield other caches of the same preprocessing, finished or not."""
        for folder in sorted(self.folder.parent.iterdir()):
            with contextlib.suppress(OSError):
                keys = np.fromfile(folder / "keys.u64", dtype="<u8").astype(np.uint64)
                if folder != self.folder and len(keys):
                    yield PixelStore(folder, (len(keys), *self.shape[1:]), keys)


_SEEKING = threading.Lock()


def read_at(file: int, size: int, start: int) -> bytes:
    """Read up to `size` bytes from byte `start` of an open file, from any thread."""
    if hasattr(os, "pread"):
        return os.pread(file, size, start)
    with _SEEKING:  # Windows: threads share the place in the file
        os.lseek(file, start, os.SEEK_SET)
        return os.read(file, size)
