"""Ideas: kept, listed, executed when the queue is empty, judged in numbers."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hoego.errors import RecipeError, RecordError, UsageError
from hoego.recipe import build
from hoego.recipe.resolve import apply_overrides
from hoego.results.score import DefinedEstimate
from hoego.results.verdict import ComparisonVerdict
from hoego.runs import queue
from hoego.runs.idea_lists import LISTS
from hoego.runs.ideas import IdeaWorker, adopt, ideas
from hoego.runs.ideas import add as add_idea
from hoego.runs.queue import RunOutcome, WorkerContext, WorkOptions
from hoego.runs.records import Record, RunStore, merge

LEADER = build({"epochs": 2, "name": "base", "model": {"head": "composite"}}).to_dict()
GAIN = {"optim.lr=0.01": 0.10, "batch_size=32": 0.0, "loss=focal": -0.10}


def train(record: Record, context: WorkerContext) -> RunOutcome:
    """Scores by the recipe: the gain of each setting that an idea brought, and a little of the seed."""
    recipe = record.recipe
    for epoch in range(2):
        record.append_epoch(0, {"epoch": epoch, "seconds": 0.01})
        context.epoch_done(0.01)
    value = 0.6 + 0.001 * recipe["seed"]
    value += 0.10 * (recipe["optim"]["lr"] == 0.01) - 0.10 * (recipe["loss"] == "focal")
    return RunOutcome("done", score={"macro_f1": {"value": value}, "honesty": "selected"})


def judge(_: RunStore, baseline: Sequence[Record], runs: Sequence[Record]) -> ComparisonVerdict:
    sides = [[r.score.primary.value for r in side] for side in (baseline, runs)]  # type: ignore[union-attr]
    difference = statistics.fmean(sides[1]) - statistics.fmean(sides[0])
    words = "not distinguishable" if abs(difference) < 0.01 else "better" if difference > 0 else "worse"
    ids = tuple(r.id for r in baseline), tuple(r.id for r in runs)
    return ComparisonVerdict(
        outcome=words,
        metric="macro_f1",
        difference=DefinedEstimate(value=difference),
        scope="recipes",
        baseline=ids[0],
        runs=ids[1],
    )


def work(store: RunStore, **fields: Any) -> queue.WorkReport:
    ideas_worker = IdeaWorker(**{"recipe": LEADER, "judge": judge, **fields})
    return queue.work(store, train, WorkOptions(idle=ideas_worker.idle, after_run=ideas_worker.after_run))


def test_an_idea_is_kept_with_its_hypothesis_and_checked_at_once(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    added = add_idea(
        store, "train the 60 edge at 58", ["train_edits.age.shift.60=58"], why="57-59 look like 60"
    )
    assert ideas(store).ideas == (added,)
    assert (added.state, added.promise) == ("untried", 0.5)
    with pytest.raises(RecipeError, match="mixupp"):
        add_idea(store, "typo", ["mixing.mixupp.share=0.5"])
    with pytest.raises(UsageError):
        add_idea(store, "nothing to set", [])
    assert len(ideas(store).ideas) == 1


def test_three_ideas_leave_three_verdicts(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    texts = {add_idea(store, setting, [setting]).id: setting for setting in GAIN}
    report = work(store)
    kept = ideas(store)
    assert {i.state for i in kept.ideas} == {"tried"}
    for idea in kept.ideas:
        assert idea.verdict is not None
        gain = GAIN[texts[idea.id]]
        assert idea.verdict.outcome == (
            "better" if gain > 0 else "worse" if gain < 0 else "not distinguishable"
        )
        assert len(idea.runs) == len(idea.baseline) == 3
        assert [store.find(r).recipe["seed"] for r in idea.runs] == [0, 1, 2]
        for run in idea.runs:
            assert store.find(run).verdict == idea.verdict
    assert kept.leader is not None
    assert kept.leader["optim"]["lr"] == 0.01
    assert all(ran.state == "done" for ran in report.ran)
    assert len(report.ran) < 18, "the leader's runs are shared by the ideas that are compared with it"
    assert work(store).ran == ()


def test_the_leaders_runs_are_reused(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    for seed in range(3):
        queue.add(store, {**LEADER, "seed": seed, "name": "other name"})
    queue.work(store, train)
    add_idea(store, "smaller batches", ["batch_size=32"])
    assert len(work(store).ran) == 3


def test_the_promising_and_cheap_come_first(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    for seed in range(3):
        queue.add(store, {**LEADER, "seed": seed})
    queue.work(store, train)
    long = add_idea(store, "longer", ["epochs=200"], promise=0.9)
    likely = add_idea(store, "likely", ["batch_size=32"], promise=0.8)
    unlikely = add_idea(store, "unlikely", ["batch_size=16"], promise=0.2)
    worker = IdeaWorker(recipe=LEADER, judge=judge)
    ranked = [i.id for i in worker._ranked(store, LEADER)]
    assert ranked == [likely.id, unlikely.id, long.id]
    assert not worker.idle(store, 0.001)
    assert worker.idle(store, 1e9)
    assert [i.state for i in ideas(store).ideas if i.id == likely.id] == ["queued"]


def test_the_best_run_leads_where_no_recipe_is_given(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    add_idea(store, "smaller batches", ["batch_size=32"])
    with pytest.raises(RecordError, match="no run leads yet"):
        work(store, recipe=None)
    queue.add(store, {**LEADER, "epochs": 1})
    queue.add(store, {**LEADER, "optim": {**LEADER["optim"], "lr": 0.01}})
    queue.work(store, train)
    work(store, recipe=None)
    assert store.find(ideas(store).ideas[0].runs[0]).recipe["optim"]["lr"] == 0.01


def test_what_the_leader_does_already_is_not_run(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    add_idea(store, "as it is", ["epochs=2"])
    assert work(store).ran == ()
    (idea,) = ideas(store).ideas
    assert idea.verdict is not None
    assert (idea.state, idea.verdict.outcome) == ("tried", "already so")


def test_a_lucky_run_does_not_lead_without_being_better(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    add_idea(store, "lucky", ["optim.lr=0.01"])
    undecided = lambda s, a, b: ComparisonVerdict(outcome="not distinguishable", scope="recipes")  # noqa: E731
    work(store, recipe=None, fallback=LEADER, judge=undecided)
    add_idea(store, "smaller batches", ["batch_size=32"])
    work(store, recipe=None, fallback=LEADER)
    assert store.find(ideas(store).ideas[1].runs[0]).recipe["optim"]["lr"] == LEADER["optim"]["lr"]


def test_an_idea_whose_run_fails_says_so_and_the_others_go_on(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    bad, good = (
        add_idea(store, "bad", ["batch_size=1"], promise=0.9),
        add_idea(store, "good", ["optim.lr=0.01"]),
    )

    def breaks(record: Record, context: WorkerContext) -> RunOutcome:
        if record.recipe["batch_size"] == 1:
            raise FloatingPointError("NaN")
        return train(record, context)

    worker = IdeaWorker(recipe=LEADER, judge=judge)
    queue.work(store, breaks, WorkOptions(idle=worker.idle, after_run=worker.after_run))
    states = {i.id: i for i in ideas(store).ideas}
    assert states[bad.id].state == "failed"
    assert "not a number" in states[bad.id].verdict.sentence  # type: ignore[union-attr]
    assert states[good.id].verdict.outcome == "better"  # type: ignore[union-attr]


def test_an_idea_that_lost_to_an_older_leader_changes_nothing(tmp_path: Path) -> None:
    """Two ideas are queued against one leader; the first to be better leads, the second was not compared with it."""
    store = RunStore(tmp_path)
    for setting in ("optim.lr=0.01", "batch_size=32"):
        add_idea(store, setting, [setting])
    always = IdeaWorker(
        recipe=LEADER, judge=lambda s, a, b: ComparisonVerdict(outcome="better", scope="recipes")
    )
    assert always.idle(store, 1e9)
    assert always.idle(store, 1e9)
    queue.work(store, train)
    assert len(always.record_verdicts(store)) == 2
    leader = ideas(store).leader
    assert leader is not None
    assert (leader["optim"]["lr"] == 0.01) != (leader["batch_size"] == 32)


@pytest.mark.parametrize("name", sorted(LISTS))
def test_bundled_lists_are_valid_recipes_and_taken_over_once(tmp_path: Path, name: str) -> None:
    store = RunStore(tmp_path)
    taken = adopt(store, name)
    assert len(taken) == len(LISTS[name])
    assert adopt(store, name) == ()
    for idea in taken:
        assert build(apply_overrides(LEADER, idea.overlay)).fingerprint != build(LEADER).fingerprint
        assert idea.source
    with pytest.raises(UsageError, match="no list"):
        adopt(store, "nothing")


def test_ideas_merge_with_their_verdicts(tmp_path: Path) -> None:
    ours, theirs = RunStore(tmp_path / "a"), RunStore(tmp_path / "b")
    add_idea(ours, "mine", ["epochs=3"])
    add_idea(theirs, "lr", ["optim.lr=0.01"])
    work(theirs)
    merge(theirs, ours)
    states = {i.text: i.state for i in ideas(ours).ideas}
    assert states == {"mine": "untried", "lr": "tried"}
