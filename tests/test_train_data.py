"""Pixels on their way to the model, and the epochs that are made of them."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from tiny_training import tiny_dataset  # noqa: E402

from hoego.train.data import ahead, batch_rows, free_bytes, open_pixels, steps_per_epoch  # noqa: E402
from hoego.train.precision import resolve_compile  # noqa: E402
from hoego.train.throughput import ThroughputTasks, measure  # noqa: E402

CPU = torch.device("cpu")


@given(st.integers(1, 400), st.integers(1, 90))
def test_batches_have_one_size_and_hold_the_order_from_its_start(n: int, size: int) -> None:
    order = np.random.default_rng(n).permutation(n)
    batches = batch_rows(order, size)
    assert len(batches) == steps_per_epoch(n, size)
    assert {len(b) for b in batches} == {min(size, n)}
    flat = np.concatenate(batches)
    kept = min(len(flat), n)
    np.testing.assert_array_equal(flat[:kept], order[:kept])
    np.testing.assert_array_equal(flat[kept:], order[: len(flat) - kept])
    assert abs(len(flat) - n) <= size / 2 or n < size


def test_streamed_and_resident_pixels_are_the_same() -> None:
    dataset, cache = tiny_dataset()
    images = np.flatnonzero(dataset.codes[:, 0] != 1)
    random = np.random.default_rng(0)
    rows = [random.integers(0, len(images), 7) for _ in range(9)]
    resident = open_pixels(cache, images, CPU, budget=1 << 30)
    streamed = open_pixels(cache, images, CPU, budget=0)
    assert (resident.resident, streamed.resident) == (True, False)
    for a, b, r in zip(resident.batches(rows), streamed.batches(rows), rows, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
        np.testing.assert_array_equal(a.numpy(), cache.array[images[r]])


def test_error_of_the_background_thread_reaches_the_loop() -> None:
    def source():  # type: ignore[no-untyped-def]
        yield torch.zeros(1)
        raise OSError("the disk went away")

    feed = ahead(source())
    next(feed)
    with pytest.raises(OSError, match="went away"):
        next(feed)


def test_background_thread_ends_when_the_loop_stops_early() -> None:
    made: list[int] = []

    def source():  # type: ignore[no-untyped-def]
        for k in range(10_000):
            made.append(k)
            yield torch.zeros(1)

    feed = ahead(source(), depth=2)
    next(feed)
    feed.close()
    assert len(made) <= 5


BOUNDED = """
import resource, sys
import numpy as np, polars as pl, torch
from pathlib import Path
from hoego.data.dataset import Dataset
from hoego.data.preprocess import Preprocess
from hoego.data.schema import Attribute, LabelSchema
from hoego.data.pixels import PixelCache
from hoego.recipe import build
from hoego.train.data import open_pixels
from hoego.train.callbacks import Callbacks
from hoego.train.fold import train_fold
from hoego.train.fold_task import FoldTask

n, side, room = 3600, 128, 112 << 20
folder = Path(sys.argv[1])
file = np.memmap(folder / "pixels", dtype=np.uint8, mode="w+", shape=(n, side, side, 3))
file[::2] = 200
file.flush()
del file
array = np.asarray(np.memmap(folder / "pixels", dtype=np.uint8, mode="r", shape=(n, side, side, 3)))
cache = PixelCache(array=array, row=np.arange(n), preprocess=Preprocess(size=(side, side)), folder=folder)
ids = [f"p{k:04d}" for k in range(n)]
images = pl.DataFrame({"image": ids, "path": ids, "subject": ids, "content": np.arange(n, dtype=np.uint64)})
schema = LabelSchema((Attribute(name="light", kind="nominal", classes=("dark", "bright")),), "light", ())
codes = (np.arange(n) % 2 == 0).astype(np.int16)[:, None]
held = np.arange(n) % 3 > 0
recipe = build({
    "dataset": {"size": [side, side]},
    "model": {"name": "hoego_small32", "options": {"width": 0.0625, "norm": False}},
    "epochs": 1, "batch_size": 16, "precision": "float32", "device": "cpu", "threads": 1, "augment": {"flip": 0.5},
})
dataset = Dataset(root=folder, schema=schema, images=images, codes=codes)
quiet = Callbacks(measure_seconds=0, progress=False)
few = np.arange(n) < 200  # what a first training loads and allocates once does not depend on the data's size


def task(train, held_out, name):
    return FoldTask(
        recipe=recipe, dataset=dataset, cache=cache, train_mask=train, val_mask=held_out,
        folder=folder / name, name=name,
    )


train_fold(task(few & ~held, few & held, "few"), quiet)
own = int(open("/proc/self/statm").read().split()[5]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_DATA, (own + room, own + room))
refused = 0
for whole in (
    lambda: cache.rows(slice(None)),
    lambda: open_pixels(cache, np.arange(n), torch.device("cpu"), budget=1 << 40),
):
    try:
        whole()
    except (MemoryError, RuntimeError) as error:
        assert "alloc" in str(error), error
        refused += 1
streamed = [not open_pixels(cache, np.flatnonzero(m), torch.device("cpu")).resident for m in (held, ~held)]
result = train_fold(task(~held, held, "bounded"), quiet)
print(array.nbytes > 1.4 * room, refused, all(streamed), result.best["accuracy"].value)
"""


def test_training_stays_within_memory_when_the_cache_is_larger(tmp_path: Path) -> None:
    """A process that may hold 112 MB more trains on a cache of 169 MB, which it can neither copy nor make resident.

    RLIMIT_DATA counts the private memory that a process allocates, and not the pages of a file that it maps: these the
    system takes back when it needs them. RLIMIT_AS would count the map itself; RLIMIT_RSS has no effect on Linux.
    """
    # Freed blocks go back to the system at once, so that what is counted is what is in use.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", BOUNDED, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.stdout.split() == ["True", "2", "True", "1.0"], done.stdout + done.stderr


def test_free_memory_respects_the_limit_of_the_process() -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    plain = free_bytes(CPU)
    resource.setrlimit(resource.RLIMIT_DATA, (1 << 36, before[1]))
    try:
        assert 0 < free_bytes(CPU) <= min(plain * 2, 1 << 36)
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def test_compile_is_for_long_runs_on_a_gpu() -> None:
    gpu = torch.device("cuda")
    assert resolve_compile("auto", gpu, steps=100_000, step_seconds=0.1)
    assert not resolve_compile("auto", gpu, steps=100, step_seconds=0.1)
    assert not resolve_compile("auto", CPU, steps=100_000, step_seconds=0.1)
    assert resolve_compile("on", CPU, steps=1)
    assert not resolve_compile("off", gpu, steps=10**9)


def test_throughput_counts_what_each_part_took(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])

    def part(seconds: float):  # type: ignore[no-untyped-def]
        def run(n: int) -> None:
            clock[0] += n * seconds

        return run

    found = measure(ThroughputTasks(part(0.1), part(0.02), part(0.125)), batch_size=10, device=CPU)
    assert found.model_only_images_per_second == pytest.approx(100)
    assert found.input_only_images_per_second == pytest.approx(500)
    assert found.train_images_per_second == pytest.approx(80)
    assert found.efficiency == pytest.approx(0.8)
