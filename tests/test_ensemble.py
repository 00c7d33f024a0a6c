"""Combiners against plain loops and worked cases; cross-fitting and what it leaves in the provenance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.metrics import f1_score
from test_diagnose import people, predict

from hoego.errors import LeakError, MismatchError, UsageError
from hoego.evaluate.ensemble.combiners import METHODS, Combiner, fit
from hoego.evaluate.ensemble.compose import align_members, compose, stacked
from hoego.evaluate.ensemble.crossfit import cross_fit, cross_fitted_sources, parts_of
from hoego.evaluate.ensemble.greedy import greedy_weights
from hoego.predictions import honesty, join_rows, require_honest


def members(m: int, n: int, c: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities [M, N, C] of members of differing strength, and the truth [N]."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, c, n)
    logits = rng.normal(size=(m, n, c)) * 1.5 + rng.normal(size=(n, c))
    logits[:, np.arange(n), truth] += rng.uniform(1.0, 2.5, m)[:, None]
    return np.exp(log_softmax(logits, axis=2)).astype(np.float32), truth


def plain_greedy(stack: np.ndarray, truth: np.ndarray, steps: int) -> np.ndarray:
    """Caruana's loop as it is written, with scikit-learn's score."""
    m, n, c = stack.shape
    total, counts = np.zeros((n, c), dtype=np.float32), np.zeros(m, dtype=np.int64)
    likelihood = np.log(stack[:, np.arange(n), truth]).mean(axis=1)
    best, best_counts = -1.0, counts
    for step in range(steps):
        said = [(total + stack[i]).argmax(axis=1) for i in range(m)]
        scores = np.asarray([f1_score(truth, s, average="macro", labels=np.unique(truth)) for s in said])
        chosen = np.lexsort((np.arange(m), -likelihood, -np.round(scores, 12)))[0]
        counts = counts + (np.arange(m) == chosen)
        total += stack[chosen]
        if scores[chosen] > best + 1e-12:
            best, best_counts = scores[chosen], counts
        if step >= 10 and best_counts.sum() + 10 <= step:
            break
    return best_counts / best_counts.sum()


@pytest.mark.parametrize("seed", range(4))
def test_greedy_selection_is_the_plain_loop(seed: int) -> None:
    stack, truth = members(7, 250, 4, seed)
    np.testing.assert_allclose(greedy_weights(stack, truth, steps=25), plain_greedy(stack, truth, 25))


def test_mean_and_geometric_mean_are_what_they_say() -> None:
    stack, truth = members(3, 50, 4)
    np.testing.assert_allclose(fit("mean", stack, truth).apply(stack), stack.mean(axis=0), atol=1e-6)
    logs = np.log(stack).mean(axis=0)
    expected = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fit("geometric", stack, truth).apply(stack), expected, atol=1e-5)


def test_a_vote_counts_members_and_breaks_ties_by_the_mean() -> None:
    a, b, c = [0.6, 0.4, 0.0], [0.1, 0.9, 0.0], [0.5, 0.45, 0.05]
    three = np.asarray([[a], [b], [c]], dtype=np.float32)
    assert fit("vote", three, np.zeros(1)).apply(three).argmax() == 0
    two = np.asarray([[a], [b]], dtype=np.float32)
    assert fit("vote", two, np.zeros(1)).apply(two).argmax() == 1


def test_rank_averaging_is_the_borda_count() -> None:
    stack = np.asarray([[[0.5, 0.3, 0.2]], [[0.1, 0.6, 0.3]]], dtype=np.float32)
    p = fit("rank", stack, np.zeros(1)).apply(stack)[0]
    assert p[1] > p[0] > p[2]
    np.testing.assert_allclose(p[0] / p[1], 1.0 / 1.5, rtol=0.01)


def test_stacking_finds_the_optimum_of_its_own_penalised_likelihood() -> None:
    stack, truth = members(3, 400, 3)
    found = fit("stack", stack, truth)
    logs = np.log(stack.astype(np.float64))

    def loss(x: np.ndarray) -> float:
        scores = log_softmax(np.tensordot(x[:3], logs, 1) + x[3:], axis=1)
        return -scores[np.arange(400), truth].sum() + 0.5 * (
            3 * ((x[:3] - 1 / 3) ** 2).sum() + (x[3:] ** 2).sum()
        )

    assert found.bias is not None
    ours = loss(np.concatenate([found.weights, found.bias]))
    other = minimize(
        loss, np.zeros(6), method="Nelder-Mead", options={"maxiter": 6000, "fatol": 1e-9, "xatol": 1e-7}
    )
    assert ours == pytest.approx(other.fun, abs=1e-3)


def test_every_method_survives_json_and_gives_probabilities() -> None:
    stack, truth = members(4, 60, 5)
    for name in METHODS:
        made = fit(name, stack, truth)
        again = Combiner.of(made.plain)
        p = again.apply(stack)
        np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-6)
        np.testing.assert_array_equal(p, made.apply(stack))
    with pytest.raises(UsageError, match="greedy"):
        fit("gredy", stack, truth)


def test_no_row_is_judged_by_what_was_fitted_on_it() -> None:
    parts = np.asarray([0, 0, 1, 1, 2, 2])
    made, fitted = cross_fit(
        parts, lambda rows: set(rows.tolist()), lambda seen, rows: np.asarray([i in seen for i in rows])
    )
    assert not made.any()
    assert fitted[1] == {0, 1, 4, 5}


def test_the_parts_of_a_holdout_keep_subjects_whole() -> None:
    dataset = people(40)
    run = predict(dataset)
    holdout = replace(run, fold=np.zeros_like(run.fold))
    parts = parts_of(holdout, dataset, seed=3)
    assert set(parts.tolist()) == {0, 1, 2, 3, 4}
    for s in range(dataset.n_subjects):
        assert len(set(parts[dataset.subject_index == s].tolist())) == 1
    np.testing.assert_array_equal(parts_of(run, dataset), run.fold)


def test_a_cross_fitted_combination_says_so_and_one_fitted_on_its_own_rows_is_refused() -> None:
    dataset = people(40)
    a, b = predict(dataset, 1, name="a"), predict(dataset, 2, name="b")
    universe, source, sources = join_rows([a, b], "both")
    both = replace(a, universe=universe, source=source, sources=sources)
    assert honesty(both, dataset).label == "out-of-fold"
    source, sources = cross_fitted_sources(both, dataset, parts_of(both, dataset), by="stacking")
    fitted = replace(both, source=source, sources=sources)
    assert honesty(fitted, dataset).label == "cross-fitted"
    wrong_parts = np.arange(both.n_images) % 3
    source, sources = cross_fitted_sources(both, dataset, wrong_parts, by="stacking")
    with pytest.raises(LeakError, match="stacking was fitted"):
        require_honest(replace(both, source=source, sources=sources), dataset)


def test_composing_takes_each_attribute_from_its_run() -> None:
    dataset = people(30)
    a, b = predict(dataset, 1, name="a"), predict(dataset, 2, name="b")
    shuffled = b.take(np.random.default_rng(0).permutation(b.n_images))
    made = compose({"mask": a, "gender": a, "age": shuffled}).predictions
    np.testing.assert_allclose(made.probabilities("age"), b.probabilities("age"))
    np.testing.assert_allclose(made.probabilities("mask"), a.probabilities("mask"))
    expected = (
        a.probabilities("mask")[:, :, None, None]
        * a.probabilities("gender")[:, None, :, None]
        * b.probabilities("age")[:, None, None, :]
    ).reshape(-1, 18)
    np.testing.assert_allclose(made.probabilities("composite"), expected, atol=1e-6)
    assert honesty(made, dataset).label == "out-of-fold"
    with pytest.raises(UsageError, match="--of age=RUN"):
        compose({"mask": a, "gender": b})


def test_members_of_other_splits_or_images_are_refused() -> None:
    dataset = people(30)
    a = predict(dataset, 1, name="a")
    with pytest.raises(MismatchError, match="split"):
        align_members([a, replace(a, split_fingerprint="other")])
    with pytest.raises(MismatchError, match="lack"):
        align_members([a, a.take(np.arange(10))])
    with pytest.raises(MismatchError, match="says nothing of 'age'"):
        stacked([replace(a, values={"mask": a.values["mask"]}, scale={"mask": "probabilities"})], "age")
