"""Label spaces: the truth and the probabilities of one attribute (or the composite), joined by image id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.data.schema import COMPOSITE
from hoego.errors import MismatchError
from hoego.predictions import Predictions
from hoego.short_repr import ShortRepr

Ints = NDArray[np.integer[Any]]
Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class ScoredRows(ShortRepr):
    """Predictions sorted as the data set is, and their positions in it [N]."""

    predictions: Predictions
    positions: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class LabelSpace(ShortRepr):
    """N scored rows of one label space.

    Args:
        name: an attribute, or "composite".
        classes: names of its C classes.
        ordered: whether their order means something.
        truth: true class of each row [N], never missing.
        probabilities: [N, C].
        subject: position in the data set's subjects of each row's subject [N].
        rows: position of each row in the predictions [N] (none where subjects vote).
        n_missing: rows left out because their label is missing.
        voted: each row is a subject whose photos voted.
    """

    name: str
    classes: tuple[str, ...]
    ordered: bool
    truth: NDArray[np.int64]
    probabilities: Float
    subject: NDArray[np.int64]
    rows: NDArray[np.int64]
    n_missing: int = 0
    voted: bool = False

    @property
    def n_classes(self) -> int:
        """The number of classes C."""
        return len(self.classes)

    @property
    def n_rows(self) -> int:
        """The number of scored rows N."""
        return len(self.truth)

    @property
    def n_subjects(self) -> int:
        """The number of subjects with a scored row."""
        return len(np.unique(self.subject))

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The most probable class of each row [N]; the first of equals."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)


def scored_rows(predictions: Predictions, dataset: Dataset) -> ScoredRows:
    """Return predictions in the order of the data set, so that no result depends on the order of their rows."""
    positions = dataset.positions(predictions.images)
    order = np.argsort(positions, kind="stable")
    return ScoredRows(predictions.take(order), positions[order])


def space_of(
    name: str, predictions: Predictions, dataset: Dataset, positions: NDArray[np.int64]
) -> LabelSpace:
    """Return the label space `name` of aligned predictions; rows with a missing label are left out.

    Raises:
        MismatchError: the model was made for other classes or other edges.
    """
    _require_same_classes(name, predictions, dataset)
    truth = dataset.classes_of(name)[positions]
    kept = np.flatnonzero(truth >= 0)
    schema = dataset.schema
    return LabelSpace(
        name=name,
        classes=schema.classes(name),
        ordered=name != COMPOSITE and schema.attribute(name).ordered,
        truth=truth[kept].astype(np.int64),
        probabilities=predictions.probabilities(name)[kept],
        subject=dataset.subject_index[positions][kept].astype(np.int64),
        rows=kept,
        n_missing=int((truth < 0).sum()),
    )


def _require_same_classes(name: str, predictions: Predictions, dataset: Dataset) -> None:
    ours, theirs = dataset.schema, predictions.schema
    if ours.fingerprint == theirs.fingerprint:
        return
    pairs = []
    for schema in (ours, theirs):
        parts = [schema.attribute(n) for n in (schema.composite if name == COMPOSITE else (name,))]
        pairs.append(
            ("; ".join(f"{a.name} {a.kind}, edges {list(a.edges)}" for a in parts), schema.classes(name))
        )
    if pairs[0] != pairs[1]:
        raise MismatchError(
            f"{name!r} means one thing in the data set ({pairs[0][0]}, {len(pairs[0][1])} classes) and another in the "
            f"predictions {predictions.name!r} ({pairs[1][0]}, {len(pairs[1][1])} classes).",
            remedy="Score with the label schema that the run was trained for, or train again.",
        )


def voted(space: LabelSpace) -> LabelSpace | None:
    """Return one row per subject, the mean of its photos' probabilities.

    None where the truth varies within a subject.
    """
    names, first, owner = np.unique(space.subject, return_index=True, return_inverse=True)
    owner = owner.reshape(-1)
    truth = space.truth[first]
    if (truth[owner] != space.truth).any():
        return None
    total = np.zeros((len(names), space.n_classes))
    np.add.at(total, owner, space.probabilities)
    return LabelSpace(
        name=space.name,
        classes=space.classes,
        ordered=space.ordered,
        truth=truth,
        probabilities=total / np.bincount(owner)[:, None],
        subject=names,
        rows=np.empty(0, dtype=np.int64),
        voted=True,
    )
