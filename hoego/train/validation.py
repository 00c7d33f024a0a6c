"""The held-out photos of a training, and what its network says of them: on several devices, of exactly all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.short_repr import ShortRepr
from hoego.train.data import PixelLoader
from hoego.train.forward import PredictedValues, Prepare, outputs_of, read_outputs
from hoego.train.learner import TrainableModules, TrainStepper


@dataclass(frozen=True, eq=False, repr=False)
class ValidationSet(ShortRepr):
    """A validation set of N images with their labels.

    Args:
        dataset: the N images.
        pixels: of the photos that this device predicts, in the order of `own`.
        own: int64 [n], their positions; None for all.
    """

    dataset: Dataset
    pixels: PixelLoader
    own: NDArray[np.int64] | None = None

    @property
    def predicted(self) -> NDArray[np.str_]:
        """Ids [n] of the images that this device predicts."""
        ids = self.dataset.image_ids
        return ids if self.own is None else ids[self.own]


def validation_outputs(
    parts: TrainStepper, learner: TrainableModules, held: ValidationSet, prepare: Prepare | None = None
) -> PredictedValues:
    """Predict the N images of a validation set; each device predicts its share, and the rows are joined by image id.

    Args:
        parts: of the training.
        learner: whose weights predict.
        held: the validation set.
        prepare: how photos are made ready; None leaves them as they are.

    Raises:
        MismatchError: what the devices predicted is not exactly the validation set.
    """
    raw = outputs_of(
        learner.network,
        held.pixels,
        prepare or parts.augment.plain,
        autocast=parts.autocast,
        batch_size=parts.recipe.batch_size,
    )
    outputs = read_outputs(raw, learner.decoders())
    if parts.group is None:
        return outputs
    values = parts.group.join(held.predicted, outputs.values, held.dataset.image_ids)
    return PredictedValues(values, outputs.scale)
