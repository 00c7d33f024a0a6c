"""Several random views of each photo: for validation by views and for test-time augmentation.

What a view changes depends on (seed, image id, number of the view) alone, so it is the same in every batch, at every
batch size, in training and in prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hoego.errors import TrainError
from hoego.recipe import Recipe, normalisation
from hoego.recipe.techniques import AugmentSettings, TtaSettings
from hoego.short_repr import ShortRepr
from hoego.train.augment import Augment
from hoego.train.counter import mix, text_keys


class TtaViews:
    """The views of a recipe. View 0 is the photo as it is.

    Args:
        settings: the section `views`.
        mean, std: of each channel, as in training.
        seed: seed of the run.
        dtype, channels_last: of what the model gets.
    """

    def __init__(
        self,
        settings: TtaSettings,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
        channels_last: bool = True,
    ) -> None:
        self.n = max(settings.n, 1)
        self.seed = seed
        changes = settings.model_dump(exclude={"n"})
        self.augment = Augment(
            AugmentSettings(**changes),
            mean=mean,
            std=std,
            seed=seed,
            dtype=dtype,
            channels_last=channels_last,
        )

    @classmethod
    def of(cls, recipe: Recipe) -> TtaViews:
        """Build the views of a recipe. They flip only where its training flips and a flip keeps every class."""
        augment, settings = recipe.augment, recipe.views
        if not augment.flip or augment.mirror:
            settings = settings.model_copy(update={"flip": 0.0})
        mean, std = normalisation(recipe)
        return cls(settings, mean=mean, std=std, seed=recipe.seed)

    @staticmethod
    def keys(images: NDArray[np.str_] | list[str]) -> NDArray[np.uint64]:
        """Compute one key per image id [N]; do it once."""
        return text_keys(images)

    def view(self, images: Tensor, keys: NDArray[np.uint64], number: int) -> Tensor:
        """Return view `number` (0 ... n - 1) of the photos uint8 [B, H, W, 3] with the keys [B], normalised.

        Raises:
            TrainError: there is no such view, or the keys are not one per photo.
        """
        if not 0 <= number < self.n or len(keys) != len(images):
            raise TrainError(f"View {number} of {self.n}, {len(keys)} keys for {len(images)} photos.")
        if number == 0:
            return self.augment.plain(images)
        return self.augment.with_keys(images, mix(mix(keys, self.seed), number))


@dataclass(frozen=True, eq=False, repr=False)
class TtaSummary(ShortRepr):
    """What V views say: probabilities float64[N, C], their mean over views; spread float64[N], see `summarise`."""

    probabilities: NDArray[np.float64]
    spread: NDArray[np.float64]


def summarise(views: NDArray[np.floating]) -> TtaSummary:
    """Compute the mean of the views' probabilities [V, N, C], and the spread of each photo.

    The spread is the standard deviation over views (divisor V) of the probability of the class that the mean prefers.
    The photos stay N: views are not further photos, and intervals over subjects are computed from the mean alone.
    """
    values = np.asarray(views, dtype=np.float64)
    mean = values.mean(axis=0)
    top = mean.argmax(axis=1)
    return TtaSummary(mean, values[:, np.arange(len(top)), top].std(axis=0))
