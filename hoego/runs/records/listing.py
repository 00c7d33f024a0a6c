"""The table of `hoego runs`: records as rows, any field of run.json or recipe.toml as a column."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hoego import files
from hoego.errors import UsageError, nearest
from hoego.results.base import Result
from hoego.results.records import RunsTable
from hoego.results.score import ScoreSummary
from hoego.runs.records.meta import STATES, RunMeta
from hoego.runs.records.ranking import Ranking, RankingRule, metric_value, ranked, why_apart
from hoego.runs.records.record import Record
from hoego.runs.records.store import RunStore

COLUMNS = ("id", "state", "name", "target", "macro_f1", "low", "high", "honesty", "marks", "why", "tags")
"""What is shown when no columns are asked for."""

_SCORE: dict[str, Callable[[ScoreSummary], Any]] = {
    "macro_f1": lambda score: metric_value(score),
    "low": lambda score: score.primary and score.primary.low,
    "high": lambda score: score.primary and score.primary.high,
    "accuracy": lambda score: metric_value(score, "accuracy"),
    "honesty": lambda score: str(score.honesty) or None,
    "marks": lambda score: "; ".join(score.marks),
}
_BESIDE = ("honesty", "marks")


@dataclass(frozen=True, kw_only=True)
class RunsQuery:
    """The records to list. `sort` is a column, with a leading "-" for the largest first; `limit` 0 lists all."""

    states: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    text: str = ""
    columns: tuple[str, ...] = COLUMNS
    sort: str = "id"
    limit: int = 0
    where: Callable[[RunMeta], bool] | None = None


def runs(store: RunStore, query: RunsQuery | None = None) -> RunsTable:
    """List the records that fit `query`, as `ranked_runs` does, without their ranking."""
    return ranked_runs(store, query)[0]


def ranked_runs(store: RunStore, query: RunsQuery | None = None) -> tuple[RunsTable, Ranking]:
    """List the records that fit `query`, as a table, with the ranking that leads it where it is sorted by a score.

    A column is a field of run.json (`throughput.train_images_per_second` goes into it), of the score
    (`target`, `macro_f1`, `low`, `high`, `accuracy`, `honesty`, `marks`, `score.gender.macro_f1.value`), or `recipe.`
    and a setting. A run without the value has None, sorted last. After the last of the chosen scores stand its honesty
    and its marks (what must be said beside it). Raises UsageError for an unknown column or state.
    """
    query = query or RunsQuery()
    for state in query.states:
        if state not in STATES:
            raise UsageError(f"There is no state {state!r}.", remedy=nearest(state, STATES))
    records, broken = store.scan(states=query.states, tags=query.tags, text=query.text, where=query.where)
    if any(is_score(column) for column in query.columns):
        from hoego.runs.records.labels_now import (
            note_changed_labels,
        )  # reads tables, which other lists do without

        note_changed_labels(records)
    order = query.sort.removeprefix("-")
    for column in (*query.columns, order):
        check_column(column)
    ranking = ranked(records, RankingRule()) if is_score(order) else Ranking(None, tuple(records))
    first = ranking.records
    placed = {record.id for record in first}
    after = [record for record in records if record.id not in placed]
    ordered = [*sort_records(first, query.sort), *sort_records(after, query.sort)]
    apart = {r.id: why_apart(r, ranking.group) for r in after if value(r, order) is not None}
    if query.limit:
        ordered = ordered[: query.limit]
    columns = tuple(dict.fromkeys(with_honesty(query.columns)))
    rows = tuple(tuple(files.plain(value(record, column)) for column in columns) for record in ordered)
    total = len(rows) or len(store.scan()[0])
    table = RunsTable(
        columns=columns,
        rows=rows,
        broken={k: e.message for k, e in broken.items()},
        total=total,
        apart=apart,
        chosen_of=len(first) if is_score(order) and query.sort.startswith("-") else 0,
    )
    return table, ranking


def sort_records(records: Sequence[Record], sort: str) -> list[Record]:
    """Sort by a column; what has no value in it comes last."""
    keyed = [(value(record, sort.removeprefix("-")), record) for record in records]
    present = [pair for pair in keyed if pair[0] is not None]
    present.sort(key=lambda pair: _rank(pair[0]), reverse=sort.startswith("-"))
    return [record for _, record in present] + [record for key, record in keyed if key is None]


def with_honesty(columns: Sequence[str]) -> tuple[str, ...]:
    """Return `columns`, with the honesty and the marks added after the last score if they are missing.

    >>> with_honesty(("id", "macro_f1", "why"))
    ('id', 'macro_f1', 'honesty', 'marks', 'why')
    >>> with_honesty(("id", "why"))
    ('id', 'why')
    """
    scores = [k for k, column in enumerate(columns) if is_score(column)]
    lacking = [name for name in _BESIDE if not {name, f"score.{name}"} & set(columns)]
    if not scores or not lacking:
        return tuple(columns)
    after = 1 + max(scores[-1], *(columns.index(name) for name in _BESIDE if name in columns), -1)
    return (*columns[:after], *lacking, *columns[after:])


def is_score(column: str) -> bool:
    """Return whether a column is a score's, which stands nowhere without its honesty."""
    head = column.split(".")[0]
    return head == "score" or (head in _SCORE and head not in _BESIDE)


def value(record: Record, column: str) -> Any:
    """Return one cell: the value of `column` in a record, None if it has none."""
    if column == "state":
        return record.state
    if column == "reason":
        return record.reason
    if column == "target":
        return record.target or None
    head, *rest = column.split(".")
    if head in _SCORE:
        if record.score is None:
            return None
        return _dig(files.plain(record.score), (head, *rest)) if rest else _SCORE[head](record.score)
    if head == "recipe":
        return _dig(record.recipe, rest)
    found = getattr(record.meta, head)
    found = files.plain(found) if isinstance(found, Result) else found
    return _dig(found, rest) if rest else found


def _dig(content: Any, path: Iterable[str]) -> Any:
    for part in path:
        content = content.get(part) if isinstance(content, Mapping) else None
    return content


def _rank(cell: Any) -> tuple[int, Any]:
    if isinstance(cell, (int, float)):
        return (0, cell)
    return (1, str(cell))


def check_column(column: str) -> None:
    """Raise UsageError for a column that there is not."""
    head = column.split(".")[0]
    known = {*RunMeta.model_fields, *_SCORE, "recipe", "reason"}
    if head not in known:
        raise UsageError(f"no column {column!r}", remedy=nearest(head, known))
