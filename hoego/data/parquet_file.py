"""Reading a Parquet file that may be damaged: one error for all that polars and its parts find wrong with it."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from hoego.damage import described, is_damage

_LOCK = threading.Lock()


class DamagedParquet(Exception):
    """The file is no Parquet file, or a damaged one; the text says why."""


def read_parquet(path: Path) -> tuple[pl.DataFrame, str | None]:
    """Read a table, and what its metadata hold under the key `hoego`; None where there is no such key.

    A damaged file makes polars panic now and then, and a panic prints its own traceback before it is raised: past
    Python, on the process's standard error. It is kept off the terminal, since the error says all there is to say.

    Raises:
        DamagedParquet: it cannot be read.
    """
    with _undamaged():
        return pl.read_parquet(path, use_pyarrow=False), pl.read_parquet_metadata(path).get("hoego")


def read_metadata(path: Path) -> str | None:
    """Read what the metadata of a table hold under the key `hoego`, without the table; None where there is no such key.

    Raises:
        DamagedParquet: they cannot be read.
    """
    with _undamaged():
        return pl.read_parquet_metadata(path).get("hoego")


@contextlib.contextmanager
def _undamaged() -> Iterator[None]:
    """Raise DamagedParquet for whatever polars and its parts raise of a damaged file."""
    try:
        with _quiet():
            yield
    except BaseException as problem:
        if not is_damage(problem):
            raise
        raise DamagedParquet(described(problem)) from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Send what the process prints on its standard error nowhere, while one file is read."""
    with _LOCK:
        try:
            kept = os.dup(2)
        except OSError:  # it is closed
            yield
            return
        if sys.stderr is not None:
            sys.stderr.flush()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(nowhere)
            os.close(kept)
