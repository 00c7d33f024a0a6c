"""Everything about speed that only a GPU can show, in one call.

    python benchmarks/gpu.py [--json] [--only speed,precision,variants,timm] [--timm-train PATH/train.py]
    python benchmarks/gpu.py --device cpu --tiny --no-write      the same paths on a CPU; no figures to quote

- speed: ResNet-18 and ResNet-50 at 224 px in bfloat16, augmentation and mixing on: the model alone, the input alone and
  the two joined, in turns (the figures of every training's record); target: joined at least 0.95 of the model alone.
- precision: ResNet-18 at 224 px in float32, bfloat16 and float16, each plain and compiled (torch.compile with CUDA
  graphs): images per second, and the seconds until the first step was done.
- variants: eight ResNet-18 recipes at 96 px that differ in rate and seed, side by side in one process against one
  alone; target: at most 4 times its time, with the same predictions.
- timm: `against_timm.py` on JPEGs of 384 x 512 that are made here, at 224 px (ResNet-18); target: at least 3 times.

Needs what Hoego needs (pydantic, polars, simplejpeg and timm among others: `pip install hoego[train]`), and
Python 3.11 or newer. Results go to benchmarks/results/gpu.md and .json, with the device and the versions.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from against_timm import Setup, machine, text_of
from against_timm import measure as measure_timm
from PIL import Image
from score_worlds import write_results

from hoego.data.dataset import Dataset
from hoego.data.images import cpu_count
from hoego.data.pixels import PixelCache
from hoego.data.preprocess import Preprocess
from hoego.data.schema import Attribute, LabelSchema
from hoego.recipe import Recipe, build
from hoego.results.training import Precision, ResolvedSettings
from hoego.train.callbacks import Callbacks
from hoego.train.data import open_pixels
from hoego.train.fold import fold_steps, measure_parts, training_rows
from hoego.train.fold_task import FoldTask
from hoego.train.learner import TrainStepper
from hoego.train.memory import keep_freed_memory
from hoego.train.precision import resolve_device, synchronize
from hoego.train.side_by_side import SharedPixels, interleave_steps

CLASSES = 18


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Args:
        models: of the part `speed`.
        side: pixels of the parts speed, precision and timm.
        batch: photos per step there.
        photos: photos of noise in the caches.
        seconds: of each measurement.
        rounds: turns against timm.
        variants: trainings side by side.
        variant_side, variant_batch, variant_epochs: of each.
        jpegs: files made for timm's side, of `jpeg_shape` (height, width).
    """

    models: tuple[str, ...] = ("resnet18", "resnet50")
    side: int = 224
    batch: int = 256
    photos: int = 4096
    seconds: float = 8.0
    rounds: int = 5
    variants: int = 8
    variant_side: int = 96
    variant_batch: int = 64
    variant_epochs: int = 2
    jpegs: int = 4096
    jpeg_shape: tuple[int, int] = (512, 384)


TINY = Size(("hoego_small32",), 32, 8, 48, 0.1, 1, 2, 32, 8, 1, 24, (64, 48))
TECHNIQUES: dict[str, Any] = {
    "augment": {
        "flip": 0.5, "rotate": 10, "translate": 0.05, "scale": [0.9, 1.1], "brightness": 0.2, "contrast": 0.2,
        "saturation": 0.2, "erase": 0.25,
    },
    "mixing": {"mixup": {"share": 0.3}, "cutmix": {"share": 0.3}},
}  # fmt: skip


def main() -> None:
    """Measure, print, write."""
    args = arguments()
    device = resolve_device(args.device)
    size = TINY if args.tiny else Size()
    torch.set_num_threads(cpu_count())
    keep_freed_memory()
    parts: dict[str, Callable[[], Any]] = {
        "speed": lambda: {name: speed(name, device, size) for name in size.models},
        "precision": lambda: precisions(device, size),
        "variants": lambda: variants(device, size),
        "timm": lambda: against_timm(device, size, args.timm_train),
    }
    asked = args.only.split(",") if args.only else list(parts)
    found: dict[str, Any] = {"device": machine(device), "tiny": args.tiny}
    for name in asked:
        started = time.perf_counter()
        try:
            found[name] = parts[name]()
        except (
            RuntimeError
        ) as error:  # one part that cannot run (memory, a compiler) must not lose the others
            found[name] = {"not measured": f"{type(error).__name__}: {error}"[:500]}
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
        if not args.no_write:
            write_results("gpu", f"Speed on {found['device']['device']}", lines_of(found), found)
    print(json.dumps(found) if args.json else "\n".join(lines_of(found)))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument(
        "--tiny", action="store_true", help="the same paths in seconds, without figures to quote"
    )
    parser.add_argument("--only", default="", help="parts, separated by commas")
    parser.add_argument("--timm-train", type=Path, default=None)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-write", action="store_true")
    return parser.parse_args()


def data(n: int, side: int) -> tuple[Dataset, PixelCache]:
    """n photos of noise of CLASSES classes, decoded, in memory."""
    random = np.random.default_rng(0)
    folder = Path(tempfile.gettempdir())
    ids = [f"p{k:06d}" for k in range(n)]
    images = pl.DataFrame(
        {"image": ids, "path": ids, "subject": ids, "content": np.arange(n, dtype=np.uint64)}
    )
    schema = LabelSchema(
        (Attribute(name="what", kind="nominal", classes=tuple(f"c{c}" for c in range(CLASSES))),), "what", ()
    )
    codes = (np.arange(n) % CLASSES).astype(np.int16)[:, None]
    array = random.integers(0, 256, (n, side, side, 3), dtype=np.uint8)
    return (
        Dataset(root=folder, schema=schema, images=images, codes=codes),
        PixelCache(array=array, row=np.arange(n), preprocess=Preprocess(size=(side, side)), folder=folder),
    )


def recipe(model: str, side: int, batch: int, **changes: Any) -> Recipe:
    """A recipe with augmentation and mixing on."""
    base: dict[str, Any] = {
        "dataset": {"size": [side, side]},
        "model": {"name": model, "head": "single"},
        "batch_size": batch,
        "epochs": 100,
        "precision": "bfloat16",
        "optim": {"name": "adamw", "lr": 1e-3},
    }
    return build({**base, **TECHNIQUES, **changes})


def parts_of(model: str, device: torch.device, size: Size, how: tuple[Precision, bool]) -> TrainStepper:
    """A training of the photos of noise in one precision, compiled or not."""
    dataset, cache = data(size.photos, size.side)
    every = np.ones(dataset.n_images, dtype=bool)
    made = recipe(model, size.side, size.batch)
    rows = training_rows(
        FoldTask(
            recipe=made,
            dataset=dataset,
            cache=cache,
            train_mask=every,
            val_mask=~every,
            folder=cache.folder,
            name="gpu",
        )
    )
    pixels = open_pixels(cache, rows.images, device)
    resolved = ResolvedSettings(device=str(device), threads=cpu_count(), precision=how[0], compile=how[1])
    return TrainStepper(made, dataset, rows, pixels, resolved)


def speed(model: str, device: torch.device, size: Size) -> dict[str, Any]:
    """The three figures in bfloat16."""
    return measure_parts(parts_of(model, device, size, ("bfloat16", False)), size.seconds).model_dump(
        mode="json"
    )


def precisions(device: torch.device, size: Size) -> dict[str, Any]:
    """ResNet-18 in each precision, plain and compiled."""
    names: tuple[Precision, ...] = (
        ("float32", "bfloat16", "float16") if device.type == "cuda" else ("float32", "bfloat16")
    )
    found = {}
    for precision in names:
        for compiled in (False, True) if device.type == "cuda" else (False,):
            started = time.perf_counter()
            parts = parts_of(size.models[0], device, size, (precision, compiled))
            parts.start_epoch(0)
            images, batch = parts.synthetic()
            for _ in range(3):
                parts.step(0, 0, images, batch)
            synchronize(device)
            ready = time.perf_counter() - started
            name = f"{precision}{', compiled' if compiled else ''}"
            found[name] = {
                **measure_parts(parts, size.seconds).model_dump(mode="json"),
                "ready_seconds": round(ready, 1),
            }
            del parts
    return found


def variants(device: torch.device, size: Size) -> dict[str, Any]:
    """Recipes that differ in rate and seed: all side by side against one alone; and whether the numbers agree."""
    n = size.variant_batch * 40 if device.type == "cuda" else size.photos
    dataset, cache = data(n, size.variant_side)
    held = np.arange(n) % 8 == 0
    quiet, shared = Callbacks(measure_seconds=0, progress=False), SharedPixels()
    made = [
        recipe(
            size.models[0],
            size.variant_side,
            size.variant_batch,
            epochs=size.variant_epochs,
            seed=k,
            device=str(device),
            optim={"name": "adamw", "lr": 1e-3 * (1 + k / 8)},
            select={"on": "last"},
        )
        for k in range(size.variants)
    ]

    def run(chosen: list[Recipe], folder: Path) -> tuple[float, list[Any]]:
        tasks = [
            FoldTask(
                recipe=r,
                dataset=dataset,
                cache=cache,
                train_mask=~held,
                val_mask=held,
                folder=folder / str(k),
                name=f"{k}",
                interleaved=True,
            )
            for k, r in enumerate(chosen)
        ]
        steps = [fold_steps(task, replace(quiet, open_pixels=shared)) for task in tasks]
        for step in steps:
            next(step)
        synchronize(device)
        started = time.perf_counter()
        results = interleave_steps(steps, device)
        seconds = time.perf_counter() - started
        for result in results:
            if isinstance(result, Exception):
                raise result
        return seconds, [result.outputs for result in results]

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(made[:1], folder / "warm")
        alone = [run([r], folder / f"alone-{k}") for k, r in enumerate(made)]
        together, outputs = run(made, folder / "together")
    one = float(np.median([seconds for seconds, _ in alone]))
    differences = [
        float(np.abs(softmax(a.values["what"]) - softmax(b.values["what"])).max())
        for (_, (a,)), b in zip(alone, outputs, strict=True)
    ]
    return {
        "variants": size.variants,
        "seconds_alone": round(one, 3),
        "seconds_together": round(together, 3),
        "ratio": round(together / one, 3),
        "largest_difference_in_probability": max(differences),
    }


def softmax(logits: Any) -> Any:
    """Over the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def against_timm(device: torch.device, size: Size, timm_train: Path | None) -> dict[str, Any]:
    """Hoego beside timm's loop on JPEGs made here."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_jpegs(folder, size)
        workers = cpu_count()
        setup = Setup(folder, size.models[0], size.side, size.batch, workers, size.seconds, device)
        return measure_timm(setup, size.rounds, timm_train)


def make_jpegs(folder: Path, size: Size) -> None:
    """Photos of soft shapes with a fine grain, in folders of classes; some 60 kB each at 384 x 512."""
    random = np.random.default_rng(0)
    height, width = size.jpeg_shape
    for k in range(size.jpegs):
        place = folder / f"c{k % 8}"
        place.mkdir(exist_ok=True)
        coarse = random.integers(0, 256, (height // 32, width // 32, 3), dtype=np.uint8)
        soft = np.asarray(
            Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16
        )
        photo = np.clip(soft + random.integers(-12, 13, soft.shape, dtype=np.int16), 0, 255).astype(np.uint8)
        Image.fromarray(photo).save(place / f"{k:06d}.jpg", quality=85)


def lines_of(found: dict[str, Any]) -> list[str]:
    """The result for people; a part that was not asked for or could not run is said to be not measured."""
    device = found["device"]
    lines = [f"{device['device']}; {device['cpu']}, {device['cores']} cores; torch {device['torch']}", ""]
    lines += ["| what | images per second | of the model alone |", "| --- | --- | --- |"]
    for part in ("speed", "precision"):
        rows = found.get(part, {"not measured": "not asked for"})
        if "not measured" in rows:
            lines.append(f"| {part} | not measured | {rows['not measured']} |")
            continue
        for name, row in rows.items():
            after = f" (first steps after {row['ready_seconds']:.0f} s)" if "ready_seconds" in row else ""
            lines.append(
                f"| {name}{after} | {row['train_images_per_second']:,.0f} (model alone "
                f"{row['model_only_images_per_second']:,.0f}, input alone {row['input_only_images_per_second']:,.0f}) "
                f"| {row['efficiency']:.3f} |"
            )
    row = found.get("variants", {"not measured": "not asked for"})
    if "not measured" in row:
        lines += ["", f"Side by side: not measured ({row['not measured']})."]
    else:
        lines += [
            "",
            f"{row['variants']} variants side by side take {row['ratio']:.2f} times one "
            f"({row['seconds_together']:.2f} s, {row['seconds_alone']:.2f} s); largest difference in probability "
            f"{row['largest_difference_in_probability']:.1e}.",
        ]
    row = found.get("timm", {"not measured": "not asked for"})
    said = f"Against timm: not measured ({row['not measured']})." if "not measured" in row else text_of(row)
    return [*lines, "", said]


if __name__ == "__main__":
    main()
