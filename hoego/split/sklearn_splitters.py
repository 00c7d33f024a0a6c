"""Splitters for scikit-learn's tools: `cross_val_predict(model, X, y, cv=SubjectKFold(5), groups=subjects)`.

scikit-learn is imported only when it calls `get_metadata_routing`, so the core works without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hoego.errors import SplitError, nearest
from hoego.split.assign import assign_folds, assign_holdout

Indices = NDArray[np.int64]


class Sized(Protocol):
    """Samples that can be counted: an array, a table, a list."""

    def __len__(self) -> int:
        """Return how many there are."""
        ...


class _SubjectSplitter:
    """The base of both splitters: parameters that scikit-learn can clone, and the verification of each division."""

    _parameters: tuple[str, ...] = ()

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name, so that `sklearn.base.clone` can copy the splitter."""
        return {name: getattr(self, name) for name in self._parameters}

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name. Raises SplitError for one that does not exist."""
        for name, value in params.items():
            if name not in self._parameters:
                raise SplitError(
                    f"{type(self).__name__} has no parameter {name!r}.",
                    remedy=nearest(name, self._parameters),
                )
            setattr(self, name, value)
        return self

    def get_metadata_routing(self) -> Any:
        """Request `groups` in scikit-learn's metadata routing, as its own group splitters do."""
        from sklearn.utils.metadata_routing import MetadataRequest

        request = MetadataRequest(owner=self)
        request.split.add_request(param="groups", alias=True)
        return request

    def __repr__(self) -> str:
        """Show the parameters."""
        shown = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"{type(self).__name__}({shown})"


class SubjectKFold(_SubjectSplitter):
    """K folds without a subject in two of them, stratified: a splitter for scikit-learn's tools.

    The guarantees are those of `hoego.make_split`: no fold is empty, each sample is held out exactly once, no subject
    is on both sides, a class of m subjects is in min(m, K) folds where that is possible, and the worst
    deviation of a class's share is small. The division depends on the seed and on the set of (subject, label) pairs,
    not on the order of the rows.

    Args:
        n_splits: K, 2 or more.
        random_state: seed of the division, an integer.
        stratify: spread the classes of `y` evenly; False reads the groups alone (for a continuous `y`).

    Attributes:
        folds_: int16 [N], the fold that holds out each sample of the last division; None before the first one.
            `Predictions.from_probabilities` and `from_labels` take the splitter for a split by it.

    >>> subjects = ["ann", "ann", "bob", "bob", "cho", "cho", "dan", "dan"]
    >>> y = [0, 1, 0, 1, 0, 1, 0, 1]
    >>> folds = list(SubjectKFold(2).split(X=y, y=y, groups=subjects))
    >>> [sorted({subjects[i] for i in test} & {subjects[i] for i in train}) for train, test in folds]
    [[], []]
    >>> [len(test) for train, test in folds]
    [4, 4]
    """

    _parameters = ("n_splits", "random_state", "stratify")

    def __init__(self, n_splits: int = 5, *, random_state: int = 0, stratify: bool = True) -> None:
        self.n_splits = n_splits
        self.random_state = random_state
        self.stratify = stratify
        self.folds_: NDArray[np.int16] | None = None

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return K; the arguments are there for scikit-learn's contract."""
        return self.n_splits

    def split(
        self, X: Sized, y: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> Iterator[tuple[Indices, Indices]]:
        """Yield the training and the held-out rows, int64 each and ascending, of every fold.

        Args:
            X: N samples; only their number is read.
            y: [N] classes, or [N, A] classes of A attributes; None or NaN where missing.
            groups: [N], the subject of each sample.

        Raises:
            SplitError: there are no groups, lengths differ, `y` is continuous, or there are fewer subjects than folds.
        """
        subjects, strata = _checked(X, y if self.stratify else None, groups)
        fold = assign_folds(subjects, strata, self.n_splits, _seed(self.random_state))
        self.folds_ = fold
        for k in range(self.n_splits):
            yield _proved(subjects, fold == k)


class SubjectHoldout(_SubjectSplitter):
    """Hold out a share of the samples, whole subjects at a time, stratified: a splitter for scikit-learn's tools.

    Neither side is empty, no subject is on both, and a class of two subjects or more is on both sides
    where that is possible. `GroupShuffleSplit` does not look at the classes.

    Args:
        test_size: the share of the samples to hold out, strictly between 0 and 1.
        n_splits: how many divisions, each with a seed of its own (`random_state`, `random_state` + 1, ...).
        random_state: seed of the first division, an integer.
        stratify: spread the classes of `y` evenly; False reads the groups alone (for a continuous `y`).

    >>> subjects = ["ann", "ann", "bob", "bob", "cho", "cho", "dan", "dan"]
    >>> [(train, test)] = SubjectHoldout(test_size=0.25).split(X=subjects, groups=subjects)
    >>> len(train), len(test), len({subjects[i] for i in test})
    (6, 2, 1)
    """

    _parameters = ("test_size", "n_splits", "random_state", "stratify")

    def __init__(
        self, test_size: float = 0.2, *, n_splits: int = 1, random_state: int = 0, stratify: bool = True
    ) -> None:
        self.test_size = test_size
        self.n_splits = n_splits
        self.random_state = random_state
        self.stratify = stratify

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of divisions; the arguments are there for scikit-learn's contract."""
        return self.n_splits

    def split(
        self, X: Sized, y: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> Iterator[tuple[Indices, Indices]]:
        """Yield the training and the held-out rows, int64 each and ascending, of every division.

        Args:
            X: N samples; only their number is read.
            y: [N] classes, or [N, A] classes of A attributes; None or NaN where missing.
            groups: [N], the subject of each sample.

        Raises:
            SplitError: there are no groups, lengths differ, `y` is continuous, or there is one subject alone.
        """
        subjects, strata = _checked(X, y if self.stratify else None, groups)
        for k in range(self.n_splits):
            held = assign_holdout(subjects, strata, self.test_size, _seed(self.random_state) + k) == 0
            yield _proved(subjects, held)


def _seed(random_state: Any) -> int:
    if isinstance(random_state, (int, np.integer)) and random_state >= 0:
        return int(random_state)
    raise SplitError(
        f"random_state takes a non-negative integer, not {random_state!r}.",
        remedy="A split must be repeatable; give a number, such as 0.",
    )


def _checked(
    X: Sized, y: ArrayLike | None, groups: ArrayLike | None
) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """Return each sample's subject as a number [N], and the classes of each column of y, int64 [N], -1 if missing."""
    n = int(X.shape[0]) if hasattr(X, "shape") else len(X)
    if groups is None:
        raise SplitError(
            "groups is missing: without it the subjects of the samples are unknown.",
            remedy="Pass groups=, the subject of each sample (cross_val_predict(..., groups=subjects)). A search "
            "inside of a cross-validation gets them by metadata routing: "
            "sklearn.set_config(enable_metadata_routing=True) and params={'groups': subjects}.",
        )
    named = np.asarray(groups)
    if named.shape != (n,):
        raise SplitError(
            f"groups has the shape {named.shape}, X has {n} samples.", remedy="Give one subject per sample."
        )
    blank = _missing(named)
    if blank.any():
        at = int(np.flatnonzero(blank)[0])
        raise SplitError(
            f"Sample {at} has no subject.", remedy="Each sample needs one; fill the gaps in groups."
        )
    if named.dtype == object:
        named = named.astype(np.str_)
    subjects = np.unique(named, return_inverse=True)[1].reshape(-1).astype(np.int64)
    if y is None:
        return subjects, [np.zeros(n, dtype=np.int64)]
    labels = np.asarray(y)
    if labels.ndim not in (1, 2) or len(labels) != n:
        raise SplitError(
            f"y has the shape {labels.shape}, X has {n} samples.", remedy="Give y as [N] or [N, A]."
        )
    columns = labels.reshape(n, -1).T
    return subjects, [_classes(column) for column in columns]


def _classes(column: NDArray[Any]) -> NDArray[np.int64]:
    missing = _missing(column)
    if column.dtype.kind == "f" and (column[~missing] % 1 != 0).any():
        raise SplitError(
            "y is continuous, and only classes can be spread evenly.",
            remedy="Cut it into bins, or use stratify=False.",
        )
    codes = np.full(len(column), -1, dtype=np.int64)
    present = column[~missing]
    if present.dtype == object:
        present = present.astype(np.str_)
    codes[~missing] = np.unique(present, return_inverse=True)[1].reshape(-1)
    return codes


def _missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return the mask bool [N] of None and NaN, the only values that differ from themselves."""
    if values.dtype.kind == "f":
        gaps: NDArray[np.bool_] = np.isnan(values)
        return gaps
    if values.dtype != object:
        return np.zeros(len(values), dtype=bool)
    return np.asarray([v is None or bool(v != v) for v in values.tolist()], dtype=bool)


def _proved(subjects: NDArray[np.int64], held: NDArray[np.bool_]) -> tuple[Indices, Indices]:
    """Return the rows of both sides after checking the guarantees on them."""
    train, test = np.flatnonzero(~held), np.flatnonzero(held)
    shared = np.intersect1d(subjects[train], subjects[test])
    if len(shared) or not len(train) or not len(test):
        raise SplitError(
            f"The division breaks its guarantees: {len(train)} training and {len(test)} held-out samples, "
            f"{len(shared)} subjects on both sides."
        )
    return train.astype(np.int64), test.astype(np.int64)
