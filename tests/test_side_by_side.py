"""Trainings that take their steps in turns have the numbers of trainings by themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from tiny_training import held_subjects, tiny_dataset, tiny_recipe  # noqa: E402

from hoego.train.engine import FoldResult, FoldTask, Hooks, prepare_fold, train_fold  # noqa: E402
from hoego.train.loop import Stopped  # noqa: E402
from hoego.train.side_by_side import SharedPixels, train_side_by_side  # noqa: E402

DATASET, CACHE = tiny_dataset()
HELD = held_subjects(DATASET)
QUIET = Hooks(measure_seconds=0, progress=False)
VARIANTS: list[dict[str, Any]] = [
    {"model": {"drop": 0.3}, "average": {"ema": 0.9}},
    {"mixing": {"mixup": {"share": 0.5}}, "augment": {"noise": 0.1, "erase": 0.3}, "epochs": 2},
    {"seed": 3, "optim": {"name": "muon", "sam": 0.05}, "model": {"drop": 0.2}},
    {"batch_size": 24, "heads": {"weighting": "gradnorm"}, "sampling": {"strength": 1.0}},
]


def tasks(folder: Path) -> list[FoldTask]:
    return [
        FoldTask(tiny_recipe(**changes), DATASET, CACHE, ~HELD, HELD, folder / str(k), f"run-{k}/fold-0")
        for k, changes in enumerate(VARIANTS)
    ]


def assert_same(one: FoldResult, other: FoldResult) -> None:
    assert one.outputs is not None
    assert other.outputs is not None
    for name, values in one.outputs.values.items():
        np.testing.assert_array_equal(values, other.outputs.values[name])
    assert one.best == other.best
    assert one.selected == other.selected


def test_numbers_are_those_of_training_alone(tmp_path: Path) -> None:
    alone = [train_fold(task, QUIET) for task in tasks(tmp_path / "alone")]
    steps: list[str] = []
    told = [replace(QUIET, should_stop=lambda k=k: steps.append(k) or "") for k in "0123"]  # type: ignore[misc]
    beside = train_side_by_side(tasks(tmp_path / "beside"), told, turns=True)
    assert steps[:4] == ["0", "1", "2", "3"]
    for one, other in zip(alone, beside, strict=True):
        assert_same(one, other)


def test_one_after_another_on_a_cpu(tmp_path: Path) -> None:
    order: list[str] = []
    told = [replace(QUIET, on_epoch=lambda _, k=k: order.append(k)) for k in "01"]  # type: ignore[misc]
    train_side_by_side(tasks(tmp_path)[:2], told)
    assert order == ["0", "0", "0", "1", "1"]


def test_photos_are_opened_once(tmp_path: Path) -> None:
    shared = SharedPixels()
    first, second = (prepare_fold(task, QUIET, shared) for task in tasks(tmp_path)[:2])
    assert first.loop.parts.pixels is second.loop.parts.pixels
    assert first.loop.held is not None
    assert second.loop.held is not None
    assert first.loop.held.pixels is second.loop.held.pixels


def test_one_that_is_stopped_lets_the_others_end_and_goes_on_later(tmp_path: Path) -> None:
    alone = [train_fold(task, QUIET) for task in tasks(tmp_path / "alone")[:2]]
    asked = iter(range(1000))
    stop = replace(QUIET, should_stop=lambda: "time is up" if next(asked) == 4 else "")
    with pytest.raises(Stopped, match="time is up"):
        train_side_by_side(tasks(tmp_path / "beside")[:2], [stop, QUIET], turns=True)
    again = train_side_by_side(tasks(tmp_path / "beside")[:2], turns=True)
    for one, other in zip(alone, again, strict=True):
        assert_same(one, other)
