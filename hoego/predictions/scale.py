"""Logits and probabilities: which of both an array holds, and the checks of that."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hoego.errors import DataError

Scale = Literal["logits", "probabilities"]


def softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Compute the softmax over the last axis, in double precision."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    np.exp(shifted, out=shifted)
    out: NDArray[np.float64] = shifted / shifted.sum(axis=-1, keepdims=True)
    return out


def require_probabilities(name: str, array: NDArray[np.float32]) -> None:
    """Raise DataError unless each row [C] of the array [N, C] is a distribution over classes."""
    # The tolerance is for float32 sums and for tables that were rounded to a few digits.
    if len(array) and (float(array.min()) < 0 or float(np.abs(array.sum(axis=1) - 1).max()) > 1e-3):
        raise DataError(
            f"The probabilities of {name!r} are negative or do not sum to 1.",
            remedy="Give logits as logits (scale='logits').",
        )


def require_scale(array: NDArray[np.float32], scale: Scale, name: str) -> None:
    """Raise DataError where logits are given for probabilities, or probabilities for logits."""
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise DataError(
            f"The values of row {row} (from 0) are not finite.", remedy="The model diverged; train again."
        )
    sums = array.sum(axis=1, dtype=np.float64)
    looks_like_probabilities = bool(array.min() >= 0 and np.abs(sums - 1).max() <= 1e-3)
    if scale == "probabilities" and not looks_like_probabilities:
        row = int(np.argmax(np.maximum(np.abs(sums - 1), -array.min(axis=1))))
        raise DataError(
            f"The probabilities of {name!r} are negative or do not sum to 1: row {row} (from 0) sums to "
            f"{sums[row]:.4g}, its smallest value is {array[row].min():.4g}.",
            remedy="Give logits as logits (from_logits; --logits). Independent sigmoids are not probabilities of "
            "classes.",
        )
    if scale == "logits" and looks_like_probabilities and array.shape[1] > 1:
        raise DataError(
            f"What is given as logits of {name!r} are probabilities: every row sums to 1 and none is negative.",
            remedy="Give probabilities as probabilities (from_probabilities; without --logits).",
        )
