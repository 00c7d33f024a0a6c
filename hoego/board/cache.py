"""Copies of files in memory, read again when the files change."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from hoego.data.dataset import Dataset
from hoego.predictions import Predictions
from hoego.recipe import build, find_project
from hoego.runs.loading import dataset_of, dataset_of_all
from hoego.runs.looks import RunClasses, classes_of
from hoego.runs.record_predictions import PREDICTIONS, predictions_of
from hoego.runs.records import Record
from hoego.runs.review import Review, as_given, overlay_of, review_suspects

V = TypeVar("V")
OLDEST = 120.0
"""Seconds after which a data set is read again although no file that was looked at has changed: the folder of the
photos itself is not looked through."""


class Latest(Generic[V]):
    """The latest values by key, at most `size`. Two that ask for one key wait for one computation."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._values: OrderedDict[Hashable, V] = OrderedDict()
        self._guard = threading.Lock()
        self._busy: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """Return the value of a key; made where it is not held. What `make` raises is not held."""
        with self._guard:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            busy = self._busy.setdefault(key, threading.Lock())
        with busy:
            with self._guard:
                if key in self._values:
                    return self._values[key]
            try:
                made = make()
                with self._guard:
                    self._values[key] = made
                    while len(self._values) > self.size:
                        self._values.popitem(last=False)
                return made
            finally:
                with self._guard:
                    self._busy.pop(key, None)

    def held(self, key: Hashable) -> V | None:
        """Return the value of a key where it is held."""
        with self._guard:
            return self._values.get(key)


def stamp(path: Path) -> tuple[int, int, int] | None:
    """Return inode, length and time of change of a file; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


class HeldData:
    """Predictions and data sets of records."""

    def __init__(self) -> None:
        self._predictions: Latest[Predictions] = Latest(24)
        self._datasets: Latest[Dataset] = Latest(4)
        self._reviews: Latest[Review] = Latest(2)
        self._classes: Latest[RunClasses] = Latest(1000)

    def predictions(self, record: Record) -> Predictions:
        """Return what a record predicted. Raises RecordError where there is nothing."""
        key = (record.folder, stamp(record.folder / PREDICTIONS))
        return self._predictions.get(key, lambda: predictions_of(record))

    def classes(self, record: Record, target: str) -> RunClasses:
        """Return the most probable class of each photo, which is held for many more runs than their predictions."""
        key = (record.folder, stamp(record.folder / PREDICTIONS), target)
        return self._classes.get(key, lambda: classes_of(record, target))

    def common(self, records: Sequence[Record]) -> Dataset:
        """Return the one data set of several records. Raises MismatchError where their labels differ."""
        labels = frozenset(r.meta.fingerprints.get("labels") for r in records)
        return self._datasets.get(
            (dataset_key(records[0]), labels, len(labels) > 1), lambda: dataset_of_all(records)
        )

    def review(self, record: Record) -> Review | None:
        """Return the review of a run's suspects; None where no overlay is named that corrections could go to."""
        overlay = overlay_of(record)
        if overlay is None:
            return None
        key = (
            record.folder,
            stamp(record.folder / PREDICTIONS),
            overlay,
            dataset_key(record, corrected=False),
        )

        def make() -> Review:
            today = self.dataset(record)
            given = as_given(today)
            suspects = review_suspects(self.predictions(record), given, today.corrections)
            return Review(record.folder.parent, record.id, given, overlay=overlay, suspects=suspects)

        return self._reviews.get(key, make)

    def dataset(self, record: Record) -> Dataset:
        """Return the data set of a record on today's labels. Raises DataError where it cannot be read."""

        def make() -> Dataset:
            found = dataset_of(record)
            assert found is not None
            return found

        return self._datasets.get(dataset_key(record), make)


def dataset_key(record: Record, *, corrected: bool = True) -> Hashable:
    """Return what names a record's data set on today's labels: its settings and the files that say more.

    Args:
        record: of the run.
        corrected: whether another overlay makes it another data set.
    """
    recipe = build(record.recipe)
    root = Path(recipe.dataset.root)
    said = [
        file for start in (record.folder.parent, root) if (file := find_project(start.resolve())) is not None
    ]
    overlays = {recipe.dataset.overlay, *(_overlay_of(file) for file in said)} if corrected else set()
    looked_at = [root, *said, *(root / o for o in overlays if o)]
    if recipe.dataset.table:
        looked_at.append(root / recipe.dataset.table)
    if not corrected:
        # The folder's own time changes with every file beside the photos, such as the overlay that a review writes.
        looked_at.remove(root)
    settings = [recipe.dataset, recipe.labels, recipe.split]
    named = json.dumps([s.model_dump(mode="json") for s in settings], sort_keys=True)
    age = int(time.monotonic() / OLDEST) if corrected else 0
    return named, tuple(stamp(path) for path in looked_at), age


def _overlay_of(project: Path) -> str | None:
    from hoego.recipe import read_toml

    found = read_toml(project).get("dataset", {}).get("overlay")
    return None if found is None else str(found)
