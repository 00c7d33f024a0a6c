"""Metrics as functions of totals: one line of arithmetic each, vectorised over resamples.

Every function takes totals [..., columns] of a Layout and the classes to average over, bool [C] ("present": those in
the truth of the scored rows; the same for all runs compared). A class absent from a resample leaves that
resample's mean.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.evaluate.score.count_columns import CountColumns

Float = NDArray[np.float64]
Ints = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]


def _ratio(above: NDArray[Any], below: NDArray[Any]) -> Float:
    below = np.asarray(below, dtype=np.float64)
    out: Float = np.full(np.broadcast_shapes(np.shape(above), below.shape), np.nan)
    np.divide(above, below, out=out, where=below > 0)
    return out


def _mean_over_present(values: Float, held: NDArray[Any]) -> Float:
    there = held > 0
    out: Float = _ratio(np.where(there, values, 0.0).sum(axis=-1), there.sum(axis=-1))
    return out


def f1_of_counts(right: NDArray[Any], predicted: NDArray[Any], truth: NDArray[Any]) -> Float:
    """Return F1 of each class [..., C] from the images right, predicted and true of it; NaN where it is neither."""
    return _ratio(2.0 * right, truth + predicted)


def macro_f1_of_counts(right: NDArray[Any], predicted: NDArray[Any], truth: NDArray[Any]) -> Float:
    """Return mean F1 [...] over the classes of the truth, from the images right, predicted and true of each [..., C].

    The package's one definition of macro F1: classes that no scored image has are left out.
    """
    return _mean_over_present(f1_of_counts(right, predicted, truth), truth)


def macro_f1_score(predicted: Ints, truth: Ints, n_classes: int) -> float:
    """Return macro F1 of the classes `predicted` [N] against the truth [N]; -1 in the truth leaves an image out.

    NaN where no image has a label.
    """
    known = truth >= 0
    if not known.all():
        predicted, truth = predicted[known], truth[known]
    columns = (predicted[predicted == truth], predicted, truth)
    right, said, true = (np.bincount(c, minlength=n_classes) for c in columns)
    there = true > 0
    return float(macro_f1_of_counts(right[there], said[there], true[there]))


def _counts(
    totals: NDArray[Any], at: CountColumns, present: Mask
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the images right, predicted and true of each present class [..., K]."""
    return (
        at.right(totals)[..., present],
        at.predicted(totals)[..., present],
        at.truth(totals)[..., present],
    )


def class_f1(totals: NDArray[Any], at: CountColumns, present: Mask) -> Float:
    """Return F1 of each present class [..., K]: 2 right / (truth + predicted); NaN where the class is neither."""
    return f1_of_counts(*_counts(totals, at, present))


def class_sensitivity(totals: NDArray[Any], at: CountColumns, present: Mask) -> Float:
    """Return sensitivity (recall) of each present class [..., K]."""
    return _ratio(at.right(totals)[..., present], at.truth(totals)[..., present])


def class_precision(totals: NDArray[Any], at: CountColumns, present: Mask) -> Float:
    """Return precision of each present class [..., K]; NaN where it is never predicted."""
    return _ratio(at.right(totals)[..., present], at.predicted(totals)[..., present])


def class_specificity(totals: NDArray[Any], at: CountColumns, present: Mask) -> Float:
    """Return the share of the images of other classes that are not predicted as it, of each present class [..., K]."""
    others = at.truth(totals).sum(axis=-1, keepdims=True) - at.truth(totals)[..., present]
    wrong = at.predicted(totals)[..., present] - at.right(totals)[..., present]
    return _ratio(others - wrong, others)


def macro_f1(totals: NDArray[Any], at: CountColumns, present: Mask) -> Float:
    """Return mean F1 [...] over the present classes."""
    return macro_f1_of_counts(*_counts(totals, at, present))


def balanced_accuracy(totals: NDArray[Any], at: CountColumns, present: Mask) -> Float:
    """Return mean sensitivity [...] over the present classes."""
    return _mean_over_present(class_sensitivity(totals, at, present), at.truth(totals)[..., present])


def specificity(totals: NDArray[Any], at: CountColumns, present: Mask) -> Float:
    """Return mean specificity [...] over the present classes."""
    values = class_specificity(totals, at, present)
    return _mean_over_present(np.nan_to_num(values), np.isfinite(values) * at.truth(totals)[..., present])


def accuracy(totals: NDArray[Any], at: CountColumns, present: Mask) -> Float:
    """Return share of images [...] whose class is right."""
    return _ratio(at.right(totals).sum(axis=-1), at.truth(totals).sum(axis=-1))


def mae(totals: NDArray[Any], at: CountColumns, present: Mask) -> Float:
    """Return mean distance [...] between the true and the predicted class, in classes."""
    return _ratio(at.absolute(totals), at.truth(totals).sum(axis=-1))


def qwk(totals: NDArray[Any], at: CountColumns, present: Mask) -> Float:
    """Return Cohen's kappa with quadratic weights [...] (Cohen 1968): 1 - observed / expected squared distance.

    NaN where truth and prediction hold one and the same class, which determines no agreement beyond chance.
    """
    k = np.arange(at.n_classes, dtype=np.float64)
    truth = np.asarray(at.truth(totals), dtype=np.float64)
    predicted = np.asarray(at.predicted(totals), dtype=np.float64)
    n = truth.sum(axis=-1)
    cross = 2.0 * (truth @ k) * _ratio(predicted @ k, n)
    expected = truth @ (k * k) + predicted @ (k * k) - cross
    return 1.0 - _ratio(at.squared(totals), np.where(expected > 1e-9 * np.maximum(n, 1.0), expected, 0.0))
