"""The table of /runs: the address says which records it shows, in which order and sections."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import QueryParams

from hoego.board.board import Board
from hoego.errors import HoegoError, UsageError, nearest
from hoego.recipe import Recipe, SplitSettings, build
from hoego.results.honesty import HonestyMark, ScoreHonesty
from hoego.results.score import MetricEstimate
from hoego.runs.records import RankingGroup, Record, rankings
from hoego.runs.records.labels_now import note_changed_labels
from hoego.runs.records.listing import check_column, is_score, sort_records
from hoego.runs.records.meta import STATES
from hoego.runs.records.ranking import PRIMARY, group_of

PAGE = 100
"""Rows of a page."""

SORTS = (
    "-id",
    "id",
    f"-{PRIMARY}",
    PRIMARY,
    "-accuracy",
    "accuracy",
    "name",
    "state",
    "-finished",
    "-priority",
)


@dataclass(frozen=True, kw_only=True)
class RunsView:
    """The query in the address.

    Args:
        text: that id, name or hypothesis holds.
        states, tags: all that are allowed; all tags are needed.
        sort: a column; "-" before it puts the largest first.
        columns: further columns.
        recipe: fingerprint of a recipe, whose seeds alone are listed.
        grouped: one row for each recipe, its seeds together.
        number: of the page, from 1.
    """

    text: str = ""
    states: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    sort: str = "-id"
    columns: tuple[str, ...] = ()
    recipe: str = ""
    grouped: bool = False
    number: int = 1

    @classmethod
    def of(cls, query: QueryParams) -> RunsView:
        """Read an address. Raises UsageError for an unknown state or column, or a page that is not a number."""
        states = tuple(s for s in query.getlist("state") if s)
        columns = tuple(c.strip() for text in query.getlist("columns") for c in text.split(",") if c.strip())
        sort = query.get("sort") or "-id"
        for state in states:
            if state not in STATES:
                raise UsageError(f"There is no state {state!r}.", remedy=nearest(state, STATES))
        for column in (*columns, sort.removeprefix("-")):
            check_column(column)
        number = query.get("page") or "1"
        if not number.isdecimal() or not 1 <= int(number) <= 1_000_000:
            raise UsageError(f"There is no page {number!r}.", remedy="Give a number from 1.")
        return cls(
            text=query.get("q", ""),
            states=states,
            tags=tuple(t for t in query.getlist("tag") if t),
            sort=sort,
            columns=columns,
            recipe=query.get("recipe", ""),
            grouped=query.get("group", "") == "recipe",
            number=int(number),
        )

    @property
    def by_score(self) -> bool:
        """Whether the order is that of a score, so that only comparable scores stand together."""
        return is_score(self.sort.removeprefix("-"))


@dataclass(frozen=True)
class RunsPart:
    """Records of one section.

    Args:
        kind: `ranked` (comparable scores), `listed` (any order that is not a score's), `apart` (the honesty allows no
            rank), `unscored`.
        records: in their order.
        group: what the scores of a ranked section share.
    """

    kind: str
    records: tuple[Record, ...]
    group: RankingGroup | None = None


@dataclass(frozen=True, kw_only=True)
class SeedGroup:
    """The runs of one recipe, which differ in their seeds.

    Args:
        newest: the latest of them.
        records: all.
        mean: of their macro F1, with the lowest and the highest; None where none has a score.
        honesty: all levels that occur among them.
        marks: all that must be said beside one of the scores.
    """

    newest: Record
    records: tuple[Record, ...]
    mean: MetricEstimate | None
    honesty: ScoreHonesty
    marks: tuple[HonestyMark, ...]


def arrange(board: Board, view: RunsView) -> tuple[RunsPart, ...]:
    """Return the sections of the table; scores that may not be ranked have one of their own."""
    board.store.look()
    # The labels may change while no record does: once a minute it is looked again.
    asked = (view.text, view.states, view.tags, view.sort, view.recipe, int(time.time() / 60))
    return tuple(board.results.get(("arranged", board.store.version, *asked), lambda: _arranged(board, view)))


def _arranged(board: Board, view: RunsView) -> tuple[RunsPart, ...]:
    records = board.store.list(
        states=view.states,
        tags=view.tags,
        text=view.text,
        where=(lambda m: m.fingerprints.get("recipe") == view.recipe) if view.recipe else None,
    )
    note_changed_labels(records)
    apart = [r for r in records if r.score is not None and not r.score.rankable]
    set_aside = {r.id for r in apart}
    if not view.by_score:
        rest = [r for r in records if r.id not in set_aside]
        found = [RunsPart("listed", _sorted(rest, view))]
    else:
        found = [RunsPart("ranked", _sorted(g.records, view), g.group) for g in rankings(records)]
        placed = {r.id for part in found for r in part.records} | set_aside
        unscored = [r for r in records if r.id not in placed]
        found.append(RunsPart("unscored", _sorted(unscored, view)))
    found.append(RunsPart("apart", _sorted(apart, view)))
    return tuple(part for part in found if part.records)


def _sorted(records: Sequence[Record], view: RunsView) -> tuple[Record, ...]:
    if view.sort == "id":
        return tuple(records)
    if view.sort == "-id":
        return tuple(sorted(records, key=lambda r: r.id, reverse=True))
    return tuple(sort_records(records, view.sort))


def cut(parts: Sequence[RunsPart], number: int) -> tuple[tuple[RunsPart, ...], int]:
    """Return the rows of one page, in their sections, and the number of pages."""
    start, end, at = (number - 1) * PAGE, number * PAGE, 0
    shown = []
    for part in parts:
        inside = part.records[max(0, start - at) : max(0, end - at)]
        if inside:
            shown.append(RunsPart(part.kind, inside, part.group))
        at += len(part.records)
    return tuple(shown), max(1, -(-at // PAGE))


def starts(parts: Sequence[RunsPart]) -> tuple[int, ...]:
    """Return the number of the page on which each section begins."""
    at, found = 0, []
    for part in parts:
        found.append(at // PAGE + 1)
        at += len(part.records)
    return tuple(found)


def section_names(parts: Sequence[RunsPart]) -> dict[RankingGroup, str]:
    """Return what each ranked section is called: its data set, its split and its target.

    Where two of them would share a name, the fingerprints of split and labels are added.
    """
    names = {part.group: _section_name(part, part.group) for part in parts if part.group is not None}
    common = Counter(names.values())
    return {g: name if common[name] == 1 else f"{name} · {_prints(g)}" for g, name in names.items()}


def _section_name(part: RunsPart, group: RankingGroup) -> str:
    record = part.records[0]
    dataset, split = group.dataset[:8], group.split[:8]
    try:
        said = record.recipe
        recipe = build(said)
    except HoegoError:
        said, recipe = {}, Recipe()
    if said.get("dataset", {}).get("root"):
        dataset = _short(Path(recipe.dataset.root).resolve(), record.folder.parent.resolve().parent)
    if said.get("split"):
        split = _split_name(recipe.split)
    fold = "" if record.meta.fold in (None, "all") else f"fold {record.meta.fold}"
    return " · ".join(name for name in (dataset, split, fold, group.target) if name)


def _short(root: Path, project: Path) -> str:
    """Name the folder of the photos as seen from the project; one that lies elsewhere by its own name."""
    inside = root.is_relative_to(project) and root != project
    return root.relative_to(project).as_posix() if inside else root.name


def _split_name(split: SplitSettings) -> str:
    """Name a split by its own name, else by the settings that make it."""
    size = f"{split.folds} folds" if split.kind == "folds" else f"{split.kind} {split.ratio:g}"
    return split.name or f"{size}, seed {split.seed}"


def _prints(group: RankingGroup) -> str:
    count = "" if group.images is None else f"{group.images:,} · "
    return f"{count}{group.split[:8] or '–'} · {group.labels[:8] or '–'}"


def seed_groups(records: Sequence[Record]) -> tuple[SeedGroup, ...]:
    """Return the runs of each recipe together, in the order of the first of each."""
    members: dict[tuple[object, ...], list[Record]] = {}
    for record in records:
        recipe = record.meta.fingerprints.get("recipe") or record.id
        members.setdefault((recipe, record.meta.fold, group_of(record)), []).append(record)
    return tuple(_seed_group(group) for group in members.values())


def _seed_group(records: Sequence[Record]) -> SeedGroup:
    scores = [r.score for r in records if r.score is not None]
    values = [e.value for s in scores if (e := s.primary) is not None and e.value is not None]
    levels = {level for s in scores for level in s.honesty.levels}
    mean = None
    if values:
        mean = MetricEstimate(value=sum(values) / len(values), low=min(values), high=max(values))
    return SeedGroup(
        newest=max(records, key=lambda r: r.id),
        records=tuple(records),
        mean=mean,
        honesty=ScoreHonesty(", ".join(level.value for level in sorted(levels, key=lambda x: x.rank))),
        marks=tuple(mark for mark in HonestyMark if any(mark in s.marks for s in scores)),
    )


def all_tags(board: Board) -> tuple[tuple[str, int], ...]:
    """Return the tags of all records with how often each occurs, the most frequent first."""
    board.store.look()

    def count() -> tuple[tuple[str, int], ...]:
        return tuple(Counter(tag for r in board.store.list() for tag in r.meta.tags).most_common(40))

    return tuple(board.results.get(("tags", board.store.version), count))
