"""What an audit says: findings of named checks, and whether training may go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from hoego.errors import UsageError, nearest

Severity = Literal["error", "warning", "info"]
ORDER = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True)
class Check:
    """One row of the table of checks."""

    name: str
    severity: Severity
    help: str
    remedy: str


CHECKS: dict[str, Check] = {
    c.name: c
    for c in (
        Check(
            "unreadable",
            "error",
            "photos that cannot be decoded",
            "Copy them again, or list them in dataset.exclude.",
        ),
        Check(
            "two-labels",
            "error",
            "the same photo under two labels",
            "Correct one of them by an overlay, or take one out.",
        ),
        Check(
            "eval-in-train",
            "error",
            "test photos that are identical to training photos",
            "Take them out of training.",
        ),
        Check(
            "duplicates",
            "warning",
            "identical photos",
            "They are joined into one subject; take copies out if they are not wanted.",
        ),
        Check(
            "two-subjects",
            "warning",
            "the same photo under two subjects",
            "They are joined before splitting; check which subject is right.",
        ),
        Check(
            "near-duplicates",
            "warning",
            "photos of different subjects that look alike (perceptual hash, then correlation)",
            "Look at them; join confirmed ones by split.join.",
        ),
        Check(
            "suffixed-subjects",
            "warning",
            "subject ids that differ by a suffix alone",
            "If they are one person, join them by split.join.",
        ),
        Check(
            "no-subject",
            "warning",
            "no subject column: each photo counts as its own subject",
            "Name dataset.subject, if photos share a subject.",
        ),
        Check(
            "too-rare",
            "warning",
            "classes held by fewer subjects than there are sides",
            "Such a class is missing on some side.",
        ),
        Check("constant-photos", "warning", "photos of one colour", "Take them out, or copy them again."),
        Check(
            "odd-photos", "info", "sizes and modes that few photos have", "Check that they are of this set."
        ),
        Check(
            "imbalance",
            "info",
            "classes that are much rarer than others",
            "See sampling.strength and the class-balanced losses.",
        ),
        Check(
            "constant-in-subject",
            "info",
            "attributes that do not change within a subject: a photo-level split leaks them",
            "Split by subject (split.kind = holdout or folds).",
        ),
        Check(
            "dependent",
            "info",
            "attributes that another one determines",
            "Their score follows from the other's; a sparse composite may fit.",
        ),
        Check("single-photo", "info", "subjects with one photo", "Nothing to do."),
    )
}


@dataclass(frozen=True)
class Finding:
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
        return {**self.__dict__, "examples": list(self.examples)}


@dataclass(frozen=True)
class AuditReport:
    """The result of `hoego audit`: findings, errors first."""

    findings: tuple[Finding, ...]
    images: int
    subjects: int
    checked: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """1 where an error stands that is not accepted."""
        return int(any(f.severity == "error" and not f.accepted for f in self.findings))

    def to_dict(self) -> dict[str, Any]:
        return {
            "images": self.images,
            "subjects": self.subjects,
            "findings": [f.to_dict() for f in self.findings],
            "checked": list(self.checked),
            "exit_code": self.exit_code,
        }


def finding(name: str, count: int, message: str, examples: Sequence[str] = ()) -> Finding:
    """A finding of the check `name`, with its severity and remedy from the table."""
    check = CHECKS[name]
    return Finding(name, check.severity, count, message, tuple(examples[:10]), check.remedy)


def accepting(findings: Sequence[Finding], accept: Sequence[str]) -> tuple[Finding, ...]:
    """The findings sorted, errors first, with those that are accepted by name marked.

    Raises:
        UsageError: a name that is no check.
    """
    for name in accept:
        if name not in CHECKS:
            raise UsageError(f"audit.accept names {name!r}, no check.", remedy=nearest(name, CHECKS))
    marked = [replace(f, accepted=f.check in accept) if f.severity == "error" else f for f in findings]
    return tuple(sorted(marked, key=lambda f: ORDER[f.severity]))
