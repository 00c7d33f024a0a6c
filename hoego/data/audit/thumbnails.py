"""Small grey photos, read from the pixel cache where they are needed: a million of them would fill 4 GB."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hoego.data.audit.probes import unreadable
from hoego.data.audit.similar import SIDE, Codes, Luma, grey, hashes
from hoego.data.dataset import Dataset
from hoego.data.pixels import PixelCache
from hoego.data.preprocess import Preprocess
from hoego.errors import DataError
from hoego.short_repr import ShortRepr

FLAT = 1.0
"""Standard deviation of the grey values below which a photo counts as being of one colour."""

AT_ONCE = 8192


@dataclass(frozen=True, eq=False, repr=False)
class Thumbnails(ShortRepr):
    """Photos at 32 x 32 pixels.

    Args:
        cache: of those that can be decoded [n]; None where no photo is looked at.
        rows: their rows in the data set [n].
        bad: the rows of the others, each with the reason.
    """

    cache: PixelCache | None = None
    rows: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    bad: dict[int, str] = field(default_factory=dict)

    @property
    def flat(self) -> NDArray[np.bool_]:
        """Which of them [n] are of one colour."""
        return self._measured[0]

    @cached_property
    def detailed(self) -> NDArray[np.int64]:
        """Rows in the data set of those that are not of one colour [m]."""
        return self.rows[~self.flat]

    @property
    def codes(self) -> Codes:
        """Perceptual hashes of those that are not of one colour [m]."""
        return self._measured[1]

    def luma(self, at: NDArray[np.int64]) -> Luma:
        """Return luma float32 [k, 32, 32] of some that are not of one colour, by their positions among these [k]."""
        if self.cache is None:
            return np.empty((len(at), SIDE, SIDE), dtype=np.float32)
        return grey(self.cache.rows(self._places[at]))

    @cached_property
    def _places(self) -> NDArray[np.int64]:
        return np.flatnonzero(~self.flat)

    @cached_property
    def _measured(self) -> tuple[NDArray[np.bool_], Codes]:
        flat, codes = np.zeros(len(self.rows), dtype=bool), [np.empty(0, dtype=np.uint64)]
        if self.cache is not None:
            for start in range(0, len(flat), AT_ONCE):
                luma = grey(self.cache.rows(slice(start, start + AT_ONCE)))
                part = luma.reshape(len(luma), -1).std(axis=1) < FLAT
                flat[start : start + AT_ONCE] = part
                codes.append(hashes(luma[~part]))
        return flat, np.concatenate(codes)


def thumbnails(dataset: Dataset) -> Thumbnails:
    """Decode the photos of a data set once; the pixels are kept in the user's cache."""
    preprocess = Preprocess(size=(SIDE, SIDE))
    every = np.arange(dataset.n_images)
    try:
        return Thumbnails(PixelCache.of(dataset, preprocess), every)
    except DataError:
        bad = unreadable(dataset)
        if not bad:
            raise
        good = np.setdiff1d(every, list(bad))
        if not len(good):
            return Thumbnails(bad=bad)
        return Thumbnails(PixelCache.of(dataset.take(good), preprocess), good, bad)
