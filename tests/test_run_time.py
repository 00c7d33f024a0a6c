"""A training that was given minutes ends in them, and one that keeps its time is not changed by the clock."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from test_train_engine import CACHE, HELD, QUIET, task  # noqa: E402

from hoego.runs.run_time import RunTime  # noqa: E402
from hoego.train.clock import SLACK, TrainingClock  # noqa: E402
from hoego.train.fold import train_fold  # noqa: E402


def test_a_clock_skips_what_time_has_passed_and_nothing_where_time_is_kept() -> None:
    clock = TrainingClock(time.perf_counter() + 1000)
    clock.start = clock.end - 2000
    assert clock.behind(0, 1000) >= 500
    assert clock.behind(500 - int(SLACK * 1000) + 2, 1000) == 0
    clock.end = time.perf_counter() - 1
    assert clock.behind(990, 1000) == 10
    assert TrainingClock().behind(0, 1000) == 0


def test_a_training_without_time_ends_after_a_step_with_its_model_and_says_so(tmp_path: Path) -> None:
    notes: list[str] = []
    short = replace(QUIET, seconds=0.0, on_note=notes.append)
    made = train_fold(task(tmp_path, changes={"epochs": 40, "select": {"on": "last"}}), short)
    assert made.selected.epoch == 0
    assert made.outputs is not None
    assert len(made.images) == HELD.sum()
    assert (tmp_path / "last.safetensors").is_file()
    assert any("were skipped" in note for note in notes)


def test_a_training_with_time_enough_is_the_one_without_a_limit(tmp_path: Path) -> None:
    free = train_fold(task(tmp_path / "a"), QUIET)
    timed = train_fold(task(tmp_path / "b"), replace(QUIET, seconds=1e6))
    assert free.outputs is not None
    assert timed.outputs is not None
    for name, values in free.outputs.values.items():
        np.testing.assert_array_equal(values, timed.outputs.values[name])


def test_minutes_are_shared_by_the_photos_of_the_trainings_that_are_left(tmp_path: Path) -> None:
    n = int((~HELD).sum())
    fold = task(tmp_path, changes={"epochs": 100})
    run_time = RunTime(1000.0, [n, n, 2 * n])
    first = run_time.share(fold)
    assert 0.2 * 1000 < first < 0.25 * 1000
    # A fold that was trained before an interruption has used its share of the time: a third of what was left.
    run_time.done_before()
    refit = replace(fold, val_mask=np.zeros(len(HELD), dtype=bool))
    assert 600 < run_time.share(refit) < 670
    assert RunTime(None, [1]).share(fold) == math.inf


def test_heads_start_where_they_are_told_and_the_norms_stay(tmp_path: Path) -> None:
    """With a rate of next to nothing, the trained network is the one that was given."""
    from hoego.train.models import build_network

    changes = {"epochs": 1, "optim": {"lr": 1e-12, "freeze_norm": True}}
    base = task(tmp_path, changes=changes)
    built = build_network(base.recipe.model, {"colour": 3, "age": 3}, CACHE.preprocess.size).network
    shape = (built.head.in_features, 3)
    weights = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    given = {"colour": (weights, np.array([9.0, 0.0, 0.0], dtype=np.float32))}
    made = train_fold(replace(base, head_start=given), QUIET)
    assert made.outputs is not None
    values = made.outputs.values["colour"]
    assert values.shape == (HELD.sum(), 3)
    assert values[:, 0].mean() > 3 + values[:, 1:].mean()
    other = train_fold(task(tmp_path / "random", changes=changes), QUIET)
    assert other.outputs is not None
    assert abs(other.outputs.values["colour"][:, 0].mean()) < 3
