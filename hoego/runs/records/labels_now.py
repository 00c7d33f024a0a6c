"""Which recorded scores rest on labels that have changed since, told without loading a data set for each of them.

The records of one data set and one labels version share the answer. It is kept in the cache folder with the stamps of
the files that hold labels (the table, the overlay), and the labels are read again only where one of these has changed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Any

from hoego import files
from hoego.data.contents import cache_folder
from hoego.data.label_changes import changed_labels
from hoego.data.load import read_labels
from hoego.data.origin import DatasetOrigin
from hoego.data.readers.tables import SUFFIXES
from hoego.errors import HoegoError
from hoego.recipe import Recipe
from hoego.runs.records.first_labels import read_first_labels
from hoego.runs.records.record import Record
from hoego.runs.records.todays_recipe import corrected_recipe

MOST = 32
"""Data sets and labels versions that one look compares, the newest first: reading the labels of each takes a while."""


def note_changed_labels(records: Iterable[Record]) -> None:
    """Let each scored record say how many labels of its photos are others today, where they can be read."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        score, prints = record.meta.score, record.meta.fingerprints
        # Of a score on corrected labels the record does not hold the labels.
        if score is not None and score.labels_version and score.labels_version == prints.get("labels"):
            groups.setdefault((prints.get("dataset", ""), score.labels_version), []).append(record)
    newest = sorted(groups.values(), key=lambda members: members[-1].id, reverse=True)
    for members in newest[:MOST]:
        changed = _changed(members[-1])
        for record in members:
            record.labels_changed = changed


def _changed(record: Record) -> int:
    """Count the labels of a record's photos that are others today; 0 where that cannot be found out."""
    try:
        recipe = corrected_recipe(record)
        stamps = _stamps(recipe)
        settings = recipe.dataset.model_dump_json() + recipe.labels.model_dump_json()
        version = record.meta.fingerprints.get("labels", "")
        key = blake2b(f"{version} {settings}".encode(), digest_size=8).hexdigest()
        path = cache_folder() / "labels" / f"{key}.json"
        known = _remembered(path)
        if known.get("stamps") == stamps and isinstance(known.get("changed"), int):
            return int(known["changed"])
        changed = _counted(record, recipe)
    except (HoegoError, OSError):
        return 0
    with contextlib.suppress(OSError, HoegoError):
        files.write_json(path, {"stamps": stamps, "changed": changed}, durable=False)
    return changed


def _counted(record: Record, recipe: Recipe) -> int:
    first = read_first_labels(record)
    if first is None:
        return 0
    now = read_labels(DatasetOrigin(recipe.dataset, recipe.labels, recipe.split.join))
    both = now.join(first.select("image"), on="image", how="semi", maintain_order="left")
    return int(changed_labels(first, both).sum()) if both.height else 0


def _stamps(recipe: Recipe) -> list[list[Any]]:
    """Give name, inode, length and time of change of every file that may hold labels."""
    root = Path(recipe.dataset.root)
    named = [n for n in (recipe.dataset.table, recipe.dataset.overlay) if n is not None]
    paths = {str(root / n) for n in named}
    if recipe.dataset.table is None:
        for folder in (root, root / "train"):
            with contextlib.suppress(OSError):
                paths |= {
                    e.path for e in os.scandir(folder) if os.path.splitext(e.name)[1].lower() in SUFFIXES
                }
    found = []
    for path in sorted(paths):
        with contextlib.suppress(OSError):
            stat = os.stat(path)
            found.append([path, stat.st_ino, stat.st_size, stat.st_mtime_ns])
    return found


def _remembered(path: Path) -> dict[str, Any]:
    with contextlib.suppress(HoegoError):
        return files.read_json(path)
    return {}
