"""Labels that out-of-fold probabilities contradict, ready to be reviewed as an overlay.

With the extra `clean`, images are found by cleanlab's confident learning (Northcutt et al., Confident Learning:
Estimating Uncertainty in Dataset Labels, 2021). Without it a small ranking takes its place: an image is suspected when
another class reaches that class's own mean self-confidence. Labels that are contradicted without that confidence
follow after; within both, the further the other class is ahead, the earlier.
An attribute that is constant within subjects is judged by the mean over a subject's photos, one suspect per subject.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset, LabelCorrection
from hoego.data.overlay import SUSPECTS
from hoego.evaluate.diagnose.consistency import constant_within_subjects
from hoego.predictions import Predictions
from hoego.results.diagnosis import LabelIssue

Floats = NDArray[np.float64]
Ints = NDArray[np.integer[Any]]
CLEANLAB = "cleanlab"
CONFIDENT_JOINT = "confident joint"
METHODS = (CLEANLAB, CONFIDENT_JOINT)
"""How suspects are found: cleanlab's confident learning, or the built-in off-diagonal of the confident joint."""


def find_label_issues(predictions: Predictions, dataset: Dataset) -> tuple[LabelIssue, ...]:
    """Return suspected labels of every predicted attribute, the most contradicted first."""
    found: list[LabelIssue] = []
    for name in predictions.attributes:
        found += _of_attribute(predictions, dataset, name)
    return tuple(sorted(found, key=lambda s: (not s.confident, -s.margin, s.attribute, s.subject)))


def as_corrections(found: tuple[LabelIssue, ...], run: str) -> tuple[LabelCorrection, ...]:
    """Return suspects as rows of an overlay, with the run that suggested them, so that every score can say so."""
    return tuple(
        LabelCorrection(
            image=image,
            attribute=s.attribute,
            value=s.suggested,
            reason=f"suspected (margin {s.margin:.2f})",
            source=SUSPECTS,
            run=run,
        )
        for s in found
        for image in s.images
    )


def _of_attribute(predictions: Predictions, dataset: Dataset, name: str) -> list[LabelIssue]:
    rows = dataset.positions(predictions.images)
    given, p = dataset.classes_of(name)[rows], predictions.probabilities(name)
    known = given >= 0
    images, subject = predictions.images[known], dataset.subject_index[rows][known]
    given, p = given[known], p[known]
    if constant_within_subjects(dataset, name):
        members, group = np.unique(subject, return_inverse=True)
        group = group.reshape(-1)
        size = np.bincount(group)
        p = np.stack([np.bincount(group, weights=p[:, c]) / size for c in range(p.shape[1])], axis=1)
        given = given[np.unique(group, return_index=True)[1]]
        owned = [images[group == g] for g in range(len(members))]
        names = dataset.subjects[members]
    else:
        owned = [images[i : i + 1] for i in range(len(images))]
        names = dataset.subjects[subject]
    doubted, method = doubtful(given, p)
    classes = predictions.schema.classes(name)
    best = p.argmax(axis=1)
    return [
        LabelIssue(
            attribute=name,
            subject=str(names[i]),
            images=tuple(owned[i].tolist()),
            given=classes[given[i]],
            suggested=classes[best[i]],
            margin=float(p[i, best[i]] - p[i, given[i]]),
            confident=bool(doubted[i]),
            method=method,
        )
        for i in np.flatnonzero(best != given).tolist()
    ]


def doubtful(given: Ints, p: Floats) -> tuple[NDArray[np.bool_], str]:
    """Say which labels [N] the probabilities [N, C] contradict, and by which of METHODS this was found."""
    if find_spec("cleanlab") is not None and len(np.unique(given)) > 1:
        return _by_cleanlab(given, p), CLEANLAB
    return confidently_contradicted(given, p), CONFIDENT_JOINT


def confidently_contradicted(given: Ints, p: Floats) -> NDArray[np.bool_]:
    """Return the off-diagonal of the confident joint.

    These are the labels [N] whose image reaches, in another class, the mean confidence that this class has in its own.
    """
    c = p.shape[1]
    thresholds = np.asarray([p[given == k, k].mean() if (given == k).any() else np.inf for k in range(c)])
    reached = p >= thresholds[None, :]
    best = np.where(reached, p, -1.0).argmax(axis=1)
    doubted: NDArray[np.bool_] = reached.any(axis=1) & (best != given)
    return doubted


def _by_cleanlab(given: Ints, p: Floats) -> NDArray[np.bool_]:
    from cleanlab.filter import find_label_issues

    present, labels = np.unique(given, return_inverse=True)
    inside = p[:, present]
    inside = inside / np.maximum(inside.sum(axis=1, keepdims=True), 1e-12)
    found: NDArray[np.bool_] = find_label_issues(
        labels.reshape(-1), inside, filter_by="confident_learning", n_jobs=1
    )
    return found
