"""3 x 3 convolutions on maps of a few places, on the CPU: oneDNN and `hoego.train.small_maps`, in turns in one run.

Usage: python benchmarks/small_maps.py [--batch 256] [--rounds 5] [--out FILE.json]

Each figure is the time of forward, gradient of the input and gradient of the weights by oneDNN over the time tap by
tap: above 1, taps are the quicker way. The medians of the rounds' ratios, with their spread.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from datetime import date
from pathlib import Path

import torch
from torch import nn

from hoego.data.images import cpu_count
from hoego.train.small_maps import speed_up_small_maps

SHAPES = (
    (512, 512, 1, 1),
    (256, 512, 2, 2),
    (256, 256, 2, 1),
    (128, 256, 4, 2),
    (128, 256, 4, 1),
    (256, 256, 4, 1),
)
"""Input channels, output channels, side of the map, stride."""


def seconds_of(conv: nn.Module, x: torch.Tensor, seconds: float = 0.25) -> float:
    """Seconds of one forward and backward."""
    grad = torch.ones_like(conv(x))
    start, n = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        conv(x).backward(grad)
        n += 1
    return (time.perf_counter() - start) / n


def ratios(shape: tuple[int, int, int, int], dtype: torch.dtype, batch: int, rounds: int) -> list[float]:
    """oneDNN's time over the taps', by round."""
    inputs, outputs, side, stride = shape
    plain = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
    plain = plain.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    taps = nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False))
    taps = taps.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    speed_up_small_maps(taps)
    x = torch.randn(batch, inputs, side, side).to(dtype=dtype, memory_format=torch.channels_last)
    x.requires_grad_()
    for conv in (plain, taps):
        seconds_of(conv, x, 0.05)
    return [seconds_of(plain, x) / seconds_of(taps, x) for _ in range(rounds)]


def main() -> None:
    """Measure, print, write where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(cpu_count())
    rows = []
    for dtype in (torch.float32, torch.bfloat16):
        for shape in SHAPES:
            found = ratios(shape, dtype, args.batch, args.rounds)
            name = "{} -> {} at {} x {}, stride {}".format(*shape[:2], shape[2], shape[2], shape[3])
            row = {"precision": str(dtype)[6:], "shape": name, "ratio": round(statistics.median(found), 2)}
            rows.append({**row, "spread": [round(min(found), 2), round(max(found), 2)]})
            print(f"{row['precision']:9s} {name:32s} {row['ratio']:6.2f}x  {rows[-1]['spread']}", flush=True)
    if args.out:
        facts = {"batch": args.batch, "cores": os.cpu_count(), "torch": torch.__version__}
        content = {"rows": rows, **facts, "date": date.today().isoformat()}
        args.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
