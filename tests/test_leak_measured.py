"""The leak, measured: two scores on different photos of partly the same people, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from round_trips import round_trip
from scored_people import people, predict

from hoego.errors import DataError, MismatchError, NotEstimableError
from hoego.evaluate.score import ScoreOptions, score
from hoego.evaluate.score.space import LabelSpace
from hoego.predictions import Predictions
from hoego.results.score import MetricEstimate
from hoego.runs import leak as study
from hoego.runs.leak import compare_promises, promised_less_kept, together
from hoego.runs.records import Record, RunStore

PEOPLE = people(80)


def space(rows: np.ndarray, seed: int = 0) -> LabelSpace:
    """Some photos of 80 people; people differ in how hard they are."""
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(80), 6)
    truth = (subject % 3).astype(np.int64)
    hard = np.random.default_rng(99).random(80)[subject] ** 3
    said = np.where(rng.random(480) < hard, (truth + 1) % 3, truth)
    return LabelSpace(
        name="t",
        classes=("a", "b", "c"),
        ordered=False,
        truth=truth[rows],
        probabilities=np.eye(3)[said[rows]],
        subject=subject[rows],
        rows=rows,
    )


def test_scores_vary_together_by_the_people_on_both_sides() -> None:
    every = np.arange(480)
    odd, even = every[every % 2 == 1], every[every % 2 == 0]
    assert together(space(every), space(every)) == pytest.approx(1.0)
    assert together(space(every[:240]), space(every[240:])) == 0.0
    assert 0.2 < together(space(odd, 1), space(even, 2)) < 0.95


def run(store: RunStore, run_of: Predictions, **fingerprints: str) -> Record:
    record = store.create({}, state="done", fingerprints={"dataset": "d", "labels": "l", **fingerprints})
    replace(run_of, name=record.id).write(record.folder / "predictions.parquet")
    found = score(run_of, PEOPLE, ScoreOptions(resamples=200)).model_dump(mode="json")
    record.update(score={"macro_f1": found["macro_f1"]})
    return record


def test_the_leak_has_an_interval_and_says_so_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RunStore(tmp_path)
    good, bad = predict(PEOPLE, (0.0, 0.02, 0.1)), predict(PEOPLE, (0.02, 0.1, 0.6), seed=1, name="b")
    monkeypatch.setattr(study, "dataset_of", lambda *_, **__: PEOPLE)
    runs = [run(store, replace(good, split_kind="naive")), run(store, bad)]
    found = compare_promises(*runs)
    sides = [found.naive.macro_f1.value, found.honest.macro_f1.value]
    assert None not in sides
    assert found.leak.value == pytest.approx(sides[0] - sides[1])
    assert found.leak.low is not None
    assert found.leak.high is not None
    assert 0 < found.leak.low < found.leak.value < found.leak.high
    assert f"{found.leak.low:+.3f}" in found.words
    round_trip(found)

    def gone(record: object) -> None:
        raise DataError("the folder is gone")

    monkeypatch.setattr(study, "dataset_of", gone)
    wider = compare_promises(*runs)
    assert wider.correlation == 0.0
    assert wider.words.endswith("since the data cannot be read: the folder is gone")


@pytest.mark.parametrize("what", ["dataset", "labels"])
def test_runs_of_other_photos_or_labels_are_refused(tmp_path: Path, what: str) -> None:
    store, made = RunStore(tmp_path), predict(PEOPLE)
    with pytest.raises(MismatchError, match=what):
        compare_promises(run(store, made), run(store, replace(made, name="b"), **{what: "other"}))


def test_without_a_score_or_an_interval_it_cannot_say(tmp_path: Path) -> None:
    store, made = RunStore(tmp_path), predict(PEOPLE)
    bare = store.create({}, state="done", fingerprints={"dataset": "d", "labels": "l"})
    with pytest.raises(NotEstimableError, match="has no score"):
        compare_promises(run(store, made), bare)
    few, many = MetricEstimate(value=0.8), MetricEstimate(value=0.5, low=0.4, high=0.6)
    found = promised_less_kept(few, many)
    assert (found.value, found.low, found.high) == (pytest.approx(0.3), None, None)
