"""How far an assignment of subjects is from perfect stratification, and which classes are on which side.

The measure of balance, used everywhere a split prints one number, is *the largest absolute deviation of any class's
share on any side*:

    worst deviation = max over sides k and classes c of | n_kc / n_k - n_c / n |

with n_kc the images of class c on side k, n_k the images of side k, n_c the images of class c and n all images. It is
the distance between the class mix of a side and the class mix of the whole; 0.01 means that no class is over- or
under-represented on any side by more than one percentage point of that side. The sides of a K-fold split are its K
folds (the training side of fold k is a mixture of the other folds, so its deviation is never larger than the largest
of theirs); the sides of a holdout split are the held-out and the training images.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def side_counts(side: NDArray[np.integer], labels: NDArray[np.integer], n_sides: int, n_classes: int) -> Ints:
    """Count the images of each class on each side.

    Args:
        side: int[N], the side of each image, 0..K-1.
        labels: int[N], the class of each image, -1 where it is missing (such images are counted nowhere).
        n_sides: K.
        n_classes: C.

    Returns:
        int64[K, C].
    """
    shown = labels >= 0
    cells = side[shown].astype(np.int64) * n_classes + labels[shown]
    return np.bincount(cells, minlength=n_sides * n_classes).reshape(n_sides, n_classes)


def worst_deviation(counts: NDArray[np.integer]) -> float:
    """Return the largest absolute deviation of any class's share on any side (see the module's docstring).

    Args:
        counts: int[K, C], images of each class on each side.

    Returns:
        A number between 0 (perfect stratification) and 1. A side without images counts as a deviation of 1.

    >>> worst_deviation(np.array([[5, 5], [5, 5]]))
    0.0
    >>> worst_deviation(np.array([[6, 4], [4, 6]]))
    0.1
    """
    if counts.size == 0 or counts.sum() == 0:
        return 0.0
    sizes = counts.sum(axis=1, keepdims=True)
    if (sizes == 0).any():
        return 1.0
    gap = np.abs(counts / sizes - counts.sum(axis=0) / counts.sum())
    return float(
        np.round(gap.max(), 12)
    )  # rounding makes the figure equal on machines that sum in another order


def spread_deviation(counts: NDArray[np.integer], ideal: Floats) -> float:
    """Return the largest | n_kc / n_c - ideal_k |: how unevenly one class is spread over the sides.

    A class of one subject makes this large whatever the split does, so it is not the measure that is reported. The
    search lowers it too.

    Args:
        counts: int[K, C], images of each class on each side.
        ideal: float[K], the share of all images that each side is to hold.
    """
    totals = counts.sum(axis=0)
    held = totals > 0
    if not held.any():
        return 0.0
    gap = np.abs(counts[:, held] / totals[held] - ideal[:, None])
    return float(np.round(gap.max(), 12))


def holders(groups: NDArray[np.integer], labels: NDArray[np.integer], n_classes: int) -> Ints:
    """Count the subjects of each class, int64[C].

    Args:
        groups: int[N], the subject of each image.
        labels: int[N], the class of each image, -1 where missing.
    """
    shown = labels >= 0
    n_groups = int(groups.max(initial=0)) + 1
    pairs = np.unique(labels[shown].astype(np.int64) * n_groups + groups[shown])
    return np.bincount(pairs // n_groups, minlength=n_classes)
