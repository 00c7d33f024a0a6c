"""run.json: its fields, its schema version, and the named upgrades of older formats."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hoego.errors import RecordError

SCHEMA_VERSION = 2

STATES = ("waiting", "running", "done", "failed", "interrupted", "cancelled")
"""waiting: asked for; running; done; failed: ended by an error; interrupted: stopped, can be resumed;
cancelled: no longer wanted."""


@dataclass(frozen=True)
class RunMeta:
    """The content of run.json. Times are ISO 8601 in UTC; durations are seconds."""

    id: str
    name: str = ""
    why: str = ""
    tags: tuple[str, ...] = ()
    state: str = "running"
    reason: str = ""
    created: str = ""
    started: str = ""
    finished: str = ""
    updated: str = ""
    parents: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    priority: int = 0
    value: float = 1.0
    attempt: int = 0
    deaths: int = 0
    process: dict[str, Any] | None = None
    machine: str = ""
    fingerprints: dict[str, str] = field(default_factory=dict)
    throughput: dict[str, Any] = field(default_factory=dict)
    timing: dict[str, Any] = field(default_factory=dict)
    score: dict[str, Any] | None = None
    verdict: dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON types, schema_version first."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        for name in ("tags", "parents", "after"):
            fields[name] = list(fields[name])
        return {"schema_version": fields.pop("schema_version"), **fields}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], *, file: Path | None = None) -> RunMeta:
        """The record in `content` (the object in run.json), upgraded to the present format.

        Raises RecordError when it was written by a newer Hoego, has no id, or an unknown state.
        """
        fields = upgrade(dict(content), file=file)
        known = {name: fields.pop(name) for name in _NAMES & fields.keys()}
        if fields:
            known["extra"] = {**fields, **known.get("extra", {})}
        for name in ("tags", "parents", "after"):
            known[name] = tuple(known.get(name) or ())
        if not known.get("id"):
            raise RecordError("the record has no id", file=file, column="id", remedy="Restore run.json.")
        if known.get("state", "running") not in STATES:
            raise RecordError(
                f"unknown state {known['state']!r}",
                file=file,
                column="state",
                remedy=f"One of {', '.join(STATES)}.",
            )
        return cls(**known)


_NAMES = {f.name for f in dataclasses.fields(RunMeta)}


def now() -> str:
    """The time as run.json holds it: ISO 8601, UTC, milliseconds."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def _hypothesis_is_why(content: dict[str, Any]) -> dict[str, Any]:
    """Version 1 called the hypothesis `hypothesis` and a stopped run `stopped`; its times were Unix seconds."""
    content["why"] = content.pop("hypothesis", "")
    if content.get("state") == "stopped":
        content["state"] = "interrupted"
    for name in ("created", "started", "finished"):
        if isinstance(content.get(name), (int, float)):
            moment = datetime.datetime.fromtimestamp(content[name], datetime.UTC)
            content[name] = moment.isoformat(timespec="milliseconds")
    return content


UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _hypothesis_is_why}
"""Version -> the function that turns a record of that version into the next one."""


def upgrade(content: dict[str, Any], *, file: Path | None = None) -> dict[str, Any]:
    """`content` brought to SCHEMA_VERSION by the upgrades in turn; the file itself is left as it is."""
    version = content.get("schema_version", 1)
    if not isinstance(version, int) or version > SCHEMA_VERSION or version < 1:
        raise RecordError(
            f"the record has format {version!r}, this Hoego reads up to {SCHEMA_VERSION}",
            file=file,
            column="schema_version",
            remedy="Upgrade Hoego on this machine.",
        )
    while version < SCHEMA_VERSION:
        content = UPGRADES[version](content)
        version += 1
    content["schema_version"] = SCHEMA_VERSION
    return content
