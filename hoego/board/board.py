"""The objects that the board's pages use."""

from __future__ import annotations

import getpass
import threading
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from hoego.board.access import AccessRules
from hoego.board.cache import HeldData, Latest
from hoego.errors import RecordError
from hoego.runs.records import HeldStore, Record
from hoego.runs.records.labels_now import note_changed_labels


def user_name() -> str:
    """Return the name of the user; "somebody" if it is not known."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "somebody"


@dataclass(frozen=True, kw_only=True)
class BoardOptions:
    """Options of `hoego board`.

    Args:
        runs: folder of the records.
        access: who may ask for what.
        who: name beside every label and note that is written.
    """

    runs: Path
    access: AccessRules = field(default_factory=AccessRules)
    who: str = field(default_factory=user_name)

    @property
    def project(self) -> Path:
        """The folder that the records lie in, where hoego.toml and submissions/ are."""
        return self.runs.resolve().parent


@dataclass(frozen=True)
class Board:
    """The records and copies of their files in memory; every page function takes it."""

    options: BoardOptions

    @cached_property
    def store(self) -> HeldStore:
        """The records."""
        return HeldStore(self.options.runs, read_only=self.options.access.read_only)

    @cached_property
    def data(self) -> HeldData:
        """Predictions and data sets."""
        return HeldData()

    @cached_property
    def results(self) -> Latest[Any]:
        """Results that take longer than a page may: comparisons, diagnoses, looks."""
        return Latest(64)

    @cached_property
    def pictures(self) -> Latest[bytes]:
        """Photos as they are sent; a thousand of them take about ten megabytes."""
        return Latest(1500)

    @cached_property
    def heavy(self) -> threading.Lock:
        """Held while a model runs, so that two tabs do not take the machine twice."""
        return threading.Lock()

    @property
    def read_only(self) -> bool:
        """Whether it changes nothing."""
        return self.options.access.read_only

    def record(self, id_: str) -> Record:
        """Return the record of this very id. Raises RecordError where there is none; a path is never one."""
        found = self.store.get(id_)
        if found is None:
            raise NoSuchRun(f"There is no run {id_!r} here.", remedy="The list of runs shows what there is.")
        note_changed_labels([found])
        return found


class NoSuchRun(RecordError):
    """A page of a run that does not exist."""
