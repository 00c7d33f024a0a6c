"""Photos that are not in the data set, predicted outside: a test set to hand in."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hoego.data.dataset import Dataset
from hoego.data.load import load_unlabelled
from hoego.errors import MismatchError, RecordError
from hoego.predictions import Predictions, join_sources
from hoego.predictions.match_images import match_images
from hoego.predictions.outside import HeldOut
from hoego.predictions.scale import require_scale
from hoego.runs.loading import dataset_of
from hoego.runs.outside.facts import NEW_PHOTOS, outside_facts
from hoego.runs.outside.read_file import read_file
from hoego.runs.project import SPLIT_FILE
from hoego.runs.records import Record
from hoego.split import load


def import_new_photos(record: Record, file: Path, photos: Path, image: str | None = None) -> Predictions:
    """Keep predictions of new photos in the record of an outside run, for `hoego submit` and ensembles with it.

    Args:
        record: of the outside run whose models made them; its scale and its attribute are taken.
        file: as `read_file` takes.
        photos: a folder, or a table with a path column.
        image: the column that names the photo; found by its name where None.

    Raises:
        DataError: what the file holds does not fit.
        MismatchError: a photo has no row.
    """
    facts = outside_facts(record)
    own = Predictions.read(record.folder / "predictions.parquet")
    trained = dataset_of(record)
    assert trained is not None
    held_out = HeldOut(
        dataset=trained, split=load(record.folder / SPLIT_FILE, trained), attribute=facts.attribute
    )
    rows = read_file(file, held_out, image)
    dataset = load_unlabelled(photos, own.schema)
    require_scale(rows.values, own.scale[facts.attribute], facts.attribute)
    images = match_images(rows.images, dataset)
    missing = np.setdiff1d(dataset.image_ids, images)
    if len(missing):
        raise MismatchError(
            f"{len(missing):,} of {dataset.n_images:,} new photos have no row, such as {missing[0]!r}.",
            remedy="Predict every photo.",
            file=file,
        )
    n = len(images)
    made = Predictions(
        images=images,
        values={facts.attribute: rows.values},
        scale=dict(own.scale),
        schema=own.schema,
        fold=np.full(n, -1, dtype=np.int16),
        source=np.zeros(n, dtype=np.int32),
        sources=(join_sources(record.id, own.sources, own.universe),),
        universe=own.universe,
        dataset_fingerprint=dataset.fingerprint,
        name=record.id,
        lineage=(record.id,),
    ).align(dataset.image_ids)
    made.write(record.folder / NEW_PHOTOS)
    return made


def predict_outside(record: Record, on: Path | Dataset, root: Path | None = None) -> Predictions:
    """Give what was imported for new photos. Raises RecordError where nothing was, or it is of other photos."""
    path = record.folder / NEW_PHOTOS
    remedy = (
        f"Predict them where it was trained, then: hoego import FILE --new-photos PHOTOS --run {record.id}"
    )
    if not path.is_file():
        raise RecordError(
            f"The run {record.id} was trained outside Hoego: there is no model here to predict with.",
            remedy=remedy,
        )
    made = Predictions.read(path)
    dataset = on if isinstance(on, Dataset) else load_unlabelled(Path(on), made.schema, root=root)
    if dataset.fingerprint != made.dataset_fingerprint:
        raise RecordError(
            f"What was imported for the run {record.id} is of other photos.", remedy=remedy, file=path
        )
    return made
