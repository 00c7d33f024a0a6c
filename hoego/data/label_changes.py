"""Labels set beside earlier ones: which of them differ."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hoego.data.dataset import Dataset

IMAGE = "image"
LABEL = "label "
"""Before the name of an attribute in a label table, so that one may be called "image"."""


def label_table(dataset: Dataset) -> pl.DataFrame:
    """Return the labels of N images by name: `image`, then `label A` for each attribute A, null where missing.

    Names outlive codes: a schema whose classes were put in another order gives the same table.
    """
    columns = [pl.Series(IMAGE, dataset.image_ids.tolist(), dtype=pl.String)]
    for a, attribute in enumerate(dataset.schema.attributes):
        # The code of a missing label, -1, takes the last place.
        names = np.asarray([*attribute.classes, None], dtype=object)
        columns.append(
            pl.Series(LABEL + attribute.name, names[dataset.codes[:, a]].tolist(), dtype=pl.String)
        )
    return pl.DataFrame(columns)


def changed_labels(first: pl.DataFrame, now: pl.DataFrame) -> NDArray[np.bool_]:
    """Mark the labels that differ [N, A] from those of an earlier label table.

    Args:
        first: as `label_table` gave it, in any order.
        now: the labels of N images; one of an image or attribute that the first does not have counts as changed.
    """
    names = now.columns[1:]
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
