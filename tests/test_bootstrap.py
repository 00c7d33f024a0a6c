"""Resampling of subjects: exact against plain loops, whatever the grouping; intervals that behave."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.metrics import f1_score

from hoego.evaluate.score import formulas
from hoego.evaluate.score import subject_counts as table
from hoego.evaluate.score.count_columns import CountColumns, side_by_side, tally
from hoego.evaluate.score.interval import (
    ProportionSupport,
    VarianceEstimate,
    minority,
    proportion_interval,
    sensitivity_mark,
    spread,
    strata,
)
from hoego.evaluate.score.subject_counts import COMMON, GroupedProduct, SubjectTable, draw


def example(n_subjects: int = 40, n_classes: int = 4, seed: int = 0):
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(n_subjects), 5)
    truth = rng.integers(0, n_classes, len(subject))
    predicted = np.where(rng.random(len(truth)) < 0.7, truth, rng.integers(0, n_classes, len(truth)))
    return truth, predicted, subject


def test_totals_are_the_counts_of_scikit_learns_confusion() -> None:
    truth, predicted, subject = example()
    truth[:7] = -1
    at = CountColumns(4, True)
    totals = SubjectTable.of(tally(truth, predicted, subject, 40, 4, ordered=True)).totals
    kept = truth >= 0
    matrix = np.zeros((4, 4))
    np.add.at(matrix, (truth[kept], predicted[kept]), 1)
    assert (at.right(totals) == np.diag(matrix)).all()
    assert (at.predicted(totals) == matrix.sum(0)).all()
    assert (at.truth(totals) == matrix.sum(1)).all()
    assert at.absolute(totals) == np.abs(truth[kept] - predicted[kept]).sum()
    assert at.squared(totals) == ((truth[kept] - predicted[kept]) ** 2).sum()


def test_one_resample_is_scikit_learns_f1_of_the_drawn_subjects() -> None:
    truth, predicted, subject = example()
    counts = tally(truth, predicted, subject, 40, 4)
    weights = np.random.default_rng(3).multinomial(40, np.full(40, 1 / 40)).astype(np.float32)
    totals = GroupedProduct(counts, 1e4)(weights[None])[0]
    rows = np.concatenate([np.repeat(np.flatnonzero(subject == s), int(weights[s])) for s in range(40)])
    ours = formulas.macro_f1(totals, CountColumns(4), np.ones(4, bool))
    present = np.unique(truth[rows])
    assert ours == pytest.approx(f1_score(truth[rows], predicted[rows], average="macro", labels=present))


def test_grouping_equal_subjects_changes_no_distribution() -> None:
    truth, predicted, subject = (np.tile(x, 30) for x in example(12))
    subject = subject + np.repeat(np.arange(30) * 12, 60)
    counts = tally(truth, predicted, subject, 360, 4)
    grouped = SubjectTable.of(counts)
    assert len(grouped.sizes) == 12
    assert grouped.sizes.min() >= COMMON
    single = SubjectTable(counts, np.ones(360, np.int64), np.arange(360))
    a, b = (t.resampled(4000, 1).astype(float) for t in (grouped, single))
    assert np.allclose(a.mean(0), b.mean(0), atol=4 * b.std(0).max() / np.sqrt(4000) * 1.5)
    assert np.allclose(a.std(0), b.std(0), rtol=0.06, atol=0.02)


def test_every_resample_draws_as_many_subjects_as_there_are() -> None:
    rng = np.random.default_rng(0)
    for sizes in ([1, 1, 1], [5, 1, 40], [100, 50], [3, 2, 1, 30]):
        drawn = draw(np.asarray(sizes), 50, rng)
        assert drawn.shape == (50, len(sizes))
        assert (drawn.sum(axis=1) == sum(sizes)).all()


def test_in_the_bag_and_out_of_it_are_the_whole() -> None:
    truth, predicted, subject = example(30)
    counts = tally(truth, predicted, subject, 30, 4)
    found = SubjectTable.of(counts)
    for inside, outside in found.resampled_with(20, 0, held_out=True):
        assert outside is not None
        assert (outside <= found.totals).all()
        assert (inside.sum(axis=1) > 0).all()
        drawn_once_or_more = found.totals - outside
        assert (drawn_once_or_more <= inside + 1e-6).all()


def test_the_same_seed_gives_the_same_and_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = tally(*example(), 40, 4)
    first = SubjectTable.of(counts).resampled(300, 5)
    assert (SubjectTable.of(counts).resampled(300, 5) == first).all()
    assert not (SubjectTable.of(counts).resampled(300, 6) == first).all()
    monkeypatch.setattr(table, "CHUNK", 4000)
    assert (SubjectTable.of(counts).resampled(300, 5) == first).all()


def test_equal_and_empty_columns_cost_nothing_and_come_back() -> None:
    rng = np.random.default_rng(0)
    one = rng.integers(0, 3, (9, 4))
    wide = csr_array(np.concatenate([one, np.zeros((9, 2), int), one[:, ::-1]], axis=1))
    weights = rng.integers(0, 3, (5, 9)).astype(np.float32)
    assert GroupedProduct(wide, 100.0).counts.shape[1] == 4
    assert (GroupedProduct(wide, 100.0)(weights) == weights @ wide.toarray()).all()


def test_sparse_and_dense_products_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = side_by_side([tally(*example(seed=s), 40, 4) for s in range(3)])
    weights = draw(np.ones(40, np.int64), 7, np.random.default_rng(0))
    dense = GroupedProduct(counts, 1e4)(weights)
    monkeypatch.setattr(table, "DENSE", 0)
    assert (GroupedProduct(counts, 1e4)(weights) == dense).all()


def test_large_totals_are_counted_in_double_precision() -> None:
    counts = csr_array(np.array([[1 << 24, 1], [1, 1]]))
    assert GroupedProduct(counts, float(1 << 24))(np.ones((1, 2), np.float32))[0, 0] == (1 << 24) + 1


def test_the_variance_of_a_mean_is_the_textbooks() -> None:
    rng = np.random.default_rng(1)
    right = rng.integers(0, 8, 25)
    subject = np.repeat(np.arange(25), 7)
    hit = np.arange(7)[None] < right[:, None]
    counts = tally(np.zeros(175, int), np.where(hit.reshape(-1), 0, 1), subject, 25, 2)
    found = SubjectTable.of(counts)
    at = CountColumns(2)
    statistic = partial(formulas.accuracy, at=at, present=np.array([True, False]))
    got = spread(statistic, found, strata(found, at)[0])
    assert got.variance[0] == pytest.approx((right / 7).var(ddof=1) / 25, rel=2e-3)
    assert got.df[0] == pytest.approx(24)


def test_wilsons_form_is_wilsons_interval_for_independent_photos() -> None:
    n, p = 400, 0.9
    whole = VarianceEstimate(np.array([p]), np.array([p * (1 - p) / n]), np.array([0.0]), np.array([np.inf]))
    got = proportion_interval(
        whole, np.full((10, 1), p), ProportionSupport(np.array([400.0]), np.array([40.0])), 0.95
    )
    assert got.low[0] == pytest.approx(0.8667, abs=2e-4)  # Wilson 1927; R: prop.test(360, 400, correct=FALSE)
    assert got.high[0] == pytest.approx(0.9257, abs=2e-4)


def test_a_perfect_score_is_not_certain() -> None:
    whole = VarianceEstimate(np.array([1.0]), np.array([0.0]), np.array([0.0]), np.array([np.inf]))
    got = proportion_interval(
        whole, np.ones((10, 1)), ProportionSupport(np.array([100.0]), np.array([0.0])), 0.95
    )
    assert got.high[0] == 1.0
    assert 0.95 < got.low[0] < 0.975


def test_a_score_of_zero_is_not_certain_either() -> None:
    truth, subject = np.zeros(100, dtype=int), np.repeat(np.arange(20), 5)
    truth[50:] = 1
    found = SubjectTable.of(tally(truth, np.zeros(100, int), subject, 20, 2))
    at, both = CountColumns(2), np.ones(2, bool)
    few = minority(found, at, both, sensitivity_mark)
    assert few.tolist() == [0, 0]
    got = spread(partial(formulas.class_sensitivity, at=at, present=both), found, strata(found, at)[0])
    limits = proportion_interval(
        got, np.array([[1.0, 0.0]]), ProportionSupport(np.array([10.0, 10.0]), few), 0.95
    )
    assert limits.low.tolist() == pytest.approx([0.7225, 0.0], abs=1e-3)
    assert limits.high.tolist() == pytest.approx([1.0, 0.2775], abs=1e-3)


def test_the_interval_holds_its_level_where_a_percentile_interval_does_not() -> None:
    """300 repetitions of 12 classes held by about ten subjects each: nominal 95 %, Monte Carlo error 1.3."""
    rng = np.random.default_rng(0)
    classes, subjects, photos = 12, 120, 5
    at, everywhere = CountColumns(classes), np.ones(classes, bool)
    held = plain = 0
    for r in range(300):
        g = np.append(np.repeat(np.arange(classes), 5), rng.integers(0, classes, subjects - 5 * classes))
        own = rng.beta(0.6, 0.4, subjects)
        truth, subject = np.repeat(g, photos), np.repeat(np.arange(subjects), photos)
        right = rng.random(len(truth)) < own[subject]
        predicted = np.where(right, truth, (truth + rng.integers(1, classes, len(truth))) % classes)
        found = SubjectTable.of(tally(truth, predicted, subject, subjects, classes))
        statistic = partial(formulas.macro_f1, at=at, present=everywhere)
        drawn = statistic(found.resampled(200, r))
        got = spread(statistic, found, strata(found, at)[0])
        limits = proportion_interval(
            got, drawn, ProportionSupport(np.array([float(subjects)]), np.array([60.0])), 0.95
        )
        held += limits.low[0] <= 0.6 <= limits.high[0]
        low, high = np.quantile(drawn, [0.025, 0.975])
        plain += low <= 0.6 <= high
    assert 0.91 <= held / 300 <= 0.985
    assert plain < held
