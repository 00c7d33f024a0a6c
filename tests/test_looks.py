"""The ledger of looks: what the first place of a ranking is flattered by, and what is said where that is not known."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from round_trips import round_trip
from scored_people import people, predict
from sklearn.metrics import f1_score
from test_cli import as_json, here, project, run  # noqa: F401  (fixtures)

from hoego.data.dataset import Dataset
from hoego.errors import NotEstimableError
from hoego.results.looks import RankingLooks
from hoego.runs.looks import LooksSources, RunClasses, flattery, looks
from hoego.runs.records import Ranking, Record, RunStore, rankings

SHARE = 0.7
"""Chance that a photo is classified rightly, of every simulated run."""


def equal_runs(dataset: Dataset, n_runs: int, rng: np.random.Generator) -> list[RunClasses]:
    """Runs of one true skill, which err by person: half of their answers are those of one common run."""
    truth, owner = dataset.classes_of("age"), dataset.subject_index

    def answers() -> np.ndarray:
        right = rng.beta(SHARE, 1 - SHARE, owner.max() + 1)[owner]
        wrong = (truth + rng.integers(1, 3, len(truth))) % 3
        return np.where(rng.random(len(truth)) < right, truth, wrong)

    common = answers()
    return [
        RunClasses(
            images=dataset.image_ids,
            said=np.where((rng.random(owner.max() + 1) < 0.5)[owner], common, answers()).astype(np.int16),
            classes=dataset.schema.classes("age"),
        )
        for _ in range(n_runs)
    ]


def test_runs_of_equal_skill_are_flattered_by_what_is_printed() -> None:
    """60 times the first of 37 equal runs: the printed flattery is, on average, what its score exceeds the truth by."""
    rng = np.random.default_rng(20261125)
    share = np.bincount(people(91).classes_of("age")) / people(91).n_images
    said = SHARE * share + (1 - SHARE) / 2 * (1 - share)  # an error goes to either other class
    worth = np.mean(2 * SHARE * share / (share + said))
    printed, true = [], []
    for _ in range(60):
        dataset = people(91)
        runs = equal_runs(dataset, 37, rng)
        found = flattery(runs, dataset, "age", RankingLooks(metric="macro_f1", n_runs=37))
        assert found.optimism is not None
        assert found.flattery is not None
        best = max(f1_score(dataset.classes_of("age"), r.said, average="macro") for r in runs)
        assert found.optimism.plain == pytest.approx(best)
        printed.append(found.flattery)
        true.append(best - worth)
    off = np.asarray(printed) - np.asarray(true)
    error = off.std() / np.sqrt(len(off))
    assert np.mean(true) > 0.03, "the choice flatters at all"
    assert abs(off.mean()) < 3 * error + 0.002


def ranking_of(root: Path, dataset: Dataset, n_runs: int) -> Ranking:
    """Runs of the made-up people, ranked; the last has no predictions."""
    store = RunStore(root)
    prints = {"dataset": dataset.fingerprint, "split": "s", "labels": dataset.labels_version}
    for k in range(n_runs):
        record = store.create({"epochs": 1}, name=f"r{k}", fingerprints=prints, target="composite")
        score = {"macro_f1": {"value": 0.5 + k / 1000}, "honesty": "out-of-fold", "target": "composite"}
        record.update(score={**score, "n_images": dataset.n_images, "n_subjects": dataset.n_subjects})
        record.set_state("done")
        if k < n_runs - 1:
            predict(dataset, seed=k, name=record.id).write(record.folder / "predictions.parquet")
    [found] = rankings(store.list())
    return found


def held(dataset: Dataset) -> LooksSources:
    return LooksSources(dataset=lambda _: dataset)


def test_it_says_from_how_many_runs_it_is_estimated_and_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path / "cache"))
    dataset = people(60)
    ranking = ranking_of(tmp_path / "runs", dataset, 9)
    found = looks(ranking, sources=held(dataset))
    assert found is not None
    assert found.flattery is not None
    assert (found.n_runs, found.n_used, found.n_subjects) == (9, 8, 60)
    assert str(found) == (
        f"9 runs ranked on these 60 subjects: about +{found.flattery:.3f} (estimated from 8 of them)"
    )
    round_trip(found)

    def gone(_: Record) -> Dataset:
        raise AssertionError("the estimate is kept by the digests of the predictions")

    assert looks(ranking, sources=LooksSources(dataset=gone)) == found
    with pytest.raises(AssertionError, match="kept"):
        looks(replace(ranking, records=ranking.records[:5]), sources=LooksSources(dataset=gone))


def test_it_says_why_there_is_no_estimate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path / "cache"))
    dataset = people(60)
    ranking = ranking_of(tmp_path / "runs", dataset, 4)

    def said(ranking: Ranking, metric: str = "macro_f1", **sources: Any) -> str:
        return str(looks(ranking, metric, LooksSources(**{"dataset": lambda _: dataset, **sources})))

    few = people(9)
    with pytest.raises(NotEstimableError, match="9 subjects"):
        flattery(
            equal_runs(few, 3, np.random.default_rng(0)),
            few,
            "age",
            RankingLooks(metric="macro_f1", n_runs=3),
        )
    assert "not estimated (only for macro F1" in said(ranking, "low")
    assert looks(replace(ranking, records=ranking.records[:1])) is None
    other = replace(dataset, codes=np.where(dataset.codes == 0, 1, dataset.codes).astype(np.int16))
    assert said(ranking, dataset=lambda _: other).endswith("by today's labels")
    assert not (tmp_path / "cache").exists(), "an estimate on other labels is not kept for these"
    for record in ranking.records:
        shutil.rmtree(record.folder)
    assert said(ranking).endswith("not estimated (fewer than two of them hold predictions)")


def test_a_listing_sorted_by_a_score_prints_it(project: Path) -> None:  # noqa: F811
    found = as_json("runs", "--sort", "-macro_f1")
    assert found["chosen_of"] == found["looks"]["n_runs"] == found["looks"]["n_used"] == 3
    text = run("runs", "--sort", "-macro_f1").output
    assert "the first is selected, highest of 3" in text
    assert "3 runs ranked on these 30 subjects: about +0." in " ".join(text.split())
    lowest = as_json("runs", "--sort", "macro_f1")
    assert (lowest["chosen_of"], lowest["looks"]) == (0, None)


def test_equal_photos_in_another_order_are_the_same_photos() -> None:
    dataset = people(60)
    rng = np.random.default_rng(3)
    runs = equal_runs(dataset, 5, rng)
    known = RankingLooks(metric="macro_f1", n_runs=5)
    order = rng.permutation(dataset.n_images)
    moved = [replace(r, images=r.images[order], said=r.said[order]) if k else r for k, r in enumerate(runs)]
    assert flattery(moved, dataset, "age", known) == flattery(runs, dataset, "age", known)
    part = [replace(r, images=r.images[:70], said=r.said[:70]) if k > 2 else r for k, r in enumerate(runs)]
    assert flattery(part, dataset, "age", known).n_used == 3
