"""Run a record's recipe again, on its own split, and say whether the numbers are the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hoego.errors import RecordError
from hoego.extras import require
from hoego.results.records import Reproduction, ValueChange
from hoego.runs.own_code import require_named_here
from hoego.runs.record_predictions import predictions_of
from hoego.runs.records import Record, RunStore, differences_of
from hoego.runs.records.run_facts import TrainingFacts

TOLERANCE = 1e-5
"""Largest difference of a probability between two runs that count as the same."""


def reproduce(store: RunStore, record: Record, *, folder: Path | None = None) -> Reproduction:
    """Train the recipe of `record` again: same split, same fold, the `auto` values as they were resolved then.

    The repetition is a run of its own (in `folder`/runs, by default beside `store`), with `record` as its parent.

    Raises:
        RecordError: the run is not done, is an ensemble, has no split or predictions, or names code that this project
            does not.
        MismatchError: the photos have changed since.
    """
    from hoego.runs.train import require_trained, resume

    require_trained(record)
    if record.state != "done":
        raise RecordError(f"{record.id} is {record.state}", remedy="Only a run that is done can be repeated.")
    require_named_here(record)
    require("train", "Training")
    again = _prepared(record, folder or store.root.parent)
    resume(again)
    return compare_repetition(record, Record(again.folder))


def _prepared(record: Record, folder: Path) -> Record:
    from hoego.data.load import load
    from hoego.recipe import build
    from hoego.runs.project import ProjectData
    from hoego.runs.train import SPLIT_FILE, TrainOptions, prepare
    from hoego.split import load as load_split

    recipe = build(record.recipe)
    dataset = load(recipe)
    split = load_split(record.folder / SPLIT_FILE, dataset)
    then = record.meta.training
    kept = TrainingFacts(resolved=then.resolved, weights=then.weights)
    options = TrainOptions(
        folder=folder,
        fold=record.fold,
        why=f"repeats {record.id}",
        tags=("reproduction",),
        parents=(record.id,),
        fields={"training": kept},
        audit=False,
    )
    return prepare(ProjectData(recipe, dataset, split), options, state="interrupted")


def compare_repetition(record: Record, again: Record) -> Reproduction:
    """Compare a run and its repetition, both done, as `reproduce` does.

    Raises RecordError where one has no predictions, MismatchError where they are of other images.
    """
    largest = _largest_difference(record, again)
    found = differences_of(record, again)
    metrics = tuple(change for change in found.results if isinstance(change.a, (int, float)))
    same, identical = largest <= TOLERANCE, largest == 0 and not metrics
    around = (*found.code, *found.environment, *found.data)
    return Reproduction(
        run=record.id,
        again=again.id,
        same=same,
        identical=identical,
        largest_difference=largest,
        metrics=metrics,
        circumstances=around,
        words=_words(again.id, largest, metrics, around),
    )


def _largest_difference(record: Record, again: Record) -> float:
    import numpy as np

    first = predictions_of(record)
    second = predictions_of(again).align(first.images)
    gaps = [
        float(np.abs(first.probabilities(name) - second.probabilities(name)).max(initial=0.0))
        for name in first.values
    ]
    return max(gaps, default=0.0)


def _words(
    again: str, largest: float, metrics: tuple[ValueChange, ...], around: tuple[ValueChange, ...]
) -> str:
    if largest == 0 and not metrics:
        return f"Reproduced bit for bit as {again}."
    changed = ", ".join(change.key for change in around[:6])
    cause = f" What differs around it: {changed}." if changed else " Nothing around it differs."
    if largest <= TOLERANCE:
        return f"Reproduced as {again}: no probability differs by more than {largest:.1e}.{cause}"
    shown = ", ".join(f"{m.key} {_number(m.a)} then, {_number(m.b)} now" for m in metrics[:4])
    return f"Not reproduced: probabilities in {again} differ by up to {largest:.3g}; {shown or 'no metric'}.{cause}"


def _number(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
