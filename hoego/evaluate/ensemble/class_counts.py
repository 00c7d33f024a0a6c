"""Macro F1 of predicted classes, where only the number is wanted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.evaluate.score.count_columns import CountColumns
from hoego.evaluate.score.formulas import macro_f1

Ints = NDArray[np.integer[Any]]


def macro_f1_score(predicted: Ints, truth: Ints, n_classes: int) -> float:
    """Macro F1 of the classes `predicted` [N] against the truth [N], over the classes present in it; -1 is left out.

    NaN where no image has a label.
    """
    known = truth >= 0
    if not known.all():
        predicted, truth = predicted[known], truth[known]
    columns = (predicted[predicted == truth], predicted, truth)
    totals = np.concatenate([np.bincount(c, minlength=n_classes) for c in columns])
    at = CountColumns(n_classes)
    return float(macro_f1(totals, at, at.truth(totals) > 0))
