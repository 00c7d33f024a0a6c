"""`hoego train --fold all --spread`: a run whose folds this process trains together with the workers of the queue."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hoego.errors import TrainError
from hoego.extras import require
from hoego.recipe import Recipe
from hoego.runs.queue.claims import QueueOptions
from hoego.runs.queue.train_record import queue_run, train_helper, train_runner, warm_up
from hoego.runs.queue.work_options import WorkOptions
from hoego.runs.queue.worker import work
from hoego.runs.records import Record, RunStore
from hoego.runs.run_result import RunResult, print_status


def train_spread(runs: Path, recipe: Recipe, ask: QueueOptions) -> RunResult:
    """Queue a run with spread folds, work on it until it has ended, whoever trained its folds, and return it.

    Raises:
        TrainError: the run failed, or was cancelled.
        KeyboardInterrupt: this process was told to stop; the run is left to the workers of the queue.
        HoegoError: what `queue_run` raises.
    """
    require("train", "Training")
    record = queue_run(runs, recipe, replace(ask, spread=True))
    options = WorkOptions(only=record.id, name="spread", helper=train_helper, warm=warm_up, log=print_status)
    work(RunStore(runs), train_runner, options)
    return _ended(record)


def _ended(record: Record) -> RunResult:
    record.refresh()
    state = record.state
    if state == "done":
        return RunResult(
            record.id,
            record.folder,
            state,
            score=record.full_score,
            throughput=record.meta.throughput,
            timing=record.meta.timing,
            refit=bool(record.recipe.get("refit")),
        )
    if state in ("failed", "cancelled", "stopped"):
        raise TrainError(f"The run {record.id} {state}: {record.reason}.")
    print_status(
        f"{record.id} is left to the workers of the queue. Go on: hoego train --resume {record.id}; "
        f"end it: hoego queue cancel {record.id}"
    )
    raise KeyboardInterrupt
