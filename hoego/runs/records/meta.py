"""run.json: its fields, and reading it in this and earlier formats."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator

from hoego.errors import RecordError
from hoego.recipe.fold import Fold
from hoego.results.base import Result
from hoego.results.score import ScoreSummary
from hoego.results.training import RunThroughput, RunTiming
from hoego.results.verdict import ComparisonVerdict
from hoego.runs.records.run_facts import QueueFacts, RunKind, TrainingFacts
from hoego.runs.records.upgrades import SCHEMA_VERSION, upgrade

STATES = ("waiting", "running", "done", "failed", "interrupted", "cancelled", "stopped")
"""waiting: asked for; running; done; failed: ended by an error; interrupted: stopped, can be resumed;
cancelled: no longer wanted; stopped: a search ended it early, since it was behind others."""


class RunMeta(Result):
    """The content of run.json. Times are ISO 8601 in UTC; durations are seconds.

    Args:
        kind: what made the predictions.
        fold: that is held out, or "all"; None where the recipe says it.
        target: what is predicted: an attribute, or "composite"; "" where early records do not say.
        parents: runs that it repeats, or is made of.
        after: runs that must be done first.
        process: who runs it (see `process.this_process`); None where nobody does.
        fingerprints: of recipe, data set, labels and split.
        score: of the held-out predictions; None before them.
        verdict: of a comparison that it took part in.
        extra: fields of newer versions, kept as they are.
    """

    schema_version: int = SCHEMA_VERSION
    id: str = Field(min_length=1)
    name: str = ""
    why: str = ""
    tags: tuple[str, ...] = ()
    kind: RunKind = RunKind.RUN
    fold: Fold | None = None
    target: str = ""
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
    fingerprints: dict[str, str] = Field(default_factory=dict)
    throughput: RunThroughput = RunThroughput()
    timing: RunTiming = RunTiming()
    score: ScoreSummary | None = None
    verdict: ComparisonVerdict | None = None
    training: TrainingFacts = TrainingFacts()
    queue: QueueFacts = QueueFacts()
    extra: dict[str, Any] = Field(default_factory=dict)

    @field_validator("state")
    @classmethod
    def _known(cls, state: str) -> str:
        if state not in STATES:
            raise ValueError(f"unknown state {state!r}; one of {', '.join(STATES)}")
        return state

    @classmethod
    def read(cls, content: Mapping[str, Any], *, file: Path | None = None) -> RunMeta:
        """Read the object in run.json, of this format or an earlier one.

        Raises RecordError where it was written by a newer Hoego or a field does not hold what it should; names it.
        """
        fields = upgrade(dict(content), file=file)
        known = cls.model_fields
        unknown = {name: fields.pop(name) for name in [*fields] if name not in known}
        if unknown:
            fields["extra"] = {**unknown, **fields.get("extra", {})}
        try:
            return cls.model_validate(fields)
        except ValidationError as problem:
            first = problem.errors()[0]
            column = ".".join(map(str, first["loc"]))
            said = str(first["msg"]).removeprefix("Value error, ")
            raise RecordError(
                f"{column}: {said}", file=file, column=column, remedy="Restore run.json from a copy."
            ) from None

    def changed(self, changes: Mapping[str, Any]) -> RunMeta:
        """Return a copy with changed fields; a group or a table is merged, and a None inside takes that key out.

        Raises RecordError for a field that there is not, or a value that it cannot hold.
        """
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        for name, value in changes.items():
            if name == "id" or name not in fields:
                known = ", ".join(n for n in fields if n != "id")
                raise RecordError(
                    f"run.json has no field {name!r} that can be changed", remedy=f"One of {known}."
                )
            fields[name] = _merged(fields[name], value)
        return type(self).read(fields)


def _merged(current: Any, value: Any) -> Any:
    if not isinstance(value, Mapping) or not isinstance(current, (Mapping, Result)):
        return value
    held = current.model_dump(mode="json") if isinstance(current, Result) else current
    return {k: v for k, v in {**held, **value}.items() if v is not None}


def now() -> str:
    """Return the time as run.json holds it: ISO 8601, UTC, milliseconds."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
