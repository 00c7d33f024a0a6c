"""Split: nobody on two sides, nothing empty, every class where it can be, the same for every order of rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from round_trips import round_trip

from hoego.data.dataset import Dataset
from hoego.data.schema import Attribute, LabelSchema
from hoego.errors import MismatchError, SplitError
from hoego.recipe import SplitSettings
from hoego.split import (
    assign_folds,
    assign_holdout,
    load,
    load_or_make,
    make,
    save,
    side_counts,
    worst_deviation,
)

Problem = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Subjects of uneven sizes with one class each or several, some classes rare."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_subjects, n_classes = draw(st.integers(2, 40)), draw(st.integers(1, 8))
    shares = rng.dirichlet(np.full(n_classes, draw(st.sampled_from([0.2, 1.0, 5.0]))))
    sizes = rng.integers(1, draw(st.integers(2, 30)), n_subjects)
    groups = np.repeat(np.arange(n_subjects), sizes)
    if draw(st.booleans()):
        labels = rng.choice(n_classes, n_subjects, p=shares)[groups]
    else:
        labels = rng.choice(n_classes, len(groups), p=shares)
    return groups, labels


def held_by(groups: Any, labels: Any) -> dict[int, set[int]]:
    return {c: set(groups[labels == c].tolist()) for c in np.unique(labels[labels >= 0]).tolist()}


@settings(max_examples=60, deadline=None)
@given(problems(), st.integers(2, 6), st.integers(0, 100))
def test_no_subject_in_two_folds_and_no_fold_empty(problem: Problem, n_folds: int, seed: int) -> None:
    groups, labels = problem
    if len(np.unique(groups)) < n_folds:
        with pytest.raises(SplitError, match="no subject may be on two sides"):
            assign_folds(groups, [labels], n_folds, seed)
        return
    fold = assign_folds(groups, [labels], n_folds, seed)
    assert set(fold.tolist()) == set(range(n_folds))
    for s in np.unique(groups):
        assert len(set(fold[groups == s].tolist())) == 1


@settings(max_examples=60, deadline=None)
@given(problems(), st.floats(0.01, 0.99), st.integers(0, 100))
def test_a_holdout_of_any_ratio_has_two_sides(problem: Problem, ratio: float, seed: int) -> None:
    groups, labels = problem
    fold = assign_holdout(groups, [labels], ratio, seed)
    assert set(fold.tolist()) == {-1, 0}
    for s in np.unique(groups):
        assert len(set(fold[groups == s].tolist())) == 1


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5))
def test_a_class_of_enough_subjects_is_in_every_fold(seed: int, n_folds: int) -> None:
    """Subjects of one class each: here the promise can always be kept, so it must be."""
    rng = np.random.default_rng(seed)
    of_subject = rng.choice(6, 30, p=[0.5, 0.2, 0.1, 0.1, 0.05, 0.05])
    groups = np.repeat(np.arange(30), rng.integers(1, 20, 30))
    labels = of_subject[groups]
    fold = assign_folds(groups, [labels], n_folds, seed)
    held = assign_holdout(groups, [labels], 0.15, seed)
    for c, subjects in held_by(groups, labels).items():
        assert len(set(fold[labels == c].tolist())) == min(n_folds, len(subjects))
        assert len(set(held[labels == c].tolist())) == min(2, len(subjects))


@settings(max_examples=30, deadline=None)
@given(problems(), st.integers(0, 100))
def test_the_order_of_rows_does_not_matter(problem: Problem, seed: int) -> None:
    groups, labels = problem
    shuffled = np.random.default_rng(seed).permutation(len(groups))
    plain = assign_holdout(groups, [labels], 0.3, seed)
    again = assign_holdout(groups[shuffled], [labels[shuffled]], 0.3, seed)
    assert (again == plain[shuffled]).all()


def test_equal_subjects_are_divided_perfectly() -> None:
    groups = np.repeat(np.arange(100), 7)
    labels = (groups % 4).astype(np.int64)
    fold = assign_folds(groups, [labels], 5)
    assert worst_deviation(side_counts(fold, labels, 5, 4)) == 0.0
    assert np.bincount(fold).tolist() == [140] * 5


def test_seeds_give_different_splits_of_equal_worth() -> None:
    groups = np.repeat(np.arange(60), 7)
    labels = (groups % 3).astype(np.int64)
    splits = [assign_folds(groups, [labels], 5, seed) for seed in range(5)]
    assert len({s.tobytes() for s in splits}) == 5
    assert all(worst_deviation(side_counts(s, labels, 5, 3)) == 0.0 for s in splits)


def test_listed_attributes_are_balanced_too() -> None:
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(60), 7)
    target, other = rng.integers(0, 3, 60)[groups], rng.integers(0, 2, 60)[groups]
    alone = assign_folds(groups, [target], 5, 1)
    both = assign_folds(groups, [target, other], 5, 1)

    def deviation(fold: Any) -> float:
        return worst_deviation(side_counts(fold, other, 5, 2))

    assert deviation(both) < deviation(alone)
    assert deviation(both) < 0.05


def test_missing_labels_are_spread_but_promise_nothing() -> None:
    groups = np.arange(40)
    labels = np.where(groups < 20, -1, groups % 2)
    fold = assign_folds(groups, [labels], 4, 0)
    assert np.bincount(fold[labels < 0], minlength=4).tolist() == [5, 5, 5, 5]


def test_the_measure_is_the_gap_between_shares() -> None:
    counts = np.array([[8, 2], [10, 20]])
    assert worst_deviation(counts) == pytest.approx(0.8 - 18 / 40)
    assert worst_deviation(np.array([[3, 1], [0, 0]])) == 1.0


# --- on a data set -----------------------------------------------------------------------------------------------


def people(n_subjects: int = 40, per_subject: int = 4, *, copy: bool = False, shown: bool = True) -> Dataset:
    """Subjects p00..; mask varies by photo, gender by subject; two photos of p00 and p01 identical where asked."""
    n = n_subjects * per_subject
    owner = np.arange(n) // per_subject
    images = [f"p{s:02d}/{i % per_subject}.jpg" for i, s in enumerate(owner)]
    content = np.arange(1, n + 1, dtype=np.uint64)
    if copy:
        content[per_subject] = content[0]
    schema = LabelSchema(
        (
            Attribute(name="mask", kind="nominal", classes=("wear", "not")),
            Attribute(name="gender", kind="nominal", classes=("male", "female")),
        ),
        "composite",
        ("mask", "gender"),
    )
    codes = np.stack([np.arange(n) % 2, owner % 3 == 0], axis=1).astype(np.int16)
    frame = pl.DataFrame(
        {
            "image": images,
            "path": images,
            "subject": [f"p{s:02d}" for s in owner] if shown else images,
            "content": pl.Series(content, dtype=pl.UInt64),
        }
    )
    return Dataset(root=Path("."), schema=schema, images=frame, codes=codes, subject_shown=shown)


def test_make_proves_what_it_promises() -> None:
    split = make(people(), SplitSettings(kind="folds", folds=4, stratify=("gender",)))
    g = split.guarantees
    assert (g.subjects_on_two_sides, g.empty_sides, g.absent_classes) == (0, 0, ())
    assert set(g.deviations) == {"composite", "gender"}
    assert g.worst_class_deviation == max(g.deviations.values())
    assert sum(split.val_mask(k).astype(int) for k in split.fold_numbers).tolist() == [1] * 160
    assert (split.val_mask(2) ^ split.train_mask(2)).all()
    round_trip(split.summary)
    facts = split.summary.model_dump(mode="json")
    assert [s["side"] for s in facts["sides"]] == [f"fold {k}" for k in range(4)]
    assert sum(s["images"] for s in facts["sides"]) == 160
    assert facts["fingerprint"] == split.fingerprint


def test_a_holdout_has_one_fold_and_says_so() -> None:
    split = make(people(), SplitSettings(ratio=0.25))
    assert split.sides[0].name == "held out"
    assert abs(split.sides[0].images - 40) <= 4, "within one subject of what was asked for"
    with pytest.raises(SplitError, match="has no fold 1: it has fold 0 alone"):
        split.val_mask(1)


def test_a_class_of_one_subject_is_named_with_the_reason() -> None:
    data = people()
    codes = data.codes.copy()
    codes[:, 1] = 0
    codes[:4, 1] = 1
    data = Dataset(root=data.root, schema=data.schema, images=data.images, codes=codes)
    split = make(data, SplitSettings(kind="folds", folds=3))
    absence = split.guarantees.absent_classes[0]
    assert (absence.name, absence.subjects) == ("wear/female", 1)
    assert absence.reason == "1 subject holds it, there are 3 sides"
    assert any(side.startswith("the training side of fold") for side in absence.sides)
    assert any("wear/female" in note for note in split.notes)


def test_the_naive_kind_is_marked_and_keeps_copies_together() -> None:
    data = people(copy=True)
    for seed in range(5):
        split = make(data, SplitSettings(kind="naive", ratio=0.5, seed=seed))
        assert split.naive
        assert split.guarantees.subjects_on_two_sides > 0
        assert "measure the leak" in split.notes[0]
        assert split.summary.model_dump()["naive"] is True
        assert split.fold[0] == split.fold[4], "a photo and its copy"


def test_naive_and_honest_splits_never_share_a_fingerprint() -> None:
    data = people(shown=False)
    naive, honest = make(data, SplitSettings(kind="naive")), make(data, SplitSettings())
    assert (naive.fold == honest.fold).all(), "each photo its own subject: the same assignment"
    assert naive.fingerprint != honest.fingerprint
    assert any("independence not shown" in n for n in honest.notes)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"stratify": ("gendre",)}, "did you mean 'gender'"),
        ({"kind": "folds", "folds": 41}, "40 subjects for 41 folds"),
    ],
)
def test_what_cannot_be_split_is_said(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(SplitError, match=said):
        make(people(), SplitSettings(**asked))


# --- saved and loaded --------------------------------------------------------------------------------------------


def test_a_saved_split_comes_back_equal(tmp_path: Path) -> None:
    data = people()
    split = make(data, SplitSettings(kind="folds", folds=4, seed=3, name="mine"))
    path = save(split, tmp_path)
    assert path == tmp_path / "mine.parquet"
    back = load(path, data)
    assert back.summary == split.summary
    assert (back.fold == split.fold).all()
    shuffled = data.take(np.random.default_rng(0).permutation(data.n_images))
    assert load(path, shuffled).fingerprint == split.fingerprint
    assert list(tmp_path.iterdir()) == [path], "nothing half-written is left"


def tampered(path: Path, change: Any) -> Path:
    table, meta = pl.read_parquet(path), pl.read_parquet_metadata(path)["hoego"]
    change(table).write_parquet(path, metadata={"hoego": meta})
    return path


def with_fold(rows: list[int], value: int) -> Any:
    def change(table: pl.DataFrame) -> pl.DataFrame:
        fold = table["fold"].to_numpy().copy()
        fold[rows] = value
        return table.with_columns(fold=fold)

    return change


def test_a_tampered_file_is_refused_by_what_is_wrong(tmp_path: Path) -> None:
    data = people()
    split = make(data, SplitSettings(kind="folds", folds=2, name="s"))
    other = 1 - int(split.fold[0])
    cases = [
        (with_fold([0], other), "'p00'"),
        (with_fold([0], 7), "is in fold 7"),
        (with_fold(list(range(160)), 0), "'fold 1' has no image"),
        (with_fold([0, 1, 2, 3], other), "moved between sides"),
        (lambda t: t[1:], "1 images of the data set are not in it"),
        (lambda t: t[::-1], "out of order"),
        (lambda t: pl.concat([t[:1], t]), "occurs twice"),
        (lambda t: t.drop("fold"), "not a split"),
    ]
    for change, said in cases:
        path = tampered(save(split, tmp_path), change)
        with pytest.raises((SplitError, MismatchError), match=said) as error:
            load(path, data)
        assert error.value.file == path


def test_a_file_that_is_no_split_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    with pytest.raises(SplitError, match="no such split"):
        load(path, people())
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(SplitError, match="Not a readable Parquet"):
        load(path, people())
    pl.DataFrame({"image": ["a"], "fold": [0]}).write_parquet(path)
    with pytest.raises(SplitError, match="not a split that Hoego saved"):
        load(path, people())


def test_joined_subjects_make_an_old_split_unfit(tmp_path: Path) -> None:
    data = people()
    split = make(data, SplitSettings(kind="folds", folds=2, name="s"))
    path = save(split, tmp_path)
    first, second = 0, int(np.flatnonzero(split.fold != split.fold[0])[0])
    names = data.images["subject"].to_list()
    joined = [names[first] if n == names[second] else n for n in names]
    changed = Dataset(
        root=data.root,
        schema=data.schema,
        images=data.images.with_columns(subject=pl.Series(joined)),
        codes=data.codes,
    )
    with pytest.raises(SplitError, match="are on two sides") as error:
        load(path, changed)
    assert "data set has changed" in str(error.value)


def test_obtain_reuses_remakes_and_never_overwrites_a_named_one(tmp_path: Path) -> None:
    data, more = people(), people(n_subjects=42)
    first = load_or_make(data, SplitSettings(seed=1), tmp_path)
    assert load_or_make(data, SplitSettings(seed=1), tmp_path).fingerprint == first.fingerprint
    assert load_or_make(more, SplitSettings(seed=1), tmp_path).dataset_fingerprint == more.fingerprint
    named = SplitSettings(name="paper")
    load_or_make(data, named, tmp_path)
    with pytest.raises(MismatchError, match="other images"):
        load_or_make(more, named, tmp_path)
    with pytest.raises(SplitError, match=r"ratio 0\.2 and not 0\.3"):
        load_or_make(data, SplitSettings(name="paper", ratio=0.3), tmp_path)
    with pytest.raises(SplitError, match="cannot name a split"):
        load_or_make(data, SplitSettings(name="../up"), tmp_path)
