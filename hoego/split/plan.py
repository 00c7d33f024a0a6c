"""The Split: which image is on which side, with the guarantees that were verified."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.data.spelling import pack_names
from hoego.errors import SplitError
from hoego.results.split import Guarantees, SplitKind, SplitSide, SplitSummary

Mask = NDArray[np.bool_]

NAIVE_NOTE = (
    "photo-level split: subjects are on both sides. It exists to measure the leak; "
    "no score on it estimates the performance on new subjects."
)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
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
    kind: SplitKind
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
            "worst class deviation": f"{proved.worst_class_deviation:.4f}",
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

    @property
    def summary(self) -> SplitSummary:
        """The split without its images, as `hoego split --json` prints it."""
        return SplitSummary(
            name=self.name,
            kind=self.kind,
            seed=self.seed,
            folds=self.n_folds,
            ratio=self.ratio,
            stratify=self.stratify,
            fingerprint=self.fingerprint,
            dataset_fingerprint=self.dataset_fingerprint,
            images=len(self.images),
            sides=self.sides,
            guarantees=self.guarantees,
            notes=self.notes,
        )


def fingerprint_of(kind: str, images: NDArray[Any], fold: NDArray[np.int16]) -> str:
    """Return 16 hex digits over which image (str[N], sorted) is on which side (int16[N])."""
    h = blake2b(digest_size=8)
    # The kind is part of the hash: a naive split never passes for an honest one, even with the same sides.
    h.update(b"naive\0" if kind == "naive" else b"honest\0")
    h.update(pack_names(images.tolist()))
    h.update(np.ascontiguousarray(fold, dtype="<i2").tobytes())
    return h.hexdigest()
