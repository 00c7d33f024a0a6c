"""Merge the records of another machine: copy what is new, prove what is shared, name what conflicts."""

from __future__ import annotations

import filecmp
import os
import secrets
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hoego import files
from hoego.errors import RecordError
from hoego.runs.records.store import RunStore

VOLATILE = frozenset({"heartbeat", ".lock", "claims", "mirrors"})
"""Entries of a record folder that belong to the machine it ran on, not to its content."""

DIARIES = ("notes.jsonl", "ideas.jsonl", "submissions.jsonl")
"""Files beside the runs whose lines are joined by their `id` (or, without one, by their content)."""


@dataclass(frozen=True)
class MergeResult:
    """What `merge` did. `conflicts`: run id -> the files that differ; those runs were left as they are."""

    copied: tuple[str, ...]
    same: tuple[str, ...]
    skipped: dict[str, str]
    conflicts: dict[str, tuple[str, ...]]
    entries: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Plain types."""
        return dict(files.plain(asdict(self)))


def merge(source: RunStore, target: RunStore) -> MergeResult:
    """Copy the records of `source` that `target` lacks, each whole; join the diaries line by line.

    A run that both hold is compared file by file: equal ones are `same`, others `conflicts`, which are named
    and left untouched on both sides. Runs that are running or broken are skipped with the reason.

    Raises:
        RecordError: `source` is not a folder, or is `target` itself.
    """
    if not source.root.is_dir():
        raise RecordError("there is no such folder", file=source.root, remedy="Give a folder of records.")
    if target.root.exists() and os.path.samefile(source.root, target.root):
        raise RecordError("both sides are one folder", file=source.root, remedy="Give the other folder.")
    target.root.mkdir(parents=True, exist_ok=True)
    copied: list[str] = []
    same: list[str] = []
    skipped = {name: problem.message for name, problem in source.broken().items()}
    conflicts: dict[str, tuple[str, ...]] = {}
    for record in source.list():
        name = record.folder.name
        if record.state == "running":
            skipped[name] = "it is running"
        elif (target.root / name).exists():
            differing = differences(record.folder, target.root / name)
            if differing:
                conflicts[name] = differing
            else:
                same.append(name)
        else:
            _copy(record.folder, target.root / name)
            copied.append(name)
    entries = {name: _join(source.root / name, target.root / name) for name in DIARIES}
    return MergeResult(
        tuple(copied), tuple(same), skipped, conflicts, {k: n for k, n in entries.items() if n}
    )


def differences(left: Path, right: Path) -> tuple[str, ...]:
    """The files (relative, sorted) that two record folders do not share byte for byte."""
    mine, theirs = _listing(left), _listing(right)
    differing = mine ^ theirs
    for name in mine & theirs:
        if not filecmp.cmp(left / name, right / name, shallow=False):
            differing.add(name)
    return tuple(sorted(differing))


def _listing(folder: Path) -> set[str]:
    found = set()
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        if path.is_file() and relative.parts[0] not in VOLATILE and not path.name.endswith(".part"):
            found.add(relative.as_posix())
    return found


def _copy(source: Path, target: Path) -> None:
    temporary = target.parent / f".new-{target.name}-{secrets.token_hex(3)}"
    try:
        shutil.copytree(
            source,
            temporary,
            ignore=lambda folder, names: {n for n in names if n in VOLATILE and Path(folder) == source},
        )
        os.rename(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _join(source: Path, target: Path) -> int:
    theirs = files.read_lines(source)
    if not theirs:
        return 0
    with files.locked(target.parent / f".{target.name}.lock"):
        mine = files.read_lines(target)
        present = {_entry_key(row) for row in mine}
        added = [row for row in theirs if _entry_key(row) not in present]
        for row in added:
            files.append_line(target, row)
    return len(added)


def _entry_key(row: dict[str, Any]) -> str:
    return repr(sorted(row.items(), key=lambda item: item[0]))
