"""Per-subject counts: everything that the classification metrics need of N images, in a few columns.

A label space of C classes takes 3C columns (or 3C+2 when its classes are ordered)::

    right[C] | predicted[C] | truth[C] | absolute | squared

`right`, `predicted` and `truth` count images per class; `absolute` and `squared` sum |i-j| and (i-j)^2 over true
class i and predicted class j. Every metric of the table is a function of the columns' totals, so a bootstrap over
subjects is one matrix product: weights [R, S] times counts [S, columns].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack

Float = NDArray[np.float64]
Ints = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class CountColumns:
    """Where the columns of one label space lie.

    Args:
        n_classes: C.
        ordered: whether the two distance columns are there.
        start: its first column.
    """

    n_classes: int
    ordered: bool = False
    start: int = 0

    @property
    def width(self) -> int:
        """The number of columns of this label space."""
        return 3 * self.n_classes + (2 if self.ordered else 0)

    @property
    def stop(self) -> int:
        """One past its last column."""
        return self.start + self.width

    def moved(self, start: int) -> CountColumns:
        """Return the same columns, beginning at `start`."""
        return CountColumns(self.n_classes, self.ordered, start)

    def _block(self, totals: NDArray[Any], k: int) -> NDArray[Any]:
        first = self.start + k * self.n_classes
        return totals[..., first : first + self.n_classes]

    def right(self, totals: NDArray[Any]) -> NDArray[Any]:
        """Return images predicted rightly [..., C] of totals [..., columns]."""
        return self._block(totals, 0)

    def predicted(self, totals: NDArray[Any]) -> NDArray[Any]:
        """Return images predicted to be of each class [..., C]."""
        return self._block(totals, 1)

    def truth(self, totals: NDArray[Any]) -> NDArray[Any]:
        """Return images of each class [..., C]."""
        return self._block(totals, 2)

    def absolute(self, totals: NDArray[Any]) -> NDArray[Any]:
        """Return summed |true - predicted class| [...]."""
        return totals[..., self.start + 3 * self.n_classes]

    def squared(self, totals: NDArray[Any]) -> NDArray[Any]:
        """Return summed (true - predicted class)^2 [...]."""
        return totals[..., self.start + 3 * self.n_classes + 1]


def tally(
    truth: Ints, predicted: Ints, subject: Ints, n_subjects: int, n_classes: int, *, ordered: bool = False
) -> csr_array:
    """Return counts [S, width] of one label space, sparse, in int64.

    Args:
        truth: true class of each image [N]; -1 leaves the image out.
        predicted: predicted class of each image [N].
        subject: position of each image's subject [N], 0 <= subject < n_subjects.
    """
    kept = truth >= 0
    t, p, s = (np.asarray(x)[kept].astype(np.int64) for x in (truth, predicted, subject))
    hit = t == p
    columns = [t[hit], n_classes + p, 2 * n_classes + t]
    rows = [s[hit], s, s]
    values = [np.ones(len(r), dtype=np.int64) for r in rows]
    width = 3 * n_classes
    if ordered:
        gap = np.abs(t - p)[~hit]
        columns += [np.full(len(gap), width), np.full(len(gap), width + 1)]
        rows += [s[~hit], s[~hit]]
        values += [gap, gap * gap]
        width += 2
    where = (np.concatenate(rows), np.concatenate(columns))
    counts = csr_array((np.concatenate(values), where), shape=(n_subjects, width))
    counts.sum_duplicates()
    return counts


def side_by_side(parts: list[csr_array]) -> csr_array:
    """Return counts of several label spaces or runs in one table [S, sum of widths]."""
    table = csr_array(hstack(parts, format="csr"))
    table.sort_indices()
    return table
