"""What the training of one fold is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.data.pixels import PixelCache
from hoego.predictions import Predictions, Provenance
from hoego.recipe import Recipe
from hoego.results.training import ResolvedSettings
from hoego.short_repr import ShortRepr
from hoego.train.edits import LabelEdits

Bits = NDArray[np.bool_]
HeadWeights = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Weights [F, C] and intercepts [C] of a linear head of C classes on F features."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class FoldTask(ShortRepr):
    """One fold to train, or the refit on all subjects.

    Args:
        recipe: the resolved recipe.
        dataset: N images.
        cache: decoded pixels of the same N images in the same order.
        train_mask: bool [N], the images that may reach the optimiser.
        val_mask: bool [N], the images that are scored and never trained on; none for a refit.
        folder: where checkpoints, predictions of every epoch and the state go.
        name: of the source of the predictions, such as "run/fold-0".
        inner_mask: bool [N], images of training subjects kept apart to choose the epoch (`select.on = "inner"`).
        naive: the split is by photo.
        edits: training-only edits of the labels.
        soft_targets: the teacher's predictions, of any of the images.
        pseudo_mask: bool [N], images of the training side whose labels are the teacher's; None where there are none.
        runtime: what `auto` became in an earlier part of this run; None resolves it here.
        started_from: the subjects that the starting weights have seen; None where they do not say.
        head_start: weights and intercepts by head that the heads start from; None starts them at random.
        interleaved: whether it takes its steps in turns with others. It is then not compiled: the CUDA graphs of
            compiled trainings share memory that two streams must not use at once.
    """

    recipe: Recipe
    dataset: Dataset
    cache: PixelCache
    train_mask: Bits
    val_mask: Bits
    folder: Path
    name: str
    inner_mask: Bits | None = None
    naive: bool = False
    edits: LabelEdits = field(default_factory=LabelEdits)
    soft_targets: Predictions | None = None
    pseudo_mask: Bits | None = None
    runtime: ResolvedSettings | None = None
    started_from: Provenance | None = None
    head_start: Mapping[str, HeadWeights] | None = None
    interleaved: bool = False
