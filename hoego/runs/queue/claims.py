"""Add a run to the queue, take one, give it back: changes of state of the records themselves."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoego import claim_files, files
from hoego.errors import RecordError
from hoego.recipe.fold import Fold
from hoego.runs.queue.context import STOP_FILE
from hoego.runs.records import FINAL_STATES, Record, RunMeta, RunStore, now, process
from hoego.runs.records.environment import code_state, machine_key
from hoego.storage import storing

MAX_DEATHS = 3
"""A run whose worker died this often without finishing one more epoch ends as failed: one death may be the machine's, a
run that kills its worker each time would keep the queue from ever ending."""


@dataclass(frozen=True, kw_only=True)
class QueueOptions:
    """Options of a queued run beside its recipe.

    `after`: ids of runs that must be done first. `value`: what it is worth beside others of its priority when
    the time is not enough for all. `fold`: what is held out; None takes what the recipe says. `spread`: its folds
    are claimed one by one by all workers. `training`: facts of its training, such as the time that it may take.
    """

    name: str = ""
    why: str = ""
    tags: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    priority: int = 0
    value: float = 1.0
    fold: Fold | None = None
    facts: Mapping[str, Any] | None = None
    training: Mapping[str, Any] | None = None
    spread: bool = False

    @property
    def queue_facts(self) -> dict[str, Any]:
        """Return what run.json holds under `queue`."""
        return {**(self.facts or {}), **({"spread": True} if self.spread else {})}


def add(store: RunStore, recipe: Mapping[str, Any], options: QueueOptions | None = None) -> Record:
    """Make a waiting record of the resolved `recipe`, with the code's state: the worker runs exactly this.

    Raises RecordError when a run in `after` does not exist or can no longer be done.
    """
    options = options or QueueOptions()
    return store.create(
        recipe,
        name=options.name,
        why=options.why,
        tags=options.tags,
        state="waiting",
        parents=options.parents,
        after=after_of(store, options),
        priority=options.priority,
        value=options.value,
        fold=options.fold,
        queue=options.queue_facts,
    )


def after_of(store: RunStore, options: QueueOptions) -> list[str]:
    """Return the ids of the runs that must be done first. Raises RecordError for one that is unknown, failed or
    cancelled.
    """
    after = [store.find(text) for text in options.after]
    for record in after:
        if record.state in ("failed", "cancelled", "stopped"):
            raise RecordError(
                f"{record.id} is {record.state}, so nothing can come after it",
                remedy=f"hoego queue retry {record.id}, or leave --after out.",
            )
    return [record.id for record in after]


def waiting(store: RunStore) -> list[Record]:
    """Return the waiting runs in the order in which they are taken: by priority, then by time."""
    return sorted(store.list(states=["waiting"]), key=lambda r: (-r.meta.priority, r.meta.created, r.id))


def blocked(record: Record, states: Mapping[str, str]) -> str:
    """Return why a waiting run cannot start yet, "" if it can; `states` maps ids to the states of all runs."""
    for id_ in record.meta.after:
        state = states.get(id_, "missing")
        if state != "done":
            return f"comes after {id_}, which is {state}"
    return ""


def claim(
    store: RunStore,
    worker: str = "",
    *,
    candidates: Iterable[Record] | None = None,
    accept: Callable[[Record], bool] = lambda _: True,
) -> Record | None:
    """Take the first waiting run that is not blocked and that `accept` lets through; None when there is none.

    The claim is a file that only one process can create (`claims/<attempt>`), so that of any number of workers on any
    number of machines one gets the run.
    It is then `running`, in the name of this process.
    """
    states: dict[str, str] | None = None
    for record in waiting(store) if candidates is None else candidates:
        if record.meta.after:
            states = {r.id: r.state for r in store.list()} if states is None else states
            if blocked(record, states):
                continue
        if accept(record) and take(record, worker):
            return record
    return None


def take(record: Record, worker: str = "") -> bool:
    """Take this very run; False when another process has it or it is not waiting any more."""
    with contextlib.suppress(RecordError):
        meta = record.refresh()
        claimed = _claim_path(record.folder, meta.attempt)
        if meta.state == "waiting" and claim_files.create(claimed, worker):
            return _start(record, meta.attempt)
    return False


def _claim_path(folder: Path, attempt: int) -> Path:
    return folder / "claims" / f"{attempt:04d}"


def _start(record: Record, attempt: int) -> bool:
    """Move a claimed run to running, unless it was cancelled between the look and the claim."""
    taken = False

    def decide(meta: RunMeta) -> dict[str, Any] | None:
        nonlocal taken
        taken = meta.state == "waiting" and meta.attempt == attempt
        if not taken:
            return None
        return {
            "state": "running",
            "reason": "",
            "process": process.this_process(),
            "machine": machine_key(),
            "started": meta.started or now(),
            "finished": "",
        }

    record.heartbeat()
    record.change(decide)
    if taken:
        record.log("running")
        _note_code(record)
    return taken


def _note_code(record: Record) -> None:
    """Record the machine that runs it, and whether the code changed since the run was asked for."""
    record.note_environment()
    asked, present = record.code, code_state(record.folder.parent)
    if asked.get("hash") == present["hash"]:
        return
    changed = {
        k
        for k in {*asked.get("files", {}), *present["files"]}
        if asked.get("files", {}).get(k) != present["files"].get(k)
    }
    files.write_json(record.folder / "code-ran.json", present, durable=False)
    record.update(queue={"code_changed": sorted(changed)})
    record.log(f"the code changed since the run was asked for: {', '.join(sorted(changed))}")


def release(record: Record, state: str, reason: str = "") -> None:
    """End this attempt: the run moves to `state`; to `waiting` so that it can be claimed again."""
    if state == "waiting":
        record.change(lambda meta: {"attempt": meta.attempt + 1})
    record.set_state(state, reason)


def release_dead(record: Record, what: str) -> RunMeta:
    """End an attempt that a death from outside has ended: back to waiting, or failed after MAX_DEATHS of them.

    `what` says what died, as in "its worker (pid 7) died".
    """
    done = progress_of(record)
    meta = record.change(lambda meta: _after_death(meta, what, done))
    record.log(f"{meta.state}: {meta.reason}")
    return meta


def _after_death(meta: RunMeta, what: str, done: int) -> dict[str, Any]:
    deaths = 1 if done > meta.queue.epochs_at_death else meta.deaths + 1
    common = {"deaths": deaths, "process": None, "queue": {"epochs_at_death": done}}
    if deaths >= MAX_DEATHS:
        reason = f"{what} {deaths} times without one more epoch: killed from outside, or out of memory"
        return {**common, "state": "failed", "reason": reason}
    reason = f"{what}; it goes on after {done} epochs" if done else f"{what}; it starts again"
    return {**common, "state": "waiting", "reason": reason, "attempt": meta.attempt + 1}


def recover(store: RunStore) -> list[Record]:
    """Put the runs of dead workers back to waiting (failed after MAX_DEATHS deaths without progress).

    A run is a dead worker's when it was claimed and its process has gone (see `hoego.process`). Any number
    of processes may do this at once: each change is made once, under the record's lock.
    """
    recovered = []
    for record in store.list(where=lambda meta: meta.state in ("running", "waiting")):
        if not (record.folder / "claims").is_dir():
            continue
        claimed = _claim_path(record.folder, record.meta.attempt)
        if record.meta.state == "running" and record.is_alive():
            continue
        if record.meta.state == "waiting" and (not claimed.exists() or claim_files.is_alive(claimed)):
            continue
        if _give_back(record):
            recovered.append(record)
    return recovered


def _give_back(record: Record) -> bool:
    seen = record.meta
    done = progress_of(record)
    changed = False

    def decide(meta: RunMeta) -> dict[str, Any] | None:
        nonlocal changed
        same = meta.attempt == seen.attempt and meta.state == seen.state
        if not same or (meta.state == "running" and record.is_alive()):
            return None
        changed = True
        return _after_death(meta, f"its worker (pid {(meta.process or {}).get('pid', '?')}) died", done)

    meta = record.change(decide)
    if changed:
        record.log(f"{meta.state}: {meta.reason}")
    return changed


def progress_of(record: Record) -> int:
    """Count the epochs recorded so far, over all folds."""
    try:
        return sum(len(record.epochs(fold)) for fold in record.folds())
    except RecordError:
        return 0


def cancel(store: RunStore, text: str) -> Record:
    """Cancel a run: at once where it waits (or its process is dead), at its next step where it runs.

    Raises RecordError for a run that has ended.
    """
    record = store.find(text)
    state = record.state
    if state in FINAL_STATES:
        raise RecordError(
            f"{record.id} is {state} already", remedy="Only a run that has not ended can be cancelled."
        )
    with storing(record.folder / "cancel"):
        (record.folder / "cancel").touch()
    if state in ("waiting", "interrupted"):
        record.set_state("cancelled", "by hand")
    return record


def retry(store: RunStore, text: str, *, fresh: bool = False) -> Record:
    """Put a failed, interrupted, cancelled or stopped run back to waiting; it resumes from its last checkpoint.

    With `fresh` it starts again: its folds are moved away to `before-<attempt>`. Raises RecordError for a run
    in any other state.
    """
    record = store.find(text)
    state = record.state
    if state not in ("failed", "interrupted", "cancelled", "stopped"):
        raise RecordError(
            f"{record.id} is {state}",
            remedy="Only a failed, interrupted, cancelled or stopped run can be retried.",
        )
    for asked in ("cancel", STOP_FILE):
        with storing(record.folder / asked):
            (record.folder / asked).unlink(missing_ok=True)
    if fresh and record.folds():
        aside = record.folder / f"before-{record.meta.attempt}"
        aside.mkdir(exist_ok=True)
        for fold in record.folds():
            os.replace(record.folder / f"fold-{fold}", aside / f"fold-{fold}")
    record.change(lambda meta: {"attempt": meta.attempt + 1, "deaths": 0})
    record.set_state("waiting", "retried")
    return record
