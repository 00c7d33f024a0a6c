"""A training that reads a pack takes the steps of one that reads the cache, wherever it was stopped."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from tiny_training import held_subjects, tiny_dataset, tiny_recipe  # noqa: E402

from hoego.data.packing import PackRequest, open_packed, pack  # noqa: E402
from hoego.data.pixels import PixelCache  # noqa: E402
from hoego.train.callbacks import Callbacks  # noqa: E402
from hoego.train.counter import generator  # noqa: E402
from hoego.train.data import batch_rows, open_pixels  # noqa: E402
from hoego.train.fold import train_fold  # noqa: E402
from hoego.train.fold_task import FoldTask  # noqa: E402
from hoego.train.loop import TrainingStopped  # noqa: E402

CPU = torch.device("cpu")


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, PixelCache]:
    """The photos of the tiny data set from memory, and from a pack of several shards."""
    dataset, cache = tiny_dataset()
    monkeypatch.setattr(PixelCache, "of", lambda *_: cache)
    pack(dataset, cache.preprocess, PackRequest(to=tmp_path / "pack", shard_bytes=40_000))
    return {"cache": cache, "pack": open_packed(tmp_path / "pack", dataset, cache.preprocess)}


@pytest.mark.parametrize("budget", [0, 1 << 30], ids=["streamed", "resident"])
def test_an_epoch_from_shards_is_the_epoch_from_the_cache_from_any_step_on(
    both: dict[str, PixelCache], budget: int
) -> None:
    order = generator("order", 3, 1).permutation(100)
    rows, images = batch_rows(order, 16), np.arange(10, 110)
    whole = [
        torch.cat(list(open_pixels(source, images, CPU, budget=budget).batches(rows)))
        for source in both.values()
    ]
    assert torch.equal(*whole)
    again = open_pixels(both["pack"], images, CPU, budget=budget).batches(rows[3:])
    assert torch.equal(torch.cat(list(again)), whole[0][48:])
    assert sorted(order.tolist()) == list(range(100))


def test_a_training_from_shards_that_is_stopped_gives_the_numbers_of_the_cache(
    both: dict[str, PixelCache], tmp_path: Path
) -> None:
    dataset, _ = tiny_dataset()
    held = held_subjects(dataset)
    task = FoldTask(
        recipe=tiny_recipe(),
        dataset=dataset,
        cache=both["cache"],
        train_mask=~held,
        val_mask=held,
        folder=tmp_path / "cache",
        name="tiny",
    )
    quiet = Callbacks(progress=False, measure_seconds=0)
    want = train_fold(task, quiet)
    steps = itertools.count()
    stopped = replace(quiet, should_stop=lambda: "time is up" if next(steps) == 8 else "")
    other = replace(task, cache=both["pack"], folder=tmp_path / "pack-run")
    with pytest.raises(TrainingStopped):
        train_fold(other, stopped)
    found = train_fold(other, quiet)
    assert want.outputs is not None
    assert found.outputs is not None
    for name, values in want.outputs.values.items():
        assert np.array_equal(found.outputs.values[name], values)
