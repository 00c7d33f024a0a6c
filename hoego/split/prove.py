"""Verify the guarantees of a split by counting them on the finished assignment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.errors import SplitError
from hoego.results.split import AbsentClass, Guarantees, SplitKind, SplitSide
from hoego.split.balance import holders, side_counts, worst_deviation
from hoego.split.plan import NAIVE_NOTE, Split

Ints = NDArray[np.int64]


def strata_of(dataset: Dataset, stratify: tuple[str, ...]) -> dict[str, NDArray[np.int32]]:
    """Return the labels to balance by name: the target first, then the listed attributes."""
    names = dict.fromkeys((dataset.schema.target, *stratify))
    return {name: dataset.classes_of(name) for name in names}


def sides_of(fold: NDArray[np.int16], n_folds: int) -> tuple[Ints, tuple[str, ...]]:
    """Return the side of each image, int64[N], and the sides' names: the folds, or held out (0) and training (1)."""
    if n_folds == 1:
        return np.where(fold == 0, 0, 1).astype(np.int64), ("held out", "training")
    return fold.astype(np.int64), tuple(f"fold {k}" for k in range(n_folds))


@dataclass(frozen=True, kw_only=True)
class SplitTerms:
    """What an assignment is said to be, before it is verified; fields as in Split."""

    name: str
    kind: SplitKind
    seed: int
    n_folds: int
    ratio: float
    stratify: tuple[str, ...] = ()


def by_image_id(dataset: Dataset) -> Dataset:
    """Return the data set in the order of its image ids: a split's fingerprint does not depend on the table's order."""
    order = np.argsort(dataset.image_ids, kind="stable")
    return dataset if (order == np.arange(dataset.n_images)).all() else dataset.take(order)


def proved_split(dataset: Dataset, fold: NDArray[np.int16], terms: SplitTerms) -> Split:
    """Verify an assignment and return the split.

    Args:
        dataset: N images, in the order of their ids.
        fold: int16[N].
        terms: what it is said to be.

    Raises:
        SplitError: see verify_split.
    """
    guarantees, sides = verify_split(dataset, terms.kind, fold, terms.n_folds, (terms.ratio, terms.stratify))
    return Split(
        name=terms.name,
        kind=terms.kind,
        seed=terms.seed,
        n_folds=terms.n_folds,
        ratio=terms.ratio,
        stratify=terms.stratify,
        images=dataset.image_ids,
        fold=fold,
        dataset_fingerprint=dataset.fingerprint,
        guarantees=guarantees,
        sides=sides,
        notes=notes_on(dataset, terms.kind, guarantees),
    )


def verify_split(
    dataset: Dataset,
    kind: SplitKind,
    fold: NDArray[np.int16],
    n_folds: int,
    wanted: tuple[float, tuple[str, ...]],
) -> tuple[Guarantees, tuple[SplitSide, ...]]:
    """Verify an assignment and return its guarantees and its sides.

    Args:
        dataset: N images.
        kind: of the split.
        fold: int16[N], in the order of the data set's images.
        n_folds: K; 1 for holdout and naive.
        wanted: the ratio of each held-out side, and the attributes balanced besides the target.

    Raises:
        SplitError: a fold number is out of range, a side is empty, or a subject is on two sides of an honest
            split; names the image, the side or the subjects.
    """
    ratio, stratify = wanted
    _require_folds(dataset, fold, n_folds)
    side, names = sides_of(fold, n_folds)
    n_sides = len(names)
    images = np.bincount(side, minlength=n_sides)
    _require_images(images, names)
    cells = np.unique(dataset.subject_index.astype(np.int64) * n_sides + side)
    shared = np.flatnonzero(np.bincount(cells // n_sides, minlength=dataset.n_subjects) > 1)
    if kind != "naive":
        _require_none_shared(dataset.subjects[shared])
    strata = strata_of(dataset, stratify)
    deviations, missing = {}, []
    for label, classes in strata.items():
        n_classes = dataset.schema.n_classes(label)
        counts = side_counts(side, classes, n_sides, n_classes)
        deviations[label] = worst_deviation(counts)
        held_by = holders(dataset.subject_index, classes, n_classes)
        missing += _absences(label, dataset.schema.classes(label), counts, held_by, names)
    ideal = np.full(n_folds, 1.0 / n_folds) if n_folds > 1 else np.array([ratio, 1.0 - ratio])
    off = float(np.round(np.abs(images / images.sum() - ideal).max(), 12))
    guarantees = Guarantees(
        subjects_on_two_sides=len(shared),
        empty_sides=int((images == 0).sum()),
        worst_class_deviation=max(deviations.values()),
        deviations=deviations,
        size_deviation=off,
        absent_classes=tuple(missing),
    )
    return guarantees, _sides(dataset, side, names, np.bincount(cells % n_sides, minlength=n_sides))


def _require_folds(dataset: Dataset, fold: NDArray[np.int16], n_folds: int) -> None:
    """Raise SplitError naming the first image in a fold that the split does not have."""
    allowed = range(n_folds) if n_folds > 1 else (-1, 0)
    strange = np.flatnonzero(~np.isin(fold, list(allowed)))
    if len(strange):
        raise SplitError(
            f"The image {dataset.image_ids[strange[0]]!r} is in fold {fold[strange[0]]}, which the split does not have."
        )


def _require_images(images: NDArray[np.int64], names: Sequence[str]) -> None:
    """Raise SplitError naming a side without images, of which `images` are the counts."""
    if (images == 0).any():
        raise SplitError(
            f"The side {names[int(np.argmin(images))]!r} has no image.",
            remedy="Check the ratio and the folds.",
        )


def _require_none_shared(subjects: NDArray[Any]) -> None:
    """Raise SplitError naming some of the subjects that are on two sides."""
    if len(subjects):
        some = ", ".join(map(repr, subjects[:3].tolist()))
        raise SplitError(
            f"{len(subjects)} subject(s) are on two sides, such as {some}.",
            remedy="Make the split again with `hoego split`.",
        )


def _absences(
    label: str, classes: tuple[str, ...], counts: Ints, held_by: Ints, names: tuple[str, ...]
) -> list[AbsentClass]:
    n_sides = len(names)
    found = []
    for c in np.flatnonzero((held_by > 0) & (counts == 0).any(axis=0)).tolist():
        here = np.flatnonzero(counts[:, c])
        sides = [names[k] for k in range(n_sides) if not counts[k, c]]
        if len(here) == 1 and n_sides > 2:
            sides.append(f"the training side of {names[here[0]]}")
        m = int(held_by[c])
        if m < n_sides:
            one = "1 subject holds it" if m == 1 else f"{m} subjects hold it"
            reason = f"{one}, there are {n_sides} sides"
        else:
            reason = "no arrangement found: its subjects hold other rare classes as well"
        found.append(AbsentClass(label=label, name=classes[c], subjects=m, sides=tuple(sides), reason=reason))
    return found


def _sides(dataset: Dataset, side: Ints, names: tuple[str, ...], subjects: Ints) -> tuple[SplitSide, ...]:
    classes = dataset.schema.target_classes
    counts = side_counts(side, dataset.target, len(names), len(classes))
    images = np.bincount(side, minlength=len(names))
    present = np.flatnonzero(counts.sum(axis=0))
    return tuple(
        SplitSide(
            name=name,
            images=int(images[k]),
            subjects=int(subjects[k]),
            share=float(np.round(images[k] / dataset.n_images, 12)),
            classes={classes[c]: int(counts[k, c]) for c in present},
        )
        for k, name in enumerate(names)
    )


def notes_on(dataset: Dataset, kind: SplitKind, guarantees: Guarantees) -> tuple[str, ...]:
    """Return the notes of a split: the naive kind, independence not shown, absences, joined subjects."""
    notes: list[Any] = []
    if kind == "naive":
        notes.append(f"{NAIVE_NOTE} {guarantees.subjects_on_two_sides} subjects are on both sides here.")
    if not dataset.subject_shown:
        notes.append("independence not shown: there is no subject column, so each photo is its own subject.")
    # Many rare classes (hundreds of species) would fill the screen; the guarantees keep the whole list.
    for a in guarantees.absent_classes[:20]:
        notes.append(f"{a.label} {a.name!r} is absent from {', '.join(a.sides)}: {a.reason}.")
    if len(guarantees.absent_classes) > 20:
        notes.append(f"… and {len(guarantees.absent_classes) - 20} more classes are absent from a side.")
    return (*notes, *dataset.joins)
