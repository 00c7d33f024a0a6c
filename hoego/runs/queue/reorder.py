"""Another order of the waiting runs: their priorities, which every worker looks at before it takes the next."""

from __future__ import annotations

from collections.abc import Sequence

from hoego.errors import RecordError
from hoego.runs.queue.claims import waiting
from hoego.runs.records import Record, RunMeta, RunStore


def in_order(store: RunStore, ids: Sequence[str]) -> list[Record]:
    """Return the waiting runs with those named first, in the order given; the others keep theirs behind them.

    A run that has been taken meanwhile is left out. Raises RecordError for an id of which there is no record.
    """
    place = {id_: k for k, id_ in enumerate(dict.fromkeys(ids))}
    for id_ in place:
        if not (store.root / id_ / "run.json").is_file():
            raise RecordError(
                f"There is no run {id_!r}.", file=store.root, remedy="hoego queue status lists them."
            )
    queued = waiting(store)
    return sorted(queued, key=lambda r: place.get(r.id, len(place)))


def reorder(store: RunStore, ids: Sequence[str]) -> list[Record]:
    """Give the waiting runs priorities by which they are taken in this order, and return them.

    The highest is the number of runs, so that a run that is added later with priority 0 comes last.
    """
    ordered = in_order(store, ids)
    for k, record in enumerate(ordered):
        priority = len(ordered) - k

        def decide(meta: RunMeta, priority: int = priority) -> dict[str, int] | None:
            return {"priority": priority} if meta.state == "waiting" and meta.priority != priority else None

        record.change(decide)
    return ordered
