"""Several runs in one process: the same records as one after another, whatever happens to one of them."""

# ruff: noqa: F811

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from test_train_run import own_cache, photos, recipe  # noqa: E402, F401

from hoego.errors import HoegoError, TrainError  # noqa: E402
from hoego.predictions import Predictions  # noqa: E402
from hoego.results.score import ScoreSummary  # noqa: E402
from hoego.runs import side_by_side  # noqa: E402
from hoego.runs.ablate import AblateRequest, ablate  # noqa: E402
from hoego.runs.execute import RunExecution  # noqa: E402
from hoego.runs.project import open_project  # noqa: E402
from hoego.runs.queue.timing import observe  # noqa: E402
from hoego.runs.records import RunStore  # noqa: E402
from hoego.runs.required_runs import StudyRunner  # noqa: E402
from hoego.runs.side_by_side import train_side_by_side  # noqa: E402
from hoego.runs.train import RunResult, TrainOptions, train  # noqa: E402
from hoego.train.callbacks import Callbacks  # noqa: E402

MEASURED = Callbacks(progress=False, measure_seconds=0.05)


def predictions(result: RunResult) -> Predictions:
    return Predictions.read(result.folder / "predictions.parquet")


def test_records_are_those_of_runs_alone(tmp_path: Path, photos: Path) -> None:
    recipes = [recipe(photos, seed=k, name=f"seed {k}") for k in range(3)]
    alone = [train(r, TrainOptions(folder=tmp_path / "alone"), MEASURED) for r in recipes]
    told: list[str] = []
    beside = train_side_by_side(
        recipes, TrainOptions(folder=tmp_path / "beside"), MEASURED, most=2, log=told.append
    )
    assert told == ["seed 0: training", "seed 1: training", "seed 2: training"]
    store = RunStore(tmp_path / "beside" / "runs")
    for one, other in zip(alone, beside, strict=True):
        for name, values in predictions(one).values.items():
            np.testing.assert_array_equal(values, predictions(other).values[name])
        assert other.state == store.find(other.run).state == "done"
        assert one.score is not None
        assert other.score is not None
        assert ScoreSummary.of(one.score) == ScoreSummary.of(other.score)
    first, second, last = (store.find(r.run) for r in beside)
    assert [r.meta.training.beside.runs for r in (first, second)] == [2, 2]
    assert 0 < first.meta.timing.seconds_alone < 60
    assert observe(first) is None, "its seconds are those of two runs"
    assert last.meta.training.beside is None, "two at a time leave the third by itself"
    assert observe(last).units == last.recipe["epochs"]


def test_one_without_memory_goes_on_alone(
    tmp_path: Path,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = RunExecution.steps

    def crowded(self: RunExecution) -> Any:
        running = steps(self)
        if self.callbacks.open_pixels is not None and self.recipe.seed == 1:
            for _ in range(3):
                yield next(running)
            raise MemoryError
        return (yield from running)

    monkeypatch.setattr(RunExecution, "steps", crowded)
    found = train_side_by_side(
        [recipe(photos, seed=k) for k in range(2)], TrainOptions(folder=tmp_path), MEASURED, most=2
    )
    assert [r.state for r in found] == ["done", "done"]
    alone = train(recipe(photos, seed=1), TrainOptions(folder=tmp_path), MEASURED)
    for name, values in predictions(alone).values.items():
        np.testing.assert_array_equal(values, predictions(found[1]).values[name])


def test_an_error_of_one_is_raised_once_the_others_are_done(tmp_path: Path, photos: Path) -> None:
    wrong = recipe(photos, optim={"name": "sgd", "lr": 1e30}, name="wrong")
    with pytest.raises(TrainError, match="no longer a number"):
        train_side_by_side(
            [wrong, recipe(photos, name="right")], TrainOptions(folder=tmp_path), MEASURED, most=2
        )
    states = {r.meta.name: r.state for r in RunStore(tmp_path / "runs").list()}
    assert states == {"wrong": "failed", "right": "done"}


def test_an_interruption_leaves_every_record_interrupted(tmp_path: Path, photos: Path) -> None:
    asked = iter(range(1000))

    def ctrl_c() -> str:
        if next(asked) == 9:
            raise KeyboardInterrupt
        return ""

    told = replace(MEASURED, should_stop=ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        train_side_by_side(
            [recipe(photos, seed=k) for k in range(2)], TrainOptions(folder=tmp_path), told, most=2
        )
    assert [r.state for r in RunStore(tmp_path / "runs").list()] == ["interrupted", "interrupted"]


def test_a_compiled_recipe_trains_alone(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_by_side, "_train_interleaved", lambda *_: pytest.fail("they share graph memory"))
    broken = [recipe(photos, compile="on", model={"name": "no such model"}, name=f"{k}") for k in range(2)]
    with pytest.raises(HoegoError):
        train_side_by_side(broken, TrainOptions(folder=tmp_path), MEASURED, most=2)


def test_ablate_trains_side_by_side(tmp_path: Path, photos: Path) -> None:
    base = recipe(photos, name="base")
    dataset = open_project(base, tmp_path).dataset
    request = AblateRequest(vary=("optim.lr=0.002",), seeds=2, queue=False)
    found = ablate(
        base,
        dataset,
        request,
        StudyRunner(folder=tmp_path, progress=False, measure_seconds=0.05, max_parallel=4),
    )
    assert [r.title for r in found.rows] == ["the recipe as it stands", "optim.lr=0.002"]
    records = RunStore(tmp_path / "runs").list()
    assert [r.meta.training.beside.runs for r in records] == [4] * 4
    assert found.rows[0].seconds == pytest.approx(
        np.mean([r.meta.timing.seconds_alone for r in records if r.id in found.rows[0].runs])
    )
