"""Ablations: what is tried, through the queue or here, nothing trained twice, and the table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_diagnose import people, predict

from hoego.data.dataset import Dataset
from hoego.errors import NotEstimableError, RecipeError, UsageError
from hoego.recipe import build
from hoego.runs import queue
from hoego.runs.ablate import AblateRequest, Ablation, ablate, changes_of, holm, split_values
from hoego.runs.queue import QueueOptions, RunOutcome, WorkerContext
from hoego.runs.records import Record, RunStore, process
from hoego.runs.required_runs import StudyRunner

RECIPE = build({"epochs": 2, "name": "base", "model": {"head": "composite"}})
PEOPLE = people(60)
GOOD = "optim.lr=0.01"


def train(record: Record, context: WorkerContext) -> RunOutcome:
    """A stand-in: the better learning rate is right more often; a batch of one ends in NaN."""
    settings = record.recipe
    if settings["batch_size"] == 1:
        raise FloatingPointError("NaN")
    right = 0.95 if settings["optim"]["lr"] == 0.01 else 0.75
    made = predict(
        PEOPLE, settings["seed"] + 10 * (right > 0.9), dict.fromkeys(("mask", "gender", "age"), right)
    )
    replace(made, name=record.id).write(record.folder / "predictions.parquet")
    context.epoch_done(0.01)
    return RunOutcome("done", score={"macro_f1": {"value": right}, "honesty": "out-of-fold"})


def ask(folder: Path, *vary: str, dataset: Dataset = PEOPLE, **fields: Any) -> Ablation:
    request = AblateRequest(vary=vary, **{"queue": True, "why": "it learns faster", **fields})
    return ablate(RECIPE, dataset, request, StudyRunner(folder=folder), queue.add)


def test_through_the_queue_runs_wait_and_the_same_call_reads_them(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    first = ask(tmp_path, "optim.lr=0.01,0.02")
    assert first.rows == ()
    assert [p.state for p in first.pending] == ["waiting"] * 9
    assert "0 of 9 runs are done" in first.notes[0]
    waiting = store.list(states=["waiting"])
    assert {r.meta.why for r in waiting} == {"it learns faster"}
    assert {(r.recipe["optim"]["lr"], r.recipe["seed"]) for r in waiting} == {
        (lr, s) for lr in (RECIPE.optim.lr, 0.01, 0.02) for s in range(3)
    }
    queue.work(store, train, queue.WorkOptions(limit=4))
    assert "4 of 9 runs are done" in ask(tmp_path, "optim.lr=0.01,0.02").notes[0]
    assert len(store.list()) == 9, "what waits is not queued again"
    queue.work(store, train)
    table = ask(tmp_path, "optim.lr=0.01,0.02", queue=None)
    assert len(store.list()) == 9
    assert table.pending == ()
    assert [r.title for r in table.rows] == ["the recipe as it stands", GOOD, "optim.lr=0.02"]
    assert [r.verdict for r in table.rows] == ["", "better", "not distinguishable"]
    assert table.scope == "recipes"
    for run in table.rows[1].runs:
        verdict = store.find(run).verdict
        assert verdict is not None
        assert (verdict.outcome, verdict.scope) == ("better", "recipes")
        assert verdict.baseline == table.rows[0].runs


def test_a_second_ablation_takes_the_runs_of_the_first(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    ask(tmp_path, GOOD)
    queue.work(store, train)
    ask(tmp_path, GOOD, "batch_size=16")
    assert len(store.list()) == 9, "three more, of the change that is new"


def test_runs_of_other_photos_labels_or_folds_are_not_taken(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    ask(tmp_path, GOOD, seeds=1)
    for record in store.list():
        record.update(fingerprints={"dataset": PEOPLE.fingerprint, "labels": "older labels"})
    queue.work(store, train)
    assert len(ask(tmp_path, GOOD, seeds=1).pending) == 2
    request = AblateRequest(vary=(GOOD,), seeds=1, queue=True)
    ablate(RECIPE, PEOPLE, request, StudyRunner(folder=tmp_path, fold=1), queue.add)
    assert len(store.list()) == 6


def test_a_change_whose_run_fails_is_left_out_and_the_others_are_judged(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    vary = (GOOD, "batch_size=1")
    ask(tmp_path, *vary)
    queue.work(store, train)
    table = ask(tmp_path, *vary)
    assert [r.title for r in table.rows] == ["the recipe as it stands", GOOD]
    assert {p.state for p in table.pending} == {"failed"}
    assert "batch_size=1" in table.notes[-1]
    assert len(store.list()) == 9, "what failed is not tried again by itself"
    with pytest.raises(NotEstimableError, match="not a number"):
        ask(tmp_path, "batch_size=1")


def test_what_was_interrupted_goes_on(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    ask(tmp_path, GOOD, seeds=1)
    stopped = store.list()[0]
    stopped.set_state("interrupted", "stopped by hand")
    ask(tmp_path, GOOD, seeds=1)
    assert stopped.refresh().state == "waiting"
    assert len(store.list()) == 2


def test_here_refuses_what_waits_in_the_queue(tmp_path: Path) -> None:
    ask(tmp_path, GOOD)
    with pytest.raises(UsageError, match="in the queue already"):
        ask(tmp_path, GOOD, queue=False)


def test_a_worker_at_work_takes_the_ablation(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    other = queue.add(store, {**RECIPE.to_dict(), "epochs": 9}, QueueOptions())
    assert queue.take(other)
    assert other.meta.process == process.this_process()
    assert {p.state for p in ask(tmp_path, GOOD, queue=None).pending} == {"waiting"}


def changes(*vary: str, **fields: Any) -> list[tuple[str, ...]]:
    return changes_of(RECIPE, AblateRequest(vary=vary, **fields))


def test_changes_one_at_a_time_or_every_combination() -> None:
    both = ("optim.lr=0.01,0.02", "loss=ce,focal")
    loss = RECIPE.to_dict()["loss"]
    other = "focal" if loss == "ce" else "ce"
    assert changes(*both) == [("optim.lr=0.01",), ("optim.lr=0.02",), (f"loss={other}",)]
    assert len(changes(*both, grid=True)) == 4
    assert changes("optim.lr=0.01,0.01,0.010") == [("optim.lr=0.01",)], "the same training once"
    assert split_values('[1, 2],"a,b"') == ["[1, 2]", '"a,b"']


@pytest.mark.parametrize(
    "vary",
    [
        "split.seed=1",
        "fold=1",
        "labels.target=age",
        "dataset.root=elsewhere",
        "seed=5",
        "epochs=2",
        "score.resamples=9000",
    ],
)
def test_what_cannot_be_compared_or_changes_nothing_is_refused_before_anything_is_queued(
    tmp_path: Path, vary: str
) -> None:
    with pytest.raises(UsageError):
        ask(tmp_path, vary)
    assert not (tmp_path / "runs").exists()


def test_an_unknown_setting_is_refused_before_anything_is_queued(tmp_path: Path) -> None:
    with pytest.raises(RecipeError):
        ask(tmp_path, GOOD, "optim.lrr=1")
    with pytest.raises(UsageError):
        ask(tmp_path, GOOD, seeds=0)
    assert not (tmp_path / "runs").exists()


def test_holm_is_that_of_statsmodels_by_hand() -> None:
    """Holm (1979), example 1: p of 0.01, 0.04, 0.03, 0.005 become 0.03, 0.06, 0.06, 0.02."""
    adjusted = holm([0.01, 0.04, None, 0.03, 0.005])
    assert adjusted[2] is None
    np.testing.assert_allclose([p for p in adjusted if p is not None], [0.03, 0.06, 0.06, 0.02])
