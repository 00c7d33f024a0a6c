"""The sides of a fold that another trainer is given: training photos, a validation side of training subjects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.errors import MismatchError
from hoego.short_repr import ShortRepr
from hoego.split import Split
from hoego.split.make_split import make_split

INNER_SHARE = 0.2


@dataclass(frozen=True, eq=False, repr=False)
class FoldSides(ShortRepr):
    """Rows of a data set for one fold.

    Args:
        train: labelled rows to fit on.
        inner: labelled rows of other training subjects, for early stopping and progress.
        held_out: the rows to predict, which training must not open.
    """

    train: NDArray[np.int64]
    inner: NDArray[np.int64]
    held_out: NDArray[np.int64]


def fold_sides(
    dataset: Dataset, split: Split, fold: int = 0, *, attribute: str | None = None, inner: float = INNER_SHARE
) -> FoldSides:
    """Return the rows of a fold's sides; no subject is on two of them, unless the split is naive.

    Args:
        dataset: of the photos.
        split: of the data set.
        fold: that is held out.
        attribute: that is learnt; the target where None. Photos without a label of it are on no training side.
        inner: share of the training photos that the validation side gets, by whole subjects; 0 for none.

    Raises:
        MismatchError: the split is of another data set.
    """
    if split.dataset_fingerprint != dataset.fingerprint:
        raise MismatchError(
            f"The split {split.name!r} is of another data set.",
            remedy="Give the data set that the split was made for.",
        )
    where = np.searchsorted(split.images, dataset.image_ids)
    held = split.val_mask(fold)[where]
    labelled = dataset.classes_of(attribute or dataset.schema.target) >= 0
    train = np.flatnonzero(~held & labelled)
    aside = np.zeros(len(train), dtype=bool)
    if inner > 0:
        own = make_split(dataset.take(train), "holdout", ratio=inner, seed=split.seed)
        aside = own.val_mask(0)[np.searchsorted(own.images, dataset.image_ids[train])]
    return FoldSides(train[~aside], train[aside], np.flatnonzero(held))
