"""The leak, measured: one recipe under the naive split and under the honest one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hoego.recipe import Recipe
from hoego.records import Record
from hoego.studies.running import Workshop, varied


@dataclass(frozen=True)
class Leak:
    """What a photo-level split would have promised.

    Args:
        naive, honest: the runs.
        naive_score, honest_score: macro F1 of the target, each with its interval, as in score.json.
        leak: naive less honest; the two are scored on different photos, so the interval adds their variances.
    """

    naive: Record
    honest: Record
    naive_score: dict[str, Any]
    honest_score: dict[str, Any]
    leak: dict[str, float | None]
    words: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "naive": {"run": self.naive.id, "macro_f1": self.naive_score},
            "honest": {"run": self.honest.id, "macro_f1": self.honest_score},
            "leak": self.leak,
            "words": self.words,
        }


def measure_leak(recipe: Recipe, workshop: Workshop) -> Leak:
    """Train a recipe on a photo-level split and on a subject-level one of the same size, and compare the promises.

    Args:
        recipe: with split.kind holdout (kept), folds (a holdout of 1/K is used for both), or naive.
        workshop: where to train.
    """
    ratio = 1 / recipe.split.folds if recipe.split.kind == "folds" else recipe.split.ratio
    runs = {}
    for kind in ("naive", "holdout"):
        split = recipe.split.model_copy(update={"kind": kind, "ratio": ratio, "name": ""})
        chosen = varied(recipe, (), name=f"{recipe.name or 'recipe'} ({kind})", refit=False)
        chosen = chosen.model_copy(update={"split": split})
        runs[kind] = workshop.obtain(chosen, why="what a photo-level split would have promised")
    return compare_promises(runs["naive"], runs["holdout"])


def compare_promises(naive: Record, honest: Record) -> Leak:
    """The leak between two runs that are done."""
    a, b = (r.meta.score["macro_f1"] if r.meta.score else {} for r in (naive, honest))
    value = a["value"] - b["value"]
    low = high = None
    if None not in (a["low"], a["high"], b["low"], b["high"]):
        low = value - float(np.hypot(a["value"] - a["low"], b["high"] - b["value"]))
        high = value + float(np.hypot(a["high"] - a["value"], b["value"] - b["low"]))
    words = (
        f"the photo-level split promises {a['value']:.3f}; on new subjects it is {b['value']:.3f}: "
        f"a leak of {value:+.3f}"
    )
    return Leak(naive, honest, a, b, {"value": value, "low": low, "high": high}, words)
