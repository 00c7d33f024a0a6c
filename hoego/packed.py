"""Bytes and masks as short text, for the JSON of metadata and evidence."""

from __future__ import annotations

import base64
import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

HELD = 256 * 1024
"""Characters of the longest text whose bytes are held."""


def pack(data: bytes) -> str:
    """Compress bytes to text.

    >>> unpack(pack(b"abc"))
    b'abc'
    """
    return base64.b85encode(zlib.compress(data, 6)).decode("ascii")


def unpack(text: str) -> bytes:
    """Return the bytes that `pack` was given."""
    return _held(text) if len(text) <= HELD else _unpacked(text)


def _unpacked(text: str) -> bytes:
    return zlib.decompress(base64.b85decode(text))


# The runs of one project name the same subjects and photos: to unpack these anew for each run would take a third of
# the time in which two hundred runs are read.
_held = lru_cache(maxsize=64)(_unpacked)


def pack_mask(mask: NDArray[np.bool_]) -> str:
    """Compress a mask [N] to text."""
    return pack(np.packbits(mask).tobytes())


def unpack_mask(text: str, n: int) -> NDArray[np.bool_]:
    """Return the mask [N] of N = `n` entries that `pack_mask` was given.

    >>> unpack_mask(pack_mask(np.array([True, False, True])), 3).tolist()
    [True, False, True]
    """
    return np.unpackbits(np.frombuffer(unpack(text), dtype=np.uint8), count=n).astype(bool)
