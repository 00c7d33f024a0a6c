"""Bytes and masks as short text, for the JSON of metadata and evidence."""

from __future__ import annotations

import base64
import zlib

import numpy as np
from numpy.typing import NDArray


def pack(data: bytes) -> str:
    """Compress bytes to text.

    >>> unpack(pack(b"abc"))
    b'abc'
    """
    return base64.b85encode(zlib.compress(data, 6)).decode("ascii")


def unpack(text: str) -> bytes:
    """Return the bytes that `pack` was given."""
    return zlib.decompress(base64.b85decode(text))


def pack_mask(mask: NDArray[np.bool_]) -> str:
    """Compress a mask [N] to text."""
    return pack(np.packbits(mask).tobytes())


def unpack_mask(text: str, n: int) -> NDArray[np.bool_]:
    """Return the mask [N] of N = `n` entries that `pack_mask` was given.

    >>> unpack_mask(pack_mask(np.array([True, False, True])), 3).tolist()
    [True, False, True]
    """
    return np.unpackbits(np.frombuffer(unpack(text), dtype=np.uint8), count=n).astype(bool)
