"""The workers that are alive, on all machines: a file each beside the records, which is also its heartbeat."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoego import claim_files, process
from hoego.runs.queue.plan import PlannedWorker
from hoego.runs.queue.timing import RunTimeHistory, own_epochs
from hoego.runs.records import RunStore
from hoego.runs.records.environment import machine_key

FOLDER = ".workers"


@dataclass(frozen=True, kw_only=True)
class LivingWorker:
    """A worker that is alive.

    Args:
        name: of the worker; its host and process where it has none.
        machine: as `machine_key` names it.
        until: when it ends, Unix time; None without a deadline.
        run: that it leads or has claimed now; "" where it has none.
        process: what identifies its process.
    """

    name: str
    machine: str
    until: float | None
    run: str
    process: Mapping[str, Any]


@contextlib.contextmanager
def on_roster(store: RunStore, name: str, until: float | None) -> Iterator[None]:
    """Say beside the records that this worker is alive while the body runs."""
    own = process.this_process()
    path = store.root / FOLDER / f"{own['host']}-{own['pid']}-{secrets.token_hex(3)}"
    claim_files.create(path, name, {"machine": machine_key(), "until": until})
    try:
        with claim_files.beating(lambda: os.utime(path)):
            yield
    finally:
        path.unlink(missing_ok=True)


def crew_size(store: RunStore) -> int:
    """Return how many workers are alive; at least one."""
    return max(1, sum(claim_files.is_alive(path) for path in _files(store)))


def living(store: RunStore) -> list[LivingWorker]:
    """Return the workers that are alive, by name; forget those that have died."""
    claimed = store.list(states=("running",))
    found = []
    for path in _files(store):
        owner = claim_files.owner_of(path)
        if not claim_files.is_alive(path, may_write=not store.read_only):
            if not store.read_only:
                path.unlink(missing_ok=True)
        elif owner:
            until = owner.get("until")
            found.append(
                LivingWorker(
                    name=str(owner.get("worker") or f"{owner.get('host')}-{owner.get('pid')}"),
                    machine=str(owner.get("machine", "")),
                    until=float(until) if isinstance(until, (int, float)) else None,
                    run=next((r.id for r in claimed if _same(r.meta.process, owner)), ""),
                    process=owner,
                )
            )
    return sorted(found, key=lambda w: w.name)


def crew_of(store: RunStore, now: float) -> list[PlannedWorker]:
    """Return the living workers as the plan sees them: each with the times of its machine, and when it is free."""
    histories: dict[str, RunTimeHistory] = {}
    found = []
    for worker in living(store):
        if worker.machine not in histories:
            histories[worker.machine] = RunTimeHistory.of(store, worker.machine)
        history = histories[worker.machine]
        found.append(
            PlannedWorker(
                name=worker.name,
                machine=worker.machine,
                run=worker.run,
                history=history,
                free_in=_free_in(store, worker, history),
                ends_in=None if worker.until is None else max(0.0, worker.until - now),
            )
        )
    return found


def _free_in(store: RunStore, worker: LivingWorker, history: RunTimeHistory) -> float:
    if not worker.run:
        return 0.0
    record = store.find(worker.run)
    seconds = history.remaining(record.recipe, record.fold, own_epochs(record, worker.machine)).seconds
    return seconds or 0.0


def _files(store: RunStore) -> list[Path]:
    try:
        return sorted((store.root / FOLDER).iterdir())
    except FileNotFoundError:
        return []


def _same(one: Mapping[str, Any] | None, other: Mapping[str, Any]) -> bool:
    keys = ("host", "pid", "start", "boot", "namespace")
    return one is not None and all(one.get(k) == other.get(k) for k in keys)
