"""The retrospective as data: statements, each with the records behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from hoego.apps.diary.period import PeriodDays
from hoego.results.base import Content, Result


class RecordReference(Result):
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


class Statement(Result):
    """A sentence and what it was made from. Names stand between backticks.

    Args:
        kind: result, event, note, gap, plan or word (a sentence that states no result).
        time: of the clock, HH:MM, in the diary.
    """

    KEYS: ClassVar[Mapping[str, str]] = {"sources": "records"}
    HONESTY_OF: ClassVar[str] = "said in the sentence"

    text: str
    kind: str
    sources: tuple[RecordReference, ...] = ()
    time: str = ""

    def __str__(self) -> str:
        return f"{self.time}  {self.text}" if self.time else self.text


class Chart(Result):
    """A chart (SVG) with its caption; `name` is part of a file name."""

    name: str
    svg: str
    caption: str


class ReportTable(Result):
    """Cells of plain text; the sources of row k are `sources[k]`."""

    KEYS: ClassVar[Mapping[str, str]] = {"sources": "records"}
    HONESTY_OF: ClassVar[str] = "said in the rows"

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    sources: tuple[tuple[RecordReference, ...], ...]


class ReportSection(Result):
    """A part of the retrospective; days are the parts of the diary."""

    id: str
    title: str
    statements: tuple[Statement, ...] = ()
    parts: tuple[ReportSection, ...] = ()
    pictures: tuple[Chart, ...] = ()
    table: ReportTable | None = None

    def walk(self) -> Iterator[ReportSection]:
        """Yield this section and all below it."""
        yield self
        for part in self.parts:
            yield from part.walk()


class HeadlineFigure(Result):
    """A number for the head of the page, and what it is."""

    value: str
    label: str


class Retrospective(Result):
    """What the records say of a period, in the form of the field's weekly reviews.

    Args:
        title: `2022년 3월 1주차 주간 회고`.
        summary: a sentence for the head of the page.
        cards: for the head of the page.
        sections: 총평, diary, learned, next, wrap-up, gaps.
        tags: for the blog.
        root: folder of the records.
        reports: ids of the runs that have a report.
    """

    DERIVED: ClassVar[tuple[str, ...]] = ("entries",)
    TITLE: ClassVar[str] = "Retrospective"
    HONESTY_OF: ClassVar[str] = "said in each sentence"

    lang: str
    period: PeriodDays
    title: str
    summary: str
    cards: tuple[HeadlineFigure, ...]
    sections: tuple[ReportSection, ...]
    tags: tuple[str, ...]
    root: str
    reports: frozenset[str] = frozenset()

    @property
    def entries(self) -> list[tuple[str, Statement]]:
        """(section id, statement), in the order of the page."""
        return [(part.id, s) for section in self.sections for part in section.walk() for s in part.statements]

    @property
    def pictures(self) -> tuple[Chart, ...]:
        """The charts of all sections."""
        return tuple(p for section in self.sections for part in section.walk() for p in part.pictures)

    def _arranged(self, content: Content) -> Content:
        entries = [{"section": section, **s.model_dump(mode="json")} for section, s in self.entries]
        return {**content, "entries": entries}
