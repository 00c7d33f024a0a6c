"""What the doctor says: findings, questions, and the report that holds them."""

from __future__ import annotations

from typing import ClassVar

from hoego.apps.doctor.defects import BY_ID
from hoego.results.base import Result

_ORDER = {"error": 0, "warning": 1, "note": 2}


class SourceLocation(Result):
    """A line of a file; of a notebook, a line of a cell (both from 1)."""

    file: str
    cell: int | None
    line: int

    def __str__(self) -> str:
        return (
            f"{self.file}:{self.line}" if self.cell is None else f"{self.file} cell {self.cell}:{self.line}"
        )


class DefectFinding(Result):
    """One defect in one place.

    Attributes:
        defect: its id in the table.
        place: where.
        evidence: the line of code or the setting.
        detail: what was seen there, in a sentence.
    """

    FLAT: ClassVar[str] = "place"
    DERIVED: ClassVar[tuple[str, ...]] = ("severity", "title", "why", "remedy", "source")

    defect: str
    place: SourceLocation
    evidence: str
    detail: str

    @property
    def severity(self) -> str:
        """The severity of its defect."""
        return BY_ID[self.defect].severity

    @property
    def title(self) -> str:
        """The defect in a line."""
        return BY_ID[self.defect].title

    @property
    def why(self) -> str:
        """Why the defect matters."""
        return BY_ID[self.defect].why

    @property
    def remedy(self) -> str:
        """What Hoego does instead."""
        return BY_ID[self.defect].remedy

    @property
    def source(self) -> str:
        """Where the defect is known from."""
        return BY_ID[self.defect].source


class Question(Result):
    """A place where reading alone cannot decide, and what to look at."""

    FLAT: ClassVar[str] = "place"

    defect: str
    place: SourceLocation
    evidence: str
    detail: str


class UnreadFile(Result):
    """A file that could not be read as code or settings, and why."""

    file: str
    reason: str


class DoctorReport(Result):
    """What is wrong with a training folder.

    Attributes:
        folder: the folder as it was named.
        findings: worst first, then by file and line.
        questions: places that a person must judge.
        checked: ids of the checks that ran.
        read: files that were read as code or settings.
        unread: those that could not be.
    """

    TITLE: ClassVar[str] = "What is wrong with a training folder"
    DERIVED: ClassVar[tuple[str, ...]] = ("defects",)

    folder: str
    findings: tuple[DefectFinding, ...]
    questions: tuple[Question, ...]
    checked: tuple[str, ...]
    read: tuple[str, ...]
    unread: tuple[UnreadFile, ...]

    @property
    def defects(self) -> tuple[str, ...]:
        """Ids found, without repetition, worst first."""
        return tuple(dict.fromkeys(f.defect for f in self.findings))

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
            lines += ["## Not read", "", *(f"- `{u.file}`: {u.reason}" for u in self.unread), ""]
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
