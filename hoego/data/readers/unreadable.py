"""Files that are no photos but equal: empty, cut off, or the same page of an error. They join no subjects."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hoego.data.images import content_of, cpu_count, decode
from hoego.data.readers.raw_table import RawTable
from hoego.errors import DataError


def apart_where_unreadable(
    raw: RawTable, contents: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64], tuple[str, ...]]:
    """Return the content hashes [N] by which subjects are joined, and a sentence on what was told apart.

    Equal photos are of one subject. Equal files that cannot be decoded do not say which subject they should show: each
    gets a hash of its own here. Only files that would join subjects are decoded, one of each content.
    """
    images = raw.rows["image"].to_list()
    owner = raw.rows[raw.subject_columns[0]].to_list() if raw.subject_columns else images
    same: dict[int, list[int]] = {}
    _, group, times = np.unique(contents, return_inverse=True, return_counts=True)
    for i in np.flatnonzero(times[group] > 1).tolist():
        same.setdefault(int(group[i]), []).append(i)
    joining = [rows for rows in same.values() if len({owner[i] for i in rows}) > 1]
    paths = raw.rows["path"].to_list()
    with ThreadPoolExecutor(cpu_count()) as pool:
        readable = list(pool.map(_readable, [raw.root / paths[rows[0]] for rows in joining]))
    bad = [i for rows, good in zip(joining, readable, strict=True) if not good for i in rows]
    if not bad:
        return contents, ()
    apart = contents.copy()
    apart[bad] = [content_of(f"{contents[i]} {images[i]}".encode()) for i in bad]
    shown = ", ".join(images[i] for i in bad[:3])
    return apart, (f"{len(bad):,} equal files that are no photos join no subjects: {shown}",)


def _readable(path: Path) -> bool:
    try:
        decode(path)
    except DataError:
        return False
    return True
