"""From `cross_val_predict` to a Score in one more line, and what the splitter knows of its own folds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scored_people import logits, people

pytest.importorskip("sklearn")

from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import hoego
from hoego.errors import DataError, LeakError, MismatchError, UsageError
from hoego.predictions import Predictions
from hoego.predictions.labels_alone import one_hot

dataset = people(40)
X = logits(dataset.target, dataset.schema.n_target_classes, 0.1, dataset.subject_index, seed=3)
y = dataset.target
g = dataset.subjects[dataset.subject_index]


def held_out_by_hand(model: Any) -> np.ndarray:
    """What the model of each fold of Hoego's own split says of the photos that it has not seen, [N]."""
    out = np.empty(dataset.n_images, dtype=y.dtype)
    for train, test in hoego.make_split(dataset, folds=5).folds():
        out[test] = model.fit(X[train], y[train]).predict(X[test])
    return out


def is_right(found: hoego.Score) -> None:
    assert str(found.honesty) == "declared"
    assert found.n_images == dataset.n_images
    assert found.split_fingerprint == hoego.make_split(dataset, folds=5).fingerprint
    assert (found.primary.value or 0.0) > 0.5


def test_cross_val_predict_to_a_score_in_one_more_line() -> None:
    p = cross_val_predict(LogisticRegression(), X, y, cv=hoego.SubjectKFold(5), groups=g)
    score = hoego.score(
        Predictions.from_labels(p, dataset.image_ids, dataset, hoego.SubjectKFold(5)), dataset
    )
    is_right(score)
    assert np.array_equal(p, held_out_by_hand(LogisticRegression()))
    assert any("each probability is 0 or 1" in note for note in score.notes)


def test_probabilities_of_a_pipeline_to_a_score_in_one_more_line() -> None:
    cv, model = hoego.SubjectKFold(5), make_pipeline(StandardScaler(), LogisticRegression())
    p = cross_val_predict(model, X, y, cv=cv, groups=g, method="predict_proba")
    is_right(hoego.score(Predictions.from_probabilities(p, dataset.image_ids, dataset, cv), dataset))


def test_a_grid_search_inside_that_splits_by_subject_too() -> None:
    model = make_pipeline(StandardScaler(), LogisticRegression())
    search = GridSearchCV(model, {"logisticregression__C": [0.1, 1.0]}, cv=hoego.SubjectKFold(3))
    cv = hoego.SubjectKFold(5)
    with pytest.raises(hoego.HoegoError, match="enable_metadata_routing"):
        cross_val_predict(search, X, y, cv=cv, groups=g, method="predict_proba")
    with config_context(enable_metadata_routing=True):
        p = cross_val_predict(search, X, y, cv=cv, params={"groups": g}, method="predict_proba")
    is_right(hoego.score(Predictions.from_probabilities(p, dataset.image_ids, dataset, cv), dataset))


def test_a_splitter_that_was_used_is_taken_at_what_it_did() -> None:
    """Its own folds count, in the order of the rows that it was given; provenance speaks of them."""
    cv, order = hoego.SubjectKFold(4, random_state=7), np.random.default_rng(0).permutation(dataset.n_images)
    p = cross_val_predict(LogisticRegression(), X[order], y[order], cv=cv, groups=g[order])
    made = Predictions.from_labels(p, dataset.image_ids[order], dataset, cv)
    for k, (train, test) in enumerate(cv.split(X[order], y[order], g[order])):
        [source] = {int(made.source[i]) for i in test}
        assert set(made.universe.names[made.sources[source].seen]) == set(g[order][train])
        assert set(made.fold[test].tolist()) == {k}


@pytest.mark.parametrize("groups", [np.arange(len(g)), np.arange(len(g)) // 2], ids=["photos", "pairs"])
def test_other_groups_than_the_subjects_are_a_leak_that_names_subjects(groups: np.ndarray) -> None:
    cv = hoego.SubjectKFold(5)
    p = cross_val_predict(LogisticRegression(), X, y, cv=cv, groups=groups)
    with pytest.raises(
        LeakError, match=r"subjects are in two folds of the splitter: '.*' \(folds \d and \d\)"
    ):
        Predictions.from_labels(p, dataset.image_ids, dataset, cv)


def test_rows_that_are_not_the_data_set_are_refused() -> None:
    cv = hoego.SubjectKFold(5)
    p = cross_val_predict(LogisticRegression(), X[:200], y[:200], cv=cv, groups=g[:200])
    for images in (dataset.image_ids, dataset.image_ids[:200]):
        with pytest.raises(MismatchError, match="has divided 200 samples"):
            Predictions.from_labels(p, images, dataset, cv)
    with pytest.raises(UsageError, match="KFold is no split"):
        Predictions.from_labels(p, dataset.image_ids, dataset, KFold(5))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.full(len(y), 99), r"Row 0 .* says 99, and there are 18 classes"),
        (np.where(np.arange(len(y)) == 3, -1, y), r"Row 3 .* says -1"),
        (np.full(len(y), "wear/male/<3"), r"Row 0 .* says 'wear/male/<3', no class"),
        (np.zeros((len(y), 2)), "from_probabilities takes a column per class"),
    ],
)
def test_a_label_that_is_no_class_is_named(labels: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Predictions.from_labels(labels, dataset.image_ids, dataset, hoego.SubjectKFold(5))


def test_names_and_numbers_mean_the_same_class() -> None:
    names = np.array(dataset.schema.target_classes)[y]
    by_name, by_number = (
        Predictions.from_labels(said, dataset.image_ids, dataset, hoego.SubjectKFold(5))
        for said in (names, y)
    )
    np.testing.assert_array_equal(by_name.target_probabilities(), by_number.target_probabilities())
    assert hoego.score(by_name, dataset, resamples=50).primary.value == 1.0


def test_numbers_that_can_be_names_or_places_are_refused() -> None:
    classes = ("1", "2", "3")
    held_out = SimpleNamespace(classes=classes)
    with pytest.raises(DataError, match="a number can be a name or a place"):
        one_hot(np.array([1, 2]), held_out)  # type: ignore[arg-type]
    np.testing.assert_array_equal(one_hot(np.array(["1", "3"]), held_out), [[1, 0, 0], [0, 0, 1]])  # type: ignore[arg-type]
