"""The page for AutoGluon, with the real package: its tabular predictor on colours of the photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("autogluon.tabular")

from autogluon.tabular import TabularPredictor
from bench import check, photos

from hoego.errors import DataError
from hoego.integrations import autogluon as page
from hoego.integrations.keras import pixels


def test_a_predictor_takes_the_frame_of_a_fold_and_its_proba_is_taken(tmp_path: Path) -> None:
    dataset, split = photos(tmp_path)
    means = pixels(dataset, np.arange(dataset.n_images), (8, 8)).mean(axis=(1, 2))
    train, held_out = page.frames(dataset, split, 1)
    assert list(held_out.columns) == ["image"]
    for frame in (train, held_out):
        frame[["red", "green", "blue"]] = means[dataset.positions(frame.index.to_list())]
    predictor = TabularPredictor(label="label", path=str(tmp_path / "models"), verbosity=0)
    predictor.fit(train.drop(columns=["image", "group"]), hyperparameters={"GBM": {}, "RF": {}}, num_gpus=0)
    proba = predictor.predict_proba(held_out.drop(columns="image"))
    check(page.predictions(proba, dataset, split, 1), dataset, split, 1)
    with pytest.raises(DataError, match="mean no photo"):
        page.predictions(proba.reset_index(drop=True), dataset, split, 1)
