"""What follows from what a watch has noted: which photos were opened by any name, and what it could not see."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hoego.data.dataset import Dataset
from hoego.data.images import content_of, is_photo
from hoego.results.evidence import Gap
from hoego.runs.outside.watching.listener import Listener, gap
from hoego.runs.outside.watching.places import Places, stated
from hoego.runs.outside.watching.processes import open_files, processes, remote_system

_ENDINGS = (
    ".cfg .csv .html .ini .ipynb .json .jsonl .list .log .lst .md .py .pyc .toml .tsv .txt .xml .yaml .yml"
)
TEXT = frozenset(_ENDINGS.split())
"""Endings of tables and texts, which hold no pixels."""


@dataclass(eq=False)
class OpenedPhotos:
    """The rows of the photos that were opened, and by which other file some were.

    Args:
        rows: of the data set.
        names: row -> a file that is not the data set's own.
        gaps: files of which nobody knows what they hold.
    """

    rows: set[int] = field(default_factory=set)
    names: dict[int, str] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)


def opened_photos(listener: Listener, dataset: Dataset) -> OpenedPhotos:
    """Say which photos were opened: by their own files, by files of an export, or by copies with the same bytes."""
    out = OpenedPhotos()
    for k in listener.opened:
        photo = listener.places.photos[k]
        out.rows.add(photo.row)
        if photo.copy:
            out.names.setdefault(photo.row, str(photo.path))
    for k in listener.opened:
        if not listener.places.photos[k].copy:
            out.names.pop(listener.places.photos[k].row, None)
    strange, caches = [], []
    for path in sorted(listener.others):
        if not _was_there(path, listener):
            continue
        if not is_photo(Path(path).name):
            if Path(path).suffix.lower() not in TEXT and _size(path) >= listener.smallest:
                caches.append(path)
            continue
        rows = _rows_of_content(path, dataset)
        out.rows.update(rows)
        out.names.update({row: path for row in rows if row not in out.names})
        strange += [] if rows else [path]
    caches += [path for path in sorted({*listener.pixels, *listener.containers}) if path not in caches]
    if strange:
        message = "photos that are not in the data set were opened beside it: their subjects are not known"
        out.gaps.append(gap("unknown photo", message, strange))
    if caches:
        message = "files were opened that were there before and can hold the pixels of many photos"
        out.gaps.append(gap("cache", message, caches))
    return out


def _was_there(path: str, listener: Listener) -> bool:
    """Return whether a file existed before the watch: a file made during the watch holds only what was opened
    during it.
    """
    if path in listener.places.beside:
        return True
    try:
        return os.stat(path).st_mtime_ns < listener.started
    except OSError:
        return False


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _rows_of_content(path: str, dataset: Dataset) -> list[int]:
    try:
        content = content_of(Path(path).read_bytes())
    except OSError:
        return []
    return [int(row) for row in np.flatnonzero(dataset.contents == np.uint64(content))]


def gaps_before(places: Places, held: set[int]) -> Iterator[Gap]:
    """Say what a watch that begins now cannot see: photos that are open already, and file systems of other machines."""
    inodes = {places.photos[k].inode for k in held}
    found = []
    for pid, path in open_files(processes()):
        try:
            if stated(path)[:2] in inodes:
                found.append(f"{path} (process {pid})")
        except OSError:
            continue
    if found:
        yield gap("open before", "held-out photos were open already when the watch began", sorted(found))
    devices = {places.photos[k].inode[0]: str(places.photos[k].path.parent) for k in held}
    for folder in devices.values():
        if kind := remote_system(folder):
            message = f"other machines can open the photos without this one's knowledge ({kind})"
            yield gap("remote", message, [folder])


def changed_photos(places: Places, held: set[int]) -> Iterator[Gap]:
    """Say which held-out photos were moved, replaced or linked to since their places were found."""
    changed = []
    for k in sorted(held):
        photo = places.photos[k]
        try:
            same = stated(photo.path) == photo.status
        except OSError:
            same = False
        if not same:
            changed.append(str(photo.path))
    if changed:
        yield gap(
            "changed", "held-out photos were moved, changed or given a further link during the watch", changed
        )
