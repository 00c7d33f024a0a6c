"""What augmentation and mixing cost, as shares of one training step of the model alone, measured in turns in one run.

Needs a quiet machine: with other work on the cores the spread between rounds says that the figures mean nothing.

Usage: python benchmarks/augment_cost.py [--model resnet10t] [--size 32] [--batch 128] [--threads 2] [--out FILE.json]
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch

from hoego.recipe.techniques import AugmentSettings, MixingSettings
from hoego.train.augment import Augment
from hoego.train.mixing import mix, plan_batch

CASES: dict[str, dict[str, Any]] = {
    "normalising alone": {},
    "flip": {"flip": 0.5},
    "affine": {"rotate": 10, "translate": 0.1, "scale": (0.9, 1.1)},
    "affine, brightness, contrast": {
        "rotate": 10,
        "translate": 0.1,
        "scale": (0.9, 1.1),
        "brightness": 0.2,
        "contrast": 0.2,
    },
    "resized crop, flip": {"flip": 0.5, "crop_area": (0.3, 1.0)},
    "saturation": {"saturation": 0.3},
    "hue": {"hue": 0.1},
    "gamma": {"gamma": 0.3},
    "blur 0.1": {"blur": 0.1},
    "noise": {"noise": 0.05},
    "equalize 0.1": {"equalize": 0.1},
    "erase 0.25": {"erase": 0.25},
    "randaugment": {"policy": "randaugment"},
    "trivialaugment": {"policy": "trivialaugment"},
}


def median_seconds(work: Callable[[int], object], repeats: int) -> float:
    times = []
    for i in range(repeats):
        start = time.perf_counter()
        work(i)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="resnet10t")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    random = torch.Generator().manual_seed(0)
    shape = (args.batch, args.size, args.size, 3)
    photos = torch.randint(0, 256, shape, dtype=torch.uint8, generator=random)
    model = timm.create_model(args.model, num_classes=43).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    plain = Augment(AugmentSettings(flip=0), mean=[0.5] * 3, std=[0.25] * 3)
    images, labels = plain.plain(photos), torch.arange(args.batch) % 43

    def step(_: int) -> None:
        with torch.autocast("cpu", torch.bfloat16):
            loss = torch.nn.functional.cross_entropy(model(images).float(), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    def mixer(kind: Any) -> Callable[[int], object]:
        settings = MixingSettings.model_validate({kind: {"share": 1}})
        codes, size = labels.numpy(), (args.size, args.size)
        return lambda i: mix(images, {}, plan_batch(kind, settings, codes, size=size, counters=(0, 0, i)))

    work: dict[str, Callable[[int], object]] = {}
    for name, case in CASES.items():
        augment = Augment(AugmentSettings(**{"flip": 0, **case}), mean=[0.5] * 3, std=[0.25] * 3)
        work[name] = lambda i, a=augment: a(photos, epoch=0, first=i * args.batch)
    work |= {kind: mixer(kind) for kind in ("mixup", "cutmix")}
    for f in (step, *work.values()):
        f(0)
    shares: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(args.rounds):
        alone = median_seconds(step, 5)
        for name, f in work.items():
            shares[name].append(median_seconds(f, 20) / alone)
    result = {
        "what": "median time of one batch, as a share of the model's own training step (bfloat16, fused AdamW)",
        "model": args.model,
        "size": args.size,
        "batch": args.batch,
        "threads": args.threads,
        "shares": {
            n: {"median": statistics.median(v), "low": min(v), "high": max(v)} for n, v in shares.items()
        },
        "torch": torch.__version__,
        "numpy": np.__version__,
        "machine": platform.processor() or platform.machine(),
        "date": date.today().isoformat(),
    }
    for name, row in result["shares"].items():  # type: ignore[attr-defined]
        print(f"{name:30s} {row['median']:7.2%}   ({row['low']:.2%} to {row['high']:.2%})")
    if args.out:
        args.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
