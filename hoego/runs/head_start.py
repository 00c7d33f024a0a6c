"""Heads that start from a linear probe of the frozen features, fitted on the training side alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.errors import UsageError
from hoego.evaluate.probe import held_out_values
from hoego.runs.probing.features import features_of, names_of
from hoego.train.weights.start import Start

if TYPE_CHECKING:
    from hoego.train.fold_task import HeadWeights


class HeadStarts:
    """Linear heads for the trainings of one run. The features of all photos are computed once, when first asked for.

    Args:
        start: the weights that the run starts from.
        dataset: N photos.
        progress: whether a bar is shown.

    Raises:
        UsageError: the run starts from no weights, or its heads are not linear.
    """

    def __init__(self, start: Start, dataset: Dataset, *, progress: bool = True) -> None:
        model = start.recipe.model
        if model.cosine or not (model.pretrained or model.checkpoint):
            raise UsageError(
                "model.head_start = 'probe' needs starting weights and linear heads.",
                remedy="Set model.pretrained = true and model.cosine = 0, or model.head_start = 'random'.",
            )
        self.start, self.dataset, self.progress = start, dataset, progress
        self._features: NDArray[np.float16] | None = None

    def fitted_on(self, trained: NDArray[np.bool_]) -> dict[str, HeadWeights]:
        """Return weights and intercept of each head, fitted on the photos `trained` [N] that have its label.

        Raises:
            NotEstimableError: none of them has a label of an attribute.
        """
        if self._features is None:
            self._features = features_of(self.start, self.dataset, flips=False, progress=self.progress).values
        names = names_of(self.start.recipe, self.dataset)
        found = held_out_values(self._features, self.dataset, ~trained, names)
        return {name: (head.weights, head.intercept) for name, head in found.heads.items()}
