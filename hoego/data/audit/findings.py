"""Make findings of the table's checks, accept them by name, and say what to do about those that remain."""

from __future__ import annotations

import json
from collections.abc import Sequence

from hoego.data.audit.checks import CHECKS
from hoego.errors import UsageError, nearest
from hoego.results.audit import AuditFinding, AuditReport

FINAL = frozenset(("one-class",))
"""Errors that no acceptance lifts: training would go on and print a score that says nothing."""

ORDER = {"error": 0, "warning": 1, "info": 2}


def advice_on(report: AuditReport) -> str:
    """Say what to do about the errors that remain; acceptance is offered where training could then go on."""
    must = [f.remedy for f in report.open_errors if not CHECKS[f.check].acceptable]
    may = [f.check for f in report.open_errors if CHECKS[f.check].acceptable]
    if may:
        must.append(
            f"Correct {', '.join(may)}, or accept by name in hoego.toml: [audit] accept = {json.dumps(may)}"
        )
    return " ".join(must)


def finding(name: str, count: int, message: str, examples: Sequence[str] = ()) -> AuditFinding:
    """Return a finding of the check `name`, with its severity and remedy from the table; ten examples are kept."""
    check = CHECKS[name]
    return AuditFinding(
        check=name,
        severity=check.severity,
        count=count,
        message=message,
        examples=tuple(examples[:10]),
        remedy=check.remedy,
    )


def accepting(findings: Sequence[AuditFinding], accept: Sequence[str]) -> tuple[AuditFinding, ...]:
    """Return the findings sorted, errors first, with those that are accepted by name marked.

    Raises:
        UsageError: an unknown check.
    """
    for name in accept:
        if name not in CHECKS:
            raise UsageError(
                f"audit.accept names {name!r}, which is not a check.", remedy=nearest(name, CHECKS)
            )
    names = set(accept) - FINAL
    marked = [f.with_(accepted=f.check in names) if f.severity == "error" else f for f in findings]
    return tuple(sorted(marked, key=lambda f: ORDER[f.severity]))
