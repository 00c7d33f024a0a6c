"""What a split says: who it is, how large its sides are, and the guarantees that were counted on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from hoego.results.base import Result

SplitKind = Literal["holdout", "folds", "naive"]


class SplitSide(Result):
    """Counts of one side of a split.

    Args:
        name: "held out", "training" or "fold k".
        images, subjects: how many.
        share: of all images.
        classes: images per class of the target, by the class's name; classes without an image in the data are left out.
    """

    KEYS: ClassVar[Mapping[str, str]] = {"name": "side"}

    name: str
    images: int
    subjects: int
    share: float
    classes: Mapping[str, int]


class AbsentClass(Result):
    """A class that is absent from at least one side, and why.

    Args:
        label: the attribute, or the target's name.
        name: the class.
        subjects: how many subjects hold it.
        sides: the sides without an image of it ("fold 3", "the training side of fold 1", ...).
        reason: in words.
    """

    KEYS: ClassVar[Mapping[str, str]] = {"name": "class"}

    label: str
    name: str
    subjects: int
    sides: tuple[str, ...]
    reason: str


class Guarantees(Result):
    """Guarantees of a split, counted on the finished assignment and again whenever it is loaded.

    Args:
        subjects_on_two_sides: 0, except for the naive kind.
        empty_sides: counted on the assignment; 0, since a split with an empty side is refused.
        worst_class_deviation: the largest absolute deviation of any class's share on any side, over the target and
            every listed attribute (see `hoego.split.balance`).
        deviations: the same for each label alone, by name.
        size_deviation: the largest absolute difference between a side's share of the images and the requested share.
        absent_classes: classes that are not on every side, each with its reason.
    """

    subjects_on_two_sides: int
    empty_sides: int
    worst_class_deviation: float
    deviations: Mapping[str, float]
    size_deviation: float
    absent_classes: tuple[AbsentClass, ...]


class SplitHeader(Result):
    """What names a split: its settings, and the fingerprints of its sides and of its data set.

    Args:
        folds: K; 1 for holdout and naive.
        ratio: requested share of the images on each held-out side (1/K for folds).
        stratify: attributes balanced besides the target.
        fingerprint: 16 hex digits over which image is on which side.
        dataset_fingerprint: of the data set it divides.
    """

    name: str
    kind: SplitKind
    seed: int
    folds: int
    ratio: float
    stratify: tuple[str, ...]
    fingerprint: str
    dataset_fingerprint: str

    @property
    def naive(self) -> bool:
        """True where the split is by photo, so that subjects are on both sides."""
        return self.kind == "naive"


class SplitSummary(SplitHeader):
    """A split without its images, as `split.json` of a record and `hoego split --json` hold it.

    Args:
        images: N.
        sides: counts of each side.
        guarantees: as they were counted.
        notes: sentences to show beside it: merged subjects, independence not shown, the naive kind.
    """

    DERIVED: ClassVar[tuple[str, ...]] = ("naive",)
    FLAT: ClassVar[str] = "guarantees"
    TITLE: ClassVar[str] = "Split"

    images: int
    sides: tuple[SplitSide, ...]
    guarantees: Guarantees
    notes: tuple[str, ...] = ()

    @property
    def classes(self) -> Mapping[str, int]:
        """Images of every class of the target, over all sides."""
        counts: dict[str, int] = {}
        for side in self.sides:
            for name, n in side.classes.items():
                counts[name] = counts.get(name, 0) + n
        return counts
