"""The retrospective as data: statements, each with the records behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hoego.apps.diary.period import Period


@dataclass(frozen=True)
class RecordReference:
    """A record behind a statement.

    Args:
        kind: run, note, submission, idea or store.
        id: of the record.
        file: that holds it, relative to the folder of records (`../` for what lies beside it).
    """

    kind: str
    id: str
    file: str

    @property
    def short(self) -> str:
        """What a link to it says: the end of a run's id, else the file's name."""
        return self.id.rsplit("-", 1)[-1] if self.kind == "run" else self.file.rsplit("/", 1)[-1]

    def to_dict(self) -> dict[str, str]:
        """Return it as JSON types."""
        return {"kind": self.kind, "id": self.id, "file": self.file}


@dataclass(frozen=True)
class Statement:
    """A sentence and what it was made from. Names stand between backticks.

    Args:
        kind: result, event, note, gap, plan or word (a sentence that states no result).
        time: of the clock, HH:MM, in the diary.
    """

    text: str
    kind: str
    sources: tuple[RecordReference, ...] = ()
    time: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "kind": self.kind,
            "time": self.time,
            "text": self.text,
            "records": [s.to_dict() for s in self.sources],
        }

    def __str__(self) -> str:
        return f"{self.time}  {self.text}" if self.time else self.text


@dataclass(frozen=True)
class Chart:
    """A chart (SVG) with its caption; `name` is part of a file name."""

    name: str
    svg: str
    caption: str

    def to_dict(self) -> dict[str, str]:
        """Return it as JSON types."""
        return {"name": self.name, "caption": self.caption}


@dataclass(frozen=True)
class ReportTable:
    """Cells of plain text; the sources of row k are `sources[k]`."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    sources: tuple[tuple[RecordReference, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "columns": list(self.columns),
            "rows": [list(r) for r in self.rows],
            "records": [[s.to_dict() for s in row] for row in self.sources],
        }


@dataclass(frozen=True)
class ReportSection:
    """A part of the retrospective; days are the parts of the diary."""

    id: str
    title: str
    statements: tuple[Statement, ...] = ()
    parts: tuple[ReportSection, ...] = ()
    pictures: tuple[Chart, ...] = ()
    table: ReportTable | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "id": self.id,
            "title": self.title,
            "statements": [s.to_dict() for s in self.statements],
            "parts": [p.to_dict() for p in self.parts],
            "pictures": [p.to_dict() for p in self.pictures],
            "table": None if self.table is None else self.table.to_dict(),
        }

    def walk(self) -> Iterator[ReportSection]:
        """Yield this section and all below it."""
        yield self
        for part in self.parts:
            yield from part.walk()


@dataclass(frozen=True)
class Retrospective:
    """What the records say of a period, in the form of the field's weekly reviews.

    Args:
        title: `2022년 3월 1주차 주간 회고`.
        summary: a sentence for the head of the page.
        cards: (number, what it is) for the head of the page.
        sections: 총평, diary, learned, next, wrap-up, gaps.
        tags: for the blog.
        reports: run id -> its report, relative to the folder of records.
    """

    lang: str
    period: Period
    title: str
    summary: str
    cards: tuple[tuple[str, str], ...]
    sections: tuple[ReportSection, ...]
    tags: tuple[str, ...]
    root: str
    reports: frozenset[str] = field(default_factory=frozenset)

    @property
    def entries(self) -> list[tuple[str, Statement]]:
        """(section id, statement), in the order of the page."""
        return [(part.id, s) for section in self.sections for part in section.walk() for s in part.statements]

    @property
    def pictures(self) -> tuple[Chart, ...]:
        """The charts of all sections."""
        return tuple(p for section in self.sections for part in section.walk() for p in part.pictures)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "lang": self.lang,
            "period": self.period.to_dict(),
            "title": self.title,
            "summary": self.summary,
            "cards": [{"value": v, "label": label} for v, label in self.cards],
            "entries": [{"section": section, **s.to_dict()} for section, s in self.entries],
            "sections": [s.to_dict() for s in self.sections],
            "tags": list(self.tags),
        }
