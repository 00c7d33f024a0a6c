"""How well the remaining time of a run is predicted after its first epoch: ten real trainings through the queue.

    python benchmarks/remaining_time.py [--runs 10] [--json]

Photos of noise and a small network: only the time matters. The runs differ in width, batch size, epochs and
techniques; the queue knows of each what past runs of this benchmark have shown, as in a project's first night.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hoego.recipe import build
from hoego.runs import queue
from hoego.runs.queue import QueueOptions, RunOutcome, WorkerContext
from hoego.runs.queue.train_record import enqueue, train_runner
from hoego.runs.records import Record, RunStore

RESULTS = Path(__file__).parent / "results" / "remaining_time.json"
SUBJECTS, PHOTOS, SIZE = 150, 10, 32


def make_photos(folder: Path) -> None:
    """SUBJECTS x PHOTOS photos of noise in two classes, and their table."""
    random = np.random.default_rng(0)
    rows = []
    for subject in range(SUBJECTS):
        for photo in range(PHOTOS):
            name = f"s{subject:03d}_{photo}.png"
            Image.fromarray(random.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)).save(folder / name)
            rows.append((name, f"s{subject:03d}", "ab"[subject % 2]))
    with open(folder / "photos.csv", "w", newline="") as stream:
        csv.writer(stream).writerows([("path", "subject", "label"), *rows])


def recipes(folder: Path, count: int) -> list[dict[str, Any]]:
    """Recipes of different cost per epoch and of 4 to 10 epochs."""
    made = []
    for k in range(count):
        settings = {
            "name": f"run {k}",
            "dataset": {
                "root": str(folder),
                "layout": "table",
                "table": "photos.csv",
                "subject": ["subject"],
                "size": [SIZE, SIZE],
            },
            "labels": {"attributes": {"label": {}}},
            "model": {"name": "hoego_small32", "options": {"width": (0.25, 0.5)[k % 2], "norm": False}},
            "epochs": 4 + 3 * (k % 3),
            "batch_size": (32, 64)[k // 2 % 2],
            "mixing": {"mixup": {"share": 0.5 * (k % 4 == 3)}},
            "precision": "float32",
            "device": "cpu",
            "threads": 1,
            "seed": k,
            "score": {"resamples": 1000},
        }
        made.append(build(settings).to_dict())
    return made


class Watch:
    """The real runner, with a note of what was predicted after the first epoch and what it came to."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def __call__(self, record: Record, context: WorkerContext) -> RunOutcome:
        row: dict[str, Any] = {"run": record.meta.name, "epochs": record.recipe["epochs"]}
        done = context.epoch_done

        def noted(seconds: float) -> Any:
            left = done(seconds)
            if "predicted" not in row:
                row["predicted"], row["_since"] = left.seconds, time.monotonic()
            return left

        context.epoch_done = noted  # type: ignore[method-assign]
        outcome = train_runner(record, context)
        row["actual"] = time.monotonic() - row.pop("_since")
        row["error"] = abs(row["predicted"] / row["actual"] - 1)
        self.rows.append({k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()})
        return outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    watch = Watch()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["HOEGO_CACHE"] = str(folder / "cache")
        (folder / "photos").mkdir()
        make_photos(folder / "photos")
        store = RunStore(folder / "runs")
        for settings in recipes(folder / "photos", arguments.runs):
            enqueue(store, settings, QueueOptions(name=settings["name"]))
        queue.work(store, watch)
    result = {
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load_at_the_end": round(os.getloadavg()[0], 1),
        "median_error": statistics.median(row["error"] for row in watch.rows),
        "runs": watch.rows,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result) if arguments.json else f"median error {result['median_error']:.1%}")
    if not arguments.json:
        for row in watch.rows:
            print(row)


if __name__ == "__main__":
    main()
