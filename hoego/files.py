"""Files that are whole or absent: atomic writes, append-only JSON lines, and a lock per folder."""

from __future__ import annotations

import contextlib
import json
import math
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from hoego.errors import RecordError


@contextlib.contextmanager
def writing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Give the body a temporary file beside `path` to fill; when the body ends well, it takes the name `path`.

    A reader sees the old file or the new one, never a part of it; where the body raises, the old file stays and the
    temporary one is deleted. With `durable` the bytes are on the disk before the name is given.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     target = Path(folder) / "deep" / "note.txt"
    ...     with writing(target) as part:
    ...         _ = part.write_text("whole")
    ...     target.read_text(), len(list(target.parent.iterdir()))
    ('whole', 1)
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        if durable:
            # Windows flushes only a file that is open for writing.
            with open(temporary, "rb+") as stream:
                os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)  # mkstemp gives 0600, which colleagues on one machine cannot read
        os.replace(temporary, path)
    except BaseException:  # also KeyboardInterrupt: no partial file must stay behind
        temporary.unlink(missing_ok=True)
        raise


def write_bytes(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write `data` to `path`, whole or not at all (see `writing`)."""
    with writing(path, durable=durable) as temporary:
        temporary.write_bytes(data)


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
        lock(stream)
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


def lock(stream: IO[Any], *, wait: bool = True) -> None:
    """Take an exclusive lock on an open file, among the processes of this machine; closing the file gives it back.

    A file system without locks is left unlocked. Raises BlockingIOError with `wait` false where another holds it.
    """
    try:
        import fcntl
    except ImportError:
        _lock_on_windows(stream, wait)
        return
    try:
        fcntl.flock(stream.fileno(), fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        raise
    except OSError:
        return


# Windows locks ranges of bytes and refuses reads of them to others: a byte far behind any content is locked.
_FAR = 1 << 40
_TRY_AGAIN_SECONDS = 0.05


def _lock_on_windows(stream: IO[Any], wait: bool) -> None:
    import msvcrt

    windows: Any = msvcrt  # its functions are known to a type checker on Windows alone
    before = stream.tell()
    try:
        while True:
            stream.seek(_FAR)
            try:
                windows.locking(stream.fileno(), windows.LK_NBLCK, 1)
                return
            except OSError as problem:
                if not wait:
                    raise BlockingIOError(*problem.args) from None
            time.sleep(_TRY_AGAIN_SECONDS)
    finally:
        stream.seek(before)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path` (created when absent) while the body runs, against other processes."""
    with open(path, "ab") as stream:
        lock(stream)
        yield
