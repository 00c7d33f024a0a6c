"""How often the queue keeps its deadline, over random queues whose run times the planner does not know.

    python benchmarks/deadline_simulation.py [--queues 500] [--seed 0] [--json]

The real worker (`hoego.runs.queue.work`) takes real records; only the clock and the training are simulated. Hidden from
the planner, and drawn anew per queue: each recipe's seconds per epoch, how much runs of one recipe differ (standard
deviation of the logarithm 0.02 to 0.25), the noise between epochs, slow first epochs, slow starts, machines that slow
down half way (one run in twenty), and how long saving takes when a run is stopped. Between none and eight past runs of
each recipe are on record, a third of the runs may be shortened, and the deadline leaves 30 to 120 % of what all take.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import platform
import random
import statistics
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hoego.runs import queue
from hoego.runs.queue import QueueOptions, RunOutcome, WorkerContext, WorkOptions
from hoego.runs.records import Record, RunStore

RESULTS = Path(__file__).parent / "results" / "deadline_simulation.json"


@dataclass
class Truth:
    """What the planner does not know."""

    rate: dict[str, float]
    between_runs: float
    between_epochs: float
    first: float
    overhead: float
    saving: float


@dataclass
class World:
    """A clock that only training moves, and what was seen."""

    rng: random.Random
    truth: Truth
    now: float = 1.7e9
    stopped: int = 0
    after_first: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def advance(self, seconds: float, context: WorkerContext | None, steps: int = 20) -> str:
        for _ in range(steps):
            self.now += seconds / steps
            if context is not None and (reason := context.should_stop()):
                return reason
        return ""

    def epoch_times(self, recipe: dict[str, Any], count: int) -> list[float]:
        truth, rng = self.truth, self.rng
        rate = truth.rate[recipe["model"]["name"]] * math.exp(rng.gauss(0, truth.between_runs))
        slow_from = rng.randrange(count) if rng.random() < 0.05 else count
        times = [
            rate * math.exp(rng.gauss(0, truth.between_epochs)) * (1.4 if k >= slow_from else 1.0)
            for k in range(count)
        ]
        return [times[0] * truth.first, *times[1:]]

    def train(self, record: Record, context: WorkerContext) -> RunOutcome:
        recipe = record.recipe
        start = self.now
        predicted = 0.0
        reason = self.advance(self.truth.overhead * 0.4, None)
        behind = len(record.epochs(0))
        for k, seconds in enumerate(self.epoch_times(recipe, recipe["epochs"])[behind:]):
            reason = reason or self.advance(seconds, context)
            if reason:
                self.now += self.rng.uniform(0, self.truth.saving)
                self.stopped += 1
                return RunOutcome("interrupted", reason)
            record.append_epoch(0, {"epoch": behind + k, "seconds": seconds})
            left = context.epoch_done(seconds)
            if k == 0:
                start, predicted = self.now, left.seconds or 0.0
            reason = context.should_stop() if behind + k + 1 < recipe["epochs"] else ""
        self.advance(self.truth.overhead * 0.6, None)
        if predicted and self.now - start > 0 and not behind:
            self.after_first.append(abs(predicted / (self.now - start) - 1))
        return RunOutcome("done")


def simulate(seed: int) -> dict[str, Any]:
    """One random queue: whether its deadline was kept, and what was started, finished and stopped."""
    rng = random.Random(seed)
    models = [f"model-{k}" for k in range(rng.randint(1, 4))]
    truth = Truth(
        rate={m: math.exp(rng.uniform(math.log(10), math.log(600))) for m in models},
        between_runs=rng.uniform(0.02, 0.25),
        between_epochs=rng.uniform(0.01, 0.10),
        first=rng.uniform(1.0, 1.6),
        overhead=rng.uniform(5, 120),
        saving=rng.uniform(0.5, 5),
    )
    world = World(rng, truth)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        store = RunStore(folder)
        for model in models:
            for _ in range(rng.randint(0, 8)):
                queue.add(store, draw(rng, model))
        queue.work(store, world.train, WorkOptions(clock=world.clock))
        world.after_first.clear()
        recipes = [draw(rng, rng.choice(models)) for _ in range(rng.randint(3, 12))]
        for recipe in recipes:
            queue.add(store, recipe, QueueOptions(priority=rng.choice((0, 0, 0, 1))))
        needed = sum(truth.overhead + r["epochs"] * truth.rate[r["model"]["name"]] for r in recipes)
        window = needed * rng.uniform(0.3, 1.2)
        until = datetime.datetime.fromtimestamp(world.now + window, datetime.UTC)
        began = world.now
        report = queue.work(store, world.train, WorkOptions(until=until, clock=world.clock))
        known = [ran for ran in report.ran if ran.predicted is not None]
        ended = world.now
        return {
            "kept": ended <= began + window,
            "reserve_kept": ended <= began + window - report.plan.reserve + 1.0,
            "used": (min(ended, began + window) - began) / (window - report.plan.reserve),
            "left": len(report.left),
            "done": sum(ran.state == "done" for ran in report.ran),
            "started_known": len(known),
            "stopped_known": sum(ran.state != "done" for ran in known),
            "started_unknown": len(report.ran) - len(known),
            "stopped_unknown": sum(r.state != "done" for r in report.ran if r.predicted is None),
            "errors_after_first_epoch": world.after_first,
        }


def draw(rng: random.Random, model: str) -> dict[str, Any]:
    """A recipe of the model: 2 to 40 epochs, a third of them allowed to be shortened."""
    return {
        "epochs": rng.randint(2, 40),
        "model": {"name": model},
        "queue": {"shorten": rng.random() < 0.33, "keep": "all"},
        "seed": rng.randrange(1000),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queues", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    seen = [simulate(arguments.seed * 1_000_003 + k) for k in range(arguments.queues)]
    errors = [e for s in seen for e in s["errors_after_first_epoch"]]
    tens = [statistics.median(errors[k : k + 10]) for k in range(0, len(errors) - 9, 10)]
    total = {key: sum(s[key] for s in seen) for key in seen[0] if key != "errors_after_first_epoch"}
    result = {
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        "queues": len(seen),
        "deadlines_kept": total["kept"] / len(seen),
        "deadlines_kept_with_reserve_whole": total["reserve_kept"] / len(seen),
        "runs_done": total["done"],
        "started_with_a_prediction": total["started_known"],
        "of_these_stopped_before_their_end": total["stopped_known"] / max(1, total["started_known"]),
        "started_without_a_prediction": total["started_unknown"],
        "of_those_stopped_before_their_end": total["stopped_unknown"] / max(1, total["started_unknown"]),
        "share_of_the_time_used": round(total["used"] / len(seen), 4),
        "remaining_time_error_after_first_epoch": {
            "median": round(statistics.median(errors), 4),
            "share_of_ten_run_medians_under_0.20": sum(t < 0.2 for t in tens) / len(tens),
            "runs": len(errors),
        },
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    if arguments.json:
        print(json.dumps(result))
        return
    print(f"{result['deadlines_kept']:.2%} of {len(seen)} deadlines kept; written to {RESULTS.name}")
    for key, value in result.items():
        print(f"  {key}: {value}")


if __name__ == "__main__":
    main()
