"""Rows that several devices predicted, joined by image id: exactly the held-out set, or an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hoego.errors import MismatchError

PredictedPart = tuple[NDArray[np.str_], Mapping[str, NDArray[np.float32]]]
"""Image ids [n] that a device predicted, and its values [n, C] by head."""


def own_share(n_images: int, rank: int, world: int) -> NDArray[np.int64]:
    """Return the positions among N photos that are those of device `rank` of `world`; nothing is padded.

    >>> [len(own_share(101, rank, 2)) for rank in (0, 1)]
    [51, 50]
    """
    return np.arange(rank, n_images, world, dtype=np.int64)


def join_rows(parts: Sequence[PredictedPart], images: NDArray[np.str_]) -> dict[str, NDArray[np.float32]]:
    """Join what the devices predicted; return values [N, C] by head in the order of `images` [N].

    Raises:
        MismatchError: a photo was predicted twice, not at all, or is not held out.
    """
    found = np.concatenate([np.asarray(ids, dtype=np.str_) for ids, _ in parts])
    names, counts = np.unique(found, return_counts=True)
    problems = [
        _said(names[counts > 1], "predicted more than once"),
        _said(np.setdiff1d(images, names), "not predicted"),
        _said(np.setdiff1d(names, images), "not held out"),
    ]
    if any(problems) or len(found) != len(images):
        raise MismatchError(
            f"The devices predicted {len(found):,} rows for {len(images):,} held-out photos: "
            f"{'; '.join(p for p in problems if p) or 'the held-out photos are not distinct'}.",
            remedy="Each photo must be predicted once. A sampler that repeats photos to give every device as many "
            "makes scores wrong.",
        )
    order = np.argsort(found)[np.argsort(np.argsort(images))]
    return {name: np.concatenate([values[name] for _, values in parts])[order] for name in parts[0][1]}


def _said(names: NDArray[np.str_], what: str) -> str:
    return f"{len(names):,} {what}, such as {str(names[0])!r}" if len(names) else ""
