"""The diary's entries: notes.jsonl beside the runs, one dated entry per line."""

from __future__ import annotations

import secrets

from hoego import files
from hoego.damage import parsing
from hoego.errors import UsageError
from hoego.results.records import DiaryNote
from hoego.runs.records.meta import now
from hoego.runs.records.store import RunStore

NOTES = "notes.jsonl"


def note(store: RunStore, text: str, *, run: str = "", author: str = "", time: str = "") -> DiaryNote:
    """Add an entry, about a run when `run` (anything that `RunStore.find` takes) is given.

    Raises UsageError for an empty text and RecordError for an unknown run.
    """
    if not text.strip():
        raise UsageError("the note is empty", remedy='Give its text: hoego note "what was seen".')
    about = store.find(run).id if run else ""
    entry = DiaryNote(
        id=secrets.token_hex(6), time=time or now(), text=text.strip(), run=about, author=author
    )
    files.append_line(store.root / NOTES, entry.model_dump(mode="json"))
    return entry


def notes(store: RunStore, *, run: str = "") -> tuple[DiaryNote, ...]:
    """Return the entries in order of time; only those about `run` (an id) if it is given."""
    path = store.root / NOTES
    found: list[DiaryNote] = []
    for line, row in files.numbered_lines(path):
        with parsing(path, row=line, remedy=files.REMOVE):
            found.append(DiaryNote.model_validate(row))
    return tuple(sorted((n for n in found if not run or n.run == run), key=lambda n: (n.time, n.id)))
