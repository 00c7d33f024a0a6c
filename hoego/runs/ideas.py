"""Ideas: recipe overlays with a hypothesis, kept in ideas.jsonl beside the runs, tried when the queue is empty.

ideas.jsonl is a log of events, one JSON object a line, joined by `hoego merge`:
`idea` (text, overlay, why, source, promise), `queued` (the runs of both sides), `verdict` (the comparison in
numbers), `leader` (a recipe that new ideas are laid over from then on).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hoego import files
from hoego.errors import RecipeError, RecordError, UsageError
from hoego.recipe import Fold, Recipe, build
from hoego.recipe.resolve import apply_overrides
from hoego.results.ideas import Idea, IdeaList, IdeaState
from hoego.results.verdict import ComparisonVerdict
from hoego.runs.idea_lists import LISTS
from hoego.runs.queue import QueueOptions, RunTimeHistory
from hoego.runs.queue import add as add_run
from hoego.runs.queue.work_options import no_log
from hoego.runs.records import Record, RunKind, RunStore, now
from hoego.runs.records.event_log import append_event, events

IDEAS = "ideas.jsonl"
SEEDS = 3
"""Seeds a side: a claim about a recipe needs at least three."""

Judge = Callable[[RunStore, Sequence[Record], Sequence[Record]], ComparisonVerdict]
"""Compares the idea's runs (second) with the leader's (first)."""


def add(
    store: RunStore,
    text: str,
    overrides: Sequence[str],
    *,
    why: str = "",
    source: str = "",
    promise: float = 0.5,
) -> Idea:
    """Keep an idea. Its settings are checked now, laid over the default recipe.

    Raises UsageError for an empty text or no setting, RecipeError for an unknown setting or a wrong value.
    """
    if not text.strip() or not overrides:
        raise UsageError(
            "an idea needs a text and at least one setting",
            remedy='hoego idea add "train the 60 edge at 58" --set train_edits.age.shift.60=58',
        )
    build(apply_overrides({}, overrides))
    idea = Idea(
        id=secrets.token_hex(4),
        time=now(),
        text=text.strip(),
        overlay=tuple(overrides),
        why=why,
        source=source,
        promise=promise,
    )
    append_event(store.root / IDEAS, "idea", {name: getattr(idea, name) for name in _KEPT})
    return idea


_KEPT = ("id", "time", "text", "overlay", "why", "source", "promise")
"""What the line of an idea holds; the rest is told by later lines."""


def adopt(store: RunStore, name: str) -> tuple[Idea, ...]:
    """Take over a bundled list of ideas; those whose settings are kept already are left out.

    Raises UsageError for an unknown list.
    """
    if name not in LISTS:
        raise UsageError(f"no list of ideas {name!r}", remedy=f"There are: {', '.join(sorted(LISTS))}.")
    present = {idea.overlay for idea in ideas(store).ideas}
    fresh = [entry for entry in LISTS[name] if entry.overlay not in present]
    return tuple(add(store, e.text, e.overlay, why=e.why, source=e.source, promise=e.promise) for e in fresh)


def ideas(store: RunStore) -> IdeaList:
    """Return every idea with its state: untried, queued, tried (with the verdict), or failed (a run of it
    failed).
    """
    found: dict[str, Idea] = {}
    leader: dict[str, Any] | None = None
    for event in events(store.root / IDEAS):
        with event.reading():
            if event.kind == "leader":
                leader = dict(event.facts["recipe"])
            else:
                _take(found, event.kind, event.facts)
    return IdeaList(ideas=tuple(sorted(found.values(), key=lambda i: (i.time, i.id))), leader=leader)


def _take(found: dict[str, Idea], kind: str, event: Mapping[str, Any]) -> None:
    """Enter what a line says of an idea."""
    id_ = str(event.get("idea", ""))
    if kind == "idea":
        idea = Idea.model_validate({name: event[name] for name in _KEPT if name in event})
        found.setdefault(idea.id, idea)
    elif id_ in found and kind == "queued":
        found[id_] = _with(found[id_], "queued", event)
    elif id_ in found and kind == "verdict":
        verdict = ComparisonVerdict.model_validate(event["verdict"])
        found[id_] = _with(found[id_], "failed" if verdict.outcome == "failed" else "tried", event, verdict)


def _with(
    idea: Idea, state: IdeaState, event: Mapping[str, Any], verdict: ComparisonVerdict | None = None
) -> Idea:
    runs, baseline = event.get("runs", idea.runs), event.get("baseline", idea.baseline)
    return idea.with_(runs=runs, baseline=baseline, state=state, verdict=verdict)


@dataclass(kw_only=True)
class IdeaWorker:
    """What `queue work --ideas` asks when nothing is left to start: `WorkOptions.idle` and `.after_run`.

    `recipe` is the first leader (None: that of the best-scored honest run, else `fallback`); from then on it
    changes only on *better*. `fold` is handed to every run (None: that of the recipe).
    """

    recipe: Mapping[str, Any] | None = None
    fold: Fold | None = None
    seeds: int = SEEDS
    judge: Judge | None = None
    log: Callable[[str], None] = no_log
    enqueue: Callable[[RunStore, Mapping[str, Any], QueueOptions], Record] = add_run
    fallback: Mapping[str, Any] | None = None

    def idle(self, store: RunStore, left: float) -> bool:
        """Judge what is complete, then queue the next idea that fits in `left` seconds; whether one was queued."""
        self.record_verdicts(store)
        with files.locked(store.root / ".ideas.lock"):
            leader = self._first_leader(store)
            for idea in self._ranked(store, leader):
                if self._queue(store, idea, leader, left):
                    return True
        return False

    def after_run(self, store: RunStore, _: Record) -> None:
        """Judge the ideas whose last run has just ended."""
        self.record_verdicts(store)

    def record_verdicts(self, store: RunStore) -> tuple[Idea, ...]:
        """Write the verdict of every queued idea whose runs have all ended; the leader changes only on *better*."""
        with files.locked(store.root / ".ideas.lock"):
            queued = [idea for idea in ideas(store).ideas if idea.state == "queued"]
            return tuple(idea for idea in queued if self._record_verdict(store, idea))

    def _record_verdict(self, store: RunStore, idea: Idea) -> bool:
        sides = [[_found(store, id_) for id_ in side] for side in (idea.baseline, idea.runs)]
        records = [record for side in sides for record in side]
        states = {"missing" if record is None else record.state for record in records}
        if states & {"waiting", "running", "interrupted"}:
            return False
        if states != {"done"}:
            bad = next(r for r in records if r is None or r.state != "done")
            why = "a run of it is gone" if bad is None else f"{bad.id} {bad.state}: {bad.reason}"
            verdict = ComparisonVerdict(
                outcome="failed", sentence=why, baseline=idea.baseline, runs=idea.runs
            )
        else:
            base, own = ([r for r in side if r is not None] for side in sides)
            verdict = (self.judge or compared)(store, base, own)
        self._write(store, idea, verdict, sides[1])
        return True

    def _write(
        self, store: RunStore, idea: Idea, verdict: ComparisonVerdict, runs: Sequence[Record | None]
    ) -> None:
        verdict = verdict.with_(idea=idea.id, change=idea.text)
        event: dict[str, Any] = {
            "idea": idea.id,
            "time": now(),
            "verdict": verdict,
        }
        append_event(store.root / IDEAS, "verdict", event)
        for record in runs:
            if record is not None:
                record.update(verdict=verdict)
        if verdict.outcome == "better" and runs and runs[0] is not None and self._against_leader(store, idea):
            recipe = {**runs[0].recipe, "seed": self._leader(store).get("seed", 0), "name": idea.text}
            event = {"idea": idea.id, "time": now(), "recipe": recipe, "selected": True}
            append_event(store.root / IDEAS, "leader", event)
        self.log(f"idea {idea.id} ({idea.text}): {verdict.outcome}")

    def _against_leader(self, store: RunStore, idea: Idea) -> bool:
        """Return whether the idea was compared with the recipe that leads now."""
        baseline = _found(store, idea.baseline[0]) if idea.baseline else None
        return (
            baseline is not None
            and build(baseline.recipe).fingerprint == build(self._leader(store)).fingerprint
        )

    def _first_leader(self, store: RunStore) -> dict[str, Any]:
        """Return the leader; record it the first time that an idea waits for it."""
        leader, found = self._leader(store), ideas(store)
        if found.leader is None and any(idea.state == "untried" for idea in found.ideas):
            event = {"idea": "", "time": now(), "recipe": leader}
            append_event(store.root / IDEAS, "leader", event)
        return leader

    def _leader(self, store: RunStore) -> dict[str, Any]:
        kept = ideas(store).leader
        if kept is not None:
            return dict(kept)
        if self.recipe is not None:
            return dict(self.recipe)
        # A combination has no recipe of its own: the one in its record is its first member's.
        honest = store.ranked(kinds=(RunKind.RUN,)).records
        if not honest and self.fallback is not None:
            return dict(self.fallback)
        if not honest:
            raise RecordError("no run leads yet", remedy="Give a recipe: hoego queue work --ideas RECIPE.")
        return honest[0].recipe

    def _ranked(self, store: RunStore, leader: Mapping[str, Any]) -> list[Idea]:
        """Rank the untried ideas by promise per predicted second; an idea of unknown cost counts as the
        leader's.
        """
        untried = [idea for idea in ideas(store).ideas if idea.state == "untried"]
        history = RunTimeHistory.of(store)
        usual = history.predict(leader, self.fold).seconds or 1.0

        def worth(idea: Idea) -> float:
            try:
                recipe = overlaid(leader, idea).to_dict()
            except RecipeError:
                return 0.0
            return idea.promise / (history.predict(recipe, self.fold).seconds or usual)

        return sorted(untried, key=worth, reverse=True)

    def _queue(self, store: RunStore, idea: Idea, leader: Mapping[str, Any], left: float) -> bool:
        try:
            recipe = overlaid(leader, idea)
        except RecipeError as problem:
            verdict = ComparisonVerdict(outcome="failed", sentence=problem.message)
            self._write(store, idea, verdict, ())
            return False
        sides = (build(leader), recipe)
        if sides[0].fingerprint == sides[1].fingerprint:
            reason = "the recipe that leads has these settings already"
            verdict = ComparisonVerdict(outcome="already so", sentence=reason)
            self._write(store, idea, verdict, ())
            return False
        have = [[self._reusable(store, side, seed) for seed in self._seeds(leader)] for side in sides]
        missing = [(side, seed) for side in (0, 1) for seed, run in enumerate(have[side]) if run is None]
        history = RunTimeHistory.of(store)
        needed = [history.predict(sides[side].to_dict(), self.fold).seconds for side, _ in missing]
        if sum(s for s in needed if s is not None) > left:
            return False
        ids = [[run.id if run else "" for run in side] for side in have]
        for side, k in missing:
            seeded = {**sides[side].to_dict(), "seed": self._seeds(leader)[k]}
            about = {"idea": idea.id, "side": ("baseline", "idea")[side]}
            name = f"idea: {idea.text}" if side else f"{leader.get('name') or 'the recipe'} that leads"
            ask = QueueOptions(
                name=name, why=idea.why if side else "", tags=("idea",), fold=self.fold, facts=about
            )
            ids[side][k] = self.enqueue(store, seeded, ask).id
        event = {"idea": idea.id, "time": now(), "baseline": ids[0], "runs": ids[1]}
        append_event(store.root / IDEAS, "queued", event)
        self.log(f"idea {idea.id} ({idea.text}): {len(missing)} runs queued")
        return True

    def _seeds(self, leader: Mapping[str, Any]) -> list[int]:
        first = int(leader.get("seed", 0))
        return [first + k for k in range(self.seeds)]

    def _reusable(self, store: RunStore, recipe: Recipe, seed: int) -> Record | None:
        """Return a run (done, queued or running) of this recipe with this seed and these folds."""
        for record in reversed(store.list(where=lambda m: m.state in ("done", "waiting", "running"))):
            own = recipe.fold if self.fold is None else self.fold
            if record.fold == own and record.meta.queue.shortened is None and _is(record, recipe, seed):
                return record
        return None


def _is(record: Record, recipe: Recipe, seed: int) -> bool:
    try:
        own = record.recipe
        return own.get("seed", 0) == seed and build(own).fingerprint == recipe.fingerprint
    except (RecipeError, RecordError):
        return False


def overlaid(leader: Mapping[str, Any], idea: Idea) -> Recipe:
    """Return the leader's recipe with the idea's settings over it. Raises RecipeError if they no longer fit it."""
    return build(apply_overrides(leader, idea.overlay))


def _found(store: RunStore, id_: str) -> Record | None:
    path = store.root / id_
    return Record(path) if (path / "run.json").is_file() else None


def compared(store: RunStore, baseline: Sequence[Record], runs: Sequence[Record]) -> ComparisonVerdict:
    """Return the verdict of `hoego compare` on the two sides, at scope `recipes`."""
    from hoego.runs.verdicts import compare_sides

    about = runs[0].meta
    return compare_sides(
        baseline, runs, ("the recipe that led", about.name.removeprefix("idea: ") or about.id)
    )
