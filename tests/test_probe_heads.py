"""Heads on frozen features: the minimum they should be, fitted on a training side that hides everything else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from tiny_training import held_subjects, tiny_dataset

from hoego.errors import NotEstimableError
from hoego.evaluate.probe import (
    FittedHead,
    HeadOptions,
    TrainingSide,
    fit_head,
    held_out_values,
    out_of_fold,
)
from hoego.evaluate.probe.linear import LinearProblems, log_softmax
from hoego.evaluate.probe.nearest import Neighbours, unit_rows


def drawn(n: int = 240, n_features: int = 12, n_classes: int = 3, seed: int = 0) -> tuple[Any, Any]:
    """Features that say something of their classes, of which there are equally many."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % n_classes
    centres = random.normal(size=(n_classes, n_features))
    x = (centres[labels] + 1.5 * random.normal(size=(n, n_features))).astype(np.float32)
    return x, labels


def with_one(x: NDArray[Any]) -> NDArray[np.float32]:
    return np.concatenate([x, np.ones((len(x), 1))], axis=1).astype(np.float32)


@pytest.mark.parametrize("penalty", [0.01, 0.3, 10.0])
def test_the_linear_head_is_the_minimum_that_another_solver_finds(penalty: float) -> None:
    x, y = drawn()
    x1 = with_one(x)
    problem = LinearProblems(x1, y, 3, np.ones((1, len(y)), dtype=bool))
    [[w]] = problem.solve([penalty], tolerance=1e-9, steps=300)
    other = LogisticRegression(C=1 / (penalty * len(y)), fit_intercept=False, tol=1e-8, max_iter=2000)
    other.fit(x1, y)
    np.testing.assert_allclose(np.exp(log_softmax(x1 @ w)), other.predict_proba(x1), atol=2e-3)


def test_problems_solved_together_are_those_solved_alone() -> None:
    x, y = drawn(n=150, n_classes=2)
    random = np.random.default_rng(1)
    parts = random.random((3, len(y))) < 0.7
    together = LinearProblems(with_one(x), y, 2, parts).solve([0.1, 1.0], tolerance=1e-10, steps=500)
    for m, part in enumerate(parts):
        alone = LinearProblems(with_one(x[part]), y[part], 2, np.ones((1, int(part.sum())), dtype=bool))
        for i, penalty in enumerate((0.1, 1.0)):
            [[w]] = alone.solve([penalty], tolerance=1e-10, steps=500)
            np.testing.assert_allclose(together[i, m], w, atol=2e-3)


def test_neighbours_vote_as_counted_by_hand() -> None:
    refs = unit_rows(np.array([[1, 0], [1, 0.1], [0, 1], [-1, 0]], dtype=np.float32))
    found = Neighbours(refs, np.array([0, 1, 1, 0]), 2)
    query = unit_rows(np.array([[1, 0.01]], dtype=np.float32))
    assert found.nearest(query, 3).tolist() == [[0, 1, 1]]
    # Two of three votes and half of the spread one: (2 + 1/2) / 4.
    np.testing.assert_allclose(np.exp(found.log_probabilities(query, 3))[0], [1.5 / 4, 2.5 / 4], rtol=1e-6)
    np.testing.assert_allclose(found.losses(query, np.array([1]), [1, 3]), -np.log([0.25, 0.625]), rtol=1e-6)


def side(x: Any, y: Any, per_subject: int = 2, n_classes: int = 2) -> TrainingSide:
    return TrainingSide(x, y, np.arange(len(y)) // per_subject, n_classes)


def ring(n: int = 400) -> tuple[Any, Any]:
    """Two classes that take turns six times around a circle: no line parts them."""
    random = np.random.default_rng(0)
    subject = np.repeat(random.uniform(0, 2 * np.pi, n // 2), 2)
    x = np.stack([np.cos(subject), np.sin(subject)], axis=1) * random.uniform(0.9, 1.1, (n, 1))
    return x.astype(np.float32), (subject / (np.pi / 3)).astype(int) % 2


def test_the_rule_is_the_one_that_suits() -> None:
    x, y = ring()
    curved = fit_head(side(x, y))
    assert curved.choice.rule == "nearest"
    assert (curved.log_probabilities(x).argmax(1) == y).mean() > 0.9
    x, y = drawn(n_classes=2)
    assert fit_head(side(x, y)).choice.rule == "linear"


def test_the_penalty_goes_beyond_the_first_ones_where_that_is_better() -> None:
    random = np.random.default_rng(3)
    noise = random.normal(size=(120, 60)).astype(np.float32)
    assert fit_head(side(noise, random.integers(0, 2, 120))).choice.penalty > 1.0
    y = np.repeat(np.arange(300) % 2, 2)
    clear = random.normal(size=(600, 3)).astype(np.float32) * 0.05
    clear[:, 0] += y
    assert fit_head(side(clear, y)).choice.penalty < 0.1


def test_inner_folds_keep_subjects_apart() -> None:
    """Features that tell the subject and nothing of its label: by photo, a head would look perfect."""
    random = np.random.default_rng(5)
    subjects = np.repeat(np.arange(60), 6)
    x = (np.eye(60)[subjects] + 0.01 * random.normal(size=(360, 60))).astype(np.float32)
    y = random.permutation(np.arange(60) % 2)[subjects]
    found = fit_head(TrainingSide(x, y, subjects, 2)).choice
    assert found.linear_loss is not None
    assert found.nearest_loss is not None
    assert min(found.linear_loss, found.nearest_loss) > 0.6


def test_a_class_of_one_subject_and_a_class_of_nobody_stay_finite() -> None:
    x, y = drawn(n=60, n_classes=2)
    y = y.copy()
    y[:2] = 2
    found = fit_head(side(x, y, n_classes=4))
    said = found.log_probabilities(x)
    assert np.isfinite(said).all()
    assert found.weights.shape == (12, 4)


def test_one_subject_chooses_nothing() -> None:
    x, y = drawn(n=6, n_classes=2)
    found = fit_head(TrainingSide(x, y, np.zeros(6, dtype=int), 2)).choice
    assert (found.rule, found.penalty, found.linear_loss, found.n_subjects) == ("linear", 0.3, None, 1)


def parts_of(head: FittedHead) -> list[Any]:
    arrays = [head.mean, head.scale, head.weights, head.intercept]
    if head.neighbours is not None:
        arrays += [head.neighbours.features, head.neighbours.labels]
    return [a.tobytes() for a in arrays] + [head.choice]


@pytest.mark.parametrize("name", ["colour", "composite"])
def test_nothing_that_is_fitted_depends_on_held_out_subjects(name: str) -> None:
    """Scaler, penalty, neighbours, rule and weights, bit for bit, with other features and labels of the held out."""
    dataset, cache = tiny_dataset()
    random = np.random.default_rng(0)
    features = cache.array.reshape(len(cache.array), -1) @ random.normal(size=(768, 20))
    held = held_subjects(dataset)
    first = held_out_values(features.astype(np.float16), dataset, held, [name])
    changed = features.copy()
    changed[held] = 1e3 * random.normal(size=(int(held.sum()), 20))
    codes = dataset.codes.copy()
    codes[held] = random.integers(-1, 3, codes[held].shape)
    again = held_out_values(changed.astype(np.float16), replace(dataset, codes=codes), held, [name])
    assert parts_of(first.heads[name]) == parts_of(again.heads[name])
    assert not np.array_equal(first.values[name], again.values[name])
    codes[np.flatnonzero(~held)[:40]] = 0
    other = held_out_values(features.astype(np.float16), replace(dataset, codes=codes), held, [name])
    assert parts_of(first.heads[name]) != parts_of(other.heads[name])  # the test can fail


def test_folds_at_once_are_the_folds_one_by_one() -> None:
    dataset, cache = tiny_dataset()
    features = cache.array.reshape(len(cache.array), -1)[:, ::37].astype(np.float16)
    masks = {k: dataset.subject_index // 3 % 4 == k for k in range(4)}
    options = HeadOptions(inner_folds=2)
    found = out_of_fold(features, dataset, masks, ["colour", "age"], options=options)
    assert np.array_equal(np.sort(np.concatenate([f.rows for f in found])), np.arange(dataset.n_images))
    for k, fold in enumerate(found):
        assert {c.choice.fold for c in fold.heads.values()} == {k}
        alone = held_out_values(features, dataset, masks[k], ["age"], fold=k, options=options)
        np.testing.assert_allclose(alone.values["age"], fold.values["age"], atol=1e-4)


def test_an_attribute_without_labels_is_refused_by_name() -> None:
    dataset, cache = tiny_dataset()
    codes = dataset.codes.copy()
    held = held_subjects(dataset)
    codes[~held, 1] = -1
    features = cache.array.reshape(len(cache.array), -1)[:, :8].astype(np.float16)
    with pytest.raises(NotEstimableError, match="'age'"):
        held_out_values(features, replace(dataset, codes=codes), held, ["colour", "age"])
