"""Claims: files that one process alone can create, so that processes and machines share work without a server."""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hoego import process
from hoego.errors import HoegoError
from hoego.storage import storing

HEARTBEAT_SECONDS = 10.0

_NUMBERED = re.compile(r"(.+)\.(\d+)")


def create(path: Path, worker: str = "", facts: Mapping[str, Any] | None = None) -> bool:
    """Claim what `path` stands for, in the name of this process; return False where it is claimed already.

    The claim holds what identifies the process, the name of the worker, and further `facts`.

    The file is created by O_CREAT | O_EXCL, which is atomic on local disks and on NFS.

    Raises:
        DataError: the disk is full, or the folder is read-only.
    """
    text = json.dumps({**process.this_process(), "worker": worker, **(facts or {})}).encode()
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            return False
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(text)
    return True


def latest_of(folder: Path) -> dict[str, Path]:
    """Return the latest claim on each piece of work that is claimed as `NAME.N`, by its name.

    The claim of a process that has died is not removed: the next process claims the same under the next N.
    """
    found: dict[str, tuple[int, Path]] = {}
    with contextlib.suppress(FileNotFoundError):
        for file in os.listdir(folder):
            if match := _NUMBERED.fullmatch(file):
                claim = int(match[2]), folder / file
                found[match[1]] = max(claim, found.get(match[1], claim))
    return {name: path for name, (_, path) in found.items()}


def following(folder: Path, name: str, last: Path | None) -> Path:
    """Return the file of the next claim on a piece of work; `last` is its latest.

    >>> following(Path("claims"), "fold-3", None).name, following(Path("c"), "a", Path("c/a.0009")).name
    ('fold-3.0000', 'a.0010')
    """
    number = 0 if last is None else int(last.suffix[1:]) + 1
    return folder / f"{name}.{number:04d}"


def owner_of(path: Path) -> dict[str, Any]:
    """Return what a claim says of its process and its worker; {} where it cannot be read (yet)."""
    try:
        owner = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return owner if isinstance(owner, dict) else {}


def is_alive(path: Path, *, may_write: bool = True) -> bool:
    """Return whether the process that made a claim still lives; the claim's own time is its heartbeat.

    Without `may_write` the clock of this machine is compared with that time, not the file system's.
    """
    return process.is_alive(owner_of(path), path, may_write=may_write)


@contextlib.contextmanager
def beating(touch: Callable[[], None]) -> Iterator[None]:
    """Call `touch`, which renews a heartbeat, every HEARTBEAT_SECONDS while the body runs."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            with contextlib.suppress(OSError, HoegoError):
                touch()

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
