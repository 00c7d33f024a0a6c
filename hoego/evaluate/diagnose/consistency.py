"""A subject's photos should agree on what does not change from photo to photo."""

from __future__ import annotations

import numpy as np

from hoego.data.dataset import Dataset
from hoego.predictions import Predictions
from hoego.results.diagnosis import Consistency


def consistency(predictions: Predictions, dataset: Dataset) -> tuple[Consistency, ...]:
    """Return the consistency of every attribute that is constant within subjects and predicted."""
    rows = dataset.positions(predictions.images)
    subject = dataset.subject_index[rows]
    found = []
    for name in predictions.attributes:
        if not constant_within_subjects(dataset, name):
            continue
        predicted = predictions.probabilities(name).argmax(axis=1)
        votes = np.zeros((dataset.n_subjects, predictions.schema.n_classes(name)), dtype=np.int64)
        np.add.at(votes, (subject, predicted), 1)
        photos = votes.sum(axis=1)
        several = photos > 1
        split = several & (votes.max(axis=1) < photos)
        share = votes.max(axis=1) / np.maximum(photos, 1)
        order = np.flatnonzero(split)[np.argsort(share[split], kind="stable")][:10]
        worst = tuple(dataset.subjects[order].tolist())
        found.append(
            Consistency(attribute=name, subjects=int(several.sum()), disagree=int(split.sum()), worst=worst)
        )
    return tuple(found)


def constant_within_subjects(dataset: Dataset, attribute: str) -> bool:
    """Return whether every subject's photos carry one value of an attribute, and some subject has several photos."""
    codes = dataset.classes_of(attribute)
    known = codes >= 0
    if not dataset.subject_shown or not known.any():
        return False
    subject, values = dataset.subject_index[known], codes[known]
    pairs = np.unique(np.stack([subject, values], axis=1), axis=0)
    one_each = len(pairs) == len(np.unique(subject))
    return bool(one_each and np.bincount(subject).max() > 1)
