"""Runs whose folds are spread: which of them a worker can help with, and its part in one."""

from __future__ import annotations

from collections.abc import Collection

from hoego.runs.fold_claims import FoldClaims
from hoego.runs.fold_sharing import FoldSharing
from hoego.runs.queue.context import WorkerContext
from hoego.runs.records import Record, RunStore


def led(store: RunStore) -> list[Record]:
    """Return the runs with spread folds that a living worker leads, in the order in which they are helped."""
    spread = store.list(states=("running",), where=lambda meta: meta.queue.spread)
    return sorted(spread, key=lambda r: (-r.meta.priority, r.meta.created, r.id))


def has_begun(record: Record) -> bool:
    """Return whether the leader has settled what all folds share: precision, threads, the labels as they were."""
    return record.meta.training.resolved is not None


def open_folds(record: Record) -> list[int]:
    """Return the folds that are neither done nor a living worker's."""
    split = record.split
    return [] if split is None else FoldClaims(record).unclaimed(range(split.folds))


def folds_to_share(record: Record) -> int:
    """Return how many folds of a run workers may share; 1 where they are not spread."""
    split = record.split if record.meta.queue.spread else None
    return 1 if split is None else split.folds


def to_help(store: RunStore, *, least: int, without: Collection[str] = (), only: str = "") -> Record | None:
    """Return the first led run with an open fold, of priority `least` or higher and not in `without`; or None.

    With `only` no other run is looked at.
    """
    for record in led(store):
        if record.id in without or record.meta.priority < least or only not in ("", record.id):
            continue
        if not has_begun(record):
            continue
        if open_folds(record):
            return record
    return None


def sharing_of(record: Record, context: WorkerContext, *, leads: bool) -> FoldSharing:
    """Return a worker's part in a run whose folds are spread."""
    return FoldSharing(
        claims=FoldClaims(record, context.worker),
        leads=leads,
        may_start=context.fold_fits,
        on_fold=context.fold_begins,
    )
