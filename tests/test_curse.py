"""The winner's curse: what is taken off the best of many, and when there is nothing to take off."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from hoego.errors import MismatchError, NotEstimableError, UsageError
from hoego.evaluate.score import OptimismOptions, optimism

QUICK = OptimismOptions(resamples=200)


def epochs(rates: np.ndarray, rng: np.random.Generator, n_subjects: int = 90, photos: int = 5):
    """(candidates [M, N], truth, subject): candidate m is right with chance rates[m], a subject's photos together."""
    g = np.arange(n_subjects) % 3
    truth, subject = np.repeat(g, photos), np.repeat(np.arange(n_subjects), photos)
    rows = []
    for rate in rates:
        own = rng.beta(rate, 1 - rate, n_subjects)[subject]
        wrong = (truth + rng.integers(1, 3, len(truth))) % 3
        rows.append(np.where(rng.random(len(truth)) < own, truth, wrong))
    return np.stack(rows), truth, subject


def test_the_plain_score_is_the_best_candidates() -> None:
    candidates, truth, subject = epochs(np.full(6, 0.7), np.random.default_rng(0))
    found = optimism(candidates, truth, subject, 3, QUICK)
    scores = [f1_score(truth, c, average="macro") for c in candidates]
    assert found.chosen == (int(np.argmax(scores)),)
    assert found.plain == pytest.approx(max(scores))
    assert found.optimism == pytest.approx(found.plain - found.corrected)
    assert found.n_candidates == 6


def test_equal_candidates_are_worth_what_they_are() -> None:
    """60 times the best of 15 candidates of equal truth 0.7: the plain score is off, the corrected one is not."""
    rng = np.random.default_rng(1)
    plain, corrected = [], []
    for r in range(60):
        found = optimism(*epochs(np.full(15, 0.7), rng), 3, OptimismOptions(resamples=100, seed=r))
        plain.append(found.plain - 0.7)
        corrected.append(found.corrected - 0.7)
    error = np.std(corrected) / np.sqrt(60)
    assert np.mean(plain) > 0.04
    assert abs(np.mean(corrected)) < 3 * error + 0.003


def test_a_candidate_that_is_far_better_is_hardly_flattered() -> None:
    rates = np.append(np.full(9, 0.5), 0.9)
    found = optimism(*epochs(rates, np.random.default_rng(2)), 3, QUICK)
    assert found.chosen == (9,)
    assert abs(found.optimism) < 0.01


def test_one_candidate_was_not_chosen() -> None:
    candidates, truth, subject = epochs(np.array([0.7]), np.random.default_rng(3))
    assert optimism(candidates, truth, subject, 3, QUICK).optimism == 0


def test_each_fold_chooses_its_own_and_all_are_scored_together() -> None:
    candidates, truth, subject = epochs(np.full(5, 0.7), np.random.default_rng(4))
    fold = subject % 3
    found = optimism(candidates, truth, subject, 3, QUICK, fold)
    assert len(found.chosen) == 3
    said = np.choose(fold, [candidates[i] for i in found.chosen])
    assert found.plain == pytest.approx(f1_score(truth, said, average="macro"))
    assert found.optimism > 0


def test_rows_and_names_of_subjects_do_not_matter() -> None:
    candidates, truth, subject = epochs(np.full(5, 0.7), np.random.default_rng(5))
    one = optimism(candidates, truth, subject, 3, QUICK)
    order = np.random.default_rng(0).permutation(len(truth))
    again = optimism(candidates[:, order], truth[order], 10 * subject[order] + 3, 3, QUICK)
    assert again == one
    assert optimism(candidates, truth, subject, 3, OptimismOptions(resamples=200, seed=1)) != one


def test_missing_labels_are_left_out() -> None:
    candidates, truth, subject = epochs(np.full(5, 0.7), np.random.default_rng(6))
    blank = np.where(np.arange(len(truth)) % 4 == 0, -1, truth)
    kept = blank >= 0
    found = optimism(candidates, blank, subject, 3, QUICK)
    assert found == optimism(candidates[:, kept], truth[kept], subject[kept], 3, QUICK)


def test_few_subjects_cannot_say_and_nonsense_is_refused() -> None:
    candidates, truth, subject = epochs(np.full(5, 0.7), np.random.default_rng(7))
    with pytest.raises(NotEstimableError, match="9 subjects"):
        optimism(candidates[:, :45], truth[:45], subject[:45], 3, QUICK)
    with pytest.raises(MismatchError, match="do not fit"):
        optimism(candidates, truth[:-1], subject, 3, QUICK)
    with pytest.raises(UsageError, match="metric of counts"):
        optimism(candidates, truth, subject, 3, OptimismOptions(metric="auroc"))
