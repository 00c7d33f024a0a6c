"""Building a cache in parts, which processes of several machines claim one by one in the cache's folder.

    parts/parts.json       {"parts": P}: chunk c is of the part c * P // chunks
    parts/HOST-PID.worker  a process that takes part
    parts/0007.0000        the claim of part 7; `0007.0001` after the process that made the first has died
    parts/0007.bad.json    the photos of part 7 that cannot be used

A part is done when all its chunks are marked, and its claim lives as long as its process (`claim_files`). Two processes
that decode the same chunk after all (a machine that was taken for dead) write the same bytes to the same place.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from hoego import claim_files, files, process
from hoego.data.images import Photo, bad_photos
from hoego.data.pixels.build import CacheBuild, n_copied
from hoego.errors import DataError, HoegoError
from hoego.short_repr import ShortRepr

WAIT_SECONDS = 0.5


@dataclass(kw_only=True, eq=False, repr=False)
class PartsBuild(ShortRepr):
    """This process's share in the building of a cache.

    Args:
        build: what is to be decoded.
        parts: their number P, as the first process said.
        held: claims that this process has made; the first is that it takes part.
        active: parts that it works on now.
        decoded: photos that this process has decoded.
    """

    build: CacheBuild
    parts: int = 0
    held: list[Path] = field(default_factory=list)
    active: set[int] = field(default_factory=set)
    decoded: int = 0

    @property
    def folder(self) -> Path:
        """Where the claims lie."""
        return self.build.store.folder / "parts"

    def open_or_run(self) -> tuple[Photo, int]:
        """Return the finished cache, and how many of its photos this process decoded.

        Raises:
            DataError: photos of any part cannot be used.
        """
        array = self._begin()
        try:
            with claim_files.beating(self._beat):
                while array is None:
                    self._work()
                    array = self._finish() if self._all_marked() else None
                    if array is None:
                        self._require_no_bad()
                        time.sleep(WAIT_SECONDS)
        finally:
            self._release()
        return array, self.decoded

    def others_at_work(self) -> bool:
        """Return whether a living process takes part in the building."""
        return any(claim_files.is_alive(worker) for worker in self.folder.glob("*.worker"))

    def _begin(self) -> Photo | None:
        """Make room for the pixels unless others are at work on them; return the cache where it is there already."""
        store = self.build.store
        with store.lock():
            array = store.open()
            if array is None and not self.others_at_work():
                shutil.rmtree(self.folder, ignore_errors=True)
                store.prepare()
                self.folder.mkdir()
                asked = max(1, min(self.build.options.parts, store.n_chunks))
                files.write_json(self.folder / "parts.json", {"parts": asked})
            if array is None:
                self.parts = int(files.read_json(self.folder / "parts.json")["parts"])
                # Before the lock is given back: who comes next must not begin anew.
                me = process.this_process()
                self.held.append(self.folder / f"{me['host']}-{me['pid']}.worker")
                self.held[0].unlink(missing_ok=True)
                claim_files.create(self.held[0])
        if array is None and self.parts != self.build.options.parts:
            print(f"The photos are decoded in {self.parts} parts ...", file=sys.stderr)
        return array

    def _release(self) -> None:
        """Give back parts that this process has not finished: it may live on after an error."""
        for claim in self.held:
            if claim.suffix == ".worker" or self._chunks(int(claim.stem)):
                claim.unlink(missing_ok=True)

    def _beat(self) -> None:
        for claim in self.held:
            os.utime(claim)

    def _chunks(self, part: int) -> Sequence[int]:
        """Return the chunks of a part that are not marked yet."""
        n = self.build.store.n_chunks
        mine = np.flatnonzero(np.arange(n) * self.parts // max(n, 1) == part)
        return [int(c) for c in mine[self.build.store.recorded()[mine] == 0]]

    def _all_marked(self) -> bool:
        return bool((self.build.store.recorded() != 0).all())

    def _work(self) -> None:
        """Decode one part after another until none is free."""
        self.active = set()
        bad: dict[int, list[list[str]]] = {}
        jobs = self._jobs(bad)
        first = next(jobs, None)
        if first is None:
            return

        def take(answer: dict[str, Any], job: dict[str, Any]) -> int:
            self.decoded += len(job["items"]) - n_copied(job)
            if answer["bad"]:
                bad[job["part"]] += answer["bad"]
                files.write_json(self._bad_file(job["part"]), {"bad": bad[job["part"]]})
            return self._rows_done()

        self.build.work(chain([first], jobs), self.build.store.shape[0], take)

    def _jobs(self, bad: dict[int, list[list[str]]]) -> Iterator[dict[str, Any]]:
        """Claim free parts, and yield the jobs of each."""
        while (part := self._claimed()) is not None:
            bad[part] = []
            for job in self.build.jobs(self._chunks(part)):
                yield {**job, "part": part}

    def _claimed(self) -> int | None:
        """Claim a part that is not done and that no living process holds; None where there is none."""
        latest = claim_files.latest_of(self.folder)
        for part in range(self.parts):
            if part in self.active or not self._chunks(part) or self._bad_file(part).exists():
                continue
            last = latest.get(f"{part:04d}")
            # One's own part is free again where its pixels turned out to be damaged.
            if last not in self.held:
                if last is not None and claim_files.is_alive(last):
                    continue
                claim = claim_files.following(self.folder, f"{part:04d}", last)
                if not claim_files.create(claim):
                    continue
                self.held.append(claim)
            self.active.add(part)
            return part
        return None

    def _bad_file(self, part: int) -> Path:
        return self.folder / f"{part:04d}.bad.json"

    def _rows_done(self) -> int:
        store = self.build.store
        spans = [store.span(c) for c in np.flatnonzero(store.recorded()).tolist()]
        return sum(last - first for first, last in spans)

    def _finish(self) -> Photo | None:
        """Check every chunk, and mark the cache as complete; None where some are damaged and to be decoded again."""
        store = self.build.store
        with store.lock():
            array = store.open()
            if array is None and len(store.sound(range(store.n_chunks))) == store.n_chunks:
                store.finish()
                shutil.rmtree(self.folder, ignore_errors=True)
                array = store.open(trusted=True)
            elif array is None:
                store.prepare()
        return array

    def _require_no_bad(self) -> None:
        """Raise one error for the unusable photos of all parts, once no part is at work any more."""
        found: list[DataError] = []
        for part in range(self.parts):
            if not self._chunks(part):
                continue
            try:
                said = files.read_json(self._bad_file(part))["bad"]
            except HoegoError:
                return  # still at work, or free again
            found += [DataError(message, file=path) for path, message in said]
        if found:
            raise bad_photos(sorted(found, key=lambda e: str(e.file)), self.build.store.shape[0])
