"""The part of a batch that one of several devices makes ready. What is drawn is drawn for the whole batch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hoego.short_repr import ShortRepr
from hoego.train.devices.joining import own_share
from hoego.train.mixing import MixPlan


@dataclass(frozen=True, eq=False, repr=False)
class BatchShare(ShortRepr):
    """The photos of a batch of B that a device makes ready: its own, and those that are mixed into them.

    Args:
        total: B.
        n_own: number of its own photos b, which are the first of `positions`.
        positions: int64 [n], places in the batch.
    """

    total: int
    n_own: int
    positions: NDArray[np.int64]

    @classmethod
    def of(cls, rank: int, world: int, total: int, plan: MixPlan | None) -> BatchShare:
        """Return the share of device `rank` of `world`: every world-th photo, and the partners of those.

        >>> BatchShare.of(1, 2, 5, None)
        BatchShare(total=5, n_own=2, positions=int64[2])
        """
        own = own_share(total, rank, world)
        if plan is None:
            return cls(total, len(own), own)
        others = np.setdiff1d(plan.partner[own], own)
        return cls(total, len(own), np.concatenate([own, others]))

    def mixing(self, plan: MixPlan | None) -> MixPlan | None:
        """Return how its own photos [b] are mixed with partners among the n photos that it makes ready."""
        if plan is None:
            return None
        own = self.positions[: self.n_own]
        place = np.zeros(self.total, dtype=np.int64)
        place[self.positions] = np.arange(len(self.positions))
        boxes = None if plan.boxes is None else plan.boxes[own]
        return replace(plan, partner=place[plan.partner[own]], keep=plan.keep[own], boxes=boxes)
