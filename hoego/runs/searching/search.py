"""`hoego search`: ask for points, queue them as runs, stop those that are behind, confirm the best on new seeds."""

from __future__ import annotations

import contextlib
import datetime
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from hoego import files
from hoego.errors import HoegoError, TrainError, UsageError
from hoego.evaluate.score.metrics import require_applicable
from hoego.extras import require
from hoego.recipe import Recipe
from hoego.results.search import SearchResult
from hoego.runs.ablate import title
from hoego.runs.inputs import open_photos
from hoego.runs.project import ProjectData, open_project
from hoego.runs.queue import QueueOptions, WorkerPool, WorkOptions, format_duration, recover
from hoego.runs.queue.context import STOP_FILE
from hoego.runs.queue.train_record import enqueue, train_runner, warm_up
from hoego.runs.queue.working import to_stderr
from hoego.runs.records import Record, SearchFacts
from hoego.runs.records.run_facts import SearchPoint
from hoego.runs.required_runs import StudyRunner, training_settings, varied
from hoego.runs.searching.conclude import Finding, conclude
from hoego.runs.searching.halving import Halving, behind
from hoego.runs.searching.sampling import ask, require_sampler
from hoego.runs.searching.space import SearchSpace
from hoego.runs.searching.trials import OPEN, SearchTrial, facts_of, records_of, trials_of

TAG = "search"
POLL = 0.5
HOPELESS = 3
"""Trials that may fail at the start, none having ended well, before the search gives up."""


@dataclass(frozen=True, kw_only=True)
class SearchRequest:
    """What is searched, and how long.

    Args:
        space: `KEY=VALUES` each (see `parse_axis`).
        trials: at most; 0 for no limit.
        sampler: that chooses: one of SAMPLERS.
        metric: that is searched by.
        until: the deadline; the confirmation is to end before it, too.
        hours: of training in all, over all workers, confirmation included; 0 for no limit.
        workers: processes here; 0 where workers elsewhere take the runs.
        seeds: new seeds a side that confirm the winner; 0 leaves the confirmation out.
        halving: how trials are stopped early; None trains all to their end.
        why: the hypothesis.
    """

    space: Sequence[str]
    trials: int = 0
    sampler: str = "tpe"
    metric: str = "macro_f1"
    until: datetime.datetime | None = None
    hours: float = 0.0
    workers: int = 1
    seeds: int = 3
    halving: Halving | None = field(default_factory=Halving)
    why: str = ""


def search(recipe: Recipe, request: SearchRequest, runner: StudyRunner) -> SearchResult:
    """Search, or go on with the search of the same recipe, space, sampler and metric as far as its records tell.

    Args:
        recipe: the start.
        request: see `SearchRequest`.
        runner: where to train.

    Returns:
        What was found; where the time ended first, with what is still to be done.

    Raises:
        UsageError: no end is given, or a setting cannot be searched.
        RecipeError: an unknown setting, or a value out of range.
        TrainError: the first trials all failed.
    """
    require("search", "A search")
    require("train", "Training")
    if not (request.trials or request.until or request.hours or request.sampler == "grid"):
        raise UsageError("The search has no end.", remedy="Give --trials, --until, --for or --hours.")
    space = SearchSpace.of(recipe, request.space)
    require_sampler(request.sampler, space)
    project = open_project(recipe, runner.folder)
    return _Search(recipe, request, runner, space, project).run()


def search_id(recipe: Recipe, request: SearchRequest, space: SearchSpace, fold: object) -> str:
    """Return the name of a search: what decides its trials, not how many there are to be."""
    what = [training_settings(recipe), space.texts, request.sampler, request.metric, str(fold)]
    return blake2b(json.dumps(what, sort_keys=True, default=str).encode(), digest_size=5).hexdigest()


class _Search:
    """One search, from the state of its records."""

    def __init__(
        self,
        recipe: Recipe,
        request: SearchRequest,
        runner: StudyRunner,
        space: SearchSpace,
        project: ProjectData,
    ) -> None:
        self.recipe, self.request, self.runner = recipe, request, runner
        self.space, self.project, self.store = space, project, runner.store
        self.id = search_id(recipe, request, space, runner.fold_of(recipe))
        schema = project.dataset.schema
        self.better = require_applicable(request.metric, schema, [schema.target]).better
        self.sign = 1.0 if self.better == "higher" else -1.0
        self.ended, self.exhausted = "", False
        self._told: dict[str, str] = {}

    def run(self) -> SearchResult:
        self.runner.log(f"search {self.id}: {len(self.trials())} trials are on record")
        # Decoded once, before the workers start: they share the pixels.
        open_photos(self.recipe, self.project.dataset)
        with self._workers() as pool:
            self._try(pool)
            best = self.best()
            sides = self._confirm(pool, best) if best is not None and not self._late() else ([], [])
        finding = Finding(
            id=self.id,
            name=self.recipe.name,
            metric=self.request.metric,
            better=self.better,
            sampler=self.request.sampler,
            space=self.space,
            trials=self.trials(),
            start=self.space.point_of(self.recipe),
            ended=self.ended,
        )
        return conclude(finding, self.store, self.project.dataset, *sides)

    def trials(self) -> list[SearchTrial]:
        return trials_of(self.store, self.id, self.request.metric, self.sign)

    def best(self) -> SearchTrial | None:
        done = [t for t in self.trials() if t.value is not None]
        return max(done, key=lambda t: (t.value, -t.number), default=None)

    @contextlib.contextmanager
    def _workers(self) -> Iterator[WorkerPool]:
        options = WorkOptions(
            until=self.request.until, reserve=0.0, warm=warm_up, log=to_stderr, name=f"search-{self.id}"
        )
        pool = WorkerPool(self.store, train_runner, options, self.request.workers)
        try:
            yield pool
        finally:
            pool.end()

    def _try(self, pool: WorkerPool) -> None:
        """Ask and queue until the end that was asked for, and until every trial has ended."""
        while True:
            began = time.monotonic()
            recover(self.store)
            pool.replace_dead()
            trials = self.trials()
            self._tell(trials)
            self._refuse_hopeless(trials)
            self._stop_those_behind(trials)
            self.ended = self._why_end(trials)
            if self._late() or (self.ended and not any(t.open for t in trials)):
                return
            if not self.ended:
                self._ask()
            time.sleep(
                max(POLL, 3 * (time.monotonic() - began)) if self.ended or self._full(self.trials()) else 0.0
            )

    def _full(self, trials: Sequence[SearchTrial]) -> bool:
        """Return whether every worker has a trial; with workers elsewhere, whether one waits."""
        open_ones = sum(t.open for t in trials)
        if self.request.workers:
            return open_ones >= self.request.workers
        return any(t.state == "waiting" for t in trials)

    def _ask(self) -> None:
        # Two commands of one search take turns: each sees what the other has queued.
        self.store.root.mkdir(parents=True, exist_ok=True)
        with files.locked(self.store.root / ".search.lock"):
            trials = self.trials()
            if self._full(trials) or self._why_end(trials):
                return
            start = self.space.point_of(self.recipe) if not trials else None
            point = start or ask(self.space, trials, self.request.sampler, self.recipe.seed)
            if point is None:
                self.exhausted = True
                return
            number = max((t.number for t in trials), default=-1) + 1
            change = self.space.overrides(point)
            self._queue(
                varied(self.recipe, change, name=title(self.recipe, change, self.recipe.seed), refit=False),
                SearchFacts(
                    search=self.id, metric=self.request.metric, role="trial", trial=number, point=dict(point)
                ),
            )

    def _queue(self, recipe: Recipe, facts: SearchFacts) -> Record:
        tags = tuple(dict.fromkeys((TAG, f"{TAG}-{self.id}", *self.runner.tags)))
        asked = QueueOptions(
            name=recipe.name,
            why=self.request.why,
            tags=tags,
            fold=self.runner.fold_of(recipe),
            facts={"search": facts.model_dump(mode="json")},
        )
        record = enqueue(self.store, recipe.to_dict(), asked)
        self.runner.log(f"{recipe.name}: waits as {record.id}")
        return record

    def _stop_those_behind(self, trials: Sequence[SearchTrial]) -> None:
        if self.request.halving is None:
            return
        for trial in trials:
            if trial.state == "running" and (why := behind(trial, trials, self.request.halving)):
                path = self.store.root / trial.run / STOP_FILE
                if not path.exists():
                    files.write_text(path, why, durable=False)

    def _why_end(self, trials: Sequence[SearchTrial]) -> str:
        if self.exhausted:
            return "every point of the space was tried"
        if self.request.trials and len(trials) >= self.request.trials:
            return f"all {self.request.trials} trials"
        each = [t.seconds for t in trials if t.state == "done" and t.seconds] or [0.0]
        # The winner and the start are still to be trained on new seeds.
        later = statistics.fmean(each) * 2 * self.request.seeds
        if self.request.hours and sum(t.seconds for t in trials) + later >= 3600 * self.request.hours:
            return f"{self.request.hours:g} hours of training"
        if self.request.until is not None:
            left = self.request.until.timestamp() - time.time()
            if left < statistics.fmean(each) + later / max(1, self.request.workers):
                return "the deadline"
        return ""

    def _late(self) -> bool:
        return self.request.until is not None and time.time() >= self.request.until.timestamp()

    def _tell(self, trials: Sequence[SearchTrial]) -> None:
        for t in trials:
            if not t.open and self._told.get(t.run) != t.state:
                value = "" if t.value is None else f" {self.request.metric} {self.sign * t.value:.4f}"
                self.runner.log(f"trial {t.number} {t.state}{value} ({format_duration(t.seconds)})")
            self._told[t.run] = t.state

    def _refuse_hopeless(self, trials: Sequence[SearchTrial]) -> None:
        failed = [t for t in trials if t.state == "failed"]
        if len(failed) >= HOPELESS and not any(t.state in ("done", "stopped") for t in trials):
            reason = self.store.find(failed[-1].run).reason
            raise TrainError(
                f"The first {len(failed)} trials of the search failed: {reason}.",
                remedy=f"hoego show {failed[-1].run}; train the recipe by itself first.",
            )

    def _confirm(self, pool: WorkerPool, best: SearchTrial) -> tuple[list[Record], list[Record]]:
        """Train the winner's settings and the start on new seeds; return both sides' runs, whatever became of them."""
        if not self.request.seeds or best.point == self.space.point_of(self.recipe):
            return [], []
        sides = [self._side("winner", best.point), self._side("start", {})]
        while not self._late():
            recover(self.store)
            pool.replace_dead()
            if all(self.store.find(r.id).state not in OPEN for side in sides for r in side):
                break
            time.sleep(POLL)
        return sides[0], sides[1]

    def _side(self, role: str, point: SearchPoint) -> list[Record]:
        """Return the runs of one side; queue those that are missing."""
        change = self.space.overrides(point) if point else []
        known = {r.recipe.get("seed"): r for r in records_of(self.store, self.id, role) if self._of(r, point)}
        out = []
        for seed in range(self.recipe.seed + 1, self.recipe.seed + 1 + self.request.seeds):
            if seed not in known:
                recipe = varied(
                    self.recipe, change, name=title(self.recipe, change, seed), seed=seed, refit=False
                )
                facts = SearchFacts(search=self.id, metric=self.request.metric, role=role, point=dict(point))
                known[seed] = self._queue(recipe, facts)
            out.append(known[seed])
        return out

    @staticmethod
    def _of(record: Record, point: SearchPoint) -> bool:
        facts = facts_of(record)
        with contextlib.suppress(HoegoError):
            return facts is not None and dict(facts.point) == dict(point) and record.state != "cancelled"
        return False
