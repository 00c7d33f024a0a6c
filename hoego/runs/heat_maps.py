"""Heat maps of a run's most confident mistakes, for its report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from hoego import files
from hoego.data.dataset import Dataset
from hoego.data.pixels import PixelCache
from hoego.errors import HoegoError, RecordError, TrainError
from hoego.predictions import Predictions
from hoego.recipe import build
from hoego.runs.inputs import preprocess_of
from hoego.runs.records import Record, RunKind

FOLDER = "heat"
MOST = 40
"""Mistakes per run: more than a report shows, since it takes at most two of one subject."""


def cam_of_photo(record: Record, predictions: Predictions, dataset: Dataset, row: int) -> Image.Image:
    """Return the heat map of one photo, as the model sees it that was not trained on it.

    Args:
        record: of the run; it must hold the weights of that fold.
        predictions: of the run; the photo is among them.
        dataset: of the run.
        row: of the photo in the data set.

    Raises:
        RecordError: the run keeps no weights of the fold, or predicts the photo in none.
        TrainError: the network has neither maps nor attention.
    """
    from hoego.train.heat_maps import cam_maps, overlay
    from hoego.train.loop import checkpoint_of
    from hoego.train.predict import load_model

    recipe = build(record.recipe)
    image = str(dataset.image_ids[row])
    fold = int(predictions.align(np.asarray([image])).fold[0])
    path = checkpoint_of(
        record.folder / f"fold-{fold}", "last" if recipe.select.on == "last" else recipe.select.by
    )
    if record.kind is not RunKind.RUN or not path.is_file():
        raise RecordError(f"The run {record.id} keeps no weights of fold {fold}.", remedy="Train it again.")
    photo = preprocess_of(recipe).load(dataset.paths[row], image)[None]
    return overlay(photo[0], cam_maps(load_model(path), photo)[0], side=320)


def cam_of_mistakes(
    folder: Path, criterion: str, dataset: Dataset, cache: PixelCache, predictions: Predictions
) -> int:
    """Write `heat/<content hash>.png` for the most confident mistakes of the run, and return their number.

    Each photo is shown to the model that was not trained on it: that of the fold that holds it out.

    Args:
        folder: of the run.
        criterion: by which the weights of each fold are selected; "last" for the last epoch's.
        dataset: of the run, in the order of the cache.
        cache: decoded pixels.
        predictions: held-out predictions of the run.
    """
    from hoego.train.heat_maps import cam_maps, overlay
    from hoego.train.loop import checkpoint_of
    from hoego.train.predict import load_model

    rows = dataset.positions(predictions.images)
    try:
        truth, p = dataset.target[rows], predictions.target_probabilities()
    except HoegoError:  # the model does not say what the target is: there are no mistakes to show
        return 0
    predicted = p.argmax(axis=1)
    wrong = np.flatnonzero((predicted != truth) & (truth >= 0))
    order = wrong[np.argsort(-p[wrong, predicted[wrong]], kind="stable")][:MOST]
    written = 0
    for fold in np.unique(predictions.fold[order]).tolist():
        path = checkpoint_of(folder / f"fold-{fold}", criterion)
        if not path.is_file():
            continue
        mine = rows[order[predictions.fold[order] == fold]]
        photos = cache.rows(mine)
        try:
            heat = cam_maps(load_model(path), photos)
        except TrainError:
            continue
        for photo, values, content in zip(photos, heat, dataset.contents[mine].tolist(), strict=True):
            with files.writing(folder / FOLDER / f"{int(content):016x}.png", durable=False) as temporary:
                overlay(photo, values).save(temporary, format="PNG")
            written += 1
    return written
