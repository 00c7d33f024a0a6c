"""Decision rules: the optimum against brute force, fitted across subjects, left off unless they help."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.special import softmax
from sklearn.metrics import f1_score

from hoego.data.dataset import Dataset
from hoego.data.schema import Attribute, LabelSchema
from hoego.errors import LeakError, NotEstimableError, UsageError
from hoego.evaluate.ensemble import DecideOptions, EnsembleOptions, Offsets, decide, ensemble, with_fitted
from hoego.evaluate.ensemble.decision import STRENGTHS, best_offset, fit_offsets
from hoego.evaluate.score import ScoreOptions, score
from hoego.evaluate.score.formulas import macro_f1_score
from hoego.predictions import Predictions, RowProvenance, SubjectUniverse, honesty

FAST = ScoreOptions(resamples=200)


def world(
    shares: tuple[float, ...] = (0.75, 0.2, 0.05), n: int = 300, photos: int = 3, seed: int = 0
) -> tuple[Dataset, Predictions]:
    """Photos of people of uneven classes, and the true posterior of each photo (so: calibrated, best for accuracy)."""
    rng = np.random.default_rng(seed)
    c = len(shares)
    subject = np.repeat(np.arange(n), photos)
    truth = rng.choice(c, n, p=shares)[subject]
    evidence = rng.normal(size=(n * photos, c))
    evidence[np.arange(len(truth)), truth] += 1
    p = softmax(evidence + np.log(shares), axis=1)
    schema = LabelSchema((Attribute(name="kind", kind="nominal", classes=tuple("abcdef"[:c])),), "kind")
    images = pl.DataFrame(
        {
            "image": [f"{i:04d}" for i in range(len(subject))],
            "path": [f"{i:04d}.jpg" for i in range(len(subject))],
            "subject": [f"s{s:03d}" for s in subject.tolist()],
            "content": np.arange(len(subject), dtype=np.uint64),
        }
    )
    dataset = Dataset(
        root=Path("."), schema=schema, images=images, codes=truth[:, None].astype(np.int16), numbers={}
    )
    return dataset, run_of(dataset, p)


def run_of(dataset: Dataset, p: np.ndarray, name: str = "run") -> Predictions:
    fold = (dataset.subject_index % 4).astype(np.int16)
    return Predictions(
        images=dataset.image_ids,
        values={"kind": p.astype(np.float32)},
        scale={"kind": "probabilities"},
        schema=dataset.schema,
        fold=fold,
        source=fold.astype(np.int32),
        sources=tuple(RowProvenance.from_training(f"{name} {k}", dataset, fold != k) for k in range(4)),
        universe=SubjectUniverse.of(dataset),
        dataset_fingerprint=dataset.fingerprint,
        split_fingerprint="s",
        split_kind="folds",
        name=name,
        lineage=(name,),
    )


def holdout_of(dataset: Dataset, run: Predictions) -> Predictions:
    """The same rows as those of a run that held a quarter of the subjects out."""
    held = run.take(run.fold == 0)
    return replace(held, source=np.zeros_like(held.source), sources=run.sources[:1])


@pytest.mark.parametrize("seed", range(3))
def test_one_offset_is_the_best_of_all_that_differ(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.choice(4, 60, p=[0.6, 0.2, 0.15, 0.05])
    scores = rng.normal(size=(60, 4)) * 1.5
    scores[np.arange(60), truth] += 1.0

    def value(offset: float, k: int) -> float:
        said = (scores + offset * (np.arange(4) == k)).argmax(axis=1)
        return float(f1_score(truth, said, average="macro", labels=np.unique(truth)))

    for k in range(4):
        found = best_offset(scores, truth, k)
        passing = np.sort(np.delete(scores, k, axis=1).max(axis=1) - scores[:, k])
        between = [-5.0, 5.0, *((passing[1:] + passing[:-1]) / 2).tolist()]
        best = max(value(g, k) for g in between if abs(g) <= 5)
        assert value(found, k) >= best - 1e-9
        assert abs(found) <= 5


def test_an_offset_that_is_the_best_already_stays() -> None:
    truth = np.asarray([0, 0, 1, 1, 2, 2])
    assert best_offset(np.eye(3)[truth] * 4, truth, 1) == 0.0
    assert fit_offsets("thresholds", softmax(np.eye(3)[truth] * 4, axis=1), truth).values.tolist() == [
        0,
        0,
        0,
    ]


def test_the_prior_correction_is_minus_a_strength_times_the_log_of_the_share() -> None:
    dataset, run = world()
    found = fit_offsets("prior", run.probabilities("kind"), dataset.target)
    share = np.bincount(dataset.target) / dataset.n_images
    expected = -np.log(share) + np.log(share).mean()
    assert found.strength is not None
    np.testing.assert_allclose(found.values, found.strength * expected)
    p = run.probabilities("kind")
    scores = [macro_f1_score((np.log(p) + s * expected).argmax(axis=1), dataset.target, 3) for s in STRENGTHS]
    assert macro_f1_score(found.apply(p).argmax(axis=1), dataset.target, 3) == max(scores)
    assert found.strength == STRENGTHS[int(np.argmax(scores))]


@pytest.mark.parametrize("rule", ["prior", "thresholds"])
def test_a_rule_that_helps_beyond_the_interval_is_applied_and_says_what_it_saw(rule: str) -> None:
    dataset, run = world()
    made, found = decide(run, dataset, DecideOptions(rule))
    assert found.kept
    assert found.gain.low > 0
    assert found.p_value < 0.05
    truth = dataset.target
    with_rule, without = (
        f1_score(truth, x.probabilities("kind").argmax(axis=1), average="macro") for x in (made, run)
    )
    assert found.gain.value == pytest.approx(with_rule - without)
    assert honesty(made, dataset).label == "selected, cross-fitted"
    assert "is applied" in found.words


@pytest.mark.parametrize("rule", ["prior", "thresholds"])
def test_a_rule_that_does_not_help_is_left_off(rule: str) -> None:
    dataset, run = world((0.34, 0.33, 0.33), n=60)
    made, found = decide(run, dataset, DecideOptions(rule))
    assert not found.kept
    assert made is run
    assert "left off" in found.words


@pytest.mark.parametrize("rule", ["prior", "thresholds"])
def test_the_labels_of_a_fold_do_not_move_its_own_decisions(rule: str) -> None:
    dataset, run = world()
    made, found = decide(run, dataset, DecideOptions(rule))
    first = run.fold == 0
    codes = dataset.codes.copy()
    codes[first, 0] = np.random.default_rng(1).permutation(codes[first, 0])
    other, again = decide(run, replace(dataset, codes=codes), DecideOptions(rule))
    assert found.kept
    assert again.kept
    np.testing.assert_array_equal(made.values["kind"][first], other.values["kind"][first])
    assert (made.values["kind"][~first] != other.values["kind"][~first]).any()


def test_a_single_run_may_be_given_a_rule_and_two_rules_are_no_rule() -> None:
    dataset, run = world()
    made = ensemble([run], dataset, EnsembleOptions(decide="prior", resamples=200))
    assert made.decision is not None
    assert made.verdict == made.decision.words
    assert made.score.primary.value == pytest.approx(
        f1_score(dataset.target, made.predictions.probabilities("kind").argmax(axis=1), average="macro")
    )
    assert made.gain is not None
    assert made.gain.value == pytest.approx(made.decision.gain.value)
    with pytest.raises(UsageError, match="--decide"):
        ensemble([run], dataset)
    with pytest.raises(UsageError, match="thresholds"):
        ensemble([run], dataset, EnsembleOptions(decide="threshold"))


def test_under_a_holdout_a_rule_for_new_images_has_seen_the_held_out_subjects() -> None:
    dataset, run = world(n=2000)
    held = holdout_of(dataset, run)
    made = ensemble([held], dataset, EnsembleOptions(decide="prior", resamples=200))
    assert made.decision is not None
    assert made.decision.kept
    assert made.fitted is not None
    assert score(held, dataset, FAST).honesty == "out-of-fold"
    with pytest.raises(LeakError, match="fitted on the labels"):
        score(with_fitted(held, made.fitted), dataset, FAST)
    assert set(np.unique(made.predictions.source)) == set(range(len(made.predictions.sources)))
    assert len(made.predictions.sources) == 5


def test_offsets_survive_json_and_labels_that_are_missing_are_left_out() -> None:
    dataset, run = world()
    p, truth = run.probabilities("kind"), dataset.target.copy()
    found = fit_offsets("thresholds", p, truth)
    np.testing.assert_array_equal(Offsets.of(found.plain).apply(p), found.apply(p))
    np.testing.assert_allclose(found.apply(p).sum(axis=1), 1)
    truth[::2] = -1
    some = fit_offsets("thresholds", p, truth)
    np.testing.assert_array_equal(
        some.values, fit_offsets("thresholds", p[1::2], dataset.target[1::2]).values
    )
    with pytest.raises(NotEstimableError):
        fit_offsets("prior", p, np.full(len(p), -1))
