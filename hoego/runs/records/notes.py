"""The diary's entries: notes.jsonl beside the runs, one dated entry per line."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter

from hoego import files
from hoego.damage import parsing
from hoego.errors import UsageError
from hoego.runs.records.meta import now
from hoego.runs.records.store import RunStore

NOTES = "notes.jsonl"


@dataclass(frozen=True)
class DiaryNote:
    """An entry of the diary: `time` is ISO 8601 in UTC, `run` a run's id or ""."""

    id: str
    time: str
    text: str
    run: str = ""
    author: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return asdict(self)


_NOTE = TypeAdapter(DiaryNote)
_FIELDS = DiaryNote.__dataclass_fields__.keys()


def note(store: RunStore, text: str, *, run: str = "", author: str = "", time: str = "") -> DiaryNote:
    """Add an entry, about a run when `run` (anything that `RunStore.find` takes) is given.

    Raises UsageError for an empty text and RecordError for an unknown run.
    """
    if not text.strip():
        raise UsageError("the note is empty", remedy='Give its text: hoego note "what was seen".')
    about = store.find(run).id if run else ""
    entry = DiaryNote(secrets.token_hex(6), time or now(), text.strip(), about, author)
    files.append_line(store.root / NOTES, entry.to_dict())
    return entry


def notes(store: RunStore, *, run: str = "") -> tuple[DiaryNote, ...]:
    """Return the entries in order of time; only those about `run` (an id) if it is given."""
    path = store.root / NOTES
    found: list[DiaryNote] = []
    for line, row in files.numbered_lines(path):
        with parsing(path, row=line, remedy=files.REMOVE):
            found.append(_NOTE.validate_python({k: row[k] for k in _FIELDS & row.keys()}))
    return tuple(sorted((n for n in found if not run or n.run == run), key=lambda n: (n.time, n.id)))
