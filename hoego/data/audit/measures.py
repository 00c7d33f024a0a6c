"""Association between two labellings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int32]
Float = NDArray[np.float64]


def fifths(values: Float) -> Codes:
    """Return which fifth of the distinct numbers each of the numbers [N] is in, 0 to 4; -1 for NaN.

    >>> fifths(np.asarray([1.0, 1.0, 2.0, 3.0, np.nan])).tolist()
    [0, 0, 1, 3, -1]
    """
    distinct = np.unique(values[~np.isnan(values)])
    place = np.searchsorted(distinct, values)
    codes = (place * 5 // max(len(distinct), 1)).astype(np.int32)
    codes[np.isnan(values)] = -1
    return codes


def crossed(a: Codes, b: Codes) -> NDArray[np.int64]:
    """Return int64[A, B], how often class i of `a` meets class j of `b`, over the rows [N] where neither is
    missing (-1).
    """
    known = (a >= 0) & (b >= 0)
    x, y = a[known].astype(np.int64), b[known].astype(np.int64)
    n_a, n_b = int(x.max(initial=-1)) + 1, int(y.max(initial=-1)) + 1
    return np.bincount(x * n_b + y, minlength=n_a * n_b).reshape(n_a, n_b)


def cramers_v(a: Codes, b: Codes) -> float:
    """Return Cramér's V of two labellings [N], bias-corrected (Bergsma 2013, eq. 3): 0 unrelated, 1 one follows
    the other.

    >>> round(cramers_v(np.array([0, 0, 1, 1] * 50), np.array([1, 1, 0, 0] * 50)), 3)
    1.0
    """
    table = crossed(a, b).astype(np.float64)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0] if table.size else table
    n = table.sum()
    rows, columns = table.shape if table.ndim == 2 else (0, 0)
    if min(rows, columns) < 2 or n < 2:
        return 0.0
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / n
    phi = float(((table - expected) ** 2 / expected).sum() / n)
    phi = max(0.0, phi - (rows - 1) * (columns - 1) / (n - 1))
    r, c = (k - (k - 1) ** 2 / (n - 1) for k in (rows, columns))
    return float(np.sqrt(phi / min(r - 1, c - 1))) if min(r, c) > 1 else 0.0


def determines(a: Codes, b: Codes) -> bool:
    """Return whether every value of `a` goes with one value of `b`, which takes several values.

    A labelling of which nearly every value occurs once determines everything and says nothing: rows [N] must be at
    least twice as many as the pairs of values that occur.
    """
    table = crossed(a, b)
    pairs = int((table > 0).sum())
    held = table.sum(axis=1) > 0
    several = int((table.sum(axis=0) > 0).sum()) > 1
    return several and pairs == int(held.sum()) and 2 * pairs <= int(table.sum())
