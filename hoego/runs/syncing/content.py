"""What a record holds, as an object store keeps it; and the checks of what a store says that it holds."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from hoego.errors import RecordError
from hoego.results.sync import RecordManifest, SyncedFile
from hoego.runs.records.copying import entries

_RUN = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]*")


def manifest_of(folder: Path) -> RecordManifest:
    """Read and hash every file of a record, but those that belong to the machine it ran on.

    Raises:
        RecordError: a file went away or cannot be read meanwhile.
    """
    found = {}
    for entry in entries(folder):
        if entry.is_file(follow_symlinks=False):
            path = Path(entry.path)
            found[path.relative_to(folder).as_posix()] = hashed(path)
    return RecordManifest(run=folder.name, files=found)


def hashed(path: Path) -> SyncedFile:
    """Return the size and the hash of a file."""
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            return SyncedFile(size=stream.tell(), sha256=digest)
    except OSError as problem:
        raise RecordError(f"it cannot be read: {problem.strerror}", file=path) from None


def read_manifest(content: bytes, run: str) -> RecordManifest:
    """Read the manifest of a run from a store that anybody may have written to.

    Raises:
        RecordError: it is damaged, of another run, or names a file that would lie outside the record.
    """
    try:
        found = RecordManifest.model_validate_json(content)
    except ValidationError as problem:
        raise RecordError(f"its manifest is damaged: {problem.errors()[0]['msg']}") from None
    if found.run != run or not _RUN.fullmatch(run):
        raise RecordError(f"its manifest says that it is the run {found.run!r}")
    for name in found.files:
        parts = PurePosixPath(name).parts
        plain = bool(parts) and not name.startswith("/") and PurePosixPath(*parts).as_posix() == name
        if not plain or ".." in parts or "\\" in name or ":" in name or not name.isprintable():
            raise RecordError(f"its manifest names the file {name!r}, which is no plain path in a record")
    if "run.json" not in found.files:
        raise RecordError("its manifest names no run.json")
    return found
