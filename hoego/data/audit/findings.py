"""What an audit says: findings of named checks, and whether training may go on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hoego.data.audit.checks import CHECKS, Severity
from hoego.errors import UsageError, nearest

FINAL = frozenset(("one-class",))
"""Errors that no acceptance lifts: training would go on and print a score that says nothing."""

ORDER = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True)
class AuditFinding:
    """What one check found.

    Args:
        check: its name.
        severity: error, warning or info.
        count: how many photos, subjects, classes or pairs.
        message: a sentence with the numbers.
        examples: names, at most ten.
        remedy: what to do.
        accepted: an error that hoego.toml accepts by name.
    """

    check: str
    severity: Severity
    count: int
    message: str
    examples: tuple[str, ...]
    remedy: str
    accepted: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {**self.__dict__, "examples": list(self.examples)}


@dataclass(frozen=True)
class AuditReport:
    """The result of `hoego audit`: findings, errors first."""

    findings: tuple[AuditFinding, ...]
    images: int
    subjects: int
    checked: tuple[str, ...]

    @property
    def open_errors(self) -> tuple[AuditFinding, ...]:
        """The errors that are not accepted."""
        return tuple(f for f in self.findings if f.severity == "error" and not f.accepted)

    @property
    def exit_code(self) -> int:
        """1 where an error stands that is not accepted."""
        return int(bool(self.open_errors))

    @property
    def advice(self) -> str:
        """What to do about the errors that stand; acceptance is offered where training could then go on."""
        must = [f.remedy for f in self.open_errors if not CHECKS[f.check].acceptable]
        may = [f.check for f in self.open_errors if CHECKS[f.check].acceptable]
        if may:
            must.append(
                f"Mend {', '.join(may)}, or accept by name in hoego.toml: [audit] accept = {json.dumps(may)}"
            )
        return " ".join(must)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "images": self.images,
            "subjects": self.subjects,
            "findings": [f.to_dict() for f in self.findings],
            "checked": list(self.checked),
            "exit_code": self.exit_code,
        }


def finding(name: str, count: int, message: str, examples: Sequence[str] = ()) -> AuditFinding:
    """Return a finding of the check `name`, with its severity and remedy from the table; ten examples are kept."""
    check = CHECKS[name]
    return AuditFinding(name, check.severity, count, message, tuple(examples[:10]), check.remedy)


def accepting(findings: Sequence[AuditFinding], accept: Sequence[str]) -> tuple[AuditFinding, ...]:
    """Return the findings sorted, errors first, with those that are accepted by name marked.

    Raises:
        UsageError: a name that is no check.
    """
    for name in accept:
        if name not in CHECKS:
            raise UsageError(f"audit.accept names {name!r}, no check.", remedy=nearest(name, CHECKS))
    names = set(accept) - FINAL
    marked = [replace(f, accepted=f.check in names) if f.severity == "error" else f for f in findings]
    return tuple(sorted(marked, key=lambda f: ORDER[f.severity]))
