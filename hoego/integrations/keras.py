"""Keras 3: pixels and labels of a fold's sides as arrays, on any backend, and `predict` to Predictions.

    sides = fold_sides(dataset, split, fold=0)
    x, y = arrays(dataset, sides.train, size=(96, 96))
    model.fit(x, y, validation_data=arrays(dataset, sides.inner, size=(96, 96)), epochs=3)
    made = predictions(model, dataset, split, fold=0, size=(96, 96))

The last layer is a softmax over the target's classes in their order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.data.preprocess import Preprocess
from hoego.predictions import Predictions
from hoego.split import Split
from hoego.split.sides import fold_sides


def pixels(dataset: Dataset, rows: NDArray[np.int64], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Decode photos: uint8 [N, H, W, 3] of the rows, in their order."""
    prepare = Preprocess(size=size)
    return np.stack([prepare.load(dataset.paths[i]) for i in rows.tolist()])


def arrays(
    dataset: Dataset, rows: NDArray[np.int64], size: tuple[int, int] = (224, 224)
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Return pixels [N, H, W, 3] and classes [N] of labelled rows, for `fit` and its `validation_data`."""
    return pixels(dataset, rows, size), dataset.target[rows]


def predictions(
    model: Any, dataset: Dataset, split: Split, fold: int = 0, *, size: tuple[int, int] = (224, 224)
) -> Predictions:
    """Predict the held-out photos of a fold. Raises DataError where the model's output is not probabilities."""
    rows = fold_sides(dataset, split, fold, inner=0).held_out
    p = np.asarray(model.predict(pixels(dataset, rows, size), verbose=0))
    return Predictions.from_probabilities(p, dataset.image_ids[rows], dataset, split, None, fold)
