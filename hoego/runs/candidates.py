"""What a score was chosen from, epochs or trials, as the records hold it: the optimism is estimated from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hoego.errors import HoegoError
from hoego.evaluate.score import SelectionCandidates
from hoego.predictions import Predictions
from hoego.recipe import build
from hoego.runs.record_predictions import predictions_of
from hoego.runs.records import Record, RunKind, RunStore
from hoego.runs.searching.trials import records_of
from hoego.train.epochs import EpochStore


def recorded_candidates(record: Record, predictions: Predictions) -> SelectionCandidates | None:
    """Return what a run was chosen from; None where nothing was chosen or the record does not hold it any more.

    Args:
        record: of the run; ensembles and outside predictions have no candidates.
        predictions: of the record, N images.
    """
    if not (record.folder / "recipe.toml").is_file() or record.kind is not RunKind.RUN:
        return None
    if record.meta.queue.search is not None and record.meta.queue.search.best_of:
        return trial_candidates(record, predictions)
    # With another `select.on`, what was chosen on the scored images was chosen elsewhere: by a teacher, say.
    if build(record.recipe).select.on != "held-out":
        return None
    if not any(s.selected.any() for s in predictions.sources):
        return None
    folds = record.folds()
    if not folds or not all(EpochStore(record.folder / f"fold-{k}").started for k in folds):
        return None
    return candidates_of(record, folds, predictions)


def candidates_of(
    record: Record, folds: Sequence[int], predictions: Predictions
) -> SelectionCandidates | None:
    """Return the epochs that the scored ones were chosen from: the target classes that each predicted, over all
    folds.

    A fold that stopped early repeats its last candidate. None where the model does not predict the target.
    """
    target = predictions.schema.target
    if not predictions.has(target):
        return None
    images: list[str] = []
    tables: list[list[NDArray[np.int64]]] = []
    for k in folds:
        own, rows = _epochs(record, k, predictions)
        images += own
        tables.append(rows)
    most = max(len(rows) for rows in tables)
    padded = [np.stack([rows[min(m, len(rows) - 1)] for m in range(most)]) for rows in tables]
    return SelectionCandidates(np.asarray(images), np.concatenate(padded, axis=1))


def _epochs(record: Record, fold: int, predictions: Predictions) -> tuple[list[str], list[NDArray[np.int64]]]:
    """Return the images of a fold and the target classes that every candidate of it predicted for them."""
    store = EpochStore(record.folder / f"fold-{fold}")
    index = store.index()
    own = predictions.align(np.asarray(index["images"]))
    scale = {name: head["scale"] for name, head in index["heads"].items()}
    rows = []
    for candidate in store.read():
        values = {name: _whole(v, scale[name]) for name, v in candidate.values.items()}
        found = replace(own, values=values, scale=scale).probabilities(predictions.schema.target)
        rows.append(found.argmax(axis=1))
    return [*index["images"]], rows


def trial_candidates(record: Record, predictions: Predictions) -> SelectionCandidates | None:
    """Return the trials that the best trial of a search was chosen from: those done or stopped.

    Where each trial chose its epoch by the photos of one fold, too, its epochs are the candidates: the two choices are
    one. None where the search went by another metric than macro F1, or trials are missing.
    """
    facts = record.meta.queue.search
    target = predictions.schema.target
    if facts is None or facts.metric != "macro_f1" or not predictions.has(target):
        return None
    by_epoch = build(record.recipe).select.on == "held-out" and len(record.folds()) == 1
    position = {image: i for i, image in enumerate(predictions.images.tolist())}
    tables, count = [], 0
    for trial in records_of(RunStore(record.folder.parent), facts.search, "trial"):
        if trial.state not in ("done", "stopped"):
            continue
        rows, count = 0, count + 1
        for images, classes in _of_trial(trial, predictions, by_epoch):
            where = [position[i] for i in images if i in position]
            if len(where) == len(position):
                table = np.empty(len(position), dtype=np.int32)
                table[where] = classes
                tables.append(table)
                rows += 1
        if trial.state == "done" and not rows:
            return None
    if count < facts.best_of or not tables:
        return None
    return SelectionCandidates(predictions.images, np.stack(tables), pooled=True)


def _of_trial(
    trial: Record, predictions: Predictions, by_epoch: bool
) -> Iterator[tuple[list[str], NDArray[np.int64]]]:
    """Yield the images and predicted target classes of every candidate that a trial gives.

    A trial that was stopped has no predictions but those of its epochs; the last one stands for it.
    """
    try:
        if trial.state == "done" and not by_epoch:
            own = predictions_of(trial)
            yield own.images.tolist(), own.probabilities(own.schema.target).argmax(axis=1)
            return
        images: list[str] = []
        last: list[NDArray[np.int64]] = []
        for k in trial.folds():
            part, rows = _epochs(trial, k, predictions)
            if by_epoch:
                yield from ((part, row) for row in rows)
            images += part
            last += rows[-1:]
    except HoegoError:
        return
    if not by_epoch and last:
        yield images, np.concatenate(last)


def _whole(values: NDArray[np.float16], scale: str) -> NDArray[np.float32]:
    """Normalise probabilities: half precision leaves sums near 1."""
    out = values.astype(np.float32)
    return out if scale == "logits" else out / np.maximum(out.sum(axis=1, keepdims=True), 1e-6)
