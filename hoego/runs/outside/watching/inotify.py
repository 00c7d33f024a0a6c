"""inotify(7) of Linux through libc: the kernel says which files of a folder any process opens.

The kernel notes an open when it happens, for every process and every library: readers written in C and worker
processes count. It does not say who opened a file.
"""

from __future__ import annotations

import ctypes
import os
import select
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

IN_OPEN = 0x20
IN_DELETE_SELF, IN_MOVE_SELF = 0x400, 0x800
IN_UNMOUNT, IN_Q_OVERFLOW = 0x2000, 0x4000
IN_ISDIR, IN_ONLYDIR = 0x40000000, 0x01000000
LOST = IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT
"""What ends the watch over a folder, or moves it to another name."""

_HEADER = struct.Struct("iIII")
_BUFFER = 1 << 20


@dataclass(frozen=True)
class FileEvent:
    """One event: the watch that saw it, what happened, and the name of the file inside the watched folder."""

    watch: int
    mask: int
    name: str


def available() -> bool:
    """Return whether this system has inotify."""
    return sys.platform.startswith("linux") and hasattr(ctypes.CDLL(None), "inotify_init1")


class Inotify:
    """An inotify instance."""

    def __init__(self) -> None:
        self._libc: Any = ctypes.CDLL(None, use_errno=True)
        # Not inherited by what the watched command starts.
        self.fd: int = self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self.fd < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), "inotify_init1")

    def watch_folder(self, folder: Path) -> int:
        """Watch the files of a folder; return the number of the watch. Raises OSError."""
        return self._add(folder, IN_OPEN | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

    def watch_file(self, file: Path) -> int:
        """Watch one file by its inode, so that an open by any of its hard links counts. Raises OSError."""
        return self._add(file, IN_OPEN)

    def _add(self, path: Path, mask: int) -> int:
        number: int = self._libc.inotify_add_watch(self.fd, os.fsencode(path), mask)
        if number < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(path))
        return number

    def read(self) -> Iterator[FileEvent]:
        """Give the events that wait, without waiting for more."""
        while True:
            try:
                block = os.read(self.fd, _BUFFER)
            except BlockingIOError:
                return
            at = 0
            while at < len(block):
                watch, mask, _, length = _HEADER.unpack_from(block, at)
                at += _HEADER.size
                name = block[at : at + length].rstrip(b"\0")
                at += length
                yield FileEvent(watch, mask, os.fsdecode(name))

    def wait(self, stop: int, seconds: float) -> bool:
        """Wait until an event is there, the file descriptor `stop` can be read, or time is up; say whether to go on."""
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        poll.register(stop, select.POLLIN)
        return stop not in {fd for fd, _ in poll.poll(seconds * 1000)}

    def close(self) -> None:
        """End all watches."""
        os.close(self.fd)
