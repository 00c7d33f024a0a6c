"""Read the predictions of a record, and refuse those of another one."""

from __future__ import annotations

from hoego.errors import RecordError
from hoego.predictions import Predictions
from hoego.runs.records import Record

PREDICTIONS = "predictions.parquet"


def predictions_of(record: Record, fold: int | None = None) -> Predictions:
    """Read what a record predicted.

    Args:
        record: of a run, an ensemble or a composition.
        fold: one fold's own file; None reads the whole record's.

    Raises:
        RecordError: there are none yet, the file is damaged, or it is of another record or fold: a file that was
            copied beside the others says nothing of this run.
    """
    path = (record.folder if fold is None else record.folder / f"fold-{fold}") / PREDICTIONS
    if not path.exists():
        raise RecordError(
            f"The run {record.id} has no predictions: it is {record.state}.",
            remedy=f"hoego train --resume {record.id}" if record.state != "done" else "Train it again.",
        )
    found = Predictions.read(path)
    sources = {s.name for s in found.sources}
    if found.name != record.id or (fold is not None and sources != {f"{record.id}/fold-{fold}"}):
        raise RecordError(
            f"The file holds predictions of {found.name!r} ({', '.join(sorted(sources)[:3])}), not of {record.id}"
            f"{'' if fold is None else f', fold {fold}'}.",
            file=path,
            remedy="Restore the record from a copy, or train the run again.",
        )
    return found
