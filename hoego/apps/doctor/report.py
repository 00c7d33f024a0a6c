"""What the doctor says: frozen result objects with `to_dict()`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from hoego.apps.doctor.defects import BY_ID

_ORDER = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True, order=True)
class SourceLocation:
    """A line of a file; of a notebook, a line of a cell (both from 1)."""

    file: str
    cell: int | None
    line: int

    def __str__(self) -> str:
        return (
            f"{self.file}:{self.line}" if self.cell is None else f"{self.file} cell {self.cell}:{self.line}"
        )


@dataclass(frozen=True)
class DefectFinding:
    """One defect in one place.

    Attributes:
        defect: its id in the table.
        place: where.
        evidence: the line of code or the setting.
        detail: what was seen there, in a sentence.
    """

    defect: str
    place: SourceLocation
    evidence: str
    detail: str

    @property
    def severity(self) -> str:
        """The severity of its defect."""
        return BY_ID[self.defect].severity

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        table = BY_ID[self.defect]
        return {
            "defect": self.defect,
            "severity": table.severity,
            "title": table.title,
            **asdict(self.place),
            "evidence": self.evidence,
            "detail": self.detail,
            "why": table.why,
            "remedy": table.remedy,
            "source": table.source,
        }


@dataclass(frozen=True)
class Question:
    """A place where reading alone cannot decide, and what to look at."""

    defect: str
    place: SourceLocation
    evidence: str
    detail: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {"defect": self.defect, **asdict(self.place), "evidence": self.evidence, "detail": self.detail}


@dataclass(frozen=True)
class DoctorReport:
    """What is wrong with a training folder.

    Attributes:
        folder: the folder as it was named.
        findings: worst first, then by file and line.
        questions: places that a person must judge.
        checked: ids of the checks that ran.
        read: files that were read as code or settings.
        unread: (file, reason) of those that could not be.
    """

    folder: str
    findings: tuple[DefectFinding, ...]
    questions: tuple[Question, ...]
    checked: tuple[str, ...]
    read: tuple[str, ...]
    unread: tuple[tuple[str, str], ...]

    @property
    def defects(self) -> tuple[str, ...]:
        """Ids found, without repetition, worst first."""
        return tuple(dict.fromkeys(f.defect for f in self.findings))

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "folder": self.folder,
            "defects": list(self.defects),
            "findings": [f.to_dict() for f in self.findings],
            "questions": [q.to_dict() for q in self.questions],
            "checked": list(self.checked),
            "read": list(self.read),
            "unread": [{"file": file, "reason": reason} for file, reason in self.unread],
        }

    def to_markdown(self) -> str:
        """Return the report as a page: one section per defect."""
        lines = [f"# {self.folder}", ""]
        if not self.findings:
            lines += [f"None of {len(self.checked)} defects was found in {len(self.read)} files.", ""]
        for defect in self.defects:
            table = BY_ID[defect]
            lines += [f"## {table.title} ({table.severity}: `{defect}`)", ""]
            for finding in self.findings:
                if finding.defect == defect:
                    lines += [f"- `{finding.place}`  `{finding.evidence}`", f"  {finding.detail}"]
            lines += ["", f"Why it matters: {table.why}", "", f"In Hoego: {table.remedy}", ""]
        if self.questions:
            lines += ["## For a person to judge", ""]
            lines += [f"- `{q.place}`  `{q.evidence}`\n  {q.detail}" for q in self.questions]
            lines.append("")
        if self.unread:
            lines += ["## Not read", "", *(f"- `{file}`: {reason}" for file, reason in self.unread), ""]
        return "\n".join(lines)


def ordered(findings: list[DefectFinding]) -> tuple[DefectFinding, ...]:
    """Order findings: worst first, then in the table's order, then by place; without repetitions."""
    rank = {defect: position for position, defect in enumerate(BY_ID)}
    unique = {(f.defect, f.place): f for f in findings}.values()
    return tuple(
        sorted(
            unique,
            key=lambda f: (_ORDER[f.severity], rank[f.defect], f.place.file, f.place.cell or 0, f.place.line),
        )
    )
