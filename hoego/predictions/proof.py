"""The evidence behind a score: for each source of rows, the subjects that were seen and those that are scored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoego.data.dataset import Dataset
from hoego.predictions.honesty import require_same_dataset
from hoego.predictions.predictions import Predictions


@dataclass(frozen=True, kw_only=True)
class SourceProof:
    """The two sets of subjects of one source; the score is out-of-fold where they share nobody.

    Args:
        name: of the source: run and fold, or the combination's name.
        rows: images that it predicts.
        seen: subjects that trained its models, their teachers and checkpoints, sorted.
        scored: subjects of its rows, sorted.
        both: scored subjects that were seen: by any of their names, or because the bytes of one of their photos were.
        path: sentences that say how the subjects came to be seen.
        external: checkpoints from outside, which are stated and cannot be proved.
        outside: "" for a model that Hoego trained, else `witnessed` or `declared`.
    """

    name: str
    rows: int
    seen: tuple[str, ...]
    scored: tuple[str, ...]
    both: tuple[str, ...]
    path: tuple[str, ...] = ()
    external: tuple[str, ...] = ()
    outside: str = ""


def proof(predictions: Predictions, dataset: Dataset) -> tuple[SourceProof, ...]:
    """Return the two sets of subjects of every source that has rows.

    Raises:
        MismatchError: the predictions are of another data set.
    """
    require_same_dataset(predictions, dataset)
    owner = dataset.subject_index[dataset.positions(predictions.images)]
    found = []
    for k, source in enumerate(predictions.sources):
        mine = predictions.source == k
        if not mine.any():
            continue
        scored = np.unique(owner[mine])
        showing = np.unique(dataset.subject_index[predictions.universe.images_showing(source.seen, dataset)])
        found.append(
            SourceProof(
                name=source.name,
                rows=int(mine.sum()),
                seen=tuple(predictions.universe.names[source.seen].tolist()),
                scored=tuple(dataset.subjects[scored].tolist()),
                both=tuple(dataset.subjects[np.intersect1d(scored, showing)].tolist()),
                path=source.path,
                external=source.external,
                outside=source.outside,
            )
        )
    return tuple(found)
