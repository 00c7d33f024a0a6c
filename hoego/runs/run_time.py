"""The time of a run that was given minutes, shared out to its trainings one after another."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hoego.train.fold_task import FoldTask

PREDICTED = 0.3
"""Time to predict a photo, as a share of the time of one training step of it; a held-out photo is predicted twice, and
decoded photos on the way to the model take their part."""

SPARE = 0.04
"""Share of the minutes that is left for the score, the heat maps and the record."""


class RunTime:
    """What is left of the minutes of a run.

    Args:
        seconds: of the run from now on; None where it was given none.
        photos: that each training to come sees in an epoch, in their order.
    """

    def __init__(self, seconds: float | None, photos: Sequence[int]) -> None:
        self.end = math.inf if seconds is None else time.perf_counter() + seconds * (1 - SPARE)
        self.photos = list(photos)

    def done_before(self) -> None:
        """Note that the next training was done in an earlier part of this run: its share of the time is used."""
        now, share = time.perf_counter(), self.photos[0] / sum(self.photos)
        self.end = now + (self.end - now) * (1 - share)
        self.photos.pop(0)

    def share(self, task: FoldTask) -> float:
        """Return the seconds of the steps of the next training; the rest of its share is for predicting.

        Whatever an earlier training took too much or left over is shared by those that follow.
        """
        if math.isinf(self.end):
            return math.inf
        left = max(0.0, self.end - time.perf_counter())
        own = left * self.photos[0] / sum(self.photos)
        self.photos.pop(0)
        trained = float(task.train_mask.sum()) * task.recipe.epochs
        predicted = 2 * PREDICTED * float(task.val_mask.sum())
        return own * trained / max(trained + predicted, 1.0)
