"""The listing's index: `.index.json` beside the records. Never the source of truth.

Each entry holds the run.json that was read and that file's inode, length and time of change; an entry whose
file has changed is read again. A lost, broken or read-only index costs time, never correctness.
"""

from __future__ import annotations

import contextlib
import json
import os
from hashlib import blake2b
from pathlib import Path
from typing import Any

from hoego import files
from hoego.errors import DataError, RecordError
from hoego.runs.records.meta import RunMeta
from hoego.runs.records.restore import restored
from hoego.runs.records.upgrades import SCHEMA_VERSION

_NAME = ".index.json"


def read_all(root: Path, *, save: bool = True) -> tuple[dict[str, RunMeta], dict[str, RecordError]]:
    """Read every record under `root`: folder name -> its RunMeta, and folder name -> error of the broken ones.

    Args:
        root: the folder of the records.
        save: write the index anew where much has changed.
    """
    known = _load(root)
    entries: dict[str, list[Any]] = {}
    metas: dict[str, RunMeta] = {}
    broken: dict[str, RecordError] = {}
    read = 0
    for name, stamp in stamps(root):
        entry = known.get(name)
        if entry is None or entry[0] != stamp:
            path = root / name / "run.json"
            try:
                metas[name] = RunMeta.read(files.read_json(path), file=path)
            except RecordError as problem:
                broken[name] = problem
                continue
            entry = [stamp, metas[name].model_dump(mode="json")]
            read += 1
        else:
            metas[name] = restored(entry[1])
        entries[name] = entry
    if save and (read > max(16, len(entries) // 50) or len(known) > len(entries) * 1.02 + 16):
        _save(root, entries)
    return metas, broken


def stamps(root: Path) -> list[tuple[str, list[int]]]:
    """Return every record's folder name with inode, length and time of change of its run.json; broken ones too."""
    found: list[tuple[str, list[int]]] = []
    try:
        with os.scandir(root) as listing:
            for entry in listing:
                if entry.name.startswith("."):
                    continue
                try:
                    stat = os.stat(f"{entry.path}/run.json")
                except OSError:
                    continue
                found.append((entry.name, [stat.st_ino, stat.st_size, stat.st_mtime_ns]))
    except FileNotFoundError:
        return []
    return found


def _load(root: Path) -> dict[str, list[Any]]:
    try:
        digest, _, text = (root / _NAME).read_bytes().partition(b"\n")
        # What is read here is not validated again, so it must be what was written.
        content = json.loads(text) if digest == _digest(text) else {}
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict) or content.get("schema_version") != SCHEMA_VERSION:
        return {}
    runs = content.get("runs")
    return runs if isinstance(runs, dict) else {}


def _save(root: Path, entries: dict[str, list[Any]]) -> None:
    text = json.dumps({"schema_version": SCHEMA_VERSION, "runs": entries}, separators=(",", ":"))
    content = text.encode()
    with contextlib.suppress(OSError, DataError):
        files.write_bytes(root / _NAME, _digest(content) + b"\n" + content, durable=False)


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).hexdigest().encode()
