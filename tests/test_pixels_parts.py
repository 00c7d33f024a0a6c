"""A pixel cache built in parts: equal to that of one process, however many share the work and whoever dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hoego.data.images import content_of
from hoego.data.pixels import CacheBuildOptions, PixelCache, parts, store
from hoego.data.preprocess import Preprocess
from hoego.errors import DataError

SMALL = Preprocess(size=(12, 10))
FILES = ("pixels.u8", "chunks.u64", "keys.u64")

WORKER = """
import sys, time
from pathlib import Path
import numpy as np
from hoego.data import pixels
from hoego.data.images import content_of
from hoego.data.preprocess import Preprocess
pixels.store.CHUNK_ROWS = 2
slow, fill = float(sys.argv[3]), pixels.work.fill
def slowly(*args):
    time.sleep(slow)
    return fill(*args)
pixels.work.fill = slowly
paths = sorted(Path(sys.argv[1]).iterdir())
contents = np.array([content_of(p.read_bytes()) for p in paths], dtype=np.uint64)
show = lambda d, n: print(d, flush=True)
options = pixels.CacheBuildOptions(folder=Path(sys.argv[2]), workers=1, progress=show, parts=5)
cache = pixels.PixelCache.build(paths, contents, Preprocess(size=(12, 10)), options=options)
print("decoded", cache.decoded, flush=True)
"""


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path / "own"))
    monkeypatch.setattr(store, "CHUNK_ROWS", 2)
    rng = np.random.default_rng(0)
    paths = [tmp_path / "photos" / f"{k:03}.png" for k in range(40)]
    paths[0].parent.mkdir()
    for path in paths:
        Image.fromarray(rng.integers(0, 255, (20, 16, 3), dtype=np.uint8)).save(path)
    return paths


def build(photos: list[Path], folder: Path, n_parts: int = 0) -> PixelCache:
    contents = np.array([content_of(p.read_bytes()) for p in photos], dtype=np.uint64)
    options = CacheBuildOptions(folder=folder, workers=2, progress=lambda done, total: None, parts=n_parts)
    return PixelCache.build(photos, contents, SMALL, options=options)


def start(photos: list[Path], folder: Path, slow: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, str(photos[0].parent), str(folder), str(slow)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])


def decoded(process: subprocess.Popen[str]) -> int:
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return int(out.split()[-1])


def require_equal(one: Path, other: Path) -> None:
    """The caches below two folders have the same bytes, and no claims are left."""
    a, b = (next(folder.rglob("cache.json")).parent for folder in (one, other))
    assert a.name == b.name
    assert [n for n in FILES if (a / n).read_bytes() != (b / n).read_bytes()] == []
    assert not (b / "parts").exists()


def test_two_processes_decode_each_photo_once_to_the_cache_of_one(photos: list[Path], tmp_path: Path) -> None:
    build(photos, tmp_path / "one")
    both = [start(photos, tmp_path / "shared", 0.05) for _ in range(2)]
    shares = [decoded(process) for process in both]
    assert sum(shares) == 40
    require_equal(tmp_path / "one", tmp_path / "shared")
    assert build(photos, tmp_path / "shared").decoded == 0


def test_the_part_of_a_killed_process_is_taken_again(photos: list[Path], tmp_path: Path) -> None:
    build(photos, tmp_path / "one")
    first = start(photos, tmp_path / "shared", 0.1)
    second = start(photos, tmp_path / "shared", 0.1)
    assert first.stdout is not None
    assert int(first.stdout.readline()) > 0
    first.send_signal(signal.SIGKILL)
    first.wait()
    first.stdout.close()
    assert 0 < decoded(second) < 40
    require_equal(tmp_path / "one", tmp_path / "shared")


def test_another_machine_is_waited_for_while_its_heart_beats(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(photos, tmp_path / "one")
    monkeypatch.setattr(parts, "WAIT_SECONDS", 0.01)
    shared = store.PixelStore.of(_keys(photos), SMALL, tmp_path / "shared")
    shared.folder.mkdir(parents=True)
    shared.prepare()
    claim = shared.folder / "parts" / "0001.0"
    claim.parent.mkdir()
    claim.write_text(json.dumps({"host": "elsewhere", "pid": 1}))
    (claim.parent / "elsewhere-1.worker").write_text(claim.read_text())
    (claim.parent / "parts.json").write_text('{"parts": 5}')
    waits = 0

    def wait(seconds: float) -> None:
        nonlocal waits
        waits += 1
        marked = shared.recorded() != 0
        assert (marked.sum(), marked[4:8].sum()) == (16, 0), "all but the other's part are done"
        if waits == 3:
            os.utime(claim, (time.time() - 1000,) * 2)

    monkeypatch.setattr(parts.time, "sleep", wait)
    assert build(photos, tmp_path / "shared").decoded == 40, "a build without parts takes its share"
    assert waits == 3
    require_equal(tmp_path / "one", tmp_path / "shared")


def _keys(photos: list[Path]) -> np.ndarray:
    return np.array([content_of(p.read_bytes()) for p in photos], dtype=np.uint64)


def test_unusable_photos_of_all_parts_are_named_together(photos: list[Path], tmp_path: Path) -> None:
    whole = {k: photos[k].read_bytes() for k in (3, 30)}
    for k in whole:
        photos[k].write_bytes(whole[k][:100])
    with pytest.raises(DataError, match="2 of 40") as caught:
        build(photos, tmp_path / "shared", 5)
    assert "003.png" in str(caught.value)
    assert "030.png" in str(caught.value)
    for k, content in whole.items():
        photos[k].write_bytes(content)
    assert build(photos, tmp_path / "shared", 5).decoded == 4, "the chunks of two that held a bad one"


def test_pixels_that_are_damaged_before_the_end_are_decoded_again(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(photos, tmp_path / "one")
    monkeypatch.setattr(parts, "WAIT_SECONDS", 0.0)
    finish, tried = parts.PartsBuild._finish, []

    def harm(self: parts.PartsBuild) -> object:
        if not tried:
            with self.build.store.pixels.open("rb+") as file:
                file.seek(700)
                file.write(b"harm")
        tried.append(1)
        return finish(self)

    monkeypatch.setattr(parts.PartsBuild, "_finish", harm)
    assert build(photos, tmp_path / "shared", 5).decoded == 42, "a chunk of two once more"
    require_equal(tmp_path / "one", tmp_path / "shared")
