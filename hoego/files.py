"""Files that are whole or absent: atomic writes, append-only JSON lines, and a lock per folder."""

from __future__ import annotations

import contextlib
import json
import math
import os
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from io import FileIO
from pathlib import Path
from typing import IO, Any

from hoego.damage import RESTORE
from hoego.errors import RecordError
from hoego.storage import storing


@contextlib.contextmanager
def writing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Give the body a temporary file beside `path` to fill; when the body ends well, it takes the name `path`.

    A reader sees the old file or the new one, never a part of it; where the body raises, the old file stays and the
    temporary one is deleted. With `durable` the bytes are on the disk before the name is given.

    Raises:
        DataError: the disk is full, or the folder is read-only; names `path`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     target = Path(folder) / "deep" / "note.txt"
    ...     with writing(target) as part:
    ...         _ = part.write_text("whole")
    ...     target.read_text(), len(list(target.parent.iterdir()))
    ('whole', 1)
    """
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:80]}.", suffix=".part")
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


_AS_THEY_ARE = frozenset((str, int, bool))


def plain(value: Any) -> Any:
    """Convert `value` to JSON types: tuples and sets to lists, paths to text, NaN and infinities to None."""
    # Asked for every value of ten thousand records: the common types come first, by their very class.
    if value is None or type(value) in _AS_THEY_ARE:
        return value
    if isinstance(value, (dict, Mapping)):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, (str, int)):
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


def write_sealed(path: Path, value: Any) -> None:
    """Write `value`, an object, as `write_json` does, with a digest of its content (see `read_sealed`)."""
    content = plain(value)
    write_json(path, {**content, "digest": content_digest(content)})


def read_sealed(path: Path) -> dict[str, Any]:
    """Read what `write_sealed` wrote, without the digest; a file of an early version has none.

    Raises RecordError where the file is damaged, or was changed after it was written.
    """
    content = read_json(path)
    written = content.pop("digest", None)
    if written is not None and written != content_digest(content):
        raise RecordError("the file was changed after it was written", file=path, remedy=RESTORE)
    return content


def content_digest(content: Mapping[str, Any]) -> str:
    """Hash an object by its content, whatever the order of its keys."""
    return blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()


def read_bytes(path: Path) -> bytes:
    """Read a file of a record or beside the records.

    Raises:
        RecordError: it is missing, a folder or another thing that is not a file, or it cannot be read.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            return path.read_bytes()
        what = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
        problem = f"{what} is in place of the file"
    except FileNotFoundError:
        raise RecordError(
            "the file is missing", file=path, remedy="Restore the record from a copy."
        ) from None
    except OSError as error:
        problem = f"the file cannot be read: {error.strerror}"
    raise RecordError(problem, file=path, remedy=RESTORE)


REMOVE = "Remove the line, or restore the file."


def read_text(path: Path) -> str:
    """Read a UTF-8 text of a record. Raises RecordError as `read_bytes`, and where it is not UTF-8."""
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        row = problem.object.count(b"\n", 0, problem.start) + 1
        raise RecordError("not UTF-8 text", file=path, row=row, remedy=RESTORE) from None


def read_json(path: Path) -> dict[str, Any]:
    """Read the JSON object in `path`.

    Raises RecordError naming the file, and the row where the JSON breaks.
    """
    return parse_object(read_bytes(path), path)


DEEPEST = 64
"""Levels of lists and objects in a file. Hoego's own have at most a dozen; Python gives up at about a thousand."""


def parse_object(content: bytes | str, path: Path, row: int | None = None) -> dict[str, Any]:
    """Parse one JSON object in `path`, as its whole content or in its line `row`.

    Raises RecordError where it is no JSON, no object, nested more than DEEPEST levels, or holds half a character.
    """
    remedy = RESTORE if row is None else REMOVE
    try:
        text = content if isinstance(content, str) else content.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_no_number)
        if text.count("[") + text.count("{") > DEEPEST and _depth(value) > DEEPEST:
            raise RecursionError
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
        if isinstance(value, dict):
            return value
        problem = "not a JSON object"
    except json.JSONDecodeError as error:
        problem, row = (
            f"not valid JSON: {error.msg}",
            error.lineno if row is None and "\n" in error.doc else row,
        )
    except UnicodeDecodeError:
        problem = "not UTF-8 text"
    except UnicodeEncodeError:
        problem = "not valid text: half of a pair of surrogates stands alone"
    except RecursionError:
        problem = f"not a record: lists or objects are nested more than {DEEPEST} levels deep"
    except ValueError as error:  # a number of more digits than Python reads
        problem = f"not valid JSON: {error}"
    raise RecordError(problem, file=path, row=row, remedy=remedy)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, (dict, list))]:
        depth += 1
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return depth


def append_line(path: Path, value: Mapping[str, Any]) -> None:
    """Append one JSON object as a line; a torn last line (the writer was killed) is cut off first.

    Raises DataError where the disk is full or the folder is read-only; the file is then as it was.
    """
    line = json.dumps(plain(value), ensure_ascii=False, allow_nan=False).encode() + b"\n"
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab+", buffering=0) as stream:
            lock(stream)
            size = stream.seek(0, os.SEEK_END)
            if size:
                stream.seek(size - 1)
                if stream.read(1) != b"\n":
                    stream.seek(0)
                    size = stream.read().rfind(b"\n") + 1
                    stream.truncate(size)
            _append(stream, line, size)


def _append(stream: FileIO, line: bytes, size: int) -> None:
    """Write a line at the end, whole or not at all; `size` is the file's length before it."""
    stream.seek(0, os.SEEK_END)
    left = memoryview(line)
    try:
        while left:
            left = left[stream.write(left) or 0 :]
    except OSError:
        stream.truncate(size)
        raise


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read the JSON objects of a .jsonl file, one per line, as `numbered_lines` does."""
    return [row for _, row in numbered_lines(path)]


def numbered_lines(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """Read the number (from 1) and the JSON object of each line of a .jsonl file; [] where there is no file.

    A torn last line is left out. A broken line anywhere else, and one that holds no object, raises RecordError with
    its row.
    """
    if not path.exists() and not path.is_symlink():
        return []
    rows: list[tuple[int, dict[str, Any]]] = []
    lines = read_bytes(path).split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            rows.append((number, parse_object(line, path, number)))
        except RecordError:
            # The writer was killed, or writes this line now: all complete lines are valid.
            if number == len(lines) and line.startswith(b"{"):
                break
            raise
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
    """Hold the lock file `path` (created when absent) while the body runs, against other processes.

    Raises DataError where the folder is read-only or the disk is full.
    """
    with storing(path):
        stream = open(path, "ab")  # noqa: SIM115
    with stream:
        lock(stream)
        yield
