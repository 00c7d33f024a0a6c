"""Where the photos of a data set lie: folders, hard links, and what else lies beside them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hoego.data.contents import cache_folder
from hoego.data.dataset import Dataset
from hoego.errors import DataError
from hoego.runs.outside.sealed import SealedFolds

LEFT_OUT = frozenset({"__pycache__", "node_modules"})
"""Folders that are not searched for further files, beside hidden ones and Python environments."""

Stated = tuple[int, ...]


@dataclass(frozen=True)
class PhotoFile:
    """A file that holds a photo: the photo's row in the data set, and its state in the file system.

    Args:
        path: without symbolic links.
        row: of the data set.
        copy: it is one of an export, not the data set's own file.
        status: device, inode, size, times and number of hard links; a change of one shows a link, a copy over it or
            a move.
    """

    path: Path
    row: int
    copy: bool
    status: Stated

    @property
    def inode(self) -> tuple[int, int]:
        """Device and inode: the same for every hard link."""
        return self.status[0], self.status[1]

    @property
    def links(self) -> int:
        """How many hard links the file has."""
        return self.status[-1]


@dataclass(frozen=True, eq=False)
class Places:
    """The files to watch.

    Args:
        photos: every file that holds a photo of the data set.
        folders: folder -> name -> positions in `photos`; a folder without photos has no names.
        beside: files that lie in the folders and are not photos of the data set.
        pixels: folders of Hoego's own cache of decoded pixels.
    """

    photos: list[PhotoFile]
    folders: dict[str, dict[str, list[int]]]
    beside: set[str] = field(default_factory=set)
    pixels: tuple[Path, ...] = ()


def find_places(dataset: Dataset, export: Path | None = None, sealed: SealedFolds | None = None) -> Places:
    """Find the files of all photos, their folders and those below, and the copies of an export.

    Raises:
        DataError: a photo is gone.
    """
    photos = list(_own_photos(dataset))
    if export is not None and sealed is not None:
        photos += _copies(dataset, export, sealed)
    folders: dict[str, dict[str, list[int]]] = {}
    for k, photo in enumerate(photos):
        folders.setdefault(str(photo.path.parent), {}).setdefault(photo.path.name, []).append(k)
    beside: set[str] = set()
    roots = [dataset.root.resolve(), *([export.resolve()] if export is not None else [])]
    visited: set[str] = set()
    for folder, names in _below([*map(str, roots), *list(folders)], visited):
        known = folders.setdefault(folder, {})
        beside.update(f"{folder}/{name}" for name in names if name not in known)
    pixels = cache_folder() / "pixels"
    kept = tuple(Path(folder) for folder, _ in _below([str(pixels)], visited)) if pixels.is_dir() else ()
    return Places(photos, folders, beside, kept)


def stated(path: str | Path) -> Stated:
    """Return device, inode, size, time of the last change to content and inode, and number of hard links."""
    found = os.stat(path)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_nlink


def _own_photos(dataset: Dataset) -> Iterator[PhotoFile]:
    real: dict[Path, Path] = {}
    for row, path in enumerate(dataset.paths):
        if path.parent not in real:
            real[path.parent] = path.parent.resolve()
        file = real[path.parent] / path.name
        try:
            if stat.S_ISLNK(os.lstat(file).st_mode):
                file = file.resolve()
            yield PhotoFile(file, row, False, stated(file))
        except OSError:
            raise DataError(
                "The photo is gone.", file=path, remedy="Restore it, or audit the data."
            ) from None


def _copies(dataset: Dataset, export: Path, sealed: SealedFolds) -> Iterator[PhotoFile]:
    rows = {image: row for row, image in enumerate(dataset.image_ids.tolist())}
    named = {name: rows[image] for name, image in sealed.images_by_name(dataset).items()}
    for folder, names in _below([str(export.resolve())], set()):
        for name in names:
            row = named.get(name.split(".")[0])
            if row is not None:
                file = Path(folder) / name
                yield PhotoFile(file, row, True, stated(file))


def _below(roots: Sequence[str], visited: set[str]) -> Iterator[tuple[str, list[str]]]:
    """Give every folder below some, each once, with the names of its files; symbolic links are not followed."""
    for root in roots:
        for folder, below, names in os.walk(root):
            if folder in visited:
                below[:] = []
                continue
            visited.add(folder)
            below[:] = [
                b
                for b in below
                if not b.startswith(".")
                and b not in LEFT_OUT
                and not os.path.isfile(f"{folder}/{b}/pyvenv.cfg")
            ]
            yield folder, names
