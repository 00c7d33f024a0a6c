"""Claims: files that one process alone can create, so that processes and machines share work without a server."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from hoego import process
from hoego.errors import HoegoError
from hoego.storage import storing

HEARTBEAT_SECONDS = 10.0


def create(path: Path, worker: str = "") -> bool:
    """Claim what `path` stands for, in the name of this process; return False where it is claimed already.

    The file is created by O_CREAT | O_EXCL, which is atomic on local disks and on NFS.

    Raises:
        DataError: the disk is full, or the folder is read-only.
    """
    text = json.dumps({**process.this_process(), "worker": worker}).encode()
    with storing(path):
        path.parent.mkdir(exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            return False
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(text)
    return True


def is_alive(path: Path) -> bool:
    """Return whether the process that made a claim still lives; the claim's own time is its heartbeat."""
    try:
        owner = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        owner = None
    return process.is_alive(owner if isinstance(owner, dict) else None, path)


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
