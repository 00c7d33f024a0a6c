"""Where a data set was read from, so that a record can read the same photos and labels again."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from io import BytesIO
from pathlib import Path

import polars as pl

from hoego.files import write_bytes
from hoego.recipe import DatasetSettings, LabelSettings
from hoego.short_repr import ShortRepr

TABLES = "tables"
"""Folder beside the records for tables that were given as data frames."""


@dataclass(frozen=True, eq=False, repr=False)
class DatasetOrigin(ShortRepr):
    """What `read_dataset` reads.

    Args:
        dataset: the settings of the photos and their table.
        labels: the settings of the labels.
        join: lists of subjects that are one.
        frame: the table itself where it was given as a data frame and lies in no file.
    """

    dataset: DatasetSettings
    labels: LabelSettings = field(default_factory=LabelSettings)
    join: tuple[tuple[str, ...], ...] = ()
    frame: pl.DataFrame | None = None

    def saved(self, folder: Path, name: str) -> DatasetSettings:
        """Return settings that read from files alone; a data frame is written once below `folder`.

        The file is `tables/<name>-<digest of its content>.parquet`, so that the runs of one frame share it and a
        changed frame never replaces what an older record reads.
        """
        if self.frame is None:
            return self.dataset
        buffer = BytesIO()
        self.frame.write_parquet(buffer)
        content = buffer.getvalue()
        digest = blake2b(content, digest_size=6).hexdigest()
        file = (folder / TABLES / f"{name or 'photos'}-{digest}.parquet").resolve()
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(file, content)
        return self.dataset.model_copy(update={"layout": "table", "table": str(file)})
