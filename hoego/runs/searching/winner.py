"""The winner of a search: marked as chosen, scored with the optimism of the choice, confirmed on new seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hoego import files
from hoego.data.dataset import Dataset
from hoego.evaluate.score import Score, ScoreOptions, ScoreSummary, score
from hoego.predictions import Predictions
from hoego.recipe import build
from hoego.runs.candidates import recorded_candidates
from hoego.runs.record_predictions import PREDICTIONS, predictions_of
from hoego.runs.records import Record


def mark_chosen(record: Record, best_of: int, dataset: Dataset) -> Score:
    """Mark a trial as the best of `best_of`, in its record and in every file of its predictions, and score it again.

    The subjects whose score chose it are those that it predicts. Their rows are `selected` from now on, wherever the
    predictions go. Done twice it changes nothing.
    """
    facts = record.refresh().queue.search
    assert facts is not None
    record.update(queue={"search": facts.with_(best_of=best_of)})
    what = f"chosen as the best of {best_of} trials of the search {facts.search}"
    return _marked(record, what, dataset)


def mark_confirmed(record: Record, dataset: Dataset) -> Score:
    """Mark a run of the winner's settings on another seed: its settings were chosen by the people that score it."""
    facts = record.refresh().queue.search
    assert facts is not None
    return _marked(record, f"its settings were chosen by the search {facts.search}, on another seed", dataset)


def _marked(record: Record, what: str, dataset: Dataset) -> Score:
    for path in (record.folder / PREDICTIONS, *sorted(record.folder.glob(f"fold-*/{PREDICTIONS}"))):
        _mark_file(path, what, dataset)
    predictions = predictions_of(record)
    settings = build(record.recipe).score
    options = ScoreOptions(
        metrics=settings.metrics,
        resamples=settings.resamples,
        level=settings.level,
        candidates=recorded_candidates(record, predictions),
    )
    found = score(predictions, dataset, options)
    found = found.with_(notes=tuple(dict.fromkeys((*found.notes, what))))
    files.write_json(record.folder / "score.json", found)
    record.update(score=ScoreSummary.of(found).model_dump(mode="json"))
    return found


def _mark_file(path: Path, what: str, dataset: Dataset) -> None:
    found = Predictions.read(path)
    if all(what in s.path for s in found.sources):
        return
    rows = dataset.positions(found.images)
    names = dataset.subjects[dataset.subject_index[rows]]
    chose = np.isin(found.universe.names, names)
    sources = tuple(
        replace(s, selected=s.selected | chose, path=(*_without_choice(s.path), what)) for s in found.sources
    )
    replace(found, sources=sources).write(path)


def _without_choice(path: Sequence[str]) -> tuple[str, ...]:
    """Drop the notes of an earlier end of the same search: the present one replaces them."""
    return tuple(p for p in path if not p.startswith("chosen as the best of "))
