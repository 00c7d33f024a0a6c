"""Windows and macOS: every core module is imported, and files are written and locked, without what only Linux has."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from hoego import files

HIDE = """
import importlib.abc, os, signal, sys

class Hidden(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in {"fcntl", "resource", "pwd", "grp", "termios"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

for name in ("fcntl", "resource"):
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Hidden())
for name in ("pread", "pwrite", "fchmod", "posix_fallocate", "posix_spawn", "sched_getaffinity", "sysconf"):
    if hasattr(os, name):
        delattr(os, name)
del signal.SIGUSR1, signal.pthread_kill
"""

IMPORTS = """
import importlib, pkgutil
import hoego
skipped = ("hoego.train", "hoego.integrations.lightning", "hoego.__main__")  # need torch, need Lightning
for module in pkgutil.walk_packages(hoego.__path__, "hoego."):
    if not module.name.startswith(skipped):
        importlib.import_module(module.name)
"""

WINDOWS = """
import subprocess  # which looks for msvcrt to know its system
class msvcrt:
    LK_NBLCK = 2
    locking = staticmethod(lambda descriptor, mode, size: None)
sys.modules["msvcrt"] = msvcrt
"""

WORK = """
from pathlib import Path
import numpy as np
from hoego import files
from hoego.errors import UsageError
from hoego.runs.records import RunStore
from hoego.runs.queue import claim, start_background
folder = Path(sys.argv[1])
store = RunStore(folder / "runs")
record = store.create({"epochs": 1}, state="waiting")
assert claim(store).id == record.id
record.append_epoch(0, {"epoch": 0})
record.set_state("done")
assert [r.state for r in store.list()] == ["done"]
try:
    start_background(record, ["--help"])
except UsageError as problem:
    assert "Windows" in problem.message
else:
    raise AssertionError("nothing was said")
from hoego.data.pixels.store import read_at
import os
path = folder / "pixels"
path.write_bytes(bytes(range(100)))
file = os.open(path, os.O_RDONLY)
assert read_at(file, 3, 40) == bytes([40, 41, 42])
os.close(file)
"""


def run(code: str, *arguments: str) -> None:
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_core_module_is_imported_without_what_only_linux_has() -> None:
    run(HIDE + IMPORTS)


def test_records_and_the_queue_work_without_what_only_linux_has(tmp_path: Path) -> None:
    run(HIDE + WINDOWS + WORK, str(tmp_path))


def test_a_lock_of_windows_is_one_far_byte_and_refuses_the_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: dict[int, int] = {}

    def locking(descriptor: int, mode: int, size: int) -> None:
        """Locks of byte ranges from the place in the file on, as Windows has them."""
        place = os.lseek(descriptor, 0, os.SEEK_CUR)
        if held.setdefault(place, descriptor) != descriptor:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setitem(sys.modules, "fcntl", None)
    fake: Any = types.SimpleNamespace(LK_NBLCK=2, locking=locking)
    monkeypatch.setitem(sys.modules, "msvcrt", fake)
    path = tmp_path / "lock"
    with open(path, "ab+") as first, open(path, "ab+") as second:
        first.write(b"content")
        files.lock(first)
        assert first.tell() == len(b"content"), "the place in the file is as it was"
        assert list(held) == [1 << 40]
        with pytest.raises(BlockingIOError):
            files.lock(second, wait=False)


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    files.write_text(path, "first")

    def interrupted() -> None:
        with files.writing(path) as part:
            part.write_text("half of the")
            assert path.read_text() == "first"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "first"
    with files.writing(path, durable=False) as part:
        part.write_text("second")
    assert path.read_text() == "second"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]
    assert path.stat().st_mode & 0o777 == 0o644
