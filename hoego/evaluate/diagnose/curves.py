"""Over- and underfitting, read from the curves in words with the numbers behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.results.diagnosis import CurveDiagnosis

Floats = NDArray[np.float64]
STILL = 0.05
"""Share of the whole fall of a loss below which a change counts as none."""


def read_curves(epochs: Sequence[Mapping[str, Any]], fold: int = 0) -> CurveDiagnosis:
    """Read the rows of epochs.jsonl (epoch from 0, train_loss, held_loss) of one fold; words count epochs from 1.

    Overfitting: the held-out loss has risen from its minimum by more than 5 % of its fall while the training loss went
    on falling. Still learning: the last fifth of the epochs brought more than 5 % of the whole fall of the held-out
    loss. Else settled.
    """
    scored = [r for r in epochs if r.get("held_loss") is not None and r.get("train_loss") is not None]
    rows = [r for r in scored if np.isfinite([r["held_loss"], r["train_loss"]]).all()]
    if len(rows) < len(scored):
        lost = len(scored) - len(rows)
        words = f"the loss is not a number in {lost} of {len(scored)} epochs"
        return CurveDiagnosis(fold=fold, verdict="diverged", words=words, facts={})
    if len(rows) < 4:
        words = f"{len(rows)} scored epochs are too few to read a curve"
        return CurveDiagnosis(fold=fold, verdict="cannot say", words=words, facts={})
    at, train, held = (
        np.asarray(values, dtype=np.float64)
        for values in (
            [r["epoch"] + 1 for r in rows],
            [r["train_loss"] for r in rows],
            [r["held_loss"] for r in rows],
        )
    )
    best = int(held.argmin())
    facts = {
        "best_epoch": float(at[best]),
        "held_loss_best": float(held[best]),
        "held_loss_last": float(held[-1]),
        "train_loss_last": float(train[-1]),
    }
    verdict, words = _verdict(at, train, held)
    return CurveDiagnosis(fold=fold, verdict=verdict, words=words, facts=facts)


def _verdict(at: Floats, train: Floats, held: Floats) -> tuple[str, str]:
    """Return what the losses of at least four epochs say, and the sentence with its numbers."""
    best = int(held.argmin())
    fall = float(held[0] - held[best])
    risen = float(held[-1] - held[best])
    late = max(1, len(held) // 5)
    recent = float(held[-1 - late] - held[-1])
    if best < len(held) - 1 and risen > STILL * max(fall, 1e-12) and train[-1] < train[best]:
        return "overfitting", (
            f"overfitting from epoch {at[best]:g}: the held-out loss rose from {held[best]:.3f} to {held[-1]:.3f} "
            f"while the training loss fell from {train[best]:.3f} to {train[-1]:.3f}"
        )
    if fall > 0 and recent > STILL * fall:
        lately = "the last epoch" if late == 1 else f"the last {late} epochs"
        brought = (
            f"{lately} brought {recent:.3f} of the {fall:.3f} by which the held-out loss fell"
            if recent <= fall
            else f"after a rise, {lately} lowered the held-out loss by {recent:.3f}"
        )
        return "still learning", f"still learning: {brought}; more epochs may help"
    return "settled", (
        f"settled: the held-out loss stays at {held[-1]:.3f}, the training loss at {train[-1]:.3f}"
    )
