"""The prediction of each photo beside its truth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.evaluate.score.space import scored_rows, space_of
from hoego.predictions import Predictions
from hoego.short_repr import ShortRepr

Rows = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class PhotoPrediction:
    """One photo with its prediction.

    Args:
        image: its id.
        subject: the subject that it shows.
        content: hash of its bytes.
        truth, predicted: names of the classes.
        confidence: probability of the predicted class.
    """

    image: str
    subject: str
    content: int
    truth: str
    predicted: str
    confidence: float


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PhotoPredictions(ShortRepr):
    """The labelled photos of a label space with their predictions, in the order of the data set.

    Args:
        dataset: of the photos.
        label: attribute or "composite".
        classes: names [C].
        rows: position in the data set of each photo [N].
        truth, predicted: classes [N].
        confidence: probability of the predicted class [N].
    """

    dataset: Dataset
    label: str
    classes: tuple[str, ...]
    rows: Rows
    truth: Rows
    predicted: Rows
    confidence: NDArray[np.float64]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each photo is predicted right [N]."""
        right: NDArray[np.bool_] = self.truth == self.predicted
        return right

    def mistakes(self, truth: int | None = None, predicted: int | None = None) -> Rows:
        """Return the photos [n] that are wrong, the most confident mistake first.

        With `truth` and `predicted`, return those of one cell of the confusion matrix, which may be on its diagonal.
        """
        chosen = ~self.right if truth is None or predicted is None else np.ones(len(self.rows), dtype=bool)
        chosen &= (truth is None) | (self.truth == truth)
        chosen &= (predicted is None) | (self.predicted == predicted)
        return by_confidence(np.flatnonzero(chosen), self.confidence)

    def photos(self, which: Iterable[Any]) -> tuple[PhotoPrediction, ...]:
        """Return some photos, by their position here."""
        return tuple(self._photo(int(i)) for i in which)

    def _photo(self, i: int) -> PhotoPrediction:
        row = int(self.rows[i])
        return PhotoPrediction(
            image=str(self.dataset.image_ids[row]),
            subject=str(self.dataset.subjects[self.dataset.subject_index[row]]),
            content=int(self.dataset.contents[row]),
            truth=self.classes[self.truth[i]],
            predicted=self.classes[self.predicted[i]],
            confidence=float(self.confidence[i]),
        )


def by_confidence(which: Rows, confidence: NDArray[np.float64]) -> Rows:
    """Sort positions [n] by the confidence [N] of their photos, the most confident first."""
    ordered: Rows = which[np.argsort(-confidence[which], kind="stable")]
    return ordered


def predicted_photos(predictions: Predictions, dataset: Dataset, label: str = "") -> PhotoPredictions:
    """Return the labelled photos of a label space with their predictions.

    Args:
        predictions: of any run.
        dataset: their truth.
        label: attribute or "composite"; "" for the target, or the one attribute that is predicted.

    Raises:
        MismatchError: images or classes are not those of the data set.
        DataError: the label is not predicted.
    """
    target = predictions.schema.target
    label = label or (target if predictions.has(target) else predictions.attributes[0])
    aligned = scored_rows(predictions, dataset)
    space = space_of(label, aligned.predictions, dataset, aligned.positions)
    predicted = space.predicted
    return PhotoPredictions(
        dataset=dataset,
        label=label,
        classes=space.classes,
        rows=aligned.positions[space.rows],
        truth=space.truth,
        predicted=predicted,
        confidence=space.probabilities[np.arange(len(predicted)), predicted],
    )
