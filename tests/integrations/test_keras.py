"""The page for Keras 3, with the real package on its torch backend."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("keras")

import keras
from bench import check, photos

from hoego.errors import DataError
from hoego.integrations import keras as page
from hoego.split.sides import fold_sides


def test_a_model_fits_the_arrays_of_a_fold_and_predicts_it(tmp_path: Path) -> None:
    dataset, split = photos(tmp_path)
    keras.utils.set_random_seed(0)
    sides = fold_sides(dataset, split, 0)

    def network(activation: str | None):
        model = keras.Sequential(
            [
                keras.layers.Rescaling(1 / 255),
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dense(2, activation=activation),
            ]
        )
        model.compile(keras.optimizers.Adam(0.1), "sparse_categorical_crossentropy")
        return model

    model, size = network("softmax"), (16, 16)
    x, y = page.arrays(dataset, sides.train, size)
    assert x.shape == (len(sides.train), 16, 16, 3)
    model.fit(
        x, y, validation_data=page.arrays(dataset, sides.inner, size), epochs=20, batch_size=8, verbose=0
    )
    check(page.predictions(model, dataset, split, 0, size=size), dataset, split, 0)
    with pytest.raises(DataError, match="do not sum to 1"):
        page.predictions(network(None), dataset, split, 0, size=size)
