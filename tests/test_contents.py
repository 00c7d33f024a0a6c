"""Remembered content hashes: read once, and again whenever a file may be another."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest

from hoego.data import contents
from hoego.data.contents import content_hashes

NAMES = ["a.png", "b.png"]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path / "cache"))
    (tmp_path / "photos").mkdir()
    for name, text in zip(NAMES, (b"first", b"other"), strict=True):
        (tmp_path / "photos" / name).write_bytes(text)
        os.utime(tmp_path / "photos" / name, ns=(10**18, 10**18))
    return tmp_path / "photos"


def hashes(root: Path) -> list[int]:
    return content_hashes(root, NAMES, [2, 3], root / "t.csv").tolist()


def test_what_did_not_change_is_not_read_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = hashes(root)
    monkeypatch.setattr(contents, "content_of", lambda _: pytest.fail("read again"))
    assert hashes(root) == first


def test_two_files_that_change_places_are_noticed(root: Path) -> None:
    first = hashes(root)
    (root / "a.png").rename(root / "c")
    (root / "b.png").rename(root / "a.png")
    (root / "c").rename(root / "b.png")
    assert hashes(root) == first[::-1]


def test_new_content_of_equal_size_with_the_old_time_is_noticed(root: Path) -> None:
    first = hashes(root)
    (root / "a.png").write_bytes(b"other")
    os.utime(root / "a.png", ns=(10**18, 10**18))
    assert hashes(root) == [first[1], first[1]]


def test_a_memory_of_an_older_version_is_made_anew(root: Path) -> None:
    first = hashes(root)
    (store,) = (root.parent / "cache" / "contents").iterdir()
    old = pl.read_parquet(store).select("path", "size", "time", content=pl.lit(7, dtype=pl.UInt64))
    old.write_parquet(store)
    assert hashes(root) == first
