"""Seconds to list 10,000 records: without an index, with one, and after a tenth of them changed.

python benchmarks/records_listing.py [--runs 10000] [--json]
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hoego import files
from hoego.runs.records import RunsQuery, RunStore, new_id, runs

RESULTS = Path(__file__).parent / "results" / "records_listing.json"


def fill(root: Path, count: int) -> None:
    """Records as a training leaves them, written without flushing so that filling is quick."""
    template = RunStore(root).create(
        {"epochs": 10, "model": {"name": "resnet18"}}, name="r", why="w", tags=["a"]
    )
    score = {"macro_f1": {"value": 0.7, "low": 0.65, "high": 0.75, "level": 0.95}, "honesty": "selected"}
    content = template.update(state="done", score=score, timing={"seconds": 100.0}).model_dump(mode="json")
    for k in range(count - 1):
        folder = root / f"{new_id()}-{k}"
        folder.mkdir()
        row = {**content, "id": folder.name, "priority": k % 7}
        (folder / "run.json").write_text(json.dumps(files.plain(row), indent=1))
        (folder / "recipe.toml").write_text("epochs = 10\n")


def timed(call: Callable[[], Any], times: int) -> float:
    """Median seconds of a call."""
    seen = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        seen.append(time.perf_counter() - began)
    return round(statistics.median(seen), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore(folder)
        fill(store.root, arguments.runs)
        query = RunsQuery(states=("done",), sort="-macro_f1")
        first = timed(lambda: runs(store, query), 1)
        indexed = timed(lambda: runs(store, query), 5)
        for record in store.list()[: arguments.runs // 10]:
            (record.folder / "run.json").write_text((record.folder / "run.json").read_text() + " ")
        changed = timed(lambda: runs(store, query), 1)
        assert len(runs(store, query).rows) == arguments.runs
    result = {
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        "runs": arguments.runs,
        "seconds_without_index": first,
        "seconds_with_index": indexed,
        "seconds_after_a_tenth_changed": changed,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result) if arguments.json else "\n".join(f"{k}: {v}" for k, v in result.items()))


if __name__ == "__main__":
    main()
