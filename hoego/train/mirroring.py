"""Left-right flips that change what a photo shows: a sign that points left becomes the one that points right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hoego.data.schema import COMPOSITE, LabelSchema
from hoego.errors import RecipeError, nearest
from hoego.recipe.techniques import AugmentSettings
from hoego.short_repr import ShortRepr
from hoego.train.augment.geometry import flip_rows
from hoego.train.counter import mix, sample_keys, uniforms
from hoego.train.models import HeadSpec

_STREAM = 71
"""Keeps the draws of these flips independent of those that augmentation draws from the same keys."""


@dataclass(frozen=True, eq=False, repr=False)
class FlipLabels(ShortRepr):
    """The random flips of a recipe with `augment.mirror`, which maps each target class to the class after a flip.

    Args:
        probability: of a flip, for photos of a class that may be flipped.
        shown: int32 [C], the target class that a flipped photo shows; -1 where the class is never flipped.
        codes: by head, int64 [C]: the head's class for each target class.
        seed: of the run.
    """

    probability: float
    shown: NDArray[np.int32]
    codes: dict[str, NDArray[np.int64]]
    seed: int

    @classmethod
    def of(
        cls, settings: AugmentSettings, schema: LabelSchema, heads: Sequence[HeadSpec], seed: int
    ) -> FlipLabels | None:
        """Build the flips of a recipe; None where flips change no class.

        Raises:
            RecipeError: a class that does not exist, or a head that the target does not determine.
        """
        if not settings.mirror or not settings.flip:
            return None
        classes = schema.target_classes
        shown = np.full(len(classes), -1, dtype=np.int32)
        for name, other in settings.mirror.items():
            for named in (name, other):
                if named not in classes:
                    raise RecipeError(
                        f"augment.mirror names {named!r}, no target class.", remedy=nearest(named, classes)
                    )
            shown[classes.index(name)] = classes.index(other)
        return cls(settings.flip, shown, {h.name: _determined(h.name, schema) for h in heads}, seed)

    def draw(
        self, target: NDArray[np.int32], epoch: int, first: int
    ) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
        """Draw which photos are flipped, bool [B]; return the target classes [B] that they show then, too.

        Args:
            target: int32 [B], -1 where missing, of the positions first ... of the epoch's order.
            epoch, first: their epoch, and the position of the first.
        """
        keys = mix(sample_keys(self.seed, epoch, first, len(target)), _STREAM)
        shown = np.where(target >= 0, self.shown[target], -1)
        flips = (uniforms(keys, 1)[:, 0] < self.probability) & (shown >= 0)
        return flips, np.where(flips, shown, target).astype(np.int32)

    def codes_of(self, target: NDArray[np.int32], device: torch.device) -> dict[str, Tensor]:
        """Return each head's classes int64 [B] of photos that show the target classes [B]."""
        codes = {n: np.where(target >= 0, c[target], -1) for n, c in self.codes.items()}
        return {n: torch.from_numpy(c).to(device, non_blocking=True) for n, c in codes.items()}

    @staticmethod
    def flip(photos: Tensor, flips: NDArray[np.bool_]) -> Tensor:
        """Flip the photos uint8 [B, H, W, 3] that bool [B] names."""
        rows = torch.from_numpy(np.flatnonzero(flips)).to(photos.device, non_blocking=True)
        return flip_rows(photos, rows, 2)


def _determined(name: str, schema: LabelSchema) -> NDArray[np.int64]:
    """Return the class of a head for each target class, where the target determines it."""
    n = schema.n_target_classes
    if name == schema.target:
        return np.arange(n)
    whole = schema.combination_codes
    names = schema.composite
    if not names or (name != COMPOSITE and name not in names):
        raise RecipeError(
            f"augment.mirror flips classes of {schema.target!r}, which do not determine {name!r}.",
            remedy="Predict the target alone (model.head = 'composite' or 'single'), or leave augment.mirror out.",
        )
    own = np.arange(n) if schema.target == COMPOSITE else whole[:, names.index(schema.target)]
    theirs = np.arange(len(whole)) if name == COMPOSITE else whole[:, names.index(name)]
    out = np.full(n, -1, dtype=np.int64)
    for target, code in zip(own.tolist(), theirs.tolist(), strict=True):
        if out[target] not in (-1, code):
            raise RecipeError(
                f"augment.mirror: one class of {schema.target!r} goes with several of {name!r}.",
                remedy="Make the composite sparse (labels.sparse = true), or predict the target alone.",
            )
        out[target] = code
    return out
