"""How an epoch grows with the images: seconds of one pass at n, 2n and 4n photos, in turns, in one process.

Photos of noise at 32 px and Hoego's small network in float32, with augmentation, mixing and oversampling on: once with
the photos in memory, once streamed from the memory map of the cache. An epoch is its order, its batches, its steps and
the scoring of a fifth as many held-out photos. Doubling is linear where the ratio of two neighbours is 2; below 2 says
that an epoch has a fixed part.

    python benchmarks/epoch_growth.py [--photos 2500] [--rounds 5] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import timm
import torch
from score_worlds import write_results

from hoego.data.dataset import Dataset
from hoego.data.images import cpu_count
from hoego.data.pixels import PixelCache
from hoego.data.preprocess import Preprocess
from hoego.data.schema import Attribute, LabelSchema
from hoego.recipe import Recipe, build
from hoego.results.training import ResolvedSettings
from hoego.train.data import open_pixels
from hoego.train.fold import training_rows
from hoego.train.fold_task import FoldTask
from hoego.train.forward import outputs_of
from hoego.train.learner import TrainStepper
from hoego.train.memory import keep_freed_memory

SIZE, CLASSES, SUBJECT = 32, 10, 5
FACTORS = (1, 2, 4)


def main() -> None:
    """Measure, print, write benchmarks/results/epoch_growth."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--photos", type=int, default=2500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-write", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(cpu_count())
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        cache = cache_of(Path(folder), args.photos * FACTORS[-1] * 6 // 5)
        found = {kind: measure(cache, args.photos, args.rounds, kind) for kind in ("in memory", "streamed")}
    found |= {
        "photos": args.photos,
        "rounds": args.rounds,
        "model": "hoego_small32",
        "size": SIZE,
        "threads": cpu_count(),
        "versions": {"torch": torch.__version__, "timm": timm.__version__},
    }
    if not args.no_write:
        write_results("epoch_growth", "Growth of an epoch with the images", lines_of(found), found)
    if args.json:
        print(json.dumps(found))


def recipe() -> Recipe:
    """A small network with the usual techniques on."""
    return build(
        {
            "dataset": {"size": [SIZE, SIZE]},
            "model": {"name": "hoego_small32", "options": {"width": 0.5}},
            "epochs": 100,
            "batch_size": 64,
            "augment": {"flip": 0.5, "rotate": 10, "translate": 0.1, "brightness": 0.2},
            "mixing": {"mixup": {"share": 0.5}},
            "sampling": {"strength": 0.5, "per_subject": True},
        }
    )


def cache_of(folder: Path, n: int) -> PixelCache:
    """A memory-mapped cache of n photos of noise."""
    random = np.random.default_rng(0)
    random.integers(0, 256, (n, SIZE, SIZE, 3), dtype=np.uint8).tofile(folder / "pixels")
    array = np.memmap(folder / "pixels", dtype=np.uint8, mode="r", shape=(n, SIZE, SIZE, 3))
    return PixelCache(
        array=np.asarray(array), row=np.arange(n), preprocess=Preprocess(size=(SIZE, SIZE)), folder=folder
    )


class Training:
    """A training of n photos, and n / 5 held-out ones."""

    def __init__(self, cache: PixelCache, n: int, kind: str) -> None:
        random = np.random.default_rng(1)
        every = n * 6 // 5
        ids = [f"p{k:07d}" for k in range(every)]
        subjects = [f"s{k // SUBJECT:07d}" for k in range(every)]
        images = pl.DataFrame(
            {"image": ids, "path": ids, "subject": subjects, "content": np.arange(every, dtype=np.uint64)}
        )
        schema = LabelSchema(
            (Attribute(name="what", kind="nominal", classes=tuple(f"c{c}" for c in range(CLASSES))),),
            "what",
            (),
        )
        codes = random.integers(0, CLASSES, (every, 1)).astype(np.int16)
        dataset = Dataset(root=cache.folder, schema=schema, images=images, codes=codes)
        own = PixelCache(
            array=cache.array, row=np.arange(every), preprocess=cache.preprocess, folder=cache.folder
        )
        held = np.arange(every) >= n
        task = FoldTask(
            recipe=recipe(),
            dataset=dataset,
            cache=own,
            train_mask=~held,
            val_mask=held,
            folder=cache.folder,
            name="growth",
        )
        rows, device = training_rows(task), torch.device("cpu")
        budget = 0 if kind == "streamed" else 1 << 40
        pixels = open_pixels(own, rows.images, device, budget=budget)
        self.held = open_pixels(own, np.flatnonzero(held), device, budget=budget)
        self.parts = TrainStepper(
            task.recipe,
            dataset,
            rows,
            pixels,
            ResolvedSettings(device="cpu", threads=cpu_count(), precision="float32"),
        )
        self.epochs = 0

    def epoch(self) -> float:
        """Seconds of one epoch."""
        parts, epoch = self.parts, self.epochs
        start = time.perf_counter()
        parts.start_epoch(epoch)
        for number, images, batch in parts.batches(epoch):
            parts.step(epoch, number, images, batch)
        outputs_of(parts.network, self.held, parts.augment.plain, autocast=parts.autocast)
        self.epochs += 1
        return time.perf_counter() - start


def measure(cache: PixelCache, n: int, rounds: int, kind: str) -> dict[str, Any]:
    """Seconds by round and size, and the ratios of neighbours."""
    trainings = {n * factor: Training(cache, n * factor, kind) for factor in FACTORS}
    trainings[n].epoch()
    taken: dict[int, list[float]] = {size: [] for size in trainings}
    for k in range(rounds):
        for size in trainings if k % 2 == 0 else reversed(trainings):
            taken[size].append(trainings[size].epoch())
            print(
                f"{kind}, round {k + 1}: {size:,} photos {taken[size][-1]:.2f} s", file=sys.stderr, flush=True
            )
    sizes = list(taken)
    ratios = [
        [b / a for a, b in zip(taken[small], taken[large], strict=True)] for small, large in pairwise(sizes)
    ]
    return {
        "seconds": {str(size): round(statistics.median(values), 3) for size, values in taken.items()},
        "ratios": [round(statistics.median(values), 3) for values in ratios],
        "spread": [[round(min(values), 3), round(max(values), 3)] for values in ratios],
    }


def lines_of(found: dict[str, Any]) -> list[str]:
    """The result for people."""
    lines = [
        "| photos | first doubling | second doubling | seconds of an epoch |",
        "| --- | --- | --- | --- |",
    ]
    for kind in ("in memory", "streamed"):
        part = found[kind]
        shown = [
            f"{r:.2f}x ({low:.2f} to {high:.2f})"
            for r, (low, high) in zip(part["ratios"], part["spread"], strict=True)
        ]
        seconds = ", ".join(f"{int(size):,}: {value:.2f}" for size, value in part["seconds"].items())
        lines.append(f"| {kind} | {shown[0]} | {shown[1]} | {seconds} |")
    return [*lines, "", f"Medians of {found['rounds']} rounds in turns, {found['threads']} threads."]


if __name__ == "__main__":
    main()
