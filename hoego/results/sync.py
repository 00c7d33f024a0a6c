"""What a sync of records with an object store found and did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from hoego.results.base import Result


class SyncedFile(Result):
    """A file of a record: its bytes and the hash of its content."""

    size: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class RecordManifest(Result):
    """The files of a record in an object store, by their path in the record; written last, when all are there."""

    run: str
    files: Mapping[str, SyncedFile]

    def differences(self, other: RecordManifest) -> tuple[str, ...]:
        """Return the paths, sorted, that the two do not share with one content."""
        mine, theirs = dict(self.files), dict(other.files)
        return tuple(sorted(k for k in mine.keys() | theirs.keys() if mine.get(k) != theirs.get(k)))


class SyncReport(Result):
    """What `hoego sync` did.

    Args:
        url: of the object store.
        pushed, pulled, same: ids of the runs that were sent, that were fetched, and that both sides hold.
        conflicts: run id -> the files that differ; those runs were left as they are on both sides.
        skipped: run id -> why it was left out, such as a run that is running.
        refused: run id -> what in it is damaged or may not be copied.
        sent, received: bytes.
    """

    TITLE: ClassVar[str] = "Sync"
    HONESTY_OF: ClassVar[str] = "in each record"

    url: str
    pushed: tuple[str, ...] = ()
    pulled: tuple[str, ...] = ()
    same: tuple[str, ...] = ()
    conflicts: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    skipped: Mapping[str, str] = Field(default_factory=dict)
    refused: Mapping[str, str] = Field(default_factory=dict)
    sent: int = 0
    received: int = 0
