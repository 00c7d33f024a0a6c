"""SubjectKFold and SubjectHoldout follow scikit-learn's contract and keep the promises of the splitter."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scored_people import people

pytest.importorskip("sklearn")

from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, check_cv, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hoego.errors import SplitError
from hoego.recipe import SplitSettings
from hoego.split import make
from hoego.split.sklearn_splitters import SubjectHoldout, SubjectKFold

RNG = np.random.default_rng(0)
SUBJECTS = np.repeat([f"s{i:02d}" for i in range(30)], 4)
Y = np.repeat(RNG.integers(0, 3, 30), 4)
X = RNG.normal(size=(120, 5)) + Y[:, None]
SPLITTERS = [SubjectKFold(5), SubjectKFold(3, random_state=7), SubjectHoldout(0.3, n_splits=4)]


@pytest.mark.parametrize("splitter", SPLITTERS, ids=repr)
def test_sides_share_no_subject_and_miss_no_sample(splitter: Any) -> None:
    sides = list(splitter.split(X, Y, SUBJECTS))
    assert len(sides) == splitter.get_n_splits(X, Y, SUBJECTS)
    for train, test in sides:
        assert not set(SUBJECTS[train]) & set(SUBJECTS[test])
        assert sorted([*train, *test]) == list(range(len(X)))
        assert train.dtype == test.dtype == np.int64


def test_folds_hold_each_sample_out_once_and_spread_the_classes() -> None:
    tests = [test for _, test in SubjectKFold(5).split(X, Y, SUBJECTS)]
    assert sorted(np.concatenate(tests)) == list(range(len(X)))
    shares = np.array([np.bincount(Y[t], minlength=3) / len(t) for t in tests])
    assert np.abs(shares - np.bincount(Y) / len(Y)).max() < 0.1


@given(seed=st.integers(0, 5), order=st.permutations(range(120)))
@settings(max_examples=15, deadline=None)
def test_the_order_of_the_rows_does_not_matter(seed: int, order: list[int]) -> None:
    splitter = SubjectKFold(4, random_state=seed)
    plain = [set(SUBJECTS[test]) for _, test in splitter.split(X, Y, SUBJECTS)]
    shuffled = splitter.split(X[order], Y[order], SUBJECTS[order])
    assert [set(SUBJECTS[order][test]) for _, test in shuffled] == plain


def test_the_folds_are_those_of_a_split_of_the_same_data() -> None:
    dataset = people()
    split = make(dataset, SplitSettings(kind="folds", folds=5, seed=3))
    subjects = dataset.images["subject"].to_numpy()
    folds = SubjectKFold(5, random_state=3).split(dataset.image_ids, dataset.target, subjects)
    for k, (_, test) in enumerate(folds):
        assert test.tolist() == np.flatnonzero(split.fold == k).tolist()


@pytest.mark.parametrize("splitter", SPLITTERS, ids=repr)
def test_scikit_learn_takes_and_clones_them(splitter: Any) -> None:
    assert check_cv(splitter, Y, classifier=True) is splitter
    copied = clone(splitter)
    assert copied is not splitter
    assert repr(copied) == repr(splitter)
    assert copied.set_params(random_state=9).random_state == 9
    for (a, b), (c, d) in zip(
        splitter.split(X, Y, SUBJECTS), clone(splitter).split(X, Y, SUBJECTS), strict=True
    ):
        assert a.tolist() == c.tolist()
        assert b.tolist() == d.tolist()


def test_cross_validation_and_grid_search_use_them() -> None:
    model = make_pipeline(StandardScaler(), LogisticRegression())
    predicted = cross_val_predict(model, X, Y, cv=SubjectKFold(5), groups=SUBJECTS, method="predict_proba")
    assert predicted.shape == (120, 3)
    for train, test in SubjectKFold(5).split(X, Y, SUBJECTS):
        fitted = clone(model).fit(X[train], Y[train])
        np.testing.assert_allclose(predicted[test], fitted.predict_proba(X[test]))
    scores = cross_val_score(model, X, Y, cv=SubjectHoldout(0.25, n_splits=3), groups=SUBJECTS)
    assert len(scores) == 3
    search = GridSearchCV(model, {"logisticregression__C": [0.1, 1.0]}, cv=SubjectKFold(3))
    assert search.fit(X, Y, groups=SUBJECTS).n_splits_ == 3
    assert search.cv_results_["split2_test_score"].shape == (2,)


def test_metadata_routing_brings_them_the_groups() -> None:
    with config_context(enable_metadata_routing=True):
        found = cross_val_predict(LogisticRegression(), X, Y, cv=SubjectKFold(5), params={"groups": SUBJECTS})
    plain = cross_val_predict(LogisticRegression(), X, Y, cv=SubjectKFold(5), groups=SUBJECTS)
    assert found.tolist() == plain.tolist()


def test_several_attributes_are_spread_and_gaps_allowed() -> None:
    other = np.where(np.arange(120) % 7 == 0, None, "a").astype(object)
    both = np.column_stack([Y.astype(object), other])
    folds = list(SubjectKFold(4).split(X, both, SUBJECTS))
    assert [len(test) for _, test in folds]
    floats = np.where(np.arange(120) % 5 == 0, np.nan, Y.astype(float))
    assert len(list(SubjectKFold(4).split(X, floats, SUBJECTS))) == 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SubjectKFold(5).split(X, Y), "groups"),
        (lambda: SubjectKFold(5).split(X, Y, SUBJECTS[:-1]), "120 samples"),
        (lambda: SubjectKFold(5).split(X, Y[:-1], SUBJECTS), "120 samples"),
        (lambda: SubjectKFold(5).split(X, X[:, 0], SUBJECTS), "continuous"),
        (lambda: SubjectKFold(50).split(X, Y, SUBJECTS), "30 subjects for 50 folds"),
        (lambda: SubjectKFold(1).split(X, Y, SUBJECTS), "at least 2 folds"),
        (lambda: SubjectKFold(5, random_state=None).split(X, Y, SUBJECTS), "random_state"),  # type: ignore[arg-type]
        (lambda: SubjectHoldout(1.5).split(X, Y, SUBJECTS), "between 0 and 1"),
        (lambda: SubjectKFold(5).split(X, Y, [None, *SUBJECTS[1:]]), "Sample 0 has no subject"),
        (lambda: iter([SubjectKFold(5).set_params(folds=3)]), "did you mean|valid names"),
    ],
)
def test_what_cannot_be_divided_is_refused(call: Any, message: str) -> None:
    with pytest.raises(SplitError, match=message):
        list(call())


def test_a_continuous_y_is_left_alone_when_asked() -> None:
    assert len(list(SubjectKFold(5, stratify=False).split(X, X[:, 0], SUBJECTS))) == 5


def test_scikit_learn_is_not_imported_for_them() -> None:
    code = "import hoego.split.sklearn_splitters, sys; assert 'sklearn' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
