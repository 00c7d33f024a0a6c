"""Which epoch is kept: criteria over the whole scored set, a checkpoint for each, early stopping."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hoego import files
from hoego.data.dataset import Dataset
from hoego.errors import RecipeError, nearest
from hoego.evaluate.score.formulas import macro_f1_score
from hoego.predictions import Predictions
from hoego.recipe import SelectSettings

PRIMARY = "macro_f1"
SMALLER_IS_BETTER = ("loss",)
"""All other criteria are scores."""


def criteria(predictions: Predictions, dataset: Dataset) -> dict[str, float]:
    """Compute every criterion of predictions [N] against a data set of the same images in the same order.

    macro_f1, accuracy and loss (mean negative log-likelihood) are of the target, or of the head's own attribute where
    the model does not predict the target; then the macro F1 of each attribute, under its name.
    """
    schema = predictions.schema
    own = schema.target if predictions.has(schema.target) else predictions.attributes[0]
    truth = dataset.classes_of(own)
    probabilities = predictions.probabilities(own)
    guess = probabilities.argmax(axis=1)
    known = truth >= 0
    out = {
        PRIMARY: macro_f1_score(guess, truth, schema.n_classes(own)),
        "accuracy": math.nan,
        "loss": math.nan,
    }
    if known.any():
        of_truth = probabilities[known, truth[known]]
        out["accuracy"] = float((guess[known] == truth[known]).mean())
        out["loss"] = float(-np.log(np.maximum(of_truth, 1e-12)).mean())
    for name in predictions.attributes:
        found = predictions.probabilities(name).argmax(axis=1)
        out[name] = macro_f1_score(found, dataset.classes_of(name), schema.n_classes(name))
    return out


def criterion_of(settings: SelectSettings, known: Sequence[str]) -> str:
    """Return the criterion that selects. Raises RecipeError naming the nearest known one."""
    if settings.by not in known:
        raise RecipeError(
            f"select.by = {settings.by!r} is not a criterion here.", remedy=nearest(settings.by, known)
        )
    return settings.by


class BestCandidate(NamedTuple):
    """The best value of a criterion so far, and the candidate (epoch and kind of weights) that reached it."""

    value: float
    epoch: int
    weights: str


@dataclass
class BestTracker:
    """The best candidate of every criterion; epochs count from 0."""

    by: str
    patience: int = 0
    best: dict[str, BestCandidate] = field(default_factory=dict)

    def update(self, epoch: int, weights: str, values: Mapping[str, float]) -> list[str]:
        """Add one candidate; return the criteria in which it is the best so far (a tie keeps the earlier)."""
        improved = []
        for name, value in values.items():
            if math.isnan(value):
                continue
            held = self.best.get(name)
            better = held is None or (value < held.value if name in SMALLER_IS_BETTER else value > held.value)
            if better:
                self.best[name] = BestCandidate(value, epoch, weights)
                improved.append(name)
        return improved

    def exhausted(self, epoch: int) -> bool:
        """Return whether `patience` epochs have passed without a better score."""
        chosen = self.best.get(self.by)
        return self.patience > 0 and chosen is not None and epoch - chosen.epoch >= self.patience

    def state_dict(self) -> dict[str, list[Any]]:
        """Return the best candidates in plain types, as torch's safe loader takes them."""
        return {name: list(candidate) for name, candidate in self.best.items()}

    def load_state_dict(self, state: Mapping[str, Sequence[Any]]) -> None:
        """Restore what `state_dict` returned."""
        self.best = {name: BestCandidate(*candidate) for name, candidate in state.items()}


def share_file(made: Path, name: Path) -> None:
    """Give the file `made` the further name `name` (a hard link where the file system has them), atomically."""
    temporary = name.with_name(f".{name.name}.link")
    temporary.unlink(missing_ok=True)
    try:
        os.link(made, temporary)
    except OSError:
        files.write_bytes(name, made.read_bytes(), durable=False)
    else:
        os.replace(temporary, name)
