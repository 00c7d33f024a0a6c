"""Copy a record's folder that somebody else made: plain files and folders alone, nothing that leads out of it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from hoego.errors import RecordError

VOLATILE = frozenset({"heartbeat", ".lock", "claims", "mirrors"})
"""Entries of a record folder that belong to the machine it ran on, not to its content."""

_CHUNK = 1 << 20
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield every entry below a record's folder, folders before what they hold; links are yielded, not followed.

    Entries of VOLATILE and temporary files are left out.
    """
    waiting = [os.fspath(folder)]
    while waiting:
        below = waiting.pop()
        with os.scandir(below) as listing:
            found = sorted(listing, key=lambda entry: entry.name)
        for entry in found:
            if (below == os.fspath(folder) and entry.name in VOLATILE) or entry.name.endswith(".part"):
                continue
            yield entry
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)


def objection(folder: Path) -> str:
    """Say why a record is not copied: its first entry that is not a plain file or folder; "" where all are."""
    try:
        if why := _objection(folder.name, os.lstat(folder).st_mode):
            return why
        for entry in entries(folder):
            name = Path(entry.path).relative_to(folder).as_posix()
            if why := _objection(name, entry.stat(follow_symlinks=False).st_mode):
                return why
    except OSError as problem:
        return f"{problem.filename} cannot be read: {problem.strerror}"
    return ""


def _objection(name: str, mode: int) -> str:
    if stat.S_ISLNK(mode):
        return f"{name} is a link, and what it points to is not part of the record"
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return f"{name} is not a file: a pipe, a socket or a device"
    if "\\" in name:
        return f"the name {name} holds a backslash, which another system reads as a folder"
    if not _is_text(name):
        return f"the name {name!a} is not text"
    return ""


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def copy_record(source: Path, target: Path) -> None:
    """Copy a record's folder to `target`, which is not there yet, without VOLATILE entries.

    Raises:
        RecordError: an entry is a link or no plain file, also where it became one since it was looked at.
    """
    target.mkdir()
    for entry in entries(source):
        path = target / Path(entry.path).relative_to(source)
        if entry.is_dir(follow_symlinks=False):
            path.mkdir()
        else:
            _copy_file(entry.path, path)


def _copy_file(source: str, target: Path) -> None:
    try:
        descriptor = os.open(source, os.O_RDONLY | _NO_FOLLOW)
    except OSError as problem:
        raise RecordError(f"it cannot be copied: {problem.strerror}", file=source) from None
    with os.fdopen(descriptor, "rb") as reading:
        held = os.fstat(descriptor)
        if why := _objection(Path(source).name, held.st_mode):
            raise RecordError(why, file=source, remedy="Remove it from the record.")
        with open(target, "xb") as writing:
            while chunk := reading.read(_CHUNK):
                writing.write(chunk)
    os.utime(target, ns=(held.st_atime_ns, held.st_mtime_ns))
