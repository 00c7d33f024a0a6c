"""Merge the records of another machine: copy what is new, prove what is shared, name what conflicts."""

from __future__ import annotations

import filecmp
import os
import re
import secrets
import shutil
from pathlib import Path
from typing import Any

from hoego import files
from hoego.errors import RecordError
from hoego.results.records import MergeResult
from hoego.runs.records.copying import copy_record, entries, objection
from hoego.runs.records.meta import RunMeta
from hoego.runs.records.record import Record
from hoego.runs.records.store import RunStore
from hoego.storage import storing

DIARIES = ("notes.jsonl", "ideas.jsonl", "submissions.jsonl", "reviews.jsonl")
"""Files beside the runs whose lines are joined by their `id` (or, without one, by their content)."""


_MERGING = re.compile(r"\.new-.+-[0-9a-f]{6}")
"""Names of folders that a merge is filling; those of a run that is being created end in five letters."""


def merge(source: RunStore, target: RunStore) -> MergeResult:
    """Copy the records of `source` that `target` lacks, each whole; join the diaries line by line.

    A run that both hold is compared file by file: equal ones are `same`, others `conflicts`, which are named
    and left untouched on both sides. Runs that are running or broken are skipped with the reason. A record with a
    link, a pipe or a name that another system reads as a path is refused, and nothing of it is copied. A run that
    waits there is copied as cancelled: only runs queued here run here.

    Raises:
        RecordError: `source` is not a folder, or is `target` itself; or a diary is broken (all else is merged then).
    """
    if not source.root.is_dir():
        raise RecordError("there is no such folder", file=source.root, remedy="Give a folder of records.")
    if target.root.exists() and os.path.samefile(source.root, target.root):
        raise RecordError("both sides are one folder", file=source.root, remedy="Give the other folder.")
    with storing(target.root):
        target.root.mkdir(parents=True, exist_ok=True)
    with files.locked(target.root / ".merge.lock"):
        _remove_leftovers(target)
        return _merge(source, target)


def _remove_leftovers(target: RunStore) -> None:
    """Delete what a merge that was killed left half copied; the lock is held, so no merge is alive here."""
    target.remove_leftovers()
    for path in target.root.glob(".new-*"):
        if _MERGING.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True)


def _merge(source: RunStore, target: RunStore) -> MergeResult:
    found, broken = source.scan()
    skipped = {name: problem.message for name, problem in broken.items()}
    copied: list[str] = []
    same: list[str] = []
    conflicts: dict[str, tuple[str, ...]] = {}
    refused: dict[str, str] = {}
    for record in found:
        name = record.folder.name
        if why := objection(record.folder) or _misnamed(record):
            refused[name] = why
        elif record.state == "running":
            skipped[name] = "it is running"
        elif not (target.root / name).exists():
            _copy(record, target.root / name)
            copied.append(name)
        elif differing := differences(record.folder, target.root / name):
            conflicts[name] = differing
        else:
            same.append(name)
    entries = _join_all(source.root, target.root, refused)
    return MergeResult(
        copied=tuple(copied),
        same=tuple(same),
        skipped=skipped,
        conflicts=conflicts,
        entries=entries,
        refused=refused,
    )


def _misnamed(record: Record) -> str:
    named = record.meta.id
    return "" if named == record.folder.name else f"run.json says that it is the run {named!r}"


def differences(left: Path, right: Path) -> tuple[str, ...]:
    """List the files (relative, sorted) that two record folders do not share byte for byte.

    A run.json on the right is that on the left also where it is what `merge` makes of it.
    """
    mine, theirs = _listing(left), _listing(right)
    differing = mine ^ theirs
    for name in mine & theirs:
        if not filecmp.cmp(left / name, right / name, shallow=False) and not (
            name == "run.json" and _is_merged(left, right)
        ):
            differing.add(name)
    return tuple(sorted(differing))


def _listing(folder: Path) -> set[str]:
    return {
        Path(entry.path).relative_to(folder).as_posix()
        for entry in entries(folder)
        if entry.is_file(follow_symlinks=False)
    }


def _is_merged(left: Path, right: Path) -> bool:
    try:
        return _at_rest(Record(left)) == Record(right).meta
    except RecordError:
        return False


def _at_rest(record: Record) -> RunMeta:
    """Return run.json after the merge: a run that waited or was running there is neither here."""
    meta = record.meta
    if meta.state == "waiting":
        reason = f"it waited where it was merged from; hoego queue retry {meta.id} asks for it here"
        return meta.changed({"state": "cancelled", "reason": reason, "process": None})
    if meta.state == "running":
        return meta.changed({"state": "interrupted", "reason": record.reason, "process": None})
    return meta


def _copy(record: Record, target: Path) -> None:
    temporary = target.parent / f".new-{target.name}-{secrets.token_hex(3)}"
    with storing(target):
        _copy_whole(record, temporary, target)


def _copy_whole(record: Record, temporary: Path, target: Path) -> None:
    try:
        copy_record(record.folder, temporary)
        if (meta := _at_rest(record)) != record.meta:
            files.write_json(temporary / "run.json", meta.model_dump(mode="json"))
        os.rename(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _join_all(source: Path, target: Path, refused: dict[str, str]) -> dict[str, int]:
    """Join the diaries; one that is broken does not keep back the others, and is raised after them."""
    broken: RecordError | None = None
    joined: dict[str, int] = {}
    for name in DIARIES:
        if (source / name).is_symlink():
            refused[name] = f"{name} is a link, and what it points to is no diary of these records"
            continue
        try:
            if added := _join(source / name, target / name):
                joined[name] = added
        except RecordError as problem:
            broken = broken or problem
    if broken is not None:
        raise broken
    return joined


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
