"""Parquet files of our own: written with a digest of their content, read with one error for all that is damaged."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import polars as pl

from hoego import files
from hoego.damage import described, is_damage

KEY = "hoego"
"""The key of a file's metadata that holds what Hoego says of it, as JSON."""
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
        return pl.read_parquet(path, use_pyarrow=False), pl.read_parquet_metadata(path).get(KEY)


def read_metadata(path: Path) -> str | None:
    """Read what the metadata of a table hold under the key `hoego`, without the table; None where there is no such key.

    Raises:
        DamagedParquet: they cannot be read.
    """
    with _undamaged():
        return pl.read_parquet_metadata(path).get(KEY)


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


def write_sealed_parquet(path: Path, table: pl.DataFrame, meta: Mapping[str, Any]) -> None:
    """Write a table of texts and whole numbers, whole or not at all, with `meta` and a digest of both."""
    said = json.dumps({**meta, "digest": _digest(table, meta)}, ensure_ascii=False)
    with files.writing(path) as temporary:
        table.write_parquet(temporary, metadata={KEY: said})


def unsealed(table: pl.DataFrame, meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of a table without its digest; a file of an early version has none.

    Raises:
        DamagedParquet: the table or its metadata was changed after it was written.
    """
    rest = {key: value for key, value in meta.items() if key != "digest"}
    if "digest" in meta and meta["digest"] != _digest(table, rest):
        raise DamagedParquet("it was changed after it was written")
    return rest


def _digest(table: pl.DataFrame, meta: Mapping[str, Any]) -> str:
    # Of the values and not of the file's bytes, nor of types: another version of polars may write both otherwise.
    h = blake2b(json.dumps(meta, sort_keys=True).encode(), digest_size=16)
    for column in table.get_columns():
        h.update(json.dumps([column.name, column.to_list()], ensure_ascii=True).encode())
    return h.hexdigest()


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
