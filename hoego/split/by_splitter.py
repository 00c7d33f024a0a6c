"""The split that a SubjectKFold made, or makes, of a data set."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.errors import LeakError, MismatchError
from hoego.split.plan import Split
from hoego.split.prove import SplitTerms, by_image_id, proved_split
from hoego.split.sklearn_splitters import SubjectKFold


def split_by(splitter: SubjectKFold, images: NDArray[Any], dataset: Dataset) -> Split:
    """Return the split of a data set by the folds of a splitter.

    A splitter that has divided samples is taken at what it did, whatever groups it was given. A new one divides the
    data set by its subjects and its target, as it does for `y=dataset.target` and these groups.

    Args:
        splitter: for scikit-learn's tools.
        images: ids [N] of the samples, in the order in which they were divided.
        dataset: of the photos.

    Raises:
        LeakError: a subject of the data set is in two of the folds; names subjects.
        MismatchError: the splitter has divided another number of samples, or not the whole data set.
        SplitError: a new splitter cannot divide the data set.
    """
    dataset = by_image_id(dataset)
    fold = _folds_of(splitter, images, dataset)
    _require_apart(fold, dataset)
    n, seed = splitter.n_splits, splitter.random_state
    terms = SplitTerms(name=repr(splitter), kind="folds", seed=seed, n_folds=n, ratio=1 / n)
    return proved_split(dataset, fold, terms)


def _folds_of(splitter: SubjectKFold, images: NDArray[Any], dataset: Dataset) -> NDArray[np.int16]:
    """Return the fold of each photo of the data set, int16 [N]."""
    if splitter.folds_ is None:
        new = SubjectKFold(**splitter.get_params())
        list(new.split(dataset.image_ids, dataset.target, dataset.subjects[dataset.subject_index]))
        assert new.folds_ is not None
        return new.folds_
    missing = np.setdiff1d(dataset.image_ids, images)
    if len(splitter.folds_) != len(images) or len(missing):
        raise MismatchError(
            f"The splitter has divided {len(splitter.folds_):,} samples; these are {len(images):,} photos of a data "
            f"set of {dataset.n_images:,}.",
            remedy="Divide the rows of the whole data set, and give the photos in the order of those rows.",
        )
    fold = np.empty(dataset.n_images, dtype=np.int16)
    fold[dataset.positions(images)] = splitter.folds_
    return fold


def _require_apart(fold: NDArray[np.int16], dataset: Dataset) -> None:
    """Raise LeakError naming subjects that are in two folds."""
    n = dataset.n_subjects
    first, last = np.full(n, np.iinfo(np.int16).max), np.full(n, -1)
    np.minimum.at(first, dataset.subject_index, fold)
    np.maximum.at(last, dataset.subject_index, fold)
    shared = np.flatnonzero(first < last)
    if len(shared):
        named = [(str(dataset.subjects[s]), first[s], last[s]) for s in shared[:3]]
        some = ", ".join(f"{name!r} (folds {a} and {b})" for name, a, b in named)
        raise LeakError(
            f"{len(shared):,} of {n:,} subjects are in two folds of the splitter: {some}. The groups that it was given "
            "are not the subjects of the data set.",
            remedy="groups=dataset.subjects[dataset.subject_index]",
        )
