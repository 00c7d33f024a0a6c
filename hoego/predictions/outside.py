"""Predictions of models that were trained outside Hoego: arrays and data frames in, rows with provenance out.

No record holds what such a model has seen. The split defines what it should have seen: the model that predicts
fold k, all subjects outside fold k. The rows are marked `declared`, since that is somebody's word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hoego.data.dataset import Dataset
from hoego.errors import DataError, LeakError, MismatchError, UsageError, first_few, nearest
from hoego.predictions.fields import PredictionFields
from hoego.predictions.match_images import match_images
from hoego.predictions.provenance import Outside, RowProvenance, SubjectUniverse
from hoego.predictions.scale import Scale, require_scale
from hoego.split import Split
from hoego.split.by_splitter import split_by
from hoego.split.sklearn_splitters import SubjectKFold

NAME = "outside"


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Which photos predictions from outside are of.

    Args:
        dataset: of the photos.
        split: by whose folds the models were trained.
        attribute: what is predicted; None for the target.
        fold: the fold that the model held out; None where the rows are those of all folds, each by its fold's model.
    """

    dataset: Dataset
    split: Split
    attribute: str | None = None
    fold: int | None = None

    @classmethod
    def of(
        cls,
        images: Sequence[Any] | NDArray[Any],
        dataset: Dataset,
        split: Split | SubjectKFold,
        attribute: str | None = None,
        fold: int | None = None,
    ) -> HeldOut:
        """Say which photos [N] these are; a splitter of scikit-learn's tools stands for the split that it made.

        Raises:
            LeakError: a subject of the data set is in two folds of the splitter.
            MismatchError: the splitter has divided other samples.
            UsageError: this is no split.
        """
        if isinstance(split, SubjectKFold):
            split = split_by(split, match_images(images, dataset), dataset)
        if not isinstance(split, Split):
            raise UsageError(
                f"{type(split).__name__} is no split.",
                remedy="Give a Split (hoego.make_split) or the hoego.SubjectKFold that divided the rows.",
            )
        return cls(dataset=dataset, split=split, attribute=attribute, fold=fold)

    @property
    def column(self) -> str:
        """The attribute that is predicted. Raises DataError naming the nearest where there is no such one."""
        schema = self.dataset.schema
        name = schema.target if self.attribute is None else self.attribute
        if name not in schema.columns():
            raise DataError(f"There is no attribute {name!r}.", remedy=nearest(name, list(schema.columns())))
        return name

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the C classes that are predicted."""
        return self.dataset.schema.classes(self.column)


def held_out_fields(
    values: ArrayLike, images: Sequence[Any] | NDArray[Any], held_out: HeldOut, scale: Scale
) -> PredictionFields:
    """Make the fields of predictions of N held-out photos.

    Args:
        values: [N, C], a column per class in the order of `held_out.classes`.
        images: [N], the photos' ids, or their files, in any order.
        held_out: which photos these must be.
        scale: what the values are.

    Raises:
        LeakError: a photo was on the training side of the model that predicts it.
        DataError: a shape is wrong, a photo occurs twice or is unknown, values are not finite, or they are not of
            that scale.
        MismatchError: held-out photos are missing, or the split is of another data set.
    """
    dataset, split = held_out.dataset, held_out.split
    if split.dataset_fingerprint != dataset.fingerprint:
        raise MismatchError(
            f"The split {split.name!r} is of another data set ({split.dataset_fingerprint}, here "
            f"{dataset.fingerprint}).",
            remedy="Give the data set that the split was made for.",
        )
    array = _matrix(values, held_out, len(images))
    require_scale(array, scale, held_out.column)
    ids = match_images(images, dataset)
    fold = _folds_of(ids, held_out)
    numbers = np.unique(fold).tolist()
    return PredictionFields(
        images=ids,
        values={held_out.column: array},
        scale={held_out.column: scale},
        schema=dataset.schema,
        fold=fold,
        source=np.searchsorted(numbers, fold).astype(np.int32),
        sources=tuple(outside_source(held_out, k) for k in numbers),
        universe=SubjectUniverse.of(dataset),
        dataset_fingerprint=dataset.fingerprint,
        split_fingerprint=split.fingerprint,
        split_kind=split.kind,
        name=NAME,
        lineage=(NAME,),
        notes=(),
        whole={},
    )


def outside_source(held_out: HeldOut, fold: int) -> RowProvenance:
    """Derive the source of a fold's model from the split: it has seen every subject that the fold does not hold out."""
    split = held_out.split
    rows = _rows_in_split(held_out.dataset.image_ids, split)
    train = split.train_mask(fold)[rows]
    name = f"{NAME} fold {fold}"
    source = RowProvenance.from_training(name, held_out.dataset, train, naive=split.naive)
    return replace(source, external=(), path=(said_of_training(name, split, "declared"),), outside="declared")


def said_of_training(name: str, split: Split, known: Outside) -> str:
    """Say where a model from outside was trained, and how that is known."""
    how = {"witnessed": "as Hoego watched", "declared": "by somebody's word"}[known]
    return f"{name}, trained outside Hoego on the other side of the split {split.name!r} ({how})"


def _rows_in_split(images: NDArray[Any], split: Split) -> NDArray[np.int64]:
    return np.searchsorted(split.images, images).astype(np.int64)


def _folds_of(ids: NDArray[Any], held_out: HeldOut) -> NDArray[np.int16]:
    """Return the fold that holds out each photo [N]; require that the photos are exactly the held-out ones."""
    split = held_out.split
    fold = split.fold[_rows_in_split(ids, split)]
    wanted = split.val_mask(held_out.fold) if held_out.fold is not None else split.fold >= 0
    trained = fold != held_out.fold if held_out.fold is not None else fold < 0
    if trained.any():
        side = f"fold {held_out.fold}" if held_out.fold is not None else "the held-out side"
        raise LeakError(
            f"{int(trained.sum()):,} of {len(ids):,} rows are of photos outside {side} of the split {split.name!r}, "
            f"which its model was trained on: {_some(ids[trained])}.",
            remedy=f"Give the rows of {side} alone"
            + (
                ", or leave the fold out where each row was made by the model that held it out."
                if split.n_folds > 1
                else "."
            ),
        )
    missing = np.setdiff1d(split.images[wanted], ids)
    if len(missing):
        raise MismatchError(
            f"{len(missing):,} of {int(wanted.sum()):,} held-out photos have no row: {_some(missing)}.",
            remedy="Predict every held-out photo; a score on selected photos is not an estimate."
            + (
                " For the rows of one fold give its number."
                if held_out.fold is None and split.n_folds > 1
                else ""
            ),
        )
    return fold.astype(np.int16)


def _matrix(values: ArrayLike, held_out: HeldOut, n_images: int) -> NDArray[np.float32]:
    try:
        array = np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError) as problem:
        raise DataError(
            f"The values are not numbers: {problem}.", remedy="Give an array [N, C], a column per class."
        ) from None
    want = (n_images, len(held_out.classes))
    if array.shape != want:
        raise DataError(
            f"The values have the shape {array.shape}, not {want}: {n_images:,} photos and {want[1]} classes of "
            f"{held_out.column!r} ({first_few(held_out.classes, 6)}).",
            remedy="Give a row per photo and a column per class, in this order; a data frame names its columns.",
        )
    if not n_images:
        raise DataError("There are no rows.", remedy="Predict the held-out photos.")
    return array


def _some(images: NDArray[Any], most: int = 5) -> str:
    return first_few([repr(i) for i in np.sort(images)[: most + 1].tolist()], most)
