"""Memory that a training frees is kept for its next step, on a CPU under Linux.

glibc gives large blocks back to the system as soon as they are freed, so every step of a training asks for all its
activations anew, and the system clears each page again at its first use. For a ResNet-10t on 256 photos of 32 px in
float32 these are 28,000 page faults a step and a fifth of its time (benchmarks/kept_memory.py).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
"""Numbers of the parameters in glibc's malloc.h; see mallopt(3)."""

SPARE = 64 << 20
"""Bytes that the heap grows by at a time."""


def keep_freed_memory() -> bool:
    """Make this process keep freed memory; return whether it does.

    Nothing is changed where the C library is not glibc, or where the environment says how it should allocate.
    """
    said = {"MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_"}
    if said & set(os.environ) or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    mallopt = _of_glibc("mallopt")
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1), (M_TOP_PAD, SPARE))
    return mallopt is not None and all(mallopt(name, value) == 1 for name, value in settings)


def _of_glibc(name: str) -> Callable[..., int] | None:
    """Return a function of the C library where that is glibc, else None."""
    try:
        library = ctypes.CDLL(None)
        return getattr(library, name) if hasattr(library, "gnu_get_libc_version") else None
    except (OSError, AttributeError, TypeError):
        return None


def trim_memory() -> None:
    """Return the freed memory of earlier trainings to the system, so that it counts as free."""
    if (trim := _of_glibc("malloc_trim")) is not None:
        trim(0)
