"""The records of a period: runs, verdicts, notes, submissions and ideas as plain facts."""

from __future__ import annotations

import datetime
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from hoego.apps.diary.period import Period
from hoego.errors import HoegoError
from hoego.results.score import DefinedEstimate, MetricEstimate, ScoreSummary
from hoego.results.verdict import ComparisonVerdict
from hoego.runs.records import DiaryNote, RankingGroup, Record, RunKind, RunStore, notes
from hoego.runs.records.difference import changes
from hoego.runs.records.home import home_datasets
from hoego.runs.records.labels_now import note_changed_labels
from hoego.runs.records.ranking import PRIMARY, group_of, ranked
from hoego.runs.submission import Ledger

MOST_EARLIER = 300
"""Runs from before the period whose recipes are read, the latest ones."""

ASIDE = ("name", "seed", "queue", "threads", "device", "precision", "workers")
"""Settings that do not make another trial."""


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """One run, read from its record.

    Args:
        moment: when it ended, else when it began, else when it was asked for (on the period's clock).
        trial: fingerprint of its recipe without seed and name: runs of one trial are seeds of one recipe.
        kind: what made its predictions.
        marks: what must be said beside its score.
        group: the scores beside which its own may be ranked.
        target: what the score is of: the project's target, or the one attribute that the run predicts.
        score: macro F1 of the target with its interval; None where there is none.
        recipe: settings, flat.
    """

    id: str
    name: str
    why: str
    state: str
    reason: str
    moment: datetime.datetime
    hours: float | None
    trial: str
    kind: RunKind
    target: str
    score: DefinedEstimate | None
    metrics: Mapping[str, DefinedEstimate]
    honesty: str
    marks: tuple[str, ...] = ()
    honest: bool
    optimism: float | None
    n_images: int | None
    n_subjects: int | None
    fingerprints: Mapping[str, str]
    group: RankingGroup
    recipe: Mapping[str, Any]
    tags: tuple[str, ...]
    parents: tuple[str, ...]
    verdict: ComparisonVerdict | None
    has_report: bool = False

    @property
    def rankable(self) -> bool:
        """Whether its score may stand beside others of its group."""
        return self.state == "done" and self.honest and self.score is not None

    @property
    def day(self) -> datetime.date:
        """The day of its moment."""
        return self.moment.date()

    @property
    def seed(self) -> int:
        """The seed of its recipe."""
        return int(self.recipe.get("seed", 0) or 0)


@dataclass(frozen=True, kw_only=True)
class SubmissionSummary:
    """A submission, read from the ledger."""

    id: str
    moment: datetime.datetime
    file: str
    lineage: tuple[str, ...]
    honest: float | None
    expected: DefinedEstimate | None
    public: float | None


@dataclass(frozen=True, kw_only=True)
class IdeaSummary:
    """An idea: its text, settings, hypothesis, state, source, and how often it was reported to help."""

    id: str
    text: str
    overlay: tuple[str, ...]
    why: str
    state: str
    promise: float
    source: str


@dataclass(frozen=True, kw_only=True)
class PeriodRecords:
    """The records that a retrospective uses.

    Args:
        runs: of the period, in order of their moment.
        earlier: done runs from before it.
        waiting: runs of the store that wait, are running or are interrupted now.
        verdicts: of the period's runs, one for each comparison.
        broken: records that cannot be read -> why.
        home: fingerprints of the data sets of this project, where records of other ones are here too.
    """

    period: Period
    runs: tuple[RunSummary, ...]
    earlier: tuple[RunSummary, ...]
    waiting: tuple[RunSummary, ...]
    verdicts: tuple[ComparisonVerdict, ...]
    notes: tuple[tuple[datetime.datetime, DiaryNote], ...]
    sent: tuple[SubmissionSummary, ...]
    ideas: tuple[IdeaSummary, ...]
    broken: Mapping[str, str]
    folders: Mapping[str, Path] = field(default_factory=dict)
    home: frozenset[str] = frozenset()

    @property
    def done(self) -> tuple[RunSummary, ...]:
        """The runs that ended well."""
        return tuple(r for r in self.runs if r.state == "done")

    @property
    def empty(self) -> bool:
        """Whether the period holds no run, note or submission."""
        return not (self.runs or self.notes or self.sent)

    def trials(self, runs: Sequence[RunSummary]) -> list[list[RunSummary]]:
        """Return runs grouped by recipe, in order of the first of each."""
        groups: dict[str, list[RunSummary]] = {}
        for run in runs:
            groups.setdefault(run.trial, []).append(run)
        return list(groups.values())

    @property
    def group(self) -> RankingGroup | None:
        """The data set, split, labels and target that most of the rankable scores share: these alone are ranked."""
        counted = Counter(r.group for r in (*self.earlier, *self.done) if r.rankable)
        own = Counter({group: n for group, n in counted.items() if group.dataset in self.home})
        counted = own or counted
        return counted.most_common(1)[0][0] if counted else None

    @property
    def target(self) -> str:
        """The target of the ranked scores; where none may be ranked, that of most scores."""
        if self.group is not None:
            return self.group.target
        counted = Counter(r.target for r in (*self.earlier, *self.done) if r.score is not None)
        return counted.most_common(1)[0][0] if counted else ""

    def comparable(self, runs: Sequence[RunSummary]) -> list[RunSummary]:
        """Return the done runs whose scores may be ranked beside each other."""
        group = self.group
        return [r for r in runs if r.rankable and r.group == group]

    def leader(self, runs: Sequence[RunSummary]) -> RunSummary | None:
        """Return the run of the highest honest score of the target."""
        scored = self.comparable(runs)
        return max(scored, key=lambda r: r.score.value if r.score else -1.0, default=None)

    def before(self, run: RunSummary) -> RunSummary | None:
        """Return the done run before this one whose recipe differs least from it (the latest of those)."""
        pool = [r for r in (*self.earlier, *self.runs) if r.state == "done" and r.moment < run.moment]
        pool = [r for r in pool if r.kind == "run" and r.trial != run.trial and r.recipe]
        pool = [r for r in pool if r.fingerprints.get("dataset") == run.fingerprints.get("dataset")]
        return min(pool, key=lambda r: (len(apart(r, run)), -r.moment.timestamp()), default=None)


def apart(a: RunSummary, b: RunSummary) -> list[tuple[str, Any, Any]]:
    """Return (setting, in a, in b) where two recipes differ."""
    return [(c.key, c.a, c.b) for c in changes(a.recipe, b.recipe) if c.key.split(".")[0] not in ASIDE]


def gather(store: RunStore, period: Period) -> PeriodRecords:
    """Read the store, its notes and ideas, and the ledger beside it."""
    records, broken = store.scan()
    note_changed_labels(records)
    every = sorted((_run(r, period) for r in _needed(records, period)), key=lambda r: (r.moment, r.id))
    inside = tuple(r for r in every if period.first <= r.day <= period.last)
    diary = ((period.local(n.time), n) for n in notes(store))
    return PeriodRecords(
        period=period,
        runs=inside,
        earlier=tuple(r for r in every if r.day < period.first and r.state == "done"),
        waiting=tuple(r for r in every if r.state in ("waiting", "running", "interrupted")),
        verdicts=tuple(_verdicts(inside)),
        notes=tuple((m, n) for m, n in diary if m is not None and period.first <= m.date() <= period.last),
        sent=tuple(_sent(store.root.parent, period)),
        ideas=_ideas(store),
        broken={name: error.message for name, error in broken.items()},
        folders={r.id: r.folder for r in records},
        home=home_datasets(records),
    )


def _moment(record: Record, period: Period) -> datetime.datetime:
    meta = record.meta
    return next(
        (m for m in map(period.local, (meta.finished, meta.started, meta.created)) if m is not None),
        datetime.datetime.fromtimestamp(0, datetime.UTC).astimezone(period.zone),
    )


def _needed(records: Sequence[Record], period: Period) -> list[Record]:
    """Return the records that a retrospective reads whole: those of the period, those that are not over, the latest of
    those that were done before it, and the best of these.
    """
    inside, before = [], []
    for record in records:
        day = _moment(record, period).date()
        if period.first <= day <= period.last or record.meta.state in ("waiting", "running", "interrupted"):
            inside.append(record)
        elif day < period.first and record.meta.state == "done":
            before.append(record)
    before.sort(key=lambda r: _moment(r, period))

    older = ranked(before[:-MOST_EARLIER])
    return [*inside, *before[-MOST_EARLIER:], *older.records[:1]]


def _run(record: Record, period: Period) -> RunSummary:
    meta = record.meta
    score = record.score
    moment = _moment(record, period)
    try:
        recipe = record.recipe
    except HoegoError:
        recipe = {}
    group = group_of(record)
    metrics = _metrics(score)
    return RunSummary(
        id=meta.id,
        name=meta.name or str(recipe.get("name") or ""),
        why=meta.why,
        state=record.state,
        reason=record.reason,
        moment=moment,
        hours=_hours(meta.started, meta.finished),
        trial=_trial(recipe, record),
        kind=record.kind,
        target="" if score is None else record.target,
        score=metrics.get(PRIMARY),
        metrics=metrics,
        honesty="" if score is None else str(score.honesty),
        marks=() if score is None else tuple(mark.value for mark in score.marks),
        honest=score is not None and score.rankable,
        optimism=_optimism(score),
        n_images=None if score is None else score.n_images,
        n_subjects=None if score is None else score.n_subjects,
        fingerprints={**meta.fingerprints, "labels": group.labels} if group.labels else meta.fingerprints,
        group=group,
        recipe=recipe,
        tags=meta.tags,
        parents=meta.parents,
        verdict=record.verdict,
        has_report=(record.folder / "report.html").is_file(),
    )


def _metrics(score: ScoreSummary | None) -> dict[str, DefinedEstimate]:
    """Return the metrics that have a value."""
    if score is None:
        return {}
    return {name: found for name, m in score.metrics.items() if (found := _recorded(m)) is not None}


def _optimism(score: ScoreSummary | None) -> float | None:
    return None if score is None or score.optimism is None else _finite(score.optimism.optimism)


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _recorded(metric: MetricEstimate) -> DefinedEstimate | None:
    return (
        None
        if metric.value is None
        else DefinedEstimate(value=metric.value, low=metric.low, high=metric.high)
    )


def _hours(started: str, finished: str) -> float | None:
    try:
        span = datetime.datetime.fromisoformat(finished) - datetime.datetime.fromisoformat(started)
    except (TypeError, ValueError):
        return None
    return max(0.0, span.total_seconds() / 3600)


def _trial(recipe: Mapping[str, Any], record: Record) -> str:
    if not recipe or record.kind is not RunKind.RUN:
        return record.id
    kept = {k: v for k, v in recipe.items() if k not in ASIDE}
    text = json.dumps([kept, str(record.fold)], sort_keys=True, default=str)
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _verdicts(runs: Sequence[RunSummary]) -> list[ComparisonVerdict]:
    """Return one verdict for each comparison: runs of several seeds carry the same one."""
    found: dict[tuple[Any, ...], ComparisonVerdict] = {}
    sides: dict[tuple[Any, ...], list[str]] = {}
    for run in runs:
        if run.verdict is None or run.state != "done":
            continue
        made = _named(run.verdict, run)
        key = (made.outcome, made.change, made.difference, made.p_value, made.sentence)
        found.setdefault(key, made)
        sides.setdefault(key, []).append(run.id)
    return [v if v.runs else v.with_(runs=tuple(sides[key])) for key, v in found.items()]


def _named(found: ComparisonVerdict, run: RunSummary) -> ComparisonVerdict:
    """Give a run's verdict a subject and a metric even where an old one names none."""
    return found.with_(change=found.change or run.name or run.id, metric=found.metric or "macro_f1")


def _sent(project: Path, period: Period) -> list[SubmissionSummary]:
    """Return the ledger's submissions within the period, with the scores that came back since."""
    found = []
    for entry in Ledger(project).entries():
        moment = period.local(entry.time)
        if moment is None or not period.first <= moment.date() <= period.last:
            continue
        e = entry.expected
        found.append(
            SubmissionSummary(
                id=entry.id,
                moment=moment,
                file=Path(entry.file).name,
                lineage=entry.lineage,
                honest=None if entry.honest is None else entry.honest.value,
                expected=None if e is None else DefinedEstimate(value=e.value, low=e.low, high=e.high),
                public=entry.public,
            )
        )
    return found


def _ideas(store: RunStore) -> tuple[IdeaSummary, ...]:
    from hoego.runs.ideas import ideas

    return tuple(
        IdeaSummary(
            id=i.id,
            text=i.text,
            overlay=i.overlay,
            why=i.why,
            state=i.state,
            promise=i.promise,
            source=i.source,
        )
        for i in ideas(store).ideas
    )
