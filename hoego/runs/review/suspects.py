"""What a review asks about: one label of one person, or of one photo, that a run's predictions contradict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np

from hoego.data.dataset import Dataset, LabelCorrection
from hoego.data.encode import apply_corrections
from hoego.data.load import read_dataset
from hoego.data.overlay import reviewed_by
from hoego.errors import DataError
from hoego.evaluate.diagnose import find_label_issues
from hoego.predictions import Predictions


@dataclass(frozen=True, kw_only=True)
class ReviewSuspect:
    """A label that the predictions of a run contradict.

    Args:
        key: names it whatever run suspects it: a digest of the attribute and the photos.
        attribute: whose label it is.
        subject: that the photos show.
        images: ids of all photos that carry the label: those of the person where the attribute is constant within
            people, else one.
        contents: hashes of the photos' bytes, in the same order.
        others: hashes of the person's other photos.
        classes: of the attribute.
        suggested: the class that the run predicts.
        margin: probability of the suggested class less that of the label.
        confident: whether the suspicion passes the method's own threshold.
    """

    key: str
    attribute: str
    subject: str
    images: tuple[str, ...]
    contents: tuple[int, ...]
    others: tuple[int, ...]
    classes: tuple[str, ...]
    suggested: str
    margin: float
    confident: bool


def as_given(dataset: Dataset) -> Dataset:
    """Return a data set with the labels of its table, without any correction.

    Raises DataError where it cannot be read again.
    """
    origin = dataset.origin
    if origin is None:
        raise DataError(
            "The data set was put together in memory, so its labels cannot be read again.",
            remedy="Review the labels of a data set that is read from files.",
        )
    plain = replace(origin, dataset=origin.dataset.model_copy(update={"overlay": None}))
    return replace(
        read_dataset(plain),
        merged_subjects=dataset.merged_subjects,
        first_labels=dataset.first_labels,
        left_out=dataset.left_out,
    )


def with_corrections(given: Dataset, corrections: Sequence[LabelCorrection]) -> Dataset:
    """Return a data set as given with some corrections applied."""
    labels = (given.codes, dict(given.numbers))
    codes, numbers = apply_corrections(given.schema, given.image_ids.tolist(), labels, corrections)
    return replace(given, codes=codes, numbers=numbers, corrections=tuple(corrections))


def review_suspects(
    predictions: Predictions, given: Dataset, corrections: Sequence[LabelCorrection]
) -> tuple[ReviewSuspect, ...]:
    """Return the suspects of a run, the most contradicted first.

    Corrections of earlier reviews are left out of the labels that are looked at, so that what was reviewed stays on
    the list and a review has a first and a last suspect.

    Args:
        predictions: of the run.
        given: the data set without corrections (`as_given`).
        corrections: those of the overlay.
    """
    settled = [c for c in corrections if not reviewed_by(c)]
    found = find_label_issues(predictions, with_corrections(given, settled))
    made = []
    for issue in found:
        rows = given.positions(np.asarray(issue.images))
        own = np.flatnonzero(given.subject_index == given.subject_index[rows[0]])
        made.append(
            ReviewSuspect(
                key=suspect_key(issue.attribute, issue.images),
                attribute=issue.attribute,
                subject=issue.subject,
                images=issue.images,
                contents=tuple(given.contents[rows].tolist()),
                others=tuple(given.contents[np.setdiff1d(own, rows)].tolist()),
                classes=given.schema.classes(issue.attribute),
                suggested=issue.suggested,
                margin=issue.margin,
                confident=issue.confident,
            )
        )
    return tuple(made)


def suspect_key(attribute: str, images: Sequence[str]) -> str:
    """Return a short digest that names a label of some photos."""
    text = "\0".join((attribute, *sorted(images)))
    return blake2b(text.encode(), digest_size=6).hexdigest()
