"""Files that are whole or absent: atomic writes, append-only JSON lines, and a lock per folder."""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hoego.errors import RecordError


def write_bytes(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write `data` to `path` so that a reader sees the old file or the new one, never a part of it.

    The bytes go to a temporary file of the same folder, which then takes the name. With `durable` the
    file is flushed to the disk before it takes the name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fchmod(
                stream.fileno(), 0o644
            )  # mkstemp gives 0600, which colleagues on one machine cannot read
            if durable:
                os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:  # also KeyboardInterrupt: no partial file must stay behind
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Write UTF-8 text with `write_bytes`."""
    write_bytes(path, text.encode(), durable=durable)


def plain(value: Any) -> Any:
    """Convert `value` to JSON types: tuples and sets to lists, paths to text, NaN and infinities to None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, bool) or value is None or isinstance(value, (str, int)):
        return value
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "to_dict"):
        return plain(value.to_dict())
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        return plain(value.item())
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)


def write_json(path: Path, value: Any, *, durable: bool = True) -> None:
    """Write `value` as indented JSON, atomically; numbers that JSON lacks (NaN) become null."""
    text = json.dumps(plain(value), ensure_ascii=False, indent=1, allow_nan=False)
    write_text(path, text + "\n", durable=durable)


def read_json(path: Path) -> dict[str, Any]:
    """Read the JSON object in `path`.

    Raises RecordError naming the file, and the row where the JSON breaks.
    """
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise RecordError(
            "the file is missing", file=path, remedy="Restore the record from a copy."
        ) from None
    except json.JSONDecodeError as problem:
        raise RecordError(
            f"not valid JSON: {problem.msg}",
            file=path,
            row=problem.lineno,
            remedy="Restore the file from a copy, or move the record's folder away.",
        ) from None
    except UnicodeDecodeError:
        raise RecordError("not UTF-8 text", file=path, remedy="Restore the file from a copy.") from None
    if not isinstance(value, dict):
        raise RecordError("not a JSON object", file=path, remedy="Restore the file from a copy.")
    return value


def append_line(path: Path, value: Mapping[str, Any]) -> None:
    """Append one JSON object as a line; a torn last line (the writer was killed) is cut off first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(plain(value), ensure_ascii=False, allow_nan=False).encode() + b"\n"
    with open(path, "ab+") as stream:
        fcntl_lock(stream.fileno())
        size = stream.seek(0, os.SEEK_END)
        if size:
            stream.seek(size - 1)
            if stream.read(1) != b"\n":
                stream.seek(0)
                stream.truncate(stream.read().rfind(b"\n") + 1)
        stream.seek(0, os.SEEK_END)
        stream.write(line)
        stream.flush()


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read the JSON objects of a .jsonl file, one per line; [] where there is no file.

    A torn last line is left out. A broken line anywhere else raises RecordError with its row.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    rows: list[dict[str, Any]] = []
    lines = content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            rows.append(json.loads(line))
        except (json.JSONDecodeError, UnicodeDecodeError):
            # The writer was killed, or writes this line now: all complete lines are valid.
            if number == len(lines):
                break
            raise RecordError(
                "not valid JSON", file=path, row=number, remedy="Remove the line, or restore the file."
            ) from None
    return rows


def fcntl_lock(descriptor: int) -> None:
    """Take an exclusive lock, waiting for it; a file system without locks is left unlocked."""
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path` (created when absent) while the body runs, against other processes."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl_lock(descriptor)
        yield
    finally:
        os.close(descriptor)
