"""Joined training speed on one folder of images: Hoego beside timm's train.py, in turns, several times.

    python benchmarks/against_timm.py --images DIR [--json] [--timm-train PATH/train.py] [--model resnet10t] [--size 32]

DIR (or DIR/train) holds one folder per class. Both sides train the same model at the same size and batch, with as many
worker processes (timm) as cores, and the same light augmentation: a random resized crop of 0.8 to 1 of the area and a
left-right flip. Rounds alternate in one session: the model alone, ours and timm's in float32 and in bfloat16.

timm's train.py is not part of its package. With --timm-train it is run from a checkout and its own log is read;
without, the same loop is built from timm's public dataset, loader, transforms, loss and optimiser, and the result says
so.

Figures are images per second, medians over the rounds; the ratios are medians of the rounds' ratios. `ratio_best` takes
each side at its faster precision, `ratio_equal_precision` both in float32, `efficiency` is ours over the model alone.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch

from hoego.data.images import cpu_count
from hoego.data.load import load
from hoego.data.pixels import PixelCache
from hoego.recipe import Recipe, build
from hoego.results.training import Precision, ResolvedSettings
from hoego.runs.inputs import decode
from hoego.train.data import open_pixels
from hoego.train.fold import training_rows
from hoego.train.fold_task import FoldTask
from hoego.train.learner import TrainStepper
from hoego.train.memory import keep_freed_memory
from hoego.train.precision import resolve_device, synchronize

PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")
RESULTS = Path(__file__).parent / "results"
CROP = (0.8, 1.0)


@dataclass(frozen=True)
class Setup:
    """What both sides train.

    Args:
        folder: of class folders.
        model: timm's name.
        size: side of the photos, in pixels.
        batch: photos per step.
        workers: worker processes of timm's loader, and threads of the model.
        seconds: of each measurement.
        device: cpu or cuda.
    """

    folder: Path
    model: str
    size: int
    batch: int
    workers: int
    seconds: float
    device: torch.device


def main() -> None:
    """Measure, print, write the result."""
    args = arguments()
    folder = args.images / "train" if (args.images / "train").is_dir() else args.images
    device = resolve_device(args.device)
    setup = Setup(
        folder, args.model, args.size, args.batch, args.workers or cpu_count(), args.seconds, device
    )
    torch.set_num_threads(setup.workers)
    keep_freed_memory()
    found = measure(setup, args.rounds, args.timm_train)
    if not args.no_write:
        RESULTS.mkdir(exist_ok=True)
        name = f"against_timm_{setup.model}_{setup.size}px_{device.type}.json"
        (RESULTS / name).write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found) if args.json else text_of(found))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--timm-train", type=Path, default=None)
    parser.add_argument("--model", default="resnet10t")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-write", action="store_true")
    return parser.parse_args()


def measure(setup: Setup, rounds: int, timm_train: Path | None) -> dict[str, Any]:
    """The rounds, and what they say."""
    ours = {p: Ours(setup, p) for p in PRECISIONS}
    theirs = theirs_of(setup, timm_train)
    taken: dict[str, list[float]] = {}
    for k in range(rounds):
        for p in PRECISIONS if k % 2 == 0 else PRECISIONS[::-1]:
            jobs: list[tuple[str, Callable[[], float]]] = [
                (f"model_only_{p}", ours[p].model_only_images_per_second),
                (f"ours_{p}", ours[p].train_images_per_second),
                (f"timm_{p}", lambda p=p: theirs(p)),  # type: ignore[misc]
            ]
            for name, job in jobs if k % 2 == 0 else reversed(jobs):
                taken.setdefault(name, []).append(job())
                print(f"round {k + 1}: {name} {taken[name][-1]:,.0f} images/s", file=sys.stderr, flush=True)
    return summary(setup, rounds, taken, timm_train)


def summary(
    setup: Setup, rounds: int, taken: dict[str, list[float]], timm_train: Path | None
) -> dict[str, Any]:
    """Medians, ratios with their spread, and where and when they were measured."""
    medians = {name: statistics.median(values) for name, values in taken.items()}
    best_ours = max(PRECISIONS, key=lambda p: medians[f"ours_{p}"])
    best_timm = max(PRECISIONS, key=lambda p: medians[f"timm_{p}"])
    ratios = {
        "ratio_best": _ratios(taken[f"ours_{best_ours}"], taken[f"timm_{best_timm}"]),
        "ratio_equal_precision": _ratios(taken["ours_float32"], taken["timm_float32"]),
        "ratio_bfloat16": _ratios(taken["ours_bfloat16"], taken["timm_bfloat16"]),
        "efficiency": _ratios(taken[f"ours_{best_ours}"], taken[f"model_only_{best_ours}"]),
    }
    return {
        "ours": round(medians[f"ours_{best_ours}"], 1),
        "timm": round(medians[f"timm_{best_timm}"], 1),
        "model_only": round(medians[f"model_only_{best_ours}"], 1),
        **{name: round(statistics.median(values), 3) for name, values in ratios.items()},
        "spread": {name: [round(min(v), 3), round(max(v), 3)] for name, v in ratios.items()},
        "precision": {"ours": best_ours, "timm": best_timm},
        "images_per_second": {name: [round(v, 1) for v in values] for name, values in taken.items()},
        "rounds": rounds,
        "timm_side": "timm's train.py"
        if timm_train
        else "a loop of timm's loader, transforms, loss and optimiser",
        "model": setup.model,
        "size": setup.size,
        "batch": setup.batch,
        "workers": setup.workers,
        "augmentation": f"random resized crop {CROP}, left-right flip",
        "machine": machine(setup.device),
        "date": datetime.date.today().isoformat(),
    }


def _ratios(above: list[float], below: list[float]) -> list[float]:
    return [a / b for a, b in zip(above, below, strict=True)]


def machine(device: torch.device) -> dict[str, Any]:
    """Processor, device and versions."""
    cpu = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        names = re.findall(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
        cpu = names[0] if names else cpu
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "timm": timm.__version__,
    }


class Ours:
    """Hoego's own loop, in one precision."""

    def __init__(self, setup: Setup, precision: Precision) -> None:
        self.setup = setup
        recipe = recipe_of(setup, precision)
        dataset, cache = _data(setup, recipe)
        everything = np.ones(dataset.n_images, dtype=bool)
        task = FoldTask(
            recipe=recipe,
            dataset=dataset,
            cache=cache,
            train_mask=everything,
            val_mask=~everything,
            folder=Path(tempfile.gettempdir()),
            name="benchmark",
        )
        rows = training_rows(task)
        pixels = open_pixels(cache, rows.images, setup.device)
        self.parts = TrainStepper(
            recipe,
            dataset,
            rows,
            pixels,
            ResolvedSettings(device=str(setup.device), threads=setup.workers, precision=precision),
        )
        self.parts.start_epoch(0)
        self.photos, self.batch = self.parts.synthetic()
        self.feed = self._endless()

    def _endless(self) -> Iterator[tuple[int, Any, Any]]:
        while True:
            yield from self.parts.batches(0)

    def model_only(self) -> float:
        """Images per second of steps on one synthetic batch."""
        return timed(lambda: self.parts.step(0, 0, self.photos, self.batch), self.setup)

    def joined(self) -> float:
        """Images per second of the training."""
        return timed(lambda: self.parts.step(0, *next(self.feed)), self.setup)


_LOADED: dict[Path, tuple[Any, PixelCache]] = {}


def _data(setup: Setup, recipe: Recipe) -> tuple[Any, PixelCache]:
    if setup.folder not in _LOADED:
        dataset = load(recipe)
        _LOADED[setup.folder] = (dataset, decode(recipe, dataset))
    return _LOADED[setup.folder]


def recipe_of(setup: Setup, precision: Precision) -> Recipe:
    """Our side as a recipe."""
    return build(
        {
            "dataset": {"root": str(setup.folder), "layout": "folders", "size": [setup.size, setup.size]},
            "model": {"name": setup.model, "head": "single"},
            "batch_size": setup.batch,
            "precision": precision,
            "epochs": 100,
            "optim": {"name": "adamw", "lr": 1e-3},
            "augment": {"flip": 0.5, "crop_area": list(CROP)},
        }
    )


def timed(step: Callable[[], object], setup: Setup) -> float:
    """Images per second of a step repeated for the setup's seconds, after those that warm up.

    timm's workers fetch two batches each ahead while they start: those are not timed.
    """
    for _ in range(2 * setup.workers + 2):
        step()
    synchronize(setup.device)
    start, n = time.perf_counter(), 0
    while time.perf_counter() - start < setup.seconds:
        step()
        n += 1
        if n % 16 == 0:
            synchronize(setup.device)
    synchronize(setup.device)
    return n * setup.batch / (time.perf_counter() - start)


def theirs_of(setup: Setup, timm_train: Path | None) -> Callable[[Precision], float]:
    """timm's side: its train.py, or a loop of its parts."""
    if timm_train is None:
        return lambda precision: timm_loop(setup, precision)
    return lambda precision: timm_script(setup, precision, timm_train)


def timm_loop(setup: Setup, precision: Precision) -> float:
    """Images per second of the loop of timm's train.py, built from timm's public parts."""
    from timm.data import create_dataset, create_loader  # type: ignore[attr-defined]
    from timm.loss import LabelSmoothingCrossEntropy  # type: ignore[attr-defined]
    from timm.optim import create_optimizer_v2  # type: ignore[attr-defined]

    dataset = create_dataset("", root=str(setup.folder), split="", is_training=True, batch_size=setup.batch)
    loader = create_loader(
        dataset,
        input_size=(3, setup.size, setup.size),
        batch_size=setup.batch,
        is_training=True,
        scale=CROP,
        hflip=0.5,
        color_jitter=None,
        num_workers=setup.workers,
        device=setup.device,
        persistent_workers=True,
        pin_memory=setup.device.type == "cuda",
    )
    n_classes = len(dataset.reader.class_to_idx)
    model = timm.create_model(setup.model, num_classes=n_classes).to(setup.device)
    if setup.device.type == "cuda":
        model = model.to(memory_format=torch.channels_last)
    optimizer = create_optimizer_v2(model, opt="adamw", lr=1e-3, weight_decay=0.05)
    loss_of = LabelSmoothingCrossEntropy(0.1)
    model.train()
    feed = endless(loader)

    def step() -> None:
        images, target = next(feed)
        with torch.autocast(setup.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            loss = loss_of(model(images), target)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    try:
        return timed(step, setup)
    finally:
        stop_workers(loader)


def endless(loader: Any) -> Iterator[Any]:
    """Its batches, epoch after epoch."""
    while True:
        yield from loader


def stop_workers(loader: Any) -> None:
    """End the worker processes, so that they do not work while the other side is measured."""
    inner = getattr(loader, "loader", loader)
    iterator = getattr(inner, "_iterator", None)
    if iterator is not None and hasattr(iterator, "_shutdown_workers"):
        iterator._shutdown_workers()
    inner._iterator = None


RATE = re.compile(r"[\d.,]+/s\s+\((?:\s*[\d.]+s,)?\s*([\d.,]+)/s\)")
"""The running mean in a line of timm's log, with or without the seconds per batch before it."""


def timm_script(setup: Setup, precision: Precision, script: Path) -> float:
    """Images per second by the log of timm's train.py: the last running mean within the time."""
    with tempfile.TemporaryDirectory() as out:
        command = [
            sys.executable, str(script), "--data-dir", str(setup.folder), "--train-split", "", "--val-split", "",
            "--model", setup.model, "--num-classes", str(len([p for p in setup.folder.iterdir() if p.is_dir()])),
            "--img-size", str(setup.size), "--batch-size", str(setup.batch), "--workers", str(setup.workers),
            "--opt", "adamw", "--lr", "1e-3", "--weight-decay", "0.05", "--smoothing", "0.1", "--epochs", "1",
            "--device", setup.device.type, "--scale", *map(str, CROP), "--hflip", "0.5", "--color-jitter", "0",
            "--log-interval", "4", "--output", out,
        ]  # fmt: skip
        if precision == "bfloat16":
            command += ["--amp", "--amp-dtype", "bfloat16"]
        if setup.device.type == "cuda":
            command.append("--channels-last")
        return read_rate(command, setup.seconds)


def read_rate(command: list[str], seconds: float) -> float:
    """The last rate that a training's log names, some seconds after its first."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    first, rate, lines = None, None, []
    try:
        for line in process.stdout:
            lines = [*lines[-20:], line]
            if found := RATE.search(line):
                first = first or time.perf_counter()
                rate = float(found[1].replace(",", ""))
                if time.perf_counter() - first > seconds * 1.5:
                    break
    finally:
        process.terminate()
        process.wait()
    if rate is None:
        raise SystemExit(f"{command[1]} named no rate; its last lines:\n{''.join(lines)}")
    return rate


def text_of(found: dict[str, Any]) -> str:
    """The result for people."""
    return (
        f"{found['model']} at {found['size']} px, batch {found['batch']}, {found['machine']['device']}, "
        f"{found['workers']} workers, {found['rounds']} rounds; timm's side: {found['timm_side']}\n"
        f"model alone {found['model_only']:,.0f}, ours {found['ours']:,.0f} ({found['precision']['ours']}), "
        f"timm {found['timm']:,.0f} ({found['precision']['timm']}) images/s\n"
        f"each at its best {found['ratio_best']:.2f}x {found['spread']['ratio_best']}, "
        f"both float32 {found['ratio_equal_precision']:.2f}x {found['spread']['ratio_equal_precision']}, "
        f"ours / model alone {found['efficiency']:.3f} {found['spread']['efficiency']}"
    )


if __name__ == "__main__":
    main()
