"""Find the table that names and labels the photos, and say why the others are not used."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl

from hoego.data.proposals.commented_toml import Certainty
from hoego.data.readers.finder import PhotoFinder
from hoego.data.readers.photo_files import is_skipped
from hoego.data.readers.table_file import guess_path_column
from hoego.data.readers.tables import SUFFIXES, DataTable, read_table
from hoego.errors import DataError

MANY_TABLES, LOOKED_AT, ENOUGH = 50, 40, 0.8


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """A table that names photos.

    Args:
        root: the folder that its paths start from.
        table: as it was read.
        path_column: the column of the photos.
        paths: the photos of its rows [N], relative to root; blank where a row's photo is not there.
        others: further columns that name photos -> how many photos they name.
        certainty: how sure the path column is.
    """

    root: Path
    table: DataTable
    path_column: str
    paths: list[str]
    others: dict[str, int]
    certainty: Certainty

    @property
    def frame(self) -> pl.DataFrame:
        return self.table.frame

    @property
    def missing(self) -> int:
        """How many rows name a photo that is not there."""
        return sum(not p for p in self.paths)


@dataclass(frozen=True)
class Tables:
    """The tables that were looked at.

    Args:
        labelled: those that name photos, the best first.
        others: table -> why it is passed over.
    """

    labelled: list[Labelled] = field(default_factory=list)
    others: dict[str, str] = field(default_factory=dict)


def find_tables(path: Path) -> Tables:
    """Return the tables that name photos: `path` itself, or those in the folder, below it and beside it.

    Raises:
        DataError: `path` is a table that cannot be read.
    """
    if path.is_file():
        table = read_table(path)
        found = _labelled(table, path.parent) or _one_up(table, path.parent.parent)
        if found is not None:
            return Tables([found])
        return Tables([], {path.name: _why_not(table, path.parent)})
    tables = Tables()
    for file in _candidates(path):
        _look(file, path, tables)
    if not tables.labelled:
        for file in sorted(path.parent.iterdir()):
            if _is_table(file):
                _look(file, path, tables, beside=True)
    tables.labelled.sort(key=_claim, reverse=True)
    return tables


def _look(file: Path, root: Path, tables: Tables, *, beside: bool = False) -> None:
    name = os.path.relpath(file, root).replace(os.sep, "/")
    try:
        table = read_table(file)
    except DataError as error:
        if not beside:
            row = "" if error.row is None else f"row {error.row}: "
            tables.others[name] = f"it cannot be read ({row}{error.message})"
        return
    found = _beside(table, root) if beside else _labelled(table, root)
    if found is not None:
        tables.labelled.append(found)
    elif not beside:
        tables.others[name] = _why_not(table, root)


def _one_up(table: DataTable, root: Path) -> Labelled | None:
    try:
        return _labelled(table, root)
    except DataError:  # Other people's folders may be there too; skip one that cannot be read.
        return None


def _beside(table: DataTable, folder: Path) -> Labelled | None:
    """Return a table beside the folder that names its photos; nothing else beside the folder is read."""
    found = _labelled(table, folder, lift=False)
    if found is None or sum(map(bool, found.paths)) < ENOUGH * len(found.paths):
        return None
    return replace(found, root=folder.parent, paths=[f"{folder.name}/{p}" if p else "" for p in found.paths])


def _candidates(root: Path) -> Iterator[Path]:
    """Yield tables in the folder and up to two levels below; none if there is one text file per photo, as
    detectors have.
    """
    for depth, pattern in enumerate(("*", "*/*", "*/*/*")):
        found = [
            p
            for p in sorted(root.glob(pattern))
            if _is_table(p) and not any(map(is_skipped, p.parts[-depth - 1 :]))
        ]
        if len(found) > MANY_TABLES:
            found = [p for p in found if p.suffix.lower() != ".txt"][:MANY_TABLES]
        yield from found


def _is_table(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not is_skipped(path.name) and path.is_file()


def _claim(found: Labelled) -> tuple[int, int, int]:
    """Return the sort key of a table: by name, then by columns, then by rows."""
    stem = found.table.path.stem.lower()
    good = any(w in stem for w in ("train", "label", "meta", "annot", "data"))
    bad = any(w in stem for w in ("test", "eval", "submission", "sample", "val", "pred"))
    return int(good) - int(bad), found.frame.width, found.frame.height


def _labelled(table: DataTable, root: Path, *, lift: bool = True) -> Labelled | None:
    """Return a table's labels of the photos in a folder; with `lift`, in its parent, if the paths begin with
    the folder's name.
    """
    if table.frame.width < 2:
        return None
    texts = {c: table.frame[c] for c in table.frame.columns if table.frame[c].dtype == pl.String}
    firsts = Counter(
        str(v).split("/")[0] for values in texts.values() for v in _picked(values) if "/" in str(v)
    )
    if lift and (firsts[root.name] >= LOOKED_AT / 2 or (firsts and firsts.most_common(1)[0][0] == root.name)):
        root = root.parent  # the paths begin with the folder's own name: they start one level up
    finder = PhotoFinder(root, table.path.parent)
    named = guess_path_column(table.frame.columns)
    order = [*([named] if named is not None else []), *(c for c in texts if c != named)]
    naming = [c for c in order if _names_photos(table.frame[c], finder)]
    if not naming:
        return None
    column = naming[0]
    paths = [found or "" if text is not None and (found := finder.find(text)) else ""
             for text in table.frame[column].cast(pl.String).to_list()]  # fmt: skip
    ours = set(paths)
    others = {c: n for c in naming[1:] if (n := len(_found(table.frame[c], finder) - ours)) > 1}
    sure: Certainty = "sure" if column == named or len(naming) == 1 else "likely"
    return Labelled(root=root, table=table, path_column=column, paths=paths, others=others, certainty=sure)


def _picked(values: pl.Series) -> list[str]:
    at = np.unique(np.linspace(0, max(len(values) - 1, 0), LOOKED_AT).astype(int))
    return [t for t in values.gather(at).cast(pl.String).to_list() if t]


def _hits(values: pl.Series, finder: PhotoFinder) -> tuple[int, int]:
    picked = _picked(values)
    return sum(finder.find(t) is not None for t in picked), len(picked)


def _found(values: pl.Series, finder: PhotoFinder) -> set[str]:
    """Return the photos that a column names."""
    return {f for t in values.cast(pl.String).drop_nulls() if (f := finder.find(t)) is not None}


def _names_photos(values: pl.Series, finder: PhotoFinder) -> bool:
    """Return whether nearly all of some cells, spread over a column, are found as photos."""
    if values.n_unique() < 0.5 * len(values):
        return False
    hits, picked = _hits(values, finder)
    return picked > 0 and hits >= ENOUGH * picked


def _why_not(table: DataTable, root: Path) -> str:
    """Return why a table is not used: it names no photo, too few, or several for each row."""
    if table.frame.width < 2:
        return "it has one column and says nothing of the photos"
    finder = PhotoFinder(root, table.path.parent)
    best, most = "", 0
    for column in table.frame.columns:
        hits, _ = _hits(table.frame[column], finder)
        if hits > most:
            best, most = column, hits
    if most >= ENOUGH * LOOKED_AT or (most and most == _hits(table.frame[best], finder)[1]):
        n, photos = table.frame.height, table.frame[best].n_unique()
        return (
            f"its column {best!r} names {photos:,} photos in {n:,} rows: a row is one photo, "
            "so write one row for each"
        )
    if most:
        return f"only {most} of {LOOKED_AT} cells looked at of its column {best!r} name photos that are here"
    several = _names_groups(table, root)
    if several:
        return several
    columns = ", ".join(table.frame.columns[:12])
    return f"no column of its {table.frame.height:,} rows names photos; the columns are {columns}"


def _names_groups(table: DataTable, root: Path) -> str:
    """Return a note if the cells of a column begin the names of several photos each; else ""."""
    from hoego.data.readers.photo_files import photos_below

    stems = Counter(p.rsplit("/", 1)[-1].rsplit(".", 1)[0].rpartition("-")[0] for p in photos_below(root))
    stems.update(p.rsplit("/", 1)[-1].rsplit(".", 1)[0].rpartition("_")[0] for p in photos_below(root))
    for column in table.frame.columns:
        picked = _picked(table.frame[column])
        held = [t for t in picked if stems[t] > 0]
        if picked and len(held) >= ENOUGH * len(picked):
            photos = sum(stems[t] for t in table.frame[column].cast(pl.String).to_list() if t)
            return (
                f"its column {column!r} begins the names of {photos:,} photos, several to a row: write one row per "
                f"photo, with {column!r} as the subject"
            )
    return ""


def names_of(tables: Sequence[Labelled], root: Path) -> list[str]:
    """Return the tables' paths below root, with their rows, for messages."""
    return [
        f"{os.path.relpath(t.table.path, root)} ({t.frame.height:,} rows)".replace(os.sep, "/")
        for t in tables
    ]
