"""The queue with the real training: a killed worker, ideas with their verdicts, reproduction, difference, merge."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from test_train_run import own_cache, photos, recipe  # noqa: E402, F401

from hoego.errors import RecordError  # noqa: E402
from hoego.predictions import Predictions  # noqa: E402
from hoego.runs import queue  # noqa: E402
from hoego.runs.diff import diff  # noqa: E402
from hoego.runs.ideas import add as add_idea  # noqa: E402
from hoego.runs.ideas import ideas  # noqa: E402
from hoego.runs.queue import QueueOptions  # noqa: E402
from hoego.runs.queue.train_record import (  # noqa: E402
    enqueue,
    resume_in_background,
    start_in_background,
    train_runner,
)
from hoego.runs.queue.working import WorkRequest, deadline_of, work_queue  # noqa: E402
from hoego.runs.records import Record, RunStore, merge  # noqa: E402
from hoego.runs.reproduce import reproduce  # noqa: E402
from hoego.runs.verdicts import compare_records  # noqa: E402

_WORKER = """
import sys
from pathlib import Path
from hoego.runs.queue.working import work_queue
work_queue(Path(sys.argv[1]))
"""


def quiet(_: str) -> None:
    """Says nothing."""


def ask(store: RunStore, settings: Any, **changes: Any) -> Record:
    return enqueue(
        store, {**settings.to_dict(), **changes}, QueueOptions(name="tiny", why="it learns", fold=0)
    )


def wait_until(condition: Any, seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "what was waited for did not happen"
        time.sleep(0.005)


def values(record: Record) -> dict[str, Any]:
    return dict(Predictions.read(record.folder / "predictions.parquet").values)


def test_a_killed_worker_leaves_runs_that_end_with_the_same_numbers(photos: Path, tmp_path: Path) -> None:  # noqa: F811
    store = RunStore(tmp_path / "runs")
    settings = recipe(photos, epochs=12)
    first, second = ask(store, settings), ask(store, settings, seed=1)
    worker = subprocess.Popen([sys.executable, "-c", _WORKER, str(store.root)], stderr=subprocess.DEVNULL)
    wait_until(lambda: len(first.epochs(0)) >= 1 or worker.poll() is not None)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    assert store.find(first.id).state in ("interrupted", "done")
    report = work_queue(store.root, WorkRequest(), quiet)
    assert [store.find(r.id).state for r in (first, second)] == ["done", "done"]
    assert len(report.ran) <= 2
    repeated = reproduce(store, store.find(first.id))
    assert repeated.identical, repeated.words
    assert "bit for bit" in repeated.words
    assert repeated.circumstances == ()
    assert not any(np.array_equal(values(first)[k], values(second)[k]) for k in values(first))


def test_three_ideas_leave_three_verdicts_that_agree_with_compare(photos: Path, tmp_path: Path) -> None:  # noqa: F811
    store = RunStore(tmp_path / "runs")
    leader = recipe(photos, epochs=6, optim={"lr": 1e-2})
    for setting in ("optim.lr=1e-7", "batch_size=8", "loss=focal"):
        add_idea(store, setting, [setting], why="to see")
    report = work_queue(store.root, WorkRequest(ideas=True, leader=leader), quiet)
    assert {ran.state for ran in report.ran} == {"done"}
    found = ideas(store).ideas
    assert [idea.state for idea in found] == ["tried"] * 3
    for idea in found:
        assert idea.verdict is not None
        sides = [[store.find(run) for run in side] for side in (idea.runs, idea.baseline)]
        again = compare_records(*sides)
        assert idea.verdict.difference is not None
        assert (idea.verdict.outcome, idea.verdict.difference.value) == (
            again.verdict,
            again.difference.value,
        )
        assert idea.verdict.scope == again.scope == "recipes"
    bad = next(idea for idea in found if idea.overlay == ("optim.lr=1e-7",))
    assert bad.verdict is not None
    assert bad.verdict.outcome == "worse"
    one, other = store.find(bad.runs[0]), store.find(bad.baseline[0])
    shown = diff(one, other)
    assert [(c.key, c.a, c.b) for c in shown.recipe if c.key != "name"] == [("optim.lr", 1e-7, 1e-2)]
    assert shown.comparison is not None
    assert shown.comparison.scope == "models"
    assert shown.words == shown.comparison.sentence
    theirs = RunStore(tmp_path / "theirs" / "runs")
    assert set(merge(store, theirs).copied) == set(store.ids())
    assert len(merge(store, theirs).same) == len(store.ids())


def test_runs_that_cannot_be_compared_say_why(photos: Path, tmp_path: Path) -> None:  # noqa: F811
    store = RunStore(tmp_path / "runs")
    runs = [ask(store, recipe(photos, split={"ratio": ratio})) for ratio in (0.25, 0.5)]
    queue.work(store, train_runner)
    shown = diff(*runs)
    assert shown.comparison is None
    assert "cannot be compared" in shown.words
    assert {c.key for c in shown.split} == {"split"}


def test_training_in_the_background(photos: Path, tmp_path: Path) -> None:  # noqa: F811
    runs = tmp_path / "runs"
    ask = QueueOptions(why="while away", tags=("x",), training={"chosen": ("tried",), "seconds": 600.0})
    started = start_in_background(runs, recipe(photos), ask)
    store = RunStore(runs)
    assert store.find(started.run).state == "running"
    wait_until(lambda: store.find(started.run).state != "running")
    record = store.find(started.run)
    assert record.state == "done", Path(started.output).read_text()
    assert record.meta.why == "while away"
    assert tuple(record.meta.tags) == ("x",)
    assert record.meta.training.seconds == 600.0
    assert record.meta.training.chosen == ("tried",)
    with pytest.raises(RecordError, match="is done"):
        resume_in_background(runs, started.run)


def test_the_deadline_as_written() -> None:
    from hoego.errors import UsageError

    assert deadline_of(WorkRequest()) is None
    with pytest.raises(UsageError, match="both"):
        deadline_of(WorkRequest(until="19:00", duration="8h"))
