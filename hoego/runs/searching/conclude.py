"""What a search found: the winner marked and scored, importance, and the honest gain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hoego import files
from hoego.data.dataset import Dataset
from hoego.errors import HoegoError
from hoego.evaluate.compare import CompareOptions, compare
from hoego.results.comparison import Comparison
from hoego.results.score import Optimism
from hoego.results.search import SearchResult, SearchRow
from hoego.results.verdict import ComparisonVerdict
from hoego.runs.record_predictions import predictions_of
from hoego.runs.records import Record, RunStore
from hoego.runs.records.run_facts import SearchPoint
from hoego.runs.searching.sampling import importance
from hoego.runs.searching.space import SearchSpace
from hoego.runs.searching.trials import OPEN, SearchTrial
from hoego.runs.searching.winner import mark_chosen, mark_confirmed

FILE = "search.json"
"""In the winner's record: the result of the search."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A search whose trials have ended, or whose time has.

    Args:
        id: of the search.
        name: of the recipe.
        metric, better, sampler, space: as in SearchResult.
        trials: of the search.
        start: the unchanged recipe, as a point; None where it is not in the space.
        ended: why no further trial was started.
    """

    id: str
    name: str
    metric: str
    better: str
    sampler: str
    space: SearchSpace
    trials: Sequence[SearchTrial]
    start: SearchPoint | None
    ended: str

    @property
    def sign(self) -> float:
        """-1 where a lower metric is better."""
        return 1.0 if self.better == "higher" else -1.0

    @property
    def best(self) -> SearchTrial | None:
        """The best trial that is done; of equal ones the first."""
        done = [t for t in self.trials if t.value is not None]
        return max(done, key=lambda t: (t.value, -t.number), default=None)


def conclude(
    finding: Finding, store: RunStore, dataset: Dataset, winners: Sequence[Record], starts: Sequence[Record]
) -> SearchResult:
    """Mark the winner as chosen, score it again, compare both sides' runs, and keep the result in the winner's record.

    Args:
        finding: the search.
        store: of its records.
        dataset: of the recipe.
        winners, starts: the runs on new seeds; () where there are none.
    """
    best, notes = finding.best, _notes(finding)
    optimism, gain = None, None
    if best is not None:
        optimism = _chosen(store.find(best.run), finding, dataset, notes)
        gain = _gain(winners, starts, finding, dataset, notes)
    result = SearchResult(
        search=finding.id,
        name=finding.name,
        metric=finding.metric,
        better=finding.better,
        sampler=finding.sampler,
        space=finding.space.texts,
        rows=tuple(_row(t, finding.sign) for t in finding.trials),
        winner="" if best is None else best.run,
        point={} if best is None else dict(best.point),
        importance=importance(finding.space, finding.trials),
        optimism=optimism,
        gain=gain,
        confirming=tuple(r.id for r in (*winners, *starts) if store.find(r.id).state in OPEN),
        hours=round(_hours(finding, store, (*winners, *starts)), 4),
        ended=finding.ended,
        notes=tuple(dict.fromkeys(notes)),
    )
    if best is not None:
        files.write_json(store.find(best.run).folder / FILE, result)
    return result


def _row(trial: SearchTrial, sign: float) -> SearchRow:
    return SearchRow(
        number=trial.number,
        run=trial.run,
        state=trial.state,
        point=dict(trial.point),
        value=None if trial.value is None else sign * trial.value,
        reached=len(trial.curve),
        seconds=round(trial.seconds, 3),
    )


def _notes(finding: Finding) -> list[str]:
    notes = []
    waiting = sum(t.open for t in finding.trials)
    if waiting:
        notes.append(f"{waiting} trials have not ended; the same command goes on with them")
    if finding.start is None:
        notes.append("the recipe as it stands is not in the space, so it is not a trial")
    elif finding.best is not None and finding.best.point == finding.start:
        notes.append("no trial was better than the recipe as it stands: there is no gain to confirm")
    return notes


def _chosen(record: Record, finding: Finding, dataset: Dataset, notes: list[str]) -> Optimism | None:
    count = sum(t.state in ("done", "stopped") for t in finding.trials)
    found = mark_chosen(record, count, dataset)
    if found.optimism is None:
        notes += [n for n in found.notes if n.startswith("optimism")]
    return found.optimism


def _gain(
    winners: Sequence[Record], starts: Sequence[Record], finding: Finding, dataset: Dataset, notes: list[str]
) -> Comparison | None:
    """Return the gain of the winner's settings over the start, each on seeds that chose nothing; None if a side
    has no run.
    """
    sides = [[r for r in side if r.refresh().state == "done"] for side in (winners, starts)]
    lost = [r.id for r in (*winners, *starts) if r.state in ("failed", "cancelled", "stopped")]
    if lost:
        notes.append(f"runs of the confirmation failed: {', '.join(lost)}")
    if not all(sides):
        return None
    for record in sides[0]:
        mark_confirmed(record, dataset)
    runs = [[predictions_of(r) for r in side] for side in sides]
    names = ("the winner's settings", "the recipe as it stands")
    try:
        found = compare([runs[0], runs[1]], dataset, CompareOptions(metric=finding.metric, names=names))
    except HoegoError as e:
        notes.append(f"not compared: {e.message}")
        return None
    _write_verdict(found, sides, finding)
    notes.append(
        "the gain is on new seeds, so the luck of a seed is not in it; the people are those whose score chose the "
        "settings, so the luck of these people is: the optimism of the choice says how much that can be"
    )
    return found


def _write_verdict(found: Comparison, sides: Sequence[Sequence[Record]], finding: Finding) -> None:
    verdict = ComparisonVerdict(
        outcome=found.verdict,
        sentence=found.sentence,
        change=f"the winner of the search {finding.id}",
        metric=found.metric,
        difference=found.difference,
        p_value=found.p_value,
        scope=found.scope,
        baseline=tuple(r.id for r in sides[1]),
        runs=tuple(r.id for r in sides[0]),
    )
    for record in sides[0]:
        record.update(verdict=verdict)


def _hours(finding: Finding, store: RunStore, others: Sequence[Record]) -> float:
    later = sum(float(store.find(r.id).meta.timing.seconds or 0.0) for r in others)
    return (sum(t.seconds for t in finding.trials) + later) / 3600
