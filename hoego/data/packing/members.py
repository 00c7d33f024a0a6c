"""The members of a shard: tar headers around .npy files of one size, so that every photo lies a stride further."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hoego.data.images import Photo

BLOCK = 512
"""Bytes of a tar header, and what members are padded to (POSIX.1-1988, ustar)."""

END = bytes(2 * BLOCK)
"""What ends an archive."""

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Members:
    """Photos of one size as members of a tar archive.

    Args:
        height, width: in pixels.
    """

    height: int
    width: int

    @property
    def npy_header(self) -> bytes:
        """What stands before the pixels in a .npy file."""
        stream = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            stream, {"descr": "|u1", "fortran_order": False, "shape": (self.height, self.width, 3)}
        )
        return stream.getvalue()

    @property
    def length(self) -> int:
        """Bytes of a .npy file."""
        return len(self.npy_header) + self.height * self.width * 3

    @property
    def stride(self) -> int:
        """Bytes from one member to the next."""
        return BLOCK + -(-self.length // BLOCK) * BLOCK

    def written(self, photos: Photo, first: int) -> Bytes:
        """Return photos [n, H, W, 3] as n members, uint8 [n, stride], numbered from `first`."""
        out = np.zeros((len(photos), self.stride), dtype=np.uint8)
        header = self.npy_header
        for k in range(len(photos)):
            about = tarfile.TarInfo(f"{first + k:09d}.npy")
            about.size = self.length
            out[k, :BLOCK] = np.frombuffer(about.tobuf(tarfile.USTAR_FORMAT), dtype=np.uint8)
        out[:, BLOCK : BLOCK + len(header)] = np.frombuffer(header, dtype=np.uint8)
        out[:, BLOCK + len(header) : BLOCK + self.length] = photos.reshape(len(photos), -1)
        return out

    def files(self, members: Bytes) -> Bytes:
        """Return the .npy files, uint8 [n, length], of members [n, stride]."""
        return members[:, BLOCK : BLOCK + self.length]

    def pixels(self, shard: Bytes) -> Photo:
        """Return the photos [n, H, W, 3] of a shard's bytes, without a copy."""
        n = (len(shard) - len(END)) // self.stride
        start, row = BLOCK + len(self.npy_header), self.width * 3
        return np.lib.stride_tricks.as_strided(
            shard[start:],
            shape=(n, self.height, self.width, 3),
            strides=(self.stride, row, 3, 1),
            writeable=False,
        )
