"""What the scored epochs of a run were chosen from, as its record holds it: the optimism is estimated from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hoego.evaluate.score import SelectionCandidates
from hoego.predictions import Predictions
from hoego.recipe import build
from hoego.runs.records import Record, RunKind
from hoego.train.epochs import EpochStore


def recorded_candidates(record: Record, predictions: Predictions) -> SelectionCandidates | None:
    """Return what a run was chosen from; None where nothing was chosen or the record does not hold it any more.

    Args:
        record: of the run; ensembles and outside predictions have no candidates.
        predictions: of the record, N images.
    """
    if not (record.folder / "recipe.toml").is_file() or record.kind is not RunKind.RUN:
        return None
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
    """What the scored epochs were chosen from: the target classes that every candidate predicted, over all folds.

    A fold that stopped early repeats its last candidate. None where the model does not predict the target.
    """
    target = predictions.schema.target
    if not predictions.has(target):
        return None
    images: list[str] = []
    tables: list[list[NDArray[np.int64]]] = []
    for k in folds:
        store = EpochStore(record.folder / f"fold-{k}")
        index = store.index()
        own = predictions.align(np.asarray(index["images"]))
        scale = {name: head["scale"] for name, head in index["heads"].items()}
        rows = []
        for candidate in store.read():
            values = {name: _whole(v, scale[name]) for name, v in candidate.values.items()}
            rows.append(replace(own, values=values, scale=scale).probabilities(target).argmax(axis=1))
        images += index["images"]
        tables.append(rows)
    most = max(len(rows) for rows in tables)
    padded = [np.stack([rows[min(m, len(rows) - 1)] for m in range(most)]) for rows in tables]
    return SelectionCandidates(np.asarray(images), np.concatenate(padded, axis=1))


def _whole(values: NDArray[np.float16], scale: str) -> NDArray[np.float32]:
    """Half precision leaves probabilities that sum to nearly 1."""
    out = values.astype(np.float32)
    return out if scale == "logits" else out / np.maximum(out.sum(axis=1, keepdims=True), 1e-6)
