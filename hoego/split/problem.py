"""The balance problem of a split: types of subjects, their images per class, and the target of each side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from hoego.short_repr import ShortRepr

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

DENSE_CELLS = 20_000_000
"""Subjects x classes up to which the table of counts is dense (int32: 80 MB) and equal subjects share a type."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class BalanceProblem(ShortRepr):
    """T types of subjects, to be placed on K sides so that C classes are spread evenly.

    Subjects with equal rows are exchangeable, so they share a type and the search never sees a single subject. The C
    columns are the classes of the target and of every listed attribute side by side, each label's missing values in a
    column of their own (they are balanced too, but without a guarantee).

    Attributes:
        vectors: float64[T + 1, C], images of each class in one subject of each type; the last row is an empty subject.
            Sparse where the dense table would be large.
        sizes: float64[T + 1], images of one subject of each type.
        number: int64[T], subjects of each type.
        ideal: float64[K], the target share of all images of each side; sums to 1.
        need: int64[C], the number of sides that each class must be on.
        totals: float64[C], images of each class in all.
    """

    vectors: Floats | csr_array
    sizes: Floats
    number: Ints
    ideal: Floats
    need: Ints
    totals: Floats

    @property
    def n_images(self) -> float:
        """Number of images N."""
        return float(self.number @ self.sizes[:-1])

    @property
    def n_types(self) -> int:
        """Number of types T."""
        return len(self.number)

    @property
    def n_classes(self) -> int:
        """Number of columns C."""
        return len(self.totals)

    @property
    def n_sides(self) -> int:
        """Number of sides K."""
        return len(self.ideal)

    def rows(self, types: Ints) -> Floats:
        """Return the images per class of the types [B], float64[B, C]; type T is the empty subject."""
        if isinstance(self.vectors, csr_array):
            return np.asarray(self.vectors[types].todense(), dtype=np.float64)
        return self.vectors[types]

    def contents(self, placed: Ints) -> Floats:
        """Return the images per class on each side, float64[K, C], for `placed` int64[K, T] subjects of each type."""
        return np.asarray(placed @ self.vectors[: self.n_types], dtype=np.float64)


def problem_of(groups: Ints, strata: Sequence[Ints], ideal: Floats) -> tuple[BalanceProblem, Ints]:
    """Build the balance problem of N images, and the type of each subject.

    Args:
        groups: int[N], the subject of each image, 0..S-1, every subject with an image.
        strata: int[N] each, the classes of the target and of further labels; -1 where missing.
        ideal: float64[K], the share of the images that each side is to hold.

    Returns:
        The problem, and int64[S], the type of each subject.
    """
    n_subjects = int(groups.max()) + 1
    columns, need, offset = [], [], 0
    for labels in strata:
        n_classes = int(labels.max(initial=-1)) + 1
        columns.append(np.where(labels < 0, offset + n_classes, offset + labels).astype(np.int64))
        need.append(np.ones(n_classes, dtype=bool))
        need.append(np.zeros(1, dtype=bool))
        offset += n_classes + 1
    promised = np.concatenate(need) if need else np.zeros(0, dtype=bool)
    sizes = np.bincount(groups, minlength=n_subjects).astype(np.float64)
    table, subjects_of = _table(groups, columns, n_subjects, offset)
    wanted = np.where(promised, np.minimum(subjects_of, len(ideal)), 0)
    used = np.flatnonzero(subjects_of)
    table, wanted = table[:, used], wanted[used]
    if isinstance(table, csr_array):
        kind, number, vectors = np.arange(n_subjects), np.ones(n_subjects, dtype=np.int64), table
        empty = csr_array((1, len(used)), dtype=np.float64)
        from scipy.sparse import vstack

        full: Floats | csr_array = csr_array(vstack([vectors, empty]))
        first = np.arange(n_subjects)
    else:
        keyed = np.column_stack([table, sizes.astype(table.dtype)])
        _, first, kind, number = _unique_rows(keyed)
        full = np.vstack([table[first].astype(np.float64), np.zeros((1, len(used)))])
    totals = np.asarray(table.sum(axis=0), dtype=np.float64).ravel()
    return BalanceProblem(
        vectors=full,
        sizes=np.append(sizes[first], 0.0),
        number=number,
        ideal=ideal,
        need=wanted,
        totals=totals,
    ), kind


def _table(
    groups: Ints, columns: list[Ints], n_subjects: int, n_columns: int
) -> tuple[NDArray[np.int32] | csr_array, Ints]:
    """Count the images per subject and column, dense or sparse, and the subjects that hold each column."""
    if n_subjects * n_columns <= DENSE_CELLS:
        cells = np.zeros(n_subjects * n_columns, dtype=np.int32)
        for column in columns:
            cells += np.bincount(groups * n_columns + column, minlength=len(cells)).astype(np.int32)
        table = cells.reshape(n_subjects, n_columns)
        return table, np.count_nonzero(table, axis=0).astype(np.int64)
    rows = np.concatenate([groups] * len(columns))
    every = np.concatenate(columns)
    sparse = csr_array((np.ones(len(rows)), (rows, every)), shape=(n_subjects, n_columns))
    sparse.sum_duplicates()
    return sparse, np.bincount(sparse.indices, minlength=n_columns).astype(np.int64)


def _unique_rows(table: NDArray[np.int32]) -> tuple[NDArray[np.int32], Ints, Ints, Ints]:
    """Return distinct rows in lexicographic order, the position of each first one, the index of each row, counts."""
    order = np.lexsort(table.T[::-1])
    ordered = table[order]
    new = np.ones(len(table), dtype=bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    kind = np.empty(len(table), dtype=np.int64)
    kind[order] = np.cumsum(new) - 1
    starts = np.flatnonzero(new)
    return ordered[new], order[starts], kind, np.diff(np.append(starts, len(table)))
