"""Records as results: the table of runs, what differs between two, a merge, a synchronised mirror, a note."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import ConfigDict, Field, model_validator

from hoego.results.base import Content, Result, Upgrade
from hoego.results.comparison import Comparison
from hoego.terminal import spreadsheet_cell


class ValueChange(Result):
    """One value that differs; None where that side does not have it."""

    key: str
    a: Any
    b: Any


class RecordDifference(Result):
    """Two records beside each other. Each part lists only what differs.

    Args:
        a, b: ids.
        data: the fingerprints (data set, labels version, split).
        results: the metrics of the two scores.
    """

    DERIVED: ClassVar[tuple[str, ...]] = ("same",)

    a: str
    b: str
    recipe: tuple[ValueChange, ...]
    code: tuple[ValueChange, ...]
    environment: tuple[ValueChange, ...]
    data: tuple[ValueChange, ...]
    results: tuple[ValueChange, ...]

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not (self.recipe or self.code or self.environment or self.data or self.results)


class RunDiff(Result):
    """The result of `hoego diff`: two runs beside each other, ending with the comparison of their results.

    Args:
        a, b: ids.
        same: whether nothing differs.
        recipe, code, environment, labels, split, results: what differs in each.
        comparison: what `hoego compare` says of them; None where they cannot be compared.
        words: the verdict, or why there is none.
    """

    TITLE: ClassVar[str] = "Difference of two runs"
    HONESTY_OF: ClassVar[str] = "that of the runs compared"

    a: str
    b: str
    same: bool
    recipe: tuple[ValueChange, ...]
    code: tuple[ValueChange, ...]
    environment: tuple[ValueChange, ...]
    labels: tuple[ValueChange, ...]
    split: tuple[ValueChange, ...]
    results: tuple[ValueChange, ...]
    comparison: Comparison | None
    words: str


class Reproduction(Result):
    """A run and its repetition.

    Args:
        run, again: ids.
        same: whether no probability differs by more than the tolerance.
        identical: whether none differs at all.
        largest_difference: of any probability.
        metrics: those that differ.
        circumstances: what else differs (code, environment, data), which may explain it.
        words: one or two sentences.
    """

    run: str
    again: str
    same: bool
    identical: bool
    largest_difference: float
    metrics: tuple[ValueChange, ...]
    circumstances: tuple[ValueChange, ...]
    words: str


def _rows_of_objects(content: Content) -> Content:
    """Read the JSON, which holds each row as an object, under `runs`."""
    if "runs" not in content:
        return content
    rest = {k: v for k, v in content.items() if k != "runs"}
    columns = rest.get("columns") or [*dict.fromkeys(name for row in content["runs"] for name in row)]
    rows = [[row.get(name) for name in columns] for row in content["runs"]]
    return {**rest, "columns": columns, "rows": rows}


class RunsTable(Result):
    """The table of `hoego runs`.

    In a table that is sorted by a score with the highest first, the first is the best of `chosen_of` comparable ones,
    so it is selected by its score.

    Args:
        columns: their names, each once.
        rows: plain values.
        broken: unreadable folder -> what is wrong.
        total: records that were asked.
        apart: run that is not ranked with the others -> the reason: the score is not honest, or of another data set,
            split, target or labels version.
    """

    TITLE: ClassVar[str] = "Runs"
    UPGRADES: ClassVar[tuple[Upgrade, ...]] = (_rows_of_objects,)

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    broken: Mapping[str, str] = Field(default_factory=dict)
    total: int = 0
    apart: Mapping[str, str] = Field(default_factory=dict)
    chosen_of: int = 0

    @model_validator(mode="after")
    def _rectangular(self) -> Self:
        if len(set(self.columns)) < len(self.columns):
            raise ValueError("a column stands twice")
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError("a row has more or fewer cells than there are columns")
        return self

    def _arranged(self, content: Content) -> Content:
        rows = [dict(zip(self.columns, row, strict=True)) for row in self.rows]
        return {"runs": rows, **{k: v for k, v in content.items() if k != "rows"}}

    def to_csv(self, *, spreadsheet: bool = False) -> str:
        """Return the table as CSV with a header; lists are joined by spaces.

        With `spreadsheet`, an apostrophe stands before each text that a spreadsheet would run as a formula.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        for row in self.rows:
            cells = (" ".join(map(str, v)) if isinstance(v, (list, tuple)) else v for v in row)
            writer.writerow(map(spreadsheet_cell, cells) if spreadsheet else cells)
        return text.getvalue()


class MergeResult(Result):
    """What `hoego merge` did.

    Args:
        copied, same: ids of the runs that were copied, and that both sides hold.
        skipped: run id -> why it was left out, such as a run that is running.
        conflicts: run id -> the files that differ; those runs were left as they are.
        entries: diary -> the lines that were added.
        refused: run id or diary -> what in it may not be copied, such as a link.
    """

    copied: tuple[str, ...]
    same: tuple[str, ...]
    skipped: Mapping[str, str]
    conflicts: Mapping[str, tuple[str, ...]]
    entries: Mapping[str, int]
    refused: Mapping[str, str]


class SyncResult(Result):
    """What a synchronisation of one mirror did: runs brought up to date, and those that are behind with the reason."""

    mirror: str
    current: tuple[str, ...]
    behind: Mapping[str, str]


class SyncResults(Result):
    """What `hoego sync` did in each mirror."""

    mirrors: tuple[SyncResult, ...]

    @property
    def behind(self) -> bool:
        """Whether a run is behind in any of them."""
        return any(m.behind for m in self.mirrors)

    @property
    def words(self) -> str:
        """A line per mirror."""
        lines = []
        for m in self.mirrors:
            why = f"; {len(m.behind)} behind: {next(iter(m.behind.values()))}" if m.behind else ""
            lines.append(f"{m.mirror}: {len(m.current)} runs up to date{why}")
        return "\n".join(lines)


class DiaryNote(Result):
    """An entry of the diary, a line of notes.jsonl; what a newer Hoego wrote beside it is not read.

    Args:
        time: ISO 8601 in UTC.
        run: id of the run that it is about; "" for none.
    """

    model_config = ConfigDict(extra="ignore")

    id: str
    time: str
    text: str
    run: str = ""
    author: str = ""
