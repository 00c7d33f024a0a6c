"""Validation by views, and the same views as test-time augmentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hoego.short_repr import ShortRepr
from hoego.train.forward import PredictedValues, probabilities
from hoego.train.learner import TrainableModules, TrainStepper
from hoego.train.validation import ValidationSet, validation_outputs
from hoego.train.views import TtaViews, summarise


@dataclass(eq=False, repr=False)
class TtaView(ShortRepr):
    """View `number` of photos that come in order."""

    views: TtaViews
    keys: NDArray[np.uint64]
    number: int
    at: int = 0

    def __call__(self, photos: Tensor) -> Tensor:
        keys = self.keys[self.at : self.at + len(photos)]
        self.at += len(photos)
        return self.views.view(photos, keys, self.number)


def view_outputs(
    parts: TrainStepper, learner: TrainableModules, held: ValidationSet
) -> tuple[PredictedValues, float]:
    """Compute mean probabilities over the recipe's views of a validation set, and the mean spread over the views."""
    views = TtaViews.of(parts.recipe)
    keys = TtaViews.keys(list(held.predicted))
    each = [
        probabilities(validation_outputs(parts, learner, held, TtaView(views, keys, number)))
        for number in range(views.n)
    ]
    return mean_views(each)


def mean_views(each: Sequence[dict[str, NDArray[np.float32]]]) -> tuple[PredictedValues, float]:
    """Average outputs of V views, by head [N, C] each; return the mean spread of the first head over photos too."""
    values, spreads = {}, []
    for name in each[0]:
        summary = summarise(np.stack([view[name] for view in each]))
        values[name] = summary.probabilities.astype(np.float32)
        spreads.append(float(summary.spread.mean()))
    return PredictedValues(values, dict.fromkeys(values, "probabilities")), spreads[0]
