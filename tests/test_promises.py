"""Promises about new people: they hold over people, and what few people cannot support is refused with the number."""

from __future__ import annotations

import numpy as np
import pytest

from hoego.errors import NotEstimableError, UsageError
from hoego.evaluate.promises import abstention_rule, in_sets, prediction_set_rule
from hoego.evaluate.promises.abstention import p_value, people_needed


def town(seed: int, people: int, *, skill: float = 2.0, spread: float = 1.5):
    """Probabilities [N, 4], truth [N] and person [N] of people with 1 to 9 photos that are easy or hard together."""
    rng = np.random.default_rng(seed)
    photos = rng.integers(1, 10, people)
    owner = np.repeat(np.arange(people), photos)
    truth = rng.integers(0, 4, people)[owner]
    logits = rng.normal(size=(len(owner), 4))
    logits[np.arange(len(owner)), truth] += (skill + spread * rng.normal(size=people))[owner]
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True), truth, owner


def covered(p, truth, owner, least: float) -> float:
    """The share of photos whose set holds the truth, a person at a time."""
    right = in_sets(p, least)[np.arange(len(p)), truth]
    return float(np.mean([right[owner == k].mean() for k in np.unique(owner)]))


def test_sets_hold_the_truth_of_new_people_as_often_as_promised() -> None:
    found = []
    for seed in range(200):
        rule = prediction_set_rule("mask", *town(seed, 40), 0.1)
        found.append(covered(*town(10_000 + seed, 60), rule.least))
    assert np.mean(found) >= 0.895
    assert np.mean(found) <= 0.94


def test_a_quantile_over_photos_would_promise_more_than_it_keeps() -> None:
    """People with many photos are the easy ones here: the photos' quantile looks at them alone."""
    rng = np.random.default_rng(3)
    hard = rng.random(200) < 0.3
    owner = np.repeat(np.arange(200), np.where(hard, 1, 20))
    right = np.where(hard[owner], 0.2, 0.9)
    p = np.column_stack([right, 1 - right])
    truth = np.zeros(len(owner), np.int64)
    rule = prediction_set_rule("mask", p, truth, owner, 0.1)
    assert rule.least == pytest.approx(0.2)
    assert covered(p, truth, owner, rule.least) == 1.0
    assert covered(p, truth, owner, float(np.quantile(right, 0.1))) < 0.75


def test_the_set_always_holds_the_most_probable_class() -> None:
    assert in_sets(np.asarray([[0.4, 0.35, 0.25]]), 0.9).tolist() == [[True, False, False]]
    assert in_sets(np.asarray([[0.4, 0.35, 0.25]]), 0.3).tolist() == [[True, True, False]]


def test_photos_without_a_label_count_for_nothing() -> None:
    p, truth, owner = town(1, 60)
    blank = np.where(np.arange(len(truth)) % 3 == 0, -1, truth)
    kept = blank >= 0
    assert prediction_set_rule("mask", p, blank, owner, 0.1) == prediction_set_rule(
        "mask", p[kept], truth[kept], owner[kept], 0.1
    )


def test_an_abstention_promise_holds_over_people() -> None:
    broken = given = 0
    for seed in range(120):
        try:
            rule = abstention_rule("mask", *town(seed, 250, skill=3.0), 0.05)
        except NotEstimableError:
            continue
        given += 1
        p, truth, owner = town(10_000 + seed, 3000, skill=3.0)
        answered = p.max(axis=1) > rule.above
        wrong = p.argmax(axis=1) != truth
        n = np.bincount(owner[answered], minlength=3000)
        bad = np.bincount(owner[answered & wrong], minlength=3000)
        broken += float((bad[n > 0] / n[n > 0]).mean()) > 0.05
    assert given > 60
    assert broken / given <= 0.08  # 5 % is promised


def test_what_few_people_cannot_support_is_refused_with_the_number_that_could() -> None:
    p, truth, owner = town(0, 50)
    with pytest.raises(NotEstimableError, match="50 people cannot support") as caught:
        abstention_rule("mask", p, truth, owner, 0.02)
    assert "149 held-out people" in caught.value.remedy
    with pytest.raises(NotEstimableError, match="50 people cannot support") as caught:
        prediction_set_rule("mask", p, truth, owner, 0.01)
    assert "99 held-out people" in caught.value.remedy
    assert "at least 0.0196" in caught.value.remedy
    assert prediction_set_rule("mask", p, truth, owner, 0.02).n_subjects == 50


def test_so_many_people_without_a_mistake_are_just_enough() -> None:
    n = people_needed(0.02)
    assert 0.98**n <= 0.05 < 0.98 ** (n - 1)
    p = np.tile([0.99, 0.01], (n, 1))
    rule = abstention_rule("mask", p, np.zeros(n, np.int64), np.arange(n), 0.02)
    assert (rule.answered_subjects, rule.observed, rule.answered_photos) == (n, 0.0, 1.0)


def test_a_model_that_errs_everywhere_promises_nothing() -> None:
    n = 400
    p = np.tile([0.9, 0.1], (n, 1))
    truth = (np.arange(n) % 4 == 0).astype(np.int64)
    with pytest.raises(NotEstimableError, match="too often wrong"):
        abstention_rule("mask", p, truth, np.arange(n), 0.05)


def test_errors_must_be_shares() -> None:
    p, truth, owner = town(0, 20)
    for error in (0.0, 1.0, -1.0, 2.0, float("nan")):
        with pytest.raises(UsageError):
            prediction_set_rule("mask", p, truth, owner, error)
        with pytest.raises(UsageError):
            abstention_rule("mask", p, truth, owner, error)


def test_the_p_value_of_shares_is_no_smaller_than_that_of_whole_errors() -> None:
    whole = np.zeros(200)
    whole[:2] = 1
    shares = np.full(200, 0.01)
    assert p_value(whole, 0.05) == pytest.approx(0.0023, abs=2e-4)  # binom.cdf(2, 200, 0.05)
    assert p_value(whole, 0.05) <= p_value(shares, 0.05) <= 0.05
    assert p_value(np.full(10, 0.2), 0.1) == 1.0
