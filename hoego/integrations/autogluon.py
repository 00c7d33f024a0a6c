"""AutoGluon: a frame of a fold's training side in, the frame of `predict_proba` to Predictions.

    train, held_out = frames(dataset, split, fold=0)
    predictor = MultiModalPredictor(label="label").fit(train.drop(columns="group"))
    made = predictions(predictor.predict_proba(held_out), dataset, split, fold=0)

`TabularPredictor` takes the same frames with features beside them; its validation follows subjects with
`TabularPredictor(label="label", groups="group").fit(train)`, which needs bagging.
"""

from __future__ import annotations

from typing import Any

from hoego.data.dataset import Dataset
from hoego.predictions import Predictions
from hoego.split import Split
from hoego.split.sides import fold_sides


def frames(dataset: Dataset, split: Split, fold: int = 0) -> tuple[Any, Any]:
    """Return pandas frames of the training side (image, label, group) and of the photos to predict (image alone).

    `image` is the file. The index holds the photos' ids, which `predict_proba` keeps.
    """
    import pandas  # type: ignore[import-untyped]

    sides = fold_sides(dataset, split, fold, inner=0)
    classes = dataset.schema.target_classes

    def frame(rows: Any) -> Any:
        files = [str(dataset.paths[i]) for i in rows.tolist()]
        return pandas.DataFrame({"image": files}, index=dataset.image_ids[rows])

    train = frame(sides.train)
    train["label"] = [classes[c] for c in dataset.target[sides.train].tolist()]
    train["group"] = dataset.subject_index[sides.train]
    return train, frame(sides.held_out)


def predictions(proba: Any, dataset: Dataset, split: Split, fold: int = 0) -> Predictions:
    """Take the frame of `predict_proba`: a column per class by name, the photos' ids in its index.

    Raises:
        DataError: a column is no class, or the index does not name photos.
    """
    return Predictions.from_frame(proba, dataset, split, None, fold)
