"""Training steps on the CPU whose freed memory is kept, beside steps that ask the system anew: `hoego.train.memory`.

Usage: python benchmarks/kept_memory.py [--rounds 5] [--out FILE.json]

Each round starts a process of each kind in turn, since a process cannot change its mind. A figure is the time of a step
where memory goes back over that where it is kept: above 1, keeping is the quicker way. Medians, with their spread.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

CASES = (("resnet10t", 32, 256), ("resnet18", 128, 64), ("hoego_small32", 32, 256))
"""Model, pixels of a side, photos per step."""
STEPS = 12


def child(name: str, side: int, batch: int, precision: str, kept: bool) -> dict[str, float]:
    """Milliseconds and page faults of a step, and the most memory that the process had, in MB."""
    import timm
    import torch

    import hoego.train.models  # noqa: F401
    from hoego.data.images import cpu_count
    from hoego.train.memory import keep_freed_memory
    from hoego.train.small_maps import speed_up_small_maps

    torch.set_num_threads(cpu_count())
    if kept and not keep_freed_memory():
        sys.exit("This C library does not keep memory, or the environment says how to allocate.")
    model = speed_up_small_maps(timm.create_model(name, num_classes=43))
    model = model.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    photos = torch.randn(batch, 3, side, side).to(memory_format=torch.channels_last)
    labels = torch.randint(0, 43, (batch,))

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            loss = torch.nn.functional.cross_entropy(model(photos), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    for _ in range(4):
        step()
    before, times = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, []
    for _ in range(STEPS):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    faults = (usage.ru_minflt - before) / STEPS
    return {"ms": statistics.median(times) * 1e3, "faults": faults, "megabytes": usage.ru_maxrss / 1024}


def run(case: tuple[str, int, int], precision: str, kept: bool) -> dict[str, float]:
    """`child` in a process of its own."""
    words = [*map(str, case), precision, "keep" if kept else "give"]
    done = subprocess.run(
        [sys.executable, __file__, "--child", *words], stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Measure, print, write where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        name, side, batch, precision, kind = args.child
        print(json.dumps(child(name, int(side), int(batch), precision, kind == "keep")))
        return
    rows = []
    for case in CASES:
        for precision in ("float32", "bfloat16"):
            pairs = [[run(case, precision, kept) for kept in (False, True)] for _ in range(args.rounds)]
            ratios = [given["ms"] / kept["ms"] for given, kept in pairs]
            row: dict[str, object] = {
                "model": case[0],
                "side": case[1],
                "batch": case[2],
                "precision": precision,
            }
            row["ratio"] = round(statistics.median(ratios), 3)
            row["spread"] = [round(min(ratios), 3), round(max(ratios), 3)]
            for i, kind in enumerate(("given", "kept")):
                for key in ("ms", "faults", "megabytes"):
                    row[f"{kind}_{key}"] = round(statistics.median(p[i][key] for p in pairs), 1)
            rows.append(row)
            print(json.dumps(row), flush=True)
    if args.out:
        facts = {"cores": os.cpu_count(), "date": date.today().isoformat()}
        args.out.write_text(json.dumps({"rows": rows, **facts}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
