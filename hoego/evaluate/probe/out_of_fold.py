"""Held-out predictions of heads on frozen features, fold by fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from hoego.data.dataset import Dataset
from hoego.data.images import cpu_count
from hoego.errors import NotEstimableError
from hoego.evaluate.probe.heads import FittedHead, HeadOptions, TrainingSide, fit_head
from hoego.short_repr import ShortRepr

MEMORY = 4 << 30
"""Bytes that the folds in work may take for their features; a fold takes about three copies in single precision."""


@dataclass(frozen=True, eq=False, repr=False)
class HeldOutValues(ShortRepr):
    """What the heads of one fold say of its held-out photos.

    Args:
        rows: positions int64 [n] of the held-out photos in the data set.
        values: log-probabilities float32 [n, C] by attribute.
        heads: fitted on the training side, by attribute.
    """

    rows: NDArray[np.int64]
    values: dict[str, NDArray[np.float32]]
    heads: dict[str, FittedHead]


def held_out_values(
    features: NDArray[np.floating],
    dataset: Dataset,
    held_out: NDArray[np.bool_],
    names: Sequence[str],
    *,
    fold: int = 0,
    options: HeadOptions | None = None,
) -> HeldOutValues:
    """Fit a head for each attribute on the photos of the training side, and predict the others.

    What is fitted is given the training side's rows alone; nothing of the held-out photos, neither features nor labels,
    can reach it.

    Args:
        features: [N, F] of the photos of the data set, in its order.
        dataset: holds the labels.
        held_out: bool [N].
        names: attributes or "composite".
        fold: its number.
        options: see `HeadOptions`.

    Raises:
        NotEstimableError: no photo of the training side has a label for an attribute.
    """
    heads, values = {}, {}
    for name in names:
        labels = dataset.classes_of(name)
        rows = np.flatnonzero(~held_out & (labels >= 0))
        if not len(rows):
            raise NotEstimableError(
                f"No photo of the training side of fold {fold} has a label for {name!r}.",
                remedy="Leave the attribute out (model.head = 'single'), or label more subjects.",
            )
        side = TrainingSide(
            features[rows], labels[rows], dataset.subject_index[rows], dataset.schema.n_classes(name)
        )
        found = fit_head(side, options)
        heads[name] = replace(found, choice=found.choice.with_(attribute=name, fold=fold))
        values[name] = heads[name].log_probabilities(features[held_out])
    return HeldOutValues(np.flatnonzero(held_out), values, heads)


def out_of_fold(
    features: NDArray[np.floating],
    dataset: Dataset,
    held_out: Mapping[int, NDArray[np.bool_]],
    names: Sequence[str],
    *,
    options: HeadOptions | None = None,
) -> list[HeldOutValues]:
    """Do `held_out_values` for each fold, several at a time.

    Each fold's linear algebra runs on one thread, so that its numbers do not depend on the number of cores. Beside
    other busy processes, threads that wait for one another inside a product would also take several times as long.

    Args:
        features: [N, F] of the photos of the data set, in its order.
        dataset: holds the labels.
        held_out: bool [N] by fold.
        names: attributes or "composite".
        options: see `HeadOptions`.

    Raises:
        NotEstimableError: no photo of a training side has a label for an attribute.
    """
    each = 3 * 4 * features.size
    workers = max(1, min(cpu_count(), len(held_out), MEMORY // max(each, 1)))

    def one(item: tuple[int, NDArray[np.bool_]]) -> HeldOutValues:
        return held_out_values(features, dataset, item[1], names, fold=item[0], options=options)

    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(workers) as pool:
        return list(pool.map(one, held_out.items()))
