"""The Split: which image is on which side, with the guarantees that were verified."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from html import escape
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hoego.data.spelling import pack_names
from hoego.errors import SplitError

Mask = NDArray[np.bool_]
Kind = Literal["holdout", "folds", "naive"]

NAIVE_NOTE = (
    "photo-level split: subjects are on both sides. It exists to measure the leak; "
    "no score on it estimates the performance on new subjects."
)


@dataclass(frozen=True)
class SplitSide:
    """Counts of one side of a split.

    Attributes:
        name: "held out", "training" or "fold k".
        images, subjects: how many.
        share: of all images.
        classes: images per class of the target, by the class's name; classes without an image in the data are left out.
    """

    name: str
    images: int
    subjects: int
    share: float
    classes: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Return the counts in plain types."""
        return {
            "side": self.name,
            "images": self.images,
            "subjects": self.subjects,
            "share": self.share,
            "classes": dict(self.classes),
        }


@dataclass(frozen=True)
class AbsentClass:
    """A class that is absent from at least one side, and why.

    Attributes:
        label: the attribute, or the target's name.
        name: the class.
        subjects: how many subjects hold it.
        sides: the sides without an image of it ("fold 3", "the training side of fold 1", ...).
        reason: in words.
    """

    label: str
    name: str
    subjects: int
    sides: tuple[str, ...]
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return the absence in plain types."""
        return {
            "label": self.label,
            "class": self.name,
            "subjects": self.subjects,
            "sides": list(self.sides),
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Guarantees:
    """Guarantees of a split, counted on the finished assignment and again whenever it is loaded.

    Attributes:
        subjects_on_two_sides: 0, except for the naive kind.
        empty_sides: counted on the assignment; 0, since a split with an empty side is refused.
        worst_deviation: the largest absolute deviation of any class's share on any side, over the target and every
            listed attribute (see `hoego.split.balance`).
        deviations: the same for each label alone, by name.
        size_deviation: the largest absolute difference between a side's share of the images and the requested share.
        absences: classes that are not on every side, each with its reason.
    """

    subjects_on_two_sides: int
    empty_sides: int
    worst_deviation: float
    deviations: dict[str, float]
    size_deviation: float
    absences: tuple[AbsentClass, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the guarantees in plain types."""
        return {
            "subjects_on_two_sides": self.subjects_on_two_sides,
            "empty_sides": self.empty_sides,
            "worst_class_deviation": self.worst_deviation,
            "deviations": dict(self.deviations),
            "size_deviation": self.size_deviation,
            "absent_classes": [a.to_dict() for a in self.absences],
        }


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """An assignment of images to held-out folds, with its proved guarantees.

    Attributes:
        name: under which it is saved.
        kind: "holdout", "folds" (both by subject) or "naive" (by photo, marked wherever it is used).
        seed: of the assignment.
        n_folds: K; 1 for holdout and naive.
        ratio: requested share of the images on each held-out side (1/K for folds).
        stratify: attributes balanced besides the target.
        images: str[N], image ids, sorted.
        fold: int16[N]. Folds: 0..K-1. Holdout and naive: 0 = held out, -1 = never held out.
        dataset_fingerprint: of the data set it divides.
        guarantees: the verified guarantees.
        sides: counts of each side.
        notes: sentences to show beside it: merged subjects, independence not shown, the naive kind.
    """

    name: str
    kind: Kind
    seed: int
    n_folds: int
    ratio: float
    stratify: tuple[str, ...]
    images: NDArray[Any]
    fold: NDArray[np.int16]
    dataset_fingerprint: str
    guarantees: Guarantees
    sides: tuple[SplitSide, ...]
    notes: tuple[str, ...] = ()

    @property
    def naive(self) -> bool:
        """True where the split is by photo, so that subjects are on both sides."""
        return self.kind == "naive"

    @property
    def fold_numbers(self) -> range:
        """The numbers of the folds that can be held out."""
        return range(self.n_folds)

    def indices(self, fold: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows that fold k trains on and those that it holds out, int64 each, ascending.

        Rows are positions in `images`, which for a labelled data set are those of its `image_ids`. Raises SplitError
        when there is no such fold.
        """
        held = self.val_mask(fold)
        return np.flatnonzero(~held), np.flatnonzero(held)

    def folds(self) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Return `indices` of every fold in order; scikit-learn takes the list as `cv`."""
        return [self.indices(k) for k in self.fold_numbers]

    def __repr__(self) -> str:
        """Show who is held out in one line."""
        sides = " | ".join(f"{s.name}: {s.images:,}" for s in self.sides[:6])
        more = f" | {len(self.sides) - 6} more" if len(self.sides) > 6 else ""
        return f"Split({self.name!r}: {self.kind}, {sides}{more})"

    def _repr_html_(self) -> str:
        """Show the sides, the guarantees and the notes in a notebook."""
        from hoego.draw import card, class_bars

        proved = self.guarantees
        facts = {
            "kind": f"{self.kind}, seed {self.seed}",
            "subjects on two sides": f"{proved.subjects_on_two_sides:,}",
            "worst class deviation": f"{proved.worst_deviation:.4f}",
            "fingerprint": self.fingerprint,
        }
        title = f"Split {escape(self.name)}"
        return card(title, facts, class_bars({s.name: s.images for s in self.sides}), self.notes[:8])

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits over which image is on which side (and over being naive)."""
        return fingerprint_of(self.kind, self.images, self.fold)

    def val_mask(self, fold: int) -> Mask:
        """Return the validation mask of fold k, bool[N]: the images it holds out.

        Raises SplitError when there is no such fold.
        """
        if fold not in self.fold_numbers:
            alone = self.n_folds == 1
            only = "fold 0 alone" if alone else f"folds 0 to {self.n_folds - 1}"
            raise SplitError(
                f"The split {self.name!r} ({self.kind}) has no fold {fold}: it has {only}.",
                remedy='Set split.kind = "folds" for out-of-fold predictions of every image.'
                if alone
                else "Give one of these, or `all`; split.folds sets how many there are.",
            )
        held: Mask = self.fold == fold
        return held

    def train_mask(self, fold: int) -> Mask:
        """Return the training mask of fold k, bool[N]: all images that it does not hold out."""
        return ~self.val_mask(fold)

    def to_dict(self) -> dict[str, Any]:
        """Return the split in plain types, without the images (`hoego split --json`)."""
        return {
            "name": self.name,
            "kind": self.kind,
            "naive": self.naive,
            "seed": self.seed,
            "folds": self.n_folds,
            "ratio": self.ratio,
            "stratify": list(self.stratify),
            "fingerprint": self.fingerprint,
            "dataset_fingerprint": self.dataset_fingerprint,
            "images": len(self.images),
            "sides": [s.to_dict() for s in self.sides],
            **self.guarantees.to_dict(),
            "notes": list(self.notes),
        }


def fingerprint_of(kind: str, images: NDArray[Any], fold: NDArray[np.int16]) -> str:
    """Return 16 hex digits over which image (str[N], sorted) is on which side (int16[N])."""
    h = blake2b(digest_size=8)
    # The kind is part of the hash: a naive split never passes for an honest one, even with the same sides.
    h.update(b"naive\0" if kind == "naive" else b"honest\0")
    h.update(pack_names(images.tolist()))
    h.update(np.ascontiguousarray(fold, dtype="<i2").tobytes())
    return h.hexdigest()
