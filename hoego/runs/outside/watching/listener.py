"""Sets the watches of inotify on the places of a data set, and notes in a thread what is opened."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path

from hoego.results.evidence import Gap, GapKind
from hoego.runs.outside.watching.inotify import IN_ISDIR, IN_OPEN, IN_Q_OVERFLOW, LOST, FileEvent, Inotify
from hoego.runs.outside.watching.places import Places
from hoego.runs.outside.watching.processes import descendants, holds_pixels, open_files

SECONDS_BETWEEN_LOOKS = 1.0
"""How often the files that the training holds open are looked at."""
_LIMIT = Path("/proc/sys/fs/inotify/max_user_watches")
EXAMPLES = 5


def gap(kind: GapKind, message: str, examples: list[str], count: int = 0) -> Gap:
    """Make a gap with the number of its examples and the first few of them."""
    return Gap(kind=kind, message=message, count=count or len(examples), examples=tuple(examples[:EXAMPLES]))


class Listener:
    """Notes which files of some places are opened between `start` and `stop`.

    Args:
        places: what to watch.
        held: positions in `places.photos` of the held-out photos; each of them must be watched.
        smallest: size in bytes from which a container can hold the pixels of the held-out photos.

    After `stop`: `opened` are positions in `places.photos`, `others` further files of the folders that were opened,
    `pixels` files of Hoego's own pixel cache, `containers` files that processes of the training held open, with their
    sizes, and `gaps` what could not be watched.
    """

    def __init__(self, places: Places, held: set[int], smallest: int) -> None:
        self.places, self.held, self.smallest = places, held, smallest
        self.opened: set[int] = set()
        self.others: set[str] = set()
        self.pixels: set[str] = set()
        self.containers: dict[str, int] = {}
        self.gaps: list[Gap] = []
        self.links = 0
        self.started = 0
        self._overflows = 0
        self._lost: set[str] = set()
        self._folders: dict[int, list[str]] = {}
        self._files: dict[int, list[int]] = {}
        self._pixels: dict[int, str] = {}

    @property
    def folders(self) -> int:
        """How many folders are watched."""
        return len(self._folders)

    def start(self) -> None:
        """Set the watches and begin to listen."""
        self._inotify = Inotify()
        unwatched = self._watch_folders()
        self._watch_inodes(unwatched)
        self._stop_read, self._stop_write = os.pipe()
        self.started = time.time_ns()
        self._thread = threading.Thread(target=self._listen, name="hoego watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Note what has happened until now, and end."""
        os.write(self._stop_write, b"x")
        self._thread.join()
        self._look()
        self._drain()
        self._inotify.close()
        os.close(self._stop_read)
        os.close(self._stop_write)
        if self._overflows:
            message = "events were lost: the kernel's queue was full (raise fs.inotify.max_queued_events)"
            self.gaps.append(gap("overflow", message, [], self._overflows))
        if self._lost:
            message = "folders were moved, deleted or unmounted during the watch"
            self.gaps.append(gap("folder", message, sorted(self._lost)))

    def _watch_folders(self) -> dict[int, str]:
        """Watch every folder; return the photos of those that cannot be watched, with the reason."""
        unwatched: dict[int, str] = {}
        for folder, names in self.places.folders.items():
            try:
                watch = self._inotify.watch_folder(Path(folder))
                self._folders.setdefault(watch, []).append(folder)
            except OSError as problem:
                unwatched |= {k: _reason(problem) for photos in names.values() for k in photos}
        for pixels in self.places.pixels:
            try:
                self._pixels[self._inotify.watch_folder(pixels)] = str(pixels)
            except OSError as problem:
                self.gaps.append(
                    gap("cache", f"a folder cannot be watched: {_reason(problem)}", [str(pixels)])
                )
        return unwatched

    def _watch_inodes(self, unwatched: dict[int, str]) -> None:
        """Watch one by one the photos whose folder is not watched, and those that have further hard links."""
        photos = self.places.photos
        linked = {k for k, photo in enumerate(photos) if photo.links > 1}
        inodes: dict[tuple[int, int], list[int]] = {}
        # The held-out ones first, since the number of watches is limited and these are what counts.
        for k in sorted(linked | unwatched.keys(), key=lambda k: k not in self.held):
            inodes.setdefault(photos[k].inode, []).append(k)
        failed: dict[GapKind, dict[str, list[str]]] = {"folder": {}, "link": {}}
        for group in inodes.values():
            try:
                self._files.setdefault(self._inotify.watch_file(photos[group[0]].path), []).extend(group)
            except OSError as problem:
                for k in self.held.intersection(group):
                    kind: GapKind = "folder" if k in unwatched else "link"
                    failed[kind].setdefault(unwatched.get(k) or _reason(problem), []).append(
                        str(photos[k].path)
                    )
        self.links = len(self._files)
        texts = {
            "folder": "held-out photos lie in a folder that cannot be watched: ",
            "link": "held-out photos have further hard links and cannot be watched one by one: ",
        }
        self.gaps += [
            gap(kind, texts[kind] + why, names)
            for kind, found in failed.items()
            for why, names in found.items()
        ]

    def _listen(self) -> None:
        looked = 0.0
        while self._inotify.wait(self._stop_read, SECONDS_BETWEEN_LOOKS):
            self._drain()
            if time.monotonic() - looked >= SECONDS_BETWEEN_LOOKS:
                self._look()
                looked = time.monotonic()

    def _drain(self) -> None:
        for event in self._inotify.read():
            self._note(event)

    def _note(self, event: FileEvent) -> None:
        if event.mask & IN_Q_OVERFLOW:
            self._overflows += 1
        elif event.watch in self._files:
            if event.mask & IN_OPEN:
                self.opened.update(self._files[event.watch])
        elif event.watch in self._pixels:
            if event.mask & IN_OPEN and not event.mask & IN_ISDIR:
                self.pixels.add(f"{self._pixels[event.watch]}/{event.name}")
        elif event.watch in self._folders:
            for folder in self._folders[event.watch]:
                self._note_in(folder, event)

    def _note_in(self, folder: str, event: FileEvent) -> None:
        if event.mask & LOST:
            self._lost.add(folder)
        elif event.mask & IN_OPEN and not event.mask & IN_ISDIR:
            photos = self.places.folders[folder].get(event.name)
            if photos is None:
                self.others.add(f"{folder}/{event.name}")
            else:
                self.opened.update(photos)

    def _look(self) -> None:
        """Note the containers that the training holds open."""
        me = os.getpid()
        for _, path in open_files([me, *(process.pid for process in descendants(me))]):
            size = holds_pixels(path, before=self.started, smallest=self.smallest)
            if size:
                self.containers[path] = size


def _reason(problem: OSError) -> str:
    if problem.errno == errno.ENOSPC:
        try:
            limit = f"{int(_LIMIT.read_text()):,}"
        except (OSError, ValueError):
            limit = "unknown"
        return f"the limit of {limit} watches is reached (raise fs.inotify.max_user_watches)"
    return str(problem.strerror)
