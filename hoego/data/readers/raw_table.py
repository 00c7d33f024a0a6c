"""What a layout reads, before labels are encoded and subjects joined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from hoego.recipe.sections import LabelSettings
from hoego.short_repr import ShortRepr


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class RawTable(ShortRepr):
    """The photos as a layout found them.

    Args:
        root: the folder that `path` is relative to.
        rows: one row per photo: `image` (id), `path` (posix, relative to root), `row` (Int64 line number in `file`,
            null where no table names the photo), and every other column under its own name, as text or number.
        file: the table that the rows came from; the folder where there is none.
        subject_columns: columns of `rows` that hold subjects; empty where none is known.
        attribute_columns: attribute name -> column of `rows`. Empty for a set without labels.
        labels: the settings of the labels with what the layout knows by itself filled in.
        notes: sentences on what the layout did (ids joined, leftovers passed over).
        excluded: setting -> how many photos it left out.
    """

    root: Path
    rows: pl.DataFrame
    file: Path
    subject_columns: tuple[str, ...] = ()
    attribute_columns: Mapping[str, str] = field(default_factory=dict)
    labels: LabelSettings = field(default_factory=LabelSettings)
    notes: tuple[str, ...] = ()
    excluded: Mapping[str, int] = field(default_factory=dict)
