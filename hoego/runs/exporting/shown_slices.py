"""The slices that a model card shows: enough subjects in each, and none that names one."""

from __future__ import annotations

import polars as pl

from hoego.data.dataset import Dataset
from hoego.evaluate.diagnose.slices import slices
from hoego.predictions import Predictions
from hoego.results.diagnosis import Slice


def shown_slices(predictions: Predictions, dataset: Dataset) -> tuple[Slice, ...]:
    """Return the slices of the target's accuracy that at least five subjects inside and outside support."""
    if not predictions.has(dataset.schema.target):
        return ()
    images, found = dataset.images, slices(predictions, dataset)
    columns = {s.column for s in found} & set(images.columns)
    # A column whose every value is one subject's is a name or a number of subjects.
    names = {c for c in columns if images.group_by(c).agg(n=pl.col("subject").n_unique())["n"].max() == 1}
    return tuple(s for s in found if s.difference is not None and s.column not in names)
