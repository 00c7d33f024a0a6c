"""The runs of an ablation: those that are done, those on their way, and those that are put into the queue."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hoego import files
from hoego.data.dataset import Dataset
from hoego.errors import HoegoError, UsageError
from hoego.recipe import Fold, Recipe, build
from hoego.results.ablation import PendingRun
from hoego.runs.queue import QueueOptions, retry
from hoego.runs.queue.train_record import enqueue as add_run
from hoego.runs.records import Record, RunKind, RunStore
from hoego.runs.required_runs import StudyRunner, training_settings

TAG = "ablate"
ON_THE_WAY = ("waiting", "running")
RANK = ("done", "running", "waiting", "interrupted", "failed", "cancelled", "stopped")
Enqueue = Callable[[RunStore, Mapping[str, Any], QueueOptions], Record]


Plans = Sequence[Sequence[Recipe]]
"""The recipes of an ablation, a list for each side, one a seed."""


def known_runs(store: RunStore, fold: Fold, dataset: Dataset) -> dict[str, Record]:
    """Return the finished and waiting runs of this data set and fold: the settings that decide a training ->
    its run.

    Of several runs with one recipe that which is done comes first, else that which is nearest to it. Failed,
    cancelled and interrupted runs count only where an ablation asked for them; others may have ended for reasons of
    their own.
    """
    found: dict[str, Record] = {}
    for record in store.list():
        meta, state = record.meta, record.state
        if state not in RANK or record.kind is not RunKind.RUN or record.fold != fold:
            continue
        if state not in ("done", *ON_THE_WAY) and TAG not in meta.tags:
            continue
        here = {"dataset": dataset.fingerprint, "labels": dataset.labels_version}
        if any(meta.fingerprints.get(k, v) != v for k, v in here.items()):
            continue
        with contextlib.suppress(HoegoError):
            key = key_of(build(record.recipe))
            if key not in found or RANK.index(state) <= RANK.index(found[key].state):
                found[key] = record
    return found


def key_of(recipe: Recipe) -> str:
    """Return, as text, the settings that decide the result of a training."""
    return json.dumps(training_settings(recipe), sort_keys=True, default=str)


def worker_alive(store: RunStore) -> bool:
    """Return whether a worker of the queue is active now."""
    return any((r.folder / "claims").is_dir() and r.is_alive() for r in store.list(states=("running",)))


def through_queue(
    plans: Plans,
    known: Mapping[str, Record],
    runner: StudyRunner,
    *,
    why: str = "",
    enqueue: Enqueue = add_run,
) -> list[list[Record]]:
    """Return the run of every recipe: the known one, else a new one that waits.

    Interrupted runs of an ablation wait again and continue from their last checkpoint. Nothing is trained here.
    """
    store, made = runner.store, dict(known)
    for recipe in (r for plan in plans for r in plan):
        key = key_of(recipe)
        if key not in made:
            tags = tuple(dict.fromkeys((TAG, *runner.tags)))
            options = QueueOptions(name=recipe.name, why=why, tags=tags, fold=runner.fold)
            made[key] = enqueue(store, recipe.to_dict(), options)
            runner.log(f"{recipe.name}: waits as {made[key].id}")
        elif made[key].state == "interrupted":
            made[key] = retry(store, made[key].id)
            runner.log(f"{recipe.name}: waits again ({made[key].id})")
    return [[made[key_of(r)] for r in plan] for plan in plans]


def locked(store: RunStore) -> contextlib.AbstractContextManager[None]:
    """Hold a lock, so that two ablations do not queue the same run."""
    store.root.mkdir(parents=True, exist_ok=True)
    return files.locked(store.root / ".ablate.lock")


def pending_of(records: Sequence[Sequence[Record]], states: Sequence[str]) -> tuple[PendingRun, ...]:
    """Return the runs in one of the states."""
    every = {r.id: r for side in records for r in side}
    found = (r for r in every.values() if r.state in states)
    return tuple(PendingRun(run=r.id, name=r.meta.name, state=r.state, reason=r.reason) for r in found)


def refuse_twice(plans: Plans, known: Mapping[str, Record]) -> None:
    """Raise UsageError if a run to be trained here already waits in the queue or is running."""
    mine = [known[k] for plan in plans for r in plan if (k := key_of(r)) in known]
    taken = [r.id for r in mine if r.state in ON_THE_WAY]
    if taken:
        raise UsageError(
            f"{len(taken)} of these runs are in the queue already, such as {taken[0]}.",
            remedy="Leave --here out: the same command without it reads them when they are done. "
            "hoego queue work trains what waits.",
        )
