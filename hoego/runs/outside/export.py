"""`hoego folds export`: the folds of a split as folders and tables that other trainers read."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.errors import DataError, UsageError, nearest
from hoego.predictions.frame_columns import folder_name
from hoego.recipe.fold import Fold
from hoego.results.base import Result
from hoego.runs.outside.sealed import SealedFolds, SealedSide, neutral_names, new_salt
from hoego.runs.outside.weights_out import write_weights
from hoego.runs.project import ProjectData, folds_of
from hoego.runs.records import Record
from hoego.split.make_split import make_split

Layout = Literal["imagefolder", "csv", "frame"]
INNER_SHARE = 0.2
TRAINED_ON = "trained-on.csv"


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What to export.

    Args:
        to: the folder to make; it must be absent or empty.
        layout: imagefolder (a folder per class), csv or frame (a table, as CSV or Parquet, beside a flat folder).
        fold: that is held out, or "all".
        attribute: whose classes the folders are; None for the target.
        link: make hard links instead of copies.
        inner: set a fifth of the training subjects apart for the tool's own validation and early stopping.
        weights: record of a run whose model of each fold goes along, as a folder that timm reads; None for none.
    """

    to: Path
    layout: Layout = "imagefolder"
    fold: Fold = "all"
    attribute: str | None = None
    link: bool = False
    inner: bool = False
    weights: Record | None = None


class SideSize(Result):
    """How many photos of how many subjects are on one side of a fold."""

    images: int
    subjects: int


class ExportedFolds(Result):
    """What was written; only sealed.json holds the subjects' names.

    Args:
        folder: that was made.
        layout: of the training sides.
        split: its name.
        unlabelled: photos that were left out of training, since they have no label.
        weights: id of the run whose weights went along; "" for none.
        folds: fold -> side (train, inner, predict) -> its size.
    """

    folder: Path
    layout: Layout
    split: str
    unlabelled: int
    weights: str = ""
    folds: Mapping[str, Mapping[str, SideSize]]


def export_folds(project: ProjectData, request: ExportRequest) -> ExportedFolds:
    """Write each fold's training side with labels, and the side to predict without, under neutral names.

    `fold-K/train` (and `fold-K/inner`) hold the photos in class folders or beside a table with the columns of the
    source; `fold-K/predict` holds the held-out photos alone; `fold-K/trained-on.csv` names the subjects of training,
    for `model.trained_on`. The folder appears whole or not at all.

    Raises:
        UsageError: the folder holds something, the layout is not known, or hard links cannot be made there.
        DataError: a class cannot name a folder.
        LeakError: the weights have seen subjects that a fold holds out.
    """
    if request.layout not in get_args(Layout):
        raise UsageError(f"No layout {request.layout!r}.", remedy=nearest(request.layout, get_args(Layout)))
    if request.to.exists() and (not request.to.is_dir() or any(request.to.iterdir())):
        raise UsageError("The folder holds something already.", file=request.to, remedy="Name a new one.")
    request.to.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=request.to.parent, prefix=f".{request.to.name}."))
    try:
        writer = _Writer(project.dataset, request, temporary)
        folds = {str(k): writer.fold(project, k) for k in folds_of(project.split, request.fold)}
        write_weights(request.weights, project, [int(k) for k in folds], temporary)
        sealed = SealedFolds(
            dataset=project.dataset.fingerprint,
            split=project.split.fingerprint,
            split_name=project.split.name,
            layout=request.layout,
            attribute=writer.attribute,
            salt=writer.salt,
            folds=folds,
        )
        sealed.write(temporary)
        os.chmod(temporary, 0o755)
        if request.to.exists():
            request.to.rmdir()
        os.rename(temporary, request.to)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return ExportedFolds(
        folder=request.to,
        layout=request.layout,
        split=sealed.split_name,
        unlabelled=writer.unlabelled,
        weights="" if request.weights is None else request.weights.id,
        folds={
            k: {name: SideSize(images=side.images, subjects=side.subjects) for name, side in sides.items()}
            for k, sides in folds.items()
        },
    )


class _Writer:
    """Writes the sides of folds; one salt names the photos of all."""

    def __init__(self, dataset: Dataset, request: ExportRequest, folder: Path) -> None:
        self.dataset, self.request, self.folder = dataset, request, folder
        schema = dataset.schema
        self.attribute = schema.target if request.attribute is None else request.attribute
        if self.attribute not in schema.columns():
            raise UsageError(
                f"There is no attribute {self.attribute!r}.",
                remedy=nearest(self.attribute, list(schema.columns())),
            )
        self.codes = dataset.classes_of(self.attribute)
        self.salt = new_salt()
        suffixes = [Path(p).suffix.lower() for p in dataset.images["path"].to_list()]
        self.files = [n + s for n, s in zip(neutral_names(dataset, self.salt), suffixes, strict=True)]
        self.unlabelled = 0

    def fold(self, project: ProjectData, k: int) -> Mapping[str, SealedSide]:
        """Write one fold and describe its sides."""
        where = np.searchsorted(project.split.images, self.dataset.image_ids)
        held = project.split.val_mask(k)[where]
        labelled = self.codes >= 0
        self.unlabelled = max(self.unlabelled, int((~held & ~labelled).sum()))
        train, sides = np.flatnonzero(~held & labelled), {}
        if self.request.inner:
            own = make_split(self.dataset.take(train), "holdout", ratio=INNER_SHARE, seed=project.split.seed)
            inside = own.val_mask(0)[np.searchsorted(own.images, self.dataset.image_ids[train])]
            sides["inner"], train = train[inside], train[~inside]
        sides["train"] = train
        out = {}
        for name, rows in sides.items():
            self._labelled_side(k, name, rows)
            out[name] = SealedSide.of(self.dataset, rows, named=True)
        trained = self.dataset.subjects[
            np.unique(self.dataset.subject_index[np.flatnonzero(~held & labelled)])
        ]
        pl.DataFrame({"subject": trained}).write_csv(self.folder / f"fold-{k}" / TRAINED_ON)
        rows = np.flatnonzero(held)
        folder = self._photos(rows, self.folder / f"fold-{k}" / "predict")
        self._table(f"fold-{k}/predict", pl.DataFrame({"path": self._paths(rows, folder)}).sort("path"))
        out["predict"] = SealedSide.of(self.dataset, rows, named=False)
        return out

    def _labelled_side(self, k: int, name: str, rows: NDArray[np.int64]) -> None:
        folder = self.folder / f"fold-{k}" / name
        if self.request.layout == "imagefolder":
            for code, label in enumerate(self.dataset.schema.classes(self.attribute)):
                mine = rows[self.codes[rows] == code]
                # Every class gets its folder, also without a photo: the classes are the same in all folds.
                self._photos(mine, folder / folder_name(label))
            return
        schema = self.dataset.schema
        columns: dict[str, Any] = {"path": self._paths(rows, self._photos(rows, folder))}
        for attribute in dict.fromkeys((self.attribute, *schema.names)):
            codes = self.dataset.classes_of(attribute)[rows].tolist()
            names = schema.classes(attribute)
            columns[attribute] = [names[c] if c >= 0 else None for c in codes]
        beside = self.dataset.images[rows.tolist()].drop("image", "path", "content")
        more = {c: beside[c] for c in beside.columns if c not in columns}
        self._table(f"fold-{k}/{name}", pl.DataFrame({**columns, **more}).sort("path"))

    def _paths(self, rows: NDArray[np.int64], folder: Path) -> list[str]:
        """Return paths relative to the fold's folder, where the table lies."""
        return [f"{folder.name}/{self.files[i]}" for i in rows.tolist()]

    def _table(self, name: str, table: pl.DataFrame) -> None:
        if self.request.layout == "csv":
            table.write_csv(self.folder / f"{name}.csv")
        elif self.request.layout == "frame":
            table.write_parquet(self.folder / f"{name}.parquet")

    def _photos(self, rows: NDArray[np.int64], folder: Path) -> Path:
        folder.mkdir(parents=True)
        paths = self.dataset.paths
        # In the order of the names, so that neither inode nor time follows the data set's order.
        for i in sorted(rows.tolist(), key=lambda i: self.files[i]):
            target = folder / self.files[i]
            try:
                if self.request.link:
                    os.link(paths[i].resolve(), target)
                else:
                    shutil.copyfile(paths[i], target)
                    os.utime(target, (0, 0))
            except FileNotFoundError:
                raise DataError(
                    "The photo is gone.", file=paths[i], remedy="Restore it, or audit the data."
                ) from None
            except OSError as problem:
                remedy = (
                    "Leave out --link: the folder is on another disk."
                    if self.request.link
                    else "Free some space."
                )
                raise UsageError(
                    f"The photo cannot be written: {problem}", file=target, remedy=remedy
                ) from None
        return folder
