"""What an audit of the data says: findings of named checks, and whether training may go on."""

from __future__ import annotations

from typing import ClassVar, Literal

from hoego.results.base import Result

Severity = Literal["error", "warning", "info"]


class AuditFinding(Result):
    """What one check found.

    Args:
        check: its name.
        severity: error, warning or info.
        count: how many photos, subjects, classes or pairs.
        message: a sentence with the numbers.
        examples: names, at most ten (all of them for `unreadable`).
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


class AuditReport(Result):
    """The result of `hoego audit`: findings, errors first.

    Args:
        images, subjects: of the data set.
        findings: of the checks that found something.
        checked: names of all checks.
    """

    DERIVED: ClassVar[tuple[str, ...]] = ("exit_code",)
    TITLE: ClassVar[str] = "Audit"

    images: int
    subjects: int
    findings: tuple[AuditFinding, ...]
    checked: tuple[str, ...]

    @property
    def open_errors(self) -> tuple[AuditFinding, ...]:
        """The errors that are not accepted."""
        return tuple(f for f in self.findings if f.severity == "error" and not f.accepted)

    @property
    def exit_code(self) -> int:
        """1 where an error stands that is not accepted."""
        return int(bool(self.open_errors))

    def found(self, *checks: str) -> tuple[AuditFinding, ...]:
        """Return the findings of some checks."""
        return tuple(f for f in self.findings if f.check in checks)

    def _summary(self) -> dict[str, str]:
        size = {"images": f"{self.images:,}", "subjects": f"{self.subjects:,}"}
        return size | {f"{f.check} ({f.severity})": f.message for f in self.findings}
