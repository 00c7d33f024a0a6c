"""What /proc says of the files that processes hold open."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

_PACKED = ".arrow .beton .dat .feather .h5 .hdf5 .lmdb .mdb .npy .npz .parquet .rec .sqlite .tar .tfrecord .tfrecords"
CONTAINERS = frozenset(_PACKED.split()) | {".tgz", ".zarr", ".zip"}
"""Endings of files in which other tools keep the pixels of many photos."""
INSTALLED = ("/usr/", "/lib", "/opt/", "/proc/", "/sys/", "/dev/")


def processes() -> list[int]:
    """Return the ids of all processes that this one can see; [] where there is no /proc."""
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


class Process(NamedTuple):
    """A process: its id, and when it started (clock ticks since the boot), since ids are given again."""

    pid: int
    started: int


def descendants(root: int, without: Iterable[Process] = ()) -> list[Process]:
    """Return the living processes that `root` started, and those that they started; not `root` itself.

    Args:
        root: id of a process.
        without: processes that are left out with everything below them.
    """
    left_out = frozenset(without)
    children: dict[int, list[Process]] = {}
    for pid in processes():
        found = _stat(pid)
        if found is not None and found[0] not in "ZX" and found[2] not in left_out:
            children.setdefault(found[1], []).append(found[2])
    out: list[Process] = []
    left = [root]
    while left:
        mine = children.get(left.pop(), [])
        out += mine
        left += [process.pid for process in mine]
    return out


def _stat(pid: int) -> tuple[str, int, Process] | None:
    """Return the state of a process, its parent, and itself; None where it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name of the program is in brackets and may hold anything. proc(5): state is field 3, parent 4, start 22.
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[1]), Process(pid, int(fields[19]))


def open_files(pids: Iterable[int]) -> Iterator[tuple[int, str]]:
    """Give process and path of every file that some processes hold open or have mapped, as far as one may look."""
    for pid in pids:
        yield from ((pid, path) for path in {*_descriptors(pid), *_mapped(pid)} if path.startswith("/"))


def _descriptors(pid: int) -> Iterator[str]:
    try:
        numbers = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return
    for number in numbers:
        try:
            yield os.readlink(f"/proc/{pid}/fd/{number}")
        except OSError:
            continue


def _mapped(pid: int) -> Iterator[str]:
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape") as lines:
            for line in lines:
                fields = line.rstrip("\n").split(None, 5)
                # Executable maps are programs and libraries.
                if len(fields) == 6 and "x" not in fields[1]:
                    yield fields[5]
    except OSError:
        return


def holds_pixels(path: str, *, before: int, smallest: int) -> int:
    """Return the size of a container that is at least `smallest` bytes and was last changed before `before` (ns).

    0 for any other file: what was written since the watch began can only hold what was opened under it, and what
    belongs to an installed program holds no photo of ours.
    """
    if os.path.splitext(path)[1].lower() not in CONTAINERS:
        return 0
    if path.startswith(INSTALLED) or "/site-packages/" in path:
        return 0
    try:
        found = os.stat(path)
    except OSError:
        return 0
    return found.st_size if found.st_mtime_ns < before and found.st_size >= smallest else 0


_SHARED = (
    "9p afs beegfs ceph cifs fhgfs glusterfs gpfs lustre nfs nfs4 ocfs2 orangefs smb3 smbfs virtiofs vboxsf"
)
REMOTE = frozenset(_SHARED.split())
"""File systems whose files other machines can open without this kernel's knowledge."""


def remote_system(folder: str) -> str:
    """Return the kind of file system of a folder where other machines can open its files; "" elsewhere."""
    try:
        device = os.stat(folder).st_dev
        text = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        if left.split()[2] == f"{os.major(device)}:{os.minor(device)}":
            kind = right.split()[0]
            return kind if kind in REMOTE or kind.startswith("fuse.") else ""
    return ""
