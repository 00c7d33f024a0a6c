"""Comparisons: paired, refused where they would mean nothing, and no more often wrong than they say."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scored_people import people, predict
from sklearn.metrics import f1_score, log_loss, roc_auc_score

from hoego.errors import LeakError, MismatchError, NotEstimableError, UsageError
from hoego.evaluate.compare import CompareOptions, PairedResamples, compare, verdict
from hoego.evaluate.compare.paired import PairedDifference
from hoego.evaluate.compare.resamples import CountMetric, ResamplingOptions
from hoego.evaluate.score.metrics import METRICS
from hoego.evaluate.score.space import LabelSpace
from hoego.predictions import RowProvenance

QUICK = CompareOptions(resamples=500, permutations=999)
WORSE = (0.02, 0.04, 0.55)


@pytest.fixture(scope="module")
def three():
    dataset = people(120)
    return (
        dataset,
        predict(dataset, name="a"),
        predict(dataset, seed=1, name="b"),
        predict(dataset, WORSE, seed=2, name="c"),
    )


def f1(dataset, predictions):
    return f1_score(dataset.target, predictions.target_probabilities().argmax(axis=1), average="macro")


def test_the_difference_is_scikit_learns_and_the_verdict_follows_the_numbers(three) -> None:
    dataset, a, b, c = three
    found = compare([a, c], dataset, QUICK)
    assert found.difference.value == pytest.approx(f1(dataset, a) - f1(dataset, c))
    assert found.verdict == "better"
    assert found.difference.low > 0
    assert found.p_value < 0.05
    assert found.detectable == pytest.approx(2.8 * found.difference.standard_error)
    assert compare([c, a], dataset, QUICK).verdict == "worse"
    level = compare([a, b], dataset, QUICK)
    assert level.verdict == "not distinguishable"
    assert "could have been detected" in level.sentence


def test_swapping_the_sides_mirrors_everything(three) -> None:
    dataset, a, _, c = three
    one, two = compare([a, c], dataset, QUICK), compare([c, a], dataset, QUICK)
    assert one.difference.value == pytest.approx(-two.difference.value)
    assert one.difference.low == pytest.approx(-two.difference.high, abs=0.01)
    assert one.p_value == pytest.approx(two.p_value, abs=0.01)


def test_a_run_against_itself_differs_by_nothing(three) -> None:
    dataset, a, _, _ = three
    found = compare([a, replace(a, name="again")], dataset, QUICK)
    assert found.difference.value == 0
    assert found.p_value == 1
    assert found.verdict == "not distinguishable"
    assert found.detectable is None
    assert "predict the same" in found.sentence


def test_the_order_of_rows_changes_nothing(three) -> None:
    dataset, a, b, _ = three
    order = np.random.default_rng(0).permutation(a.n_images)
    one = compare([a, b], dataset, QUICK).model_dump(mode="json")
    assert compare([a.take(order), b], dataset, QUICK).model_dump(mode="json") == one
    assert json.loads(json.dumps(one)) == one
    assert set(one) >= {"difference", "p_value", "detectable", "scope", "verdict"}


def test_permutations_agree_with_the_list_of_all_of_them() -> None:
    rng = np.random.default_rng(4)
    subject = np.repeat(np.arange(8), 4)
    truth = np.repeat(np.arange(8) % 2, 4)
    sides = [np.where(rng.random(32) < keep, truth, 1 - truth) for keep in (0.95, 0.6)]
    spaces = [
        LabelSpace(
            name="x",
            classes=("0", "1"),
            ordered=False,
            truth=truth,
            probabilities=np.eye(2)[s],
            subject=subject,
            rows=np.arange(32),
        )
        for s in sides
    ]
    formula = METRICS["macro_f1"].formula
    evidence = CountMetric(spaces, formula, ResamplingOptions(50, 20_000, 0))
    drawn = np.abs(evidence.swapped(0, 1))
    gap = abs(evidence.values[0] - evidence.values[1])
    every = []
    for flips in itertools.product([False, True], repeat=8):
        f = np.asarray(flips)[subject]
        one, two = np.where(f, sides[1], sides[0]), np.where(f, sides[0], sides[1])
        every.append(abs(f1_score(truth, one, average="macro") - f1_score(truth, two, average="macro")))
    exact = np.mean(np.asarray(every) >= gap - 1e-9)
    assert 0 < exact < 0.5
    assert np.mean(drawn >= gap - 1e-9) == pytest.approx(exact, abs=4 * np.sqrt(exact / 20_000))
    assert drawn.max() == pytest.approx(max(every))


def test_many_equal_subjects_are_swapped_one_by_one_too() -> None:
    truth, subject = np.zeros(400, dtype=int), np.arange(400)
    truth[200:] = 1
    better = np.where(np.arange(400) % 10 == 0, 1 - truth, truth)
    spaces = [
        LabelSpace(
            name="x",
            classes=("0", "1"),
            ordered=False,
            truth=truth,
            probabilities=np.eye(2)[s],
            subject=subject,
            rows=subject,
        )
        for s in (truth, better)
    ]
    evidence = CountMetric(spaces, METRICS["accuracy"].formula, ResamplingOptions(10, 5000, 0))
    drawn = evidence.swapped(0, 1)
    assert drawn.std() == pytest.approx(np.sqrt(40) / 400, rel=0.05)
    assert abs(drawn.mean()) < 0.001


def test_probability_metrics_compare_what_scikit_learn_scores(three) -> None:
    dataset, a, _, c = three
    truth = dataset.classes_of("age")
    p, q = a.probabilities("age"), c.probabilities("age")
    found = compare([a, c], dataset, replace(QUICK, metric="log_loss", label="age"))
    assert found.difference.value == pytest.approx(log_loss(truth, p) - log_loss(truth, q))
    assert found.verdict == "better"
    assert found.difference.high < 0
    area = compare([a, c], dataset, replace(QUICK, metric="auroc", label="age"))
    gap = np.mean([roc_auc_score(truth == k, p[:, k]) - roc_auc_score(truth == k, q[:, k]) for k in range(3)])
    assert area.difference.value == pytest.approx(gap)
    assert area.verdict == "better"
    level = compare([a, replace(a, name="again")], dataset, replace(QUICK, metric="auroc"))
    assert level.p_value == 1


def test_ordered_metrics_and_votes(three) -> None:
    dataset, a, _, c = three
    found = compare([a, c], dataset, replace(QUICK, metric="mae", label="age", by_subject=True))
    assert found.n_images == found.n_subjects == 120
    assert found.verdict == "better"
    assert found.difference.value < 0
    with pytest.raises(UsageError, match="needs ordered classes, and those of gender") as caught:
        compare([a, c], dataset, replace(QUICK, metric="qwk", label="gender"))
    assert "[labels.attributes.gender]" in caught.value.remedy
    with pytest.raises(NotEstimableError, match="varies within subjects"):
        compare([a, c], dataset, replace(QUICK, by_subject=True))


def test_ones_own_metric_is_compared(three, tmp_path: Path) -> None:
    dataset, a, _, c = three
    (tmp_path / "own.py").write_text(
        "def hits(truth, p):\n    return float((p.argmax(axis=1) == truth).mean())\n"
    )
    own = compare([a, c], dataset, replace(QUICK, metric=f"{tmp_path / 'own.py'}:hits"))
    plain = compare([a, c], dataset, replace(QUICK, metric="accuracy"))
    assert own.difference.value == pytest.approx(plain.difference.value)
    assert own.difference.low == pytest.approx(plain.difference.low, abs=0.03)
    assert own.verdict == plain.verdict == "better"


def test_recipes_need_three_seeds_a_side(three) -> None:
    dataset, a, b, _ = three
    mine = [predict(dataset, seed=10 + s, name=f"mine-{s}") for s in range(3)]
    other = [predict(dataset, WORSE, seed=20 + s, name=f"other-{s}") for s in range(3)]
    found = compare([mine, other], dataset, replace(QUICK, names=("mine", "other")))
    assert found.scope == "recipes"
    assert found.verdict == "better"
    assert found.sentence.startswith("mine is better than other, of the recipes")
    assert found.difference.value == pytest.approx(
        np.mean([f1(dataset, m) for m in mine]) - np.mean([f1(dataset, o) for o in other])
    )
    two = compare([mine[:2], other], dataset, QUICK)
    assert two.scope == "models"
    assert any("needs 3 seeds a side" in n for n in two.notes)
    assert compare([a, b], dataset, QUICK).scope == "models"


def test_one_seed_named_three_times_is_one_seed(three) -> None:
    dataset, a, b, c = three
    found = compare([[a, a, a], [b, replace(b), c]], dataset, QUICK)
    assert found.scope == "models"
    assert [len(s.runs) for s in found.sides] == [1, 2]
    assert any("counted once" in n for n in found.notes)


def test_seeds_that_scatter_widen_the_interval(three) -> None:
    dataset = three[0]
    near = [predict(dataset, (0.02, 0.04, 0.3), seed=30 + s, name=f"n{s}") for s in range(3)]
    far = [
        predict(dataset, (0.02, 0.04, e), seed=40 + s, name=f"f{s}") for s, e in enumerate((0.05, 0.3, 0.55))
    ]
    steady = compare([near, near], dataset, QUICK).difference
    loose = compare([near, far], dataset, QUICK).difference
    assert loose.high - loose.low > 1.5 * (steady.high - steady.low)


def test_many_runs_are_ranked_with_holms_correction(three) -> None:
    dataset, a, b, c = three
    found = compare([c, a, b], dataset, QUICK)
    best = "a" if f1(dataset, a) > f1(dataset, b) else "b"
    assert found.ranking[0].name == best
    assert found.ranking[-1].name == "c"
    assert set(found.best_set) == {"a", "b"}
    last, middle = found.ranking[2], found.ranking[1]
    assert last.p_adjusted >= last.p_value
    assert middle.p_adjusted >= last.p_adjusted
    assert middle.p_adjusted == pytest.approx(max(min(1.0, 2 * middle.p_value), last.p_adjusted))
    assert not last.in_best_set
    assert last.behind.value == pytest.approx(f1(dataset, a if best == "a" else b) - f1(dataset, c))


def test_equal_recipes_are_seldom_told_apart_in_a_ranking() -> None:
    """Five models of one quality, 40 times: any of them called behind the best in at most 5 % (allowing 3 sigma)."""
    wrong = 0
    dataset = people(40)
    for s in range(40):
        runs = [predict(dataset, seed=100 * s + k + 1, name=f"r{k}") for k in range(5)]
        found = compare(runs, dataset, CompareOptions(resamples=200, permutations=500, seed=s))
        wrong += len(found.best_set) < 5
    assert wrong <= 6


def test_what_differs_is_named(three) -> None:
    dataset, a, b, _ = three
    with pytest.raises(MismatchError, match="split"):
        compare([a, replace(b, split_fingerprint="other")], dataset, QUICK)
    with pytest.raises(MismatchError, match="data set"):
        compare([a, replace(b, dataset_fingerprint="other")], dataset, QUICK)
    with pytest.raises(MismatchError, match="predict different images: 7 are in the first only"):
        compare([a, b.take(np.arange(833))], dataset, QUICK)
    with pytest.raises(UsageError, match="two runs"):
        compare([a], dataset, QUICK)
    with pytest.raises(NotEstimableError, match="no image"):
        compare([a.take(np.zeros(840, bool)), b.take(np.zeros(840, bool))], dataset, QUICK)


def test_a_naive_split_is_never_set_beside_an_honest_one(three) -> None:
    dataset, a, b, _ = three
    fold = (np.arange(840) % 5).astype(np.int16)
    sources = tuple(
        RowProvenance.from_training(f"naive {k}", dataset, fold != k, naive=True) for k in range(5)
    )
    naive = replace(b, fold=fold, source=fold.astype(np.int32), sources=sources, name="naive")
    with pytest.raises(MismatchError, match="naive split"):
        compare([a, naive], dataset, QUICK)
    both = compare([naive, replace(naive, name="too")], dataset, QUICK)
    assert "not honest: naive" in both.notes


def test_in_sample_rows_are_refused(three) -> None:
    dataset, a, b, _ = three
    with pytest.raises(LeakError):
        compare([a, replace(b, source=(b.source + 1) % 5)], dataset, QUICK)


def test_two_subjects_cannot_say() -> None:
    dataset = people(30)
    few = dataset.subject_index < 2
    a, b = predict(dataset, name="a").take(few), predict(dataset, WORSE, seed=1, name="b").take(few)
    found = compare([a, b], dataset, QUICK)
    assert found.verdict == "cannot say"
    assert found.p_value is None
    assert found.difference.low is None
    assert "too few" in found.sentence
    assert all(r.in_best_set for r in found.ranking)


def test_a_class_that_is_never_predicted_is_said(three) -> None:
    dataset, a, b, _ = three
    values = dict(b.values)
    values["age"] = b.values["age"] - np.array([0, 0, 50], dtype=np.float32)
    found = compare([a, replace(b, values=values)], dataset, replace(QUICK, label="age"))
    assert "b never predicts >=60" in found.notes


@pytest.mark.parametrize(
    ("p", "low", "high", "difference", "expected"),
    [
        (0.04, 0.01, 0.2, 0.1, "better"),
        (0.04, -0.2, -0.01, -0.1, "worse"),
        (0.06, 0.01, 0.2, 0.1, "not distinguishable"),
        (0.04, -0.01, 0.2, 0.1, "not distinguishable"),
        (np.nan, np.nan, np.nan, 0.1, "cannot say"),
    ],
)
def test_a_verdict_needs_both_the_test_and_the_interval(p, low, high, difference, expected) -> None:
    found = PairedDifference(
        difference=difference, low=low, high=high, p_value=p, standard_error=0.04, scope="models"
    )
    assert verdict(found, higher=True) == expected
    mirrored = {"better": "worse", "worse": "better"}.get(expected, expected)
    assert verdict(found, higher=False) == mirrored


def test_equal_models_are_seldom_called_better_and_intervals_cover() -> None:
    """400 pairs of equal models, 40 subjects with correlated photos: coverage within 3 sigma of 93-97 %."""
    rng = np.random.default_rng(7)
    g = np.repeat(np.arange(4), 10)
    truth, subject = np.repeat(g, 6), np.repeat(np.arange(40), 6)
    held = said = 0
    for r in range(400):
        spaces = []
        for _ in range(2):
            own = rng.beta(0.8, 0.4, 40)[subject]
            guess = np.where(rng.random(240) < own, truth, (truth + rng.integers(1, 4, 240)) % 4)
            spaces.append(
                LabelSpace(
                    name="x",
                    classes=tuple("abcd"),
                    ordered=False,
                    truth=truth,
                    probabilities=np.eye(4)[guess],
                    subject=subject,
                    rows=np.arange(240),
                )
            )
        bench = PairedResamples.of(
            CountMetric(spaces, METRICS["macro_f1"].formula, ResamplingOptions(300, 299, r)), 0.95, r
        )
        found = bench.pair([0], [1])
        held += found.low <= 0 <= found.high
        said += verdict(found, higher=True) != "not distinguishable"
    assert 0.90 <= held / 400 <= 0.99
    assert said / 400 <= 0.064 + 3 * np.sqrt(0.064 * 0.936 / 400)


def test_an_equal_metric_is_not_taken_for_equal_predictions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flat.py").write_text("def constant(truth, probabilities):\n    return 0.5\n")
    dataset = people(30)
    runs = [predict(dataset, seed=k, name=f"run{k}") for k in (1, 2)]
    found = compare(runs, dataset, CompareOptions(metric="flat.py:constant", resamples=200))
    assert "predict the same" not in found.sentence + " ".join(found.notes)
    assert "the metric never differs" in found.sentence
