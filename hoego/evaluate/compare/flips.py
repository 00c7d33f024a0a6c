"""The photos that tell two runs apart: right in one and wrong in the other."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hoego.data.dataset import Dataset
from hoego.errors import MismatchError
from hoego.evaluate.score.photos import PhotoPredictions, Rows, by_confidence, predicted_photos
from hoego.predictions import Predictions, require_alike


@dataclass(frozen=True, kw_only=True, eq=False)
class Flips:
    """The photos whose prediction became right or wrong from a first run to a second.

    Args:
        first, second: both runs' photos; position k is the same photo in both.
        gained: positions [n] that are wrong in the first and right in the second, the most confident mistake first.
        lost: positions [n] that are right in the first and wrong in the second, likewise.
    """

    first: PhotoPredictions
    second: PhotoPredictions
    gained: Rows = field(repr=False)
    lost: Rows = field(repr=False)


def flips(first: Predictions, second: Predictions, dataset: Dataset, label: str = "") -> Flips:
    """Find the photos that one of two runs gets right and the other wrong.

    Args:
        first, second: of the same images.
        dataset: their truth.
        label: attribute or "composite"; "" for the target.

    Raises:
        MismatchError: the runs are of other images, another split or other classes.
    """
    require_alike([first, second], values=False)
    a, b = (predicted_photos(p, dataset, label) for p in (first, second))
    if not np.array_equal(a.rows, b.rows):
        raise MismatchError(
            f"{first.name} and {second.name} predict other images ({len(a.rows):,} and {len(b.rows):,}).",
            remedy="Compare runs of one split.",
        )
    return Flips(
        first=a,
        second=b,
        gained=by_confidence(np.flatnonzero(~a.right & b.right), a.confidence),
        lost=by_confidence(np.flatnonzero(a.right & ~b.right), b.confidence),
    )
