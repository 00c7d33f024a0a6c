"""Trainings that take their steps in turns have the numbers of trainings by themselves."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from tiny_training import held_subjects, tiny_dataset, tiny_recipe  # noqa: E402

from hoego.train import side_by_side  # noqa: E402
from hoego.train.callbacks import Callbacks  # noqa: E402
from hoego.train.fold import FoldResult, fold_steps, train_fold  # noqa: E402
from hoego.train.fold_task import FoldTask  # noqa: E402
from hoego.train.loop import TrainingStopped  # noqa: E402
from hoego.train.side_by_side import SharedPixels, interleave_steps  # noqa: E402

CPU = torch.device("cpu")
DATASET, CACHE = tiny_dataset()
HELD = held_subjects(DATASET)
QUIET = Callbacks(measure_seconds=0, progress=False)
VARIANTS: list[dict[str, Any]] = [
    {"model": {"drop": 0.3}, "average": {"ema": 0.9}},
    {"mixing": {"mixup": {"share": 0.5}}, "augment": {"noise": 0.1, "erase": 0.3}, "epochs": 2},
    {"seed": 3, "optim": {"name": "muon", "sam": 0.05}, "model": {"drop": 0.2}},
    {"batch_size": 24, "heads": {"weighting": "gradnorm"}, "sampling": {"strength": 1.0}},
]


def tasks(folder: Path) -> list[FoldTask]:
    return [
        FoldTask(
            recipe=tiny_recipe(**changes),
            dataset=DATASET,
            cache=CACHE,
            train_mask=~HELD,
            val_mask=HELD,
            folder=folder / str(k),
            name=f"run-{k}/fold-0",
        )
        for k, changes in enumerate(VARIANTS)
    ]


def in_turns(made: Sequence[FoldTask], told: Sequence[Callbacks] = ()) -> list[FoldResult | Exception]:
    shared = SharedPixels()
    hooks = told or [QUIET] * len(made)
    return interleave_steps(
        [fold_steps(t, replace(h, open_pixels=shared)) for t, h in zip(made, hooks, strict=True)], CPU
    )


def assert_same(one: FoldResult, other: FoldResult | Exception) -> None:
    assert isinstance(other, FoldResult)
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
    beside = in_turns(tasks(tmp_path / "beside"), told)
    assert steps[:8] == ["0", "1", "2", "3"] * 2
    for one, other in zip(alone, beside, strict=True):
        assert_same(one, other)


def test_photos_are_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []
    opener = side_by_side.open_pixels

    def counting(cache: Any, images: Any, device: Any) -> Any:
        opened.append(len(images))
        return opener(cache, images, device)

    monkeypatch.setattr(side_by_side, "open_pixels", counting)
    in_turns(tasks(tmp_path)[:3])
    assert sorted(opened) == sorted([int((~HELD).sum()), int(HELD.sum())])


def test_one_that_is_stopped_lets_the_others_end_and_goes_on_later(tmp_path: Path) -> None:
    alone = [train_fold(task, QUIET) for task in tasks(tmp_path / "alone")[:2]]
    asked = iter(range(1000))
    stop = replace(QUIET, should_stop=lambda: "time is up" if next(asked) == 4 else "")
    stopped, ended = in_turns(tasks(tmp_path / "beside")[:2], [stop, QUIET])
    assert isinstance(stopped, TrainingStopped)
    assert_same(alone[1], ended)
    for one, other in zip(alone, in_turns(tasks(tmp_path / "beside")[:2]), strict=True):
        assert_same(one, other)


def counted(order: list[str], name: str, steps: int) -> Generator[None, None, str]:
    for _ in range(steps):
        order.append(name)
        yield
    return name


@pytest.mark.parametrize("faster", [True, False])
def test_turns_are_weighed_and_given_up_where_they_are_not_faster(
    faster: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock by which a step costs less, or more, where another training took the step before it."""
    order: list[str] = []
    cost = {True: 0.5, False: 1.0} if faster else {True: 1.0, False: 0.5}

    def clock() -> float:
        changed = [a != b for a, b in pairwise(order)]
        return sum(cost[c] for c in changed)

    monkeypatch.setattr(side_by_side.time, "perf_counter", clock)
    gains: list[float] = []
    runs = [counted(order, name, 100) for name in "abc"]
    assert interleave_steps(runs, CPU, on_timed=gains.append) == ["a", "b", "c"]
    assert (gains[0] > 1) is faster
    tail = order[-60:]
    assert tail == (["a", "b", "c"] * 20 if faster else ["c"] * 60)
    assert {name: order.count(name) for name in "abc"} == {"a": 100, "b": 100, "c": 100}


def test_runs_shorter_than_the_weighing_end_as_well() -> None:
    runs = [counted([], name, n) for name, n in (("a", 2), ("b", 9), ("c", 0))]
    gains: list[float] = []
    assert interleave_steps(runs, CPU, on_timed=gains.append) == ["a", "b", "c"]
    assert gains == [], "a time of runs that have ended says nothing"


def test_one_that_fails_lets_the_others_end() -> None:
    def failing() -> Generator[None, None, str]:
        yield
        raise MemoryError

    first, second = interleave_steps([failing(), counted([], "b", 9)], CPU)
    assert isinstance(first, MemoryError)
    assert second == "b"


def test_an_interruption_reaches_every_run() -> None:
    interrupted: list[str] = []

    def run(name: str) -> Generator[None, None, None]:
        try:
            for k in range(9):
                if (name, k) == ("b", 3):
                    raise KeyboardInterrupt
                yield
        except KeyboardInterrupt:
            interrupted.append(name)
            raise

    with pytest.raises(KeyboardInterrupt):
        interleave_steps([run(name) for name in "abc"], CPU)
    assert sorted(interrupted) == ["a", "b", "c"]
