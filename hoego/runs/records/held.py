"""A store whose records stay in memory between two looks: for programs that answer many questions about them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from hoego import files
from hoego.errors import RecordError
from hoego.runs.records.index import read_all, stamps
from hoego.runs.records.meta import RunMeta
from hoego.runs.records.record import FINAL_STATES, Record
from hoego.runs.records.store import RunStore

SOON = 1.0
"""Seconds between two looks at what can change by itself: new records, and those that have not ended."""

LATER = 10.0
"""Seconds between two looks at every record: one that has ended changes only by a tag, a verdict or another try."""

Stamp = list[int]


class HeldStore(RunStore):
    """The records under `root`, held in memory. Only a run.json that has changed is read again.

    A change by this process is seen at once after `look(everything=True)`; one by another process within SOON
    seconds where the run has not ended, else within LATER.

    Args:
        root: the folder of the records.
        read_only: write nothing below it, not even the index, and refuse changes.
    """

    def __init__(self, root: Path | str, *, read_only: bool = False) -> None:
        super().__init__(root)
        self.read_only = read_only
        self.version = 0
        """Grows with every change that was seen."""
        self._records: dict[str, Record] = {}
        self._stamps: dict[str, Stamp] = {}
        self._broken: dict[str, RecordError] = {}
        self._ordered: tuple[Record, ...] = ()
        self._looked = self._looked_at_all = 0.0
        self._guard = threading.RLock()
        self._behind: threading.Thread | None = None

    def read(self) -> tuple[Sequence[Record], dict[str, RecordError]]:
        """Read every record, oldest first, and the error of each folder whose run.json cannot be read."""
        self.look()
        with self._guard:
            return self._ordered, dict(self._broken)

    def get(self, id_: str) -> Record | None:
        """Return the record of this very id; None where there is none. No path and no prefix is taken."""
        self.look()
        return self._records.get(id_)

    def look(self, *, everything: bool = False) -> None:
        """Read again what has changed, as often as SOON and LATER say; at once with `everything`."""
        with self._guard:
            now = time.monotonic()
            if not self.version:
                self._read_first()
            elif everything:
                self._take(dict(stamps(self.root)))
                self._looked = self._looked_at_all = now
            elif now - self._looked >= SOON:
                self._looked = now
                self._look_at_open()
                if now - self._looked_at_all >= LATER:
                    self._look_at_all_behind(now)

    def _read_first(self) -> None:
        found = dict(stamps(self.root))
        metas, self._broken = read_all(self.root, save=not self.read_only)
        for name, meta in metas.items():
            self._records[name] = self._record(name, meta)
        # What was written between the two looks has another stamp, and is read again by the next one.
        self._stamps = found
        self._looked = self._looked_at_all = time.monotonic()
        self._changed()

    def _look_at_open(self) -> None:
        """Look for new folders, and at the records that have not ended."""
        try:
            with os.scandir(self.root) as listing:
                names = {entry.name for entry in listing if not entry.name.startswith(".")}
        except FileNotFoundError:
            names = set()
        found = {name: stamp for name, stamp in self._stamps.items() if name in names}
        ended = {name for name, record in self._records.items() if record.meta.state in FINAL_STATES}
        for name in names - ended:
            stamp = self._stamp(name)
            if stamp is None:
                found.pop(name, None)
            else:
                found[name] = stamp
        self._take(found)

    def _look_at_all_behind(self, now: float) -> None:
        """Look at every record in a thread, since thousands of files take seconds over a network."""
        if self._behind is not None and self._behind.is_alive():
            return
        self._looked_at_all = now

        def look() -> None:
            found = dict(stamps(self.root))
            with self._guard:
                known = {name: stamp for name, stamp in self._stamps.items() if name not in found}
                # A folder that came while the thread looked is not in its list.
                kept = {name: stamp for name, stamp in known.items() if (self.root / name).is_dir()}
                self._take({**kept, **found})

        self._behind = threading.Thread(target=look, name="look at all records", daemon=True)
        self._behind.start()

    def _stamp(self, name: str) -> Stamp | None:
        try:
            stat = os.stat(self.root / name / "run.json")
        except OSError:
            return None
        return [stat.st_ino, stat.st_size, stat.st_mtime_ns]

    def _take(self, found: dict[str, Stamp]) -> None:
        """Read the records whose stamp is new, and forget those that have none any more."""
        gone = self._stamps.keys() - found.keys()
        fresh = [name for name, stamp in found.items() if self._stamps.get(name) != stamp]
        for name in gone:
            self._records.pop(name, None)
            self._broken.pop(name, None)
        for name in fresh:
            path = self.root / name / "run.json"
            try:
                self._records[name] = self._record(name, RunMeta.read(files.read_json(path), file=path))
                self._broken.pop(name, None)
            except RecordError as problem:
                self._records.pop(name, None)
                self._broken[name] = problem
        self._stamps = found
        if gone or fresh:
            self._changed()

    def _record(self, name: str, meta: RunMeta) -> Record:
        return Record(self.root / name, meta, read_only=self.read_only)

    def _changed(self) -> None:
        self._ordered = tuple(self._records[name] for name in sorted(self._records))
        self.version += 1
