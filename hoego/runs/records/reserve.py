"""A reserve of disk space beside the records, given up when the disk is full so that the failure can be recorded."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from hoego import files
from hoego.errors import DataError

RESERVE_FILE = ".ballast"
"""Its name. `hoego merge` and the listing pass hidden files over."""

_SIZES = (1 << 20, 1 << 16)
"""Bytes, the first that fits: a run.json takes some kilobytes."""


def keep_reserve(runs: Path) -> None:
    """Lay the reserve down where it is missing and there is room."""
    path = runs / RESERVE_FILE
    for size in _SIZES:
        if path.exists():
            return
        # Random bytes, since a file system that compresses would keep no room for zeros.
        with contextlib.suppress(OSError, DataError):
            files.write_bytes(path, os.urandom(size), durable=False)


def free_reserve(runs: Path) -> bool:
    """Give the reserve up; returns whether there was one."""
    try:
        (runs / RESERVE_FILE).unlink()
    except OSError:
        return False
    return True
