"""What the record of a probe keeps beside its predictions: probe.json."""

from __future__ import annotations

from hoego import files
from hoego.results.probe import ProbeFacts
from hoego.runs.records import Record, RunKind

PROBE = "probe.json"


def is_probe(record: Record) -> bool:
    """Return whether a record holds heads on frozen features."""
    return record.kind is RunKind.PROBE


def probe_facts(record: Record) -> ProbeFacts:
    """Read how a probe's features and heads came. Raises RecordError where the file is missing or broken."""
    return ProbeFacts.model_validate(files.read_json(record.folder / PROBE))
