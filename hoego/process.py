"""The process that holds a piece of work, and whether it is still alive."""

from __future__ import annotations

import functools
import os
import socket
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STALE_SECONDS = 120.0
"""A process of another machine counts as dead when its heartbeat is older than this."""


@functools.cache
def host() -> str:
    """Return this machine's name."""
    return socket.gethostname()


def this_process() -> dict[str, Any]:
    """Identify the calling process: host, pid, its start (clock ticks since boot), boot and pid namespace."""
    return {"host": host(), "pid": os.getpid(), "start": _start(os.getpid()), **_boot()}


def process_of(pid: int) -> dict[str, Any] | None:
    """Identify the process `pid` of this machine; None if there is none (any more)."""
    start = _start(pid)
    return None if start is None else {"host": host(), "pid": pid, "start": start, **_boot()}


def child_environment() -> dict[str, str]:
    """Return the environment of a child Python that imports this package, wherever it lies."""
    package = str(Path(__file__).resolve().parents[1])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def is_alive(process: Mapping[str, Any] | None, heartbeat: Path, *, may_write: bool = True) -> bool:
    """Return whether the process that `this_process` described is still alive.

    On the machine (and in the pid namespace) where it ran, the process table answers. Elsewhere the file
    `heartbeat` does: alive when it was touched at most STALE_SECONDS ago by its file system's clock, which is read
    from a file made for it; by this machine's clock where `may_write` is false.
    """
    if not process:
        return _fresh(heartbeat, may_write)
    boot = _boot()
    if process.get("host") == host() and boot["boot"] and process.get("boot") == boot["boot"]:
        if process.get("namespace") == boot["namespace"]:
            started = _start(_whole(process.get("pid")))
            return started is not None and started == process.get("start", started)
    elif process.get("host") == host() and boot["boot"] and process.get("boot"):
        return False
    return _fresh(heartbeat, may_write)


def _whole(number: Any) -> int:
    return number if isinstance(number, int) else 0


def _fresh(heartbeat: Path, may_write: bool) -> bool:
    """Return whether `heartbeat` was touched recently, compared with a file made beside it: clocks of machines
    differ.
    """
    old = age(heartbeat)
    if old is None:
        return False
    if not may_write:
        return old <= STALE_SECONDS
    try:
        with tempfile.NamedTemporaryFile(dir=heartbeat.parent, prefix=".now-") as probe:
            old = os.stat(probe.name).st_mtime - heartbeat.stat().st_mtime
    except OSError:
        pass
    return old <= STALE_SECONDS


def age(path: Path) -> float | None:
    """Return the seconds since `path` was last touched; None if it does not exist."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return None


@functools.cache
def _boot() -> dict[str, str]:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return {"boot": boot, "namespace": os.readlink("/proc/self/ns/pid")}
    except OSError:
        return {"boot": "", "namespace": ""}


def _start(pid: int) -> int | None:
    """Return the clock ticks from boot to the start of process `pid`; None if there is none, or it is a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text[text.rfind(")") + 2 :].split()
    return None if fields[0] in "ZX" else int(fields[19])
