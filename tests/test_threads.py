"""CPU threads: as many as are fastest now, measured; workers of the queue do not share cores."""

from __future__ import annotations

import importlib
import os
import time
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from hoego.results.training import ResolvedSettings, RunThroughput
from hoego.runs.queue.worker_processes import own_cores

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from hoego.recipe import build  # noqa: E402
from hoego.runs.train import TrainOptions, train  # noqa: E402
from hoego.train.callbacks import Callbacks  # noqa: E402
from hoego.train.precision import threads_restored  # noqa: E402
from hoego.train.threads import fastest_threads, thread_counts  # noqa: E402

fold_module = importlib.import_module("hoego.train.fold")  # hoego.train is also the function of the library
real = fold_module._resolve


@pytest.mark.parametrize("fastest", [1, 2, 4])
def test_the_fastest_number_of_threads_is_taken_and_set(fastest: int) -> None:
    def step() -> None:
        time.sleep(0.002 if torch.get_num_threads() == fastest else 0.02)

    with threads_restored():
        chosen, ms = fastest_threads(step, 4)
        assert (chosen, torch.get_num_threads()) == (fastest, fastest)
    assert tuple(ms) == thread_counts(4)


def test_a_short_run_is_not_measured() -> None:
    with threads_restored():
        assert fastest_threads(lambda: None, 4, steps=10) == (4, {})


def test_a_number_of_threads_that_is_far_slower_is_given_up() -> None:
    steps: list[int] = []

    def step() -> None:
        steps.append(torch.get_num_threads())
        time.sleep(0.05 if torch.get_num_threads() == 4 else 0.002)

    with threads_restored():
        assert fastest_threads(step, 4)[0] != 4
    assert steps.count(4) == 1


def test_a_run_that_has_become_slow_times_its_threads_again(tmp_path: Path) -> None:
    photos, project = tmp_path / "photos", tmp_path / "project"
    photos.mkdir()
    rows = []
    for i in range(24):
        Image.new("RGB", (16, 16), (i * 10, 90, 30)).save(photos / f"{i}.png")
        rows.append((f"{i}.png", f"s{i // 2}", "ab"[i // 2 % 2]))
    pl.DataFrame(rows, schema=["path", "who", "kind"], orient="row").write_csv(photos / "train.csv")
    recipe = build(
        {
            "dataset": {
                "root": str(photos), "layout": "table", "table": "train.csv", "subject": ["who"], "size": [16, 16],
            },
            "labels": {"attributes": {"kind": {}}},
            "split": {"kind": "folds", "folds": 2},
            "model": {"name": "hoego_small32", "options": {"width": 0.125, "norm": False}},
            "epochs": 1,
            "device": "cpu",
            "score": {"resamples": 100},
        }
    )  # fmt: skip
    quick = RunThroughput(train_images_per_second=1e9)
    runtimes: list[ResolvedSettings] = []
    callbacks = Callbacks(progress=False, on_throughput=lambda _: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOEGO_CACHE", str(tmp_path / "cache"))
        patch.setattr(fold_module, "measure_parts", lambda parts, seconds: quick)
        patch.setattr(fold_module, "_resolve", lambda *a: runtimes.append(real(*a)) or runtimes[-1])
        result = train(recipe, TrainOptions(folder=project, fold="all", audit=False), callbacks)
    assert any("timed again" in note for note in result.notes)
    assert len(runtimes) == 2
    assert runtimes[0].precision == runtimes[1].precision


def test_workers_share_no_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3, 4}, raising=False)
    shares = [own_cores(k, 2) for k in range(2)]
    assert sorted(c for share in shares for c in share) == [0, 1, 2, 3, 4]
    assert own_cores(0, 6) == ()
