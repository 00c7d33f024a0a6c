"""The pixel cache: equal to decoding anew, shared, resumable, never half-written, rebuilt when damaged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hoego.data.contents import cache_folder
from hoego.data.images import content_of
from hoego.data.pixels import CacheBuildOptions, PixelCache, store
from hoego.data.pixels import build as build_module
from hoego.data.preprocess import Preprocess
from hoego.errors import DataError

SMALL = Preprocess(size=(12, 10))


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = []
    for k in range(40):
        paths.append(tmp_path / "사진" / f"{k:03}.{'jpg' if k % 2 else 'png'}")
        paths[-1].parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (20, 16, 3), dtype=np.uint8)).save(paths[-1])
    return paths


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path / "own"))
    monkeypatch.setattr(store, "CHUNK_ROWS", 8)


def hash_files(paths: list[Path]) -> np.ndarray:
    return np.array([content_of(p.read_bytes()) for p in paths], dtype=np.uint64)


def build(paths: list[Path], folder: Path, preprocess: Preprocess = SMALL, **kwargs: object) -> PixelCache:
    options = CacheBuildOptions(folder=folder, workers=2, progress=lambda done, total: None)
    return PixelCache.build(paths, hash_files(paths), preprocess, options=options, **kwargs)  # type: ignore[arg-type]


@pytest.mark.parametrize("many", [10**9, 1], ids=["threads", "processes"])
def test_rows_are_what_decoding_gives(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(build_module, "MANY", many)
    made = build(photos, tmp_path / "cache")
    want = np.stack([SMALL.load(p) for p in photos])
    assert np.array_equal(made.array, want)
    assert np.array_equal(made.rows([7, 0, 7]), want[[7, 0, 7]])
    assert made.aligned
    assert made.shape == (40, 12, 10, 3)
    assert (made.decoded, build(photos, tmp_path / "cache").decoded) == (40, 0)
    with pytest.raises(ValueError, match="read-only"):
        made.array[0] = 0


def test_identical_photos_share_a_row_and_order_does_not_matter(photos: list[Path], tmp_path: Path) -> None:
    photos[5].write_bytes(photos[1].read_bytes())
    made = build(photos, tmp_path / "cache")
    assert len(made.array) == 39
    assert not made.aligned
    assert made.row[5] == made.row[1]
    back = build(photos[::-1], tmp_path / "cache")
    assert back.decoded == 0
    assert np.array_equal(back.rows(slice(None)), made.rows(slice(None))[::-1])


def test_a_change_of_the_photos_decodes_only_what_is_new_and_of_the_preprocessing_all(
    photos: list[Path], tmp_path: Path
) -> None:
    build(photos[:30], tmp_path / "cache")
    assert build(photos, tmp_path / "cache").decoded == 10
    Image.fromarray(np.full((20, 16, 3), 7, np.uint8)).save(photos[3])
    changed = build(photos, tmp_path / "cache")
    assert changed.decoded == 1
    assert (changed.rows([3]) == (7 if photos[3].suffix == ".png" else changed.rows([3]))).all()
    assert np.array_equal(changed.rows([3, 4]), np.stack([SMALL.load(p) for p in photos[3:5]]))
    assert build(photos, tmp_path / "cache", Preprocess(size=(12, 10), fit="pad")).decoded == 40


def test_each_photo_has_its_own_box(photos: list[Path], tmp_path: Path) -> None:
    ids = [p.name for p in photos]
    boxes = dict.fromkeys(ids, (1.0, 2.0, 11.0, 14.0)) | {ids[3]: (0.0, 0.0, 10.0, 12.0), ids[4]: None}
    photos[3].write_bytes(photos[1].read_bytes())
    cut = SMALL.with_boxes(boxes)
    made = build(photos, tmp_path / "cache", cut, images=ids)
    assert np.array_equal(made.rows(slice(None)), np.stack([cut.load(p, p.name) for p in photos]))
    assert made.row[3] != made.row[1]
    assert build(photos, tmp_path / "cache", cut.with_boxes({**boxes, ids[9]: None}), images=ids).decoded == 1
    with pytest.raises(DataError, match="ids are needed"):
        build(photos, tmp_path / "cache", cut)


@pytest.mark.parametrize("many", [10**9, 1], ids=["threads", "processes"])
def test_all_bad_photos_are_named_at_once(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(build_module, "MANY", many)
    photos[2].write_text("no photo")
    photos[33].write_bytes(photos[33].read_bytes()[:200])
    with pytest.raises(DataError, match="2 of 40") as caught:
        build(photos, tmp_path / "cache")
    assert "002.png" in str(caught.value)
    assert "033.jpg" in str(caught.value)
    good = [p for k, p in enumerate(photos) if k not in (2, 33)]
    assert build(good, tmp_path / "cache").decoded == 14  # the two chunks of 8 that held a bad one


def test_a_photo_that_changed_since_it_was_hashed_is_noticed(photos: list[Path], tmp_path: Path) -> None:
    contents = hash_files(photos)
    photos[0].write_bytes(photos[2].read_bytes())
    with pytest.raises(DataError, match="changed"):
        PixelCache.build(photos, contents, SMALL, options=CacheBuildOptions(folder=tmp_path / "cache"))


def _harm(kind: str, folder: Path) -> None:
    if kind == "flipped":
        with open(folder / "pixels.u8", "r+b") as file:
            file.seek(3000)
            byte = file.read(1)
            file.seek(3000)
            file.write(bytes([byte[0] ^ 1]))
    elif kind == "short":
        os.truncate(folder / "pixels.u8", 5000)
    elif kind == "gone":
        (folder / "pixels.u8").unlink()
    elif kind == "marks":
        (folder / "chunks.u64").write_bytes(b"\0" * 16)
    else:
        (folder / "cache.json").write_text('{"shape": ')


@pytest.mark.parametrize(
    ("kind", "decoded"), [("flipped", 8), ("short", 32), ("gone", 40), ("marks", 40), ("json", 0)]
)
def test_damage_is_noticed_and_only_it_is_mended(
    photos: list[Path], tmp_path: Path, kind: str, decoded: int
) -> None:
    first = build(photos, tmp_path / "cache")
    want = np.array(first.array)
    _harm(kind, first.folder)
    again = build(photos, tmp_path / "cache")
    assert again.decoded == decoded
    assert np.array_equal(again.array, want)


BUILDER = """
import sys, time
from pathlib import Path
import numpy as np
from hoego.data import pixels
from hoego.data.images import content_of
from hoego.data.preprocess import Preprocess
pixels.store.CHUNK_ROWS = 2
slow = float(sys.argv[3])
fill = pixels.work.fill
def slowly(*args):
    time.sleep(slow)
    return fill(*args)
pixels.work.fill = slowly
paths = sorted(Path(sys.argv[1]).iterdir())
contents = np.array([content_of(p.read_bytes()) for p in paths], dtype=np.uint64)
options = pixels.CacheBuildOptions(folder=Path(sys.argv[2]), workers=1, progress=lambda d, n: print(d, flush=True))
cache = pixels.PixelCache.build(paths, contents, Preprocess(size=(12, 10)), options=options)
print("decoded", cache.decoded, int(cache.rows(slice(None)).sum(dtype="i8")), flush=True)
"""


def _start(photos: list[Path], folder: Path, slow: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", BUILDER, str(photos[0].parent), str(folder), str(slow)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])


def test_killed_builds_go_on_where_they_stopped(photos: list[Path], tmp_path: Path) -> None:
    first = _start(photos, tmp_path / "cache", 0.05)
    assert first.stdout is not None
    while int(first.stdout.readline()) < 10:
        pass
    first.send_signal(signal.SIGKILL)
    first.wait()
    first.stdout.close()
    assert not list((tmp_path / "cache").rglob("cache.json"))
    second = _start(photos, tmp_path / "cache", 0)
    out, _ = second.communicate(timeout=60)
    word, decoded, total = out.split("\n")[-2].split()
    assert word == "decoded"
    assert 0 < int(decoded) <= 30
    assert int(total) == sum(int(SMALL.load(p).sum(dtype="i8")) for p in photos)


def test_two_builders_do_the_work_once(photos: list[Path], tmp_path: Path) -> None:
    both = [_start(photos, tmp_path / "cache", 0.02) for _ in range(2)]
    ends = [p.communicate(timeout=60)[0].split("\n")[-2].split() for p in both]
    assert sorted(int(e[1]) for e in ends) == [0, 40]
    assert ends[0][2] == ends[1][2]


def test_a_dead_decoder_is_an_error_that_says_where(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_module, "MANY", 1)
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nread line\necho '{}'\nexit 9\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    start = time.monotonic()
    with pytest.raises(DataError, match=r"died \(exit status 9\).*\.png"):
        build(photos, tmp_path / "cache")
    assert time.monotonic() - start < 30


def test_the_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOEGO_CACHE", "/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert cache_folder() == Path("/a")
    monkeypatch.delenv("HOEGO_CACHE")
    assert cache_folder() == Path("/b/hoego")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "hoego"


def test_no_photos_is_an_empty_cache(tmp_path: Path) -> None:
    assert build([], tmp_path / "cache").shape == (0, 12, 10, 3)


def test_the_cache_of_a_dataset_is_in_its_order(photos: list[Path], tmp_path: Path) -> None:
    from hoego.data.load import load_unlabelled
    from hoego.data.schema import Attribute, LabelSchema

    schema = LabelSchema((Attribute(name="a", kind="nominal", classes=("x",)),), "a")
    data = load_unlabelled(photos[0].parent, schema)
    made = PixelCache.of(data, SMALL, options=CacheBuildOptions(folder=tmp_path / "cache"))
    assert np.array_equal(made.rows(slice(None)), np.stack([SMALL.load(p) for p in data.paths]))
