"""A training beside busy processes: its speed against what the processor time that is left over allows.

    python benchmarks/threads_beside.py [--busy 2] [--rounds 5] [--out NAME]

In turns, with `--busy` processes that compute all the time: a busy loop of one thread says which share of a processor
is left for one more; then training steps are timed with all threads and with the number that `threads = 0` finds. Each
step's processor time with one thread says how many images a whole processor gives. The ratio is the speed over
(processors left) x (images per processor second); medians over the rounds. Everything is measured in one run, so that
other load on the machine counts as left over neither for one side nor for the other.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import timm
import torch

from hoego.data.images import cpu_count
from hoego.train.threads import fastest_threads

RESULTS = Path(__file__).parent / "results"
BATCH, SIDE = 16, 128


def make_step() -> Any:
    """Return a training step of tf_efficientnet_lite0 on noise, in bfloat16."""
    model = timm.create_model("tf_efficientnet_lite0", num_classes=3).to(memory_format=torch.channels_last)
    photos = torch.randn(BATCH, 3, SIDE, SIDE).contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6)

    def step() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(photos).float().logsumexp(1).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def share_left(seconds: float = 1.0) -> float:
    """Return the share of one processor that a busy loop of one thread gets now."""
    wall, used = time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < seconds:
        pass
    return (time.process_time() - used) / (time.perf_counter() - wall)


def timed(step: Any, threads: int, steps: int = 4) -> tuple[float, float]:
    """Return images per second, and per second of processor time, with a number of threads."""
    torch.set_num_threads(threads)
    step()
    wall, used = time.perf_counter(), time.process_time()
    for _ in range(steps):
        step()
    n = steps * BATCH
    return n / (time.perf_counter() - wall), n / (time.process_time() - used)


def main() -> None:
    """Measure, and write results/NAME.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--busy", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", default="threads_beside")
    given = parser.parse_args()
    step, most = make_step(), cpu_count()
    before = os.getloadavg()
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(given.busy)]
    rows = []
    try:
        time.sleep(2)
        for _ in range(given.rounds):
            left = share_left()
            chosen, ms = fastest_threads(step, most)
            per_processor = timed(step, 1)[1]
            auto, every = timed(step, chosen)[0], timed(step, most)[0]
            rows.append(
                {
                    "left": left,
                    "chosen": chosen,
                    "threads_ms": ms,
                    "images_per_processor_second": per_processor,
                    "auto": auto,
                    "all_threads": every,
                    "ratio_auto": auto / (left * per_processor),
                    "ratio_all_threads": every / (left * per_processor),
                }
            )
    finally:
        for process in busy:
            process.kill()
    result = {
        "date": datetime.date.today().isoformat(),
        "cores": most,
        "busy": given.busy,
        "load_before": before,
        "load_after": os.getloadavg(),
        **{
            k: round(statistics.median(r[k] for r in rows), 3)
            for k in ("ratio_auto", "ratio_all_threads", "left")
        },
        "rounds": rows,
    }
    text = json.dumps(result, indent=1)
    (RESULTS / f"{given.out}.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
