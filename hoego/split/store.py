"""Splits as files: Parquet, one row per image, with everything else in the metadata; verified again on reading."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import ValidationError

from hoego import files
from hoego.data.dataset import Dataset
from hoego.data.parquet_file import DamagedParquet, read_parquet, unsealed, write_sealed_parquet
from hoego.errors import MismatchError, RecordError, SplitError
from hoego.recipe import SplitSettings
from hoego.results.split import SplitHeader
from hoego.short_repr import ShortRepr
from hoego.split.make import default_name, make
from hoego.split.plan import Split
from hoego.split.prove import SplitTerms, by_image_id, proved_split

FORMAT = 2
"""1: without a digest. 2: with one over the rows and what is said of them."""
FOLDER = "splits"
_REMAKE = "Make it again: delete the file and run `hoego split`, or give the new one another split.name."


def path_of(name: str, folder: Path) -> Path:
    """Return the path of a split in `folder` (usually `splits` beside hoego.toml).

    Raises:
        SplitError: the name would not be the name of a file.
    """
    if not re.fullmatch(r"[\w][\w.+= -]*", name):
        raise SplitError(
            f"{name!r} cannot name a split.", remedy="Use letters, digits, '-', '_', '.' and '='."
        )
    return folder / f"{name}.parquet"


def save(split: Split, path: Path) -> Path:
    """Write a split to `path` (a folder gets `<name>.parquet`): columns `image` and `fold`, sorted by image.

    The metadata's key `hoego` holds name, kind, seed, fingerprints and guarantees, as JSON, and a digest of it all.
    """
    target = path if path.suffix == ".parquet" else path_of(split.name, path)
    meta = {"format": FORMAT, **split.summary.model_dump(mode="json")}
    table = pl.DataFrame({"image": pl.Series(split.images.tolist(), dtype=pl.String), "fold": split.fold})
    write_sealed_parquet(target, table, meta)
    return target


def load(path: Path, dataset: Dataset) -> Split:
    """Read a split and verify it against the current photos, subjects and labels.

    Raises:
        SplitError: the file is missing or damaged, or it breaks a guarantee: the message names the subjects on two
            sides, the empty side or the unknown fold, or states that the file was changed after it was made.
        MismatchError: it divides other images or other subjects than the data set has.
    """
    saved = _read(path)
    table, meta = saved.table, saved.header
    images = table["image"].to_numpy().astype(np.str_)
    _require_sorted(images, path)
    dataset = by_image_id(dataset)
    _require_same_images(images, dataset, path)
    terms = SplitTerms(
        name=meta.name,
        kind=meta.kind,
        seed=meta.seed,
        n_folds=meta.folds,
        ratio=meta.ratio,
        stratify=meta.stratify,
    )
    fold = table["fold"].to_numpy().astype(np.int16)
    try:
        split = proved_split(dataset, fold, terms)
    except SplitError as e:
        raise SplitError(e.message, file=path, column="fold", remedy=_why(meta, dataset)) from None
    if meta.dataset_fingerprint != dataset.fingerprint:
        raise MismatchError(
            f"The split {meta.name!r} was made for data set {meta.dataset_fingerprint}, this one is "
            f"{dataset.fingerprint}: the images are the same, but files or subjects have changed.",
            file=path,
            remedy=_REMAKE,
        )
    _require_fingerprint(meta.fingerprint, split.fingerprint, path)
    saved.require_unchanged()
    return split


def _require_sorted(images: NDArray[Any], path: Path) -> None:
    """Raise SplitError naming the first image that occurs twice or is out of order."""
    if (images[1:] <= images[:-1]).any():
        at = int(np.flatnonzero(images[1:] <= images[:-1])[0]) + 1
        what = "occurs twice" if images[at] == images[at - 1] else "is out of order"
        raise SplitError(
            f"The image {images[at]!r} {what}.", file=path, row=at + 2, column="image", remedy=_REMAKE
        )


def _require_fingerprint(stated: str, found: str, path: Path) -> None:
    if stated != found:
        raise SplitError(
            f"Images were moved between sides after the split was made: its fingerprint is {stated}, "
            f"its rows give {found}.",
            file=path,
            remedy="Restore the file, or make the split again.",
        )


def load_or_make(dataset: Dataset, settings: SplitSettings, folder: Path) -> Split:
    """Load and verify the saved split that the settings name; make and save it where there is none.

    A split without a name of its own that was made for another state of the data set is made again, and its first
    note says so. A split with a name of its own is never replaced.

    Raises:
        SplitError: a saved split of that name is of another kind, seed, ratio or number of folds; or `load` refuses.
        MismatchError: a named split is of another data set.
    """
    path = path_of(settings.name or default_name(settings), folder)
    replaced = ""
    if path.is_file():
        saved = _read(path)
        meta = saved.header
        if settings.name or meta.dataset_fingerprint == dataset.fingerprint:
            found = load(path, dataset)
            _require_as_asked(found, settings, path)
            return found
        saved.require_unchanged()
        replaced = meta.fingerprint
    made = make(dataset, settings)
    save(made, path)
    if not replaced:
        return made
    same = "the sides are the same" if replaced == made.fingerprint else f"before it was {replaced}"
    note = f"made again, since images, files or subjects have changed since it was saved ({same})."
    return replace(made, notes=(note, *made.notes))


def keep(split: Split, folder: Path) -> Path:
    """Save a split under its name in `folder` unless it is there already.

    Raises:
        SplitError: a split with the same given name and other sides is there.
    """
    path = path_of(split.name, folder)
    if path.is_file():
        meta = _read(path).header
        if (meta.fingerprint, meta.dataset_fingerprint) == (split.fingerprint, split.dataset_fingerprint):
            return path
        asked = SplitSettings(
            kind=split.kind,
            folds=split.n_folds if split.kind == "folds" else 5,
            ratio=0.2 if split.kind == "folds" else split.ratio,
            seed=split.seed,
            stratify=split.stratify,
        )
        if split.name != default_name(asked):
            raise SplitError(
                f"Another split is called {split.name!r}: its sides or its data set differ.",
                file=path,
                remedy="Give this one another name, or delete the file.",
            )
    return save(split, path)


@dataclass(frozen=True, eq=False, repr=False)
class _SavedSplit(ShortRepr):
    """The rows of a file and what it says of them; `require_unchanged` is asked after what says more of a change."""

    table: pl.DataFrame
    header: SplitHeader
    text: str
    path: Path

    def require_unchanged(self) -> None:
        """Raise SplitError where rows or metadata are not those that were written; format 1 has no digest."""
        said = files.parse_object(self.text, self.path)
        try:
            unsealed(self.table, said)
            if said.get("format") != 1 and "digest" not in said:
                raise DamagedParquet("the digest of its content is missing")
        except DamagedParquet as problem:
            raise SplitError(
                f"Not the split that was saved: {problem}.", file=self.path, remedy=_REMAKE
            ) from None


def _read(path: Path) -> _SavedSplit:
    if not path.is_file():
        raise SplitError("There is no such split.", file=path, remedy="Make it with `hoego split`.")
    try:
        table, text = read_parquet(path)
    except DamagedParquet as e:
        raise SplitError(f"Not a readable Parquet file ({e}).", file=path, remedy=_REMAKE) from None
    if text is None or not {"image", "fold"} <= set(table.columns):
        raise SplitError("The Parquet file is not a split that Hoego saved.", file=path, remedy=_REMAKE)
    header = _header(text, path)
    if (
        table["image"].dtype != pl.String
        or not table["fold"].dtype.is_integer()
        or table.null_count().sum_horizontal()[0]
    ):
        raise SplitError("Its rows are not an image id and a fold number each.", file=path, remedy=_REMAKE)
    return _SavedSplit(table, header, text, path)


def _header(text: str, path: Path) -> SplitHeader:
    """Return the split's metadata; its guarantees and sides are counted again, not read."""
    try:
        meta = files.parse_object(text, path)
        return SplitHeader.model_validate({k: meta[k] for k in SplitHeader.model_fields if k in meta})
    except RecordError as problem:
        raise SplitError(
            f"The split's metadata is damaged: {problem.message}.", file=path, remedy=_REMAKE
        ) from None
    except ValidationError as problem:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in problem.errors())
        raise SplitError(f"The split's metadata is damaged: {wrong}.", file=path, remedy=_REMAKE) from None


def _require_same_images(images: Any, dataset: Dataset, path: Path) -> None:
    gone = np.setdiff1d(images, dataset.image_ids)
    new = np.setdiff1d(dataset.image_ids, images)
    if len(gone) or len(new):
        parts = []
        if len(gone):
            parts.append(f"{len(gone)} of its images are not in the data set, such as {gone[0]!r}")
        if len(new):
            parts.append(f"{len(new)} images of the data set are not in it, such as {new[0]!r}")
        raise MismatchError(f"The split is of other images: {'; '.join(parts)}.", file=path, remedy=_REMAKE)


def _why(meta: SplitHeader, dataset: Dataset) -> str:
    if meta.dataset_fingerprint != dataset.fingerprint:
        return f"The data set has changed since the split was made (files or subjects). {_REMAKE}"
    return f"The file was changed after it was made. {_REMAKE}"


def _require_as_asked(split: Split, settings: SplitSettings, path: Path) -> None:
    asked: dict[str, Any] = {
        "kind": settings.kind,
        "seed": settings.seed,
        "stratify": tuple(settings.stratify),
    }
    if settings.kind == "folds":
        asked["n_folds"] = settings.folds
    else:
        asked["ratio"] = settings.ratio
    wrong = [f"{k} {getattr(split, k)!r} and not {v!r}" for k, v in asked.items() if getattr(split, k) != v]
    if wrong:
        raise SplitError(
            f"The saved split {split.name!r} has {', '.join(wrong)}.",
            file=path,
            remedy="Give the new split a name of its own (split.name), or correct the settings.",
        )
