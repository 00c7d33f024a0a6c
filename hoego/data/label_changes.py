"""Compare labels with earlier ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.data.schema import MISSING, LabelSchema

IMAGE = "image"
LABEL = "label "
"""Before the name of an attribute in a label table, so that one may be called "image"."""


def label_table(dataset: Dataset) -> pl.DataFrame:
    """Return the labels of N images by name: `image`, then `label A` for each attribute A, null where missing.

    Names outlive codes: a schema whose classes were put in another order gives the same table.
    """
    return table_of(dataset.schema, dataset.image_ids.tolist(), dataset.codes)


def table_of(schema: LabelSchema, images: Sequence[str], codes: NDArray[np.int16]) -> pl.DataFrame:
    """Return the label table of images [N] with codes [N, A]."""
    columns = [pl.Series(IMAGE, images, dtype=pl.String)]
    for a, attribute in enumerate(schema.attributes):
        # The code of a missing label, -1, takes the last place.
        names = np.asarray([*attribute.classes, None], dtype=object)
        columns.append(pl.Series(LABEL + attribute.name, names[codes[:, a]].tolist(), dtype=pl.String))
    return pl.DataFrame(columns)


def changed_labels(first: pl.DataFrame, now: pl.DataFrame) -> NDArray[np.bool_]:
    """Mark the labels that differ [N, A] from those of an earlier label table.

    Args:
        first: as `label_table` gave it, in any order.
        now: the labels of N images; one of an image or attribute that the first does not have counts as changed.
    """
    names = [name for name in now.columns if name.startswith(LABEL)]
    shared = [name for name in names if name in first.columns]
    was = now.select(IMAGE).join(
        first.select(IMAGE, *shared).with_columns(known=pl.lit(True)),
        on=IMAGE,
        how="left",
        maintain_order="left",
    )
    new = was["known"].is_null()
    differ = {n: new | was[n].ne_missing(now[n]) if n in shared else [True] * now.height for n in names}
    return np.stack([np.asarray(differ[n], dtype=bool) for n in names], axis=1)


def codes_of(table: pl.DataFrame, schema: LabelSchema, images: NDArray[Any]) -> NDArray[np.int16]:
    """Return the codes [N, A] that a label table gives some images, by the names of a schema's classes.

    A label that the table does not give, or of a class that the schema does not have, is missing (-1).

    Args:
        table: as `label_table` gave it.
        schema: of the codes.
        images: ids [N].
    """
    found = pl.DataFrame({IMAGE: images.tolist()}, schema={IMAGE: pl.String}).join(
        table, on=IMAGE, how="left", maintain_order="left"
    )
    codes = np.full((len(images), schema.n_attributes), MISSING, dtype=np.int16)
    for a, attribute in enumerate(schema.attributes):
        if (name := LABEL + attribute.name) in found.columns:
            rank = {c: i for i, c in enumerate(attribute.classes)}
            codes[:, a] = [rank.get(value, MISSING) for value in found[name].to_list()]
    return codes
