"""The split of another tool, known by the photos that it held out."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.data.spelling import pack_names
from hoego.results.split import SplitKind
from hoego.split.plan import Split
from hoego.split.prove import notes_on, verify_split


def split_of_held_out(dataset: Dataset, images: NDArray[Any]) -> Split:
    """Return the split that holds out some photos and trains on all others.

    It is naive where a subject has photos on both sides, and a holdout elsewhere. The same photos give the same split
    under the same name.

    Args:
        dataset: N images.
        images: ids of the photos that are held out.

    Raises:
        MismatchError: a photo is not in the data set.
        SplitError: every photo is held out, or none.
    """
    rows = dataset.positions(images)
    fold = np.full(dataset.n_images, -1, dtype=np.int16)
    fold[rows] = 0
    order = np.argsort(dataset.image_ids, kind="stable")
    dataset, fold = dataset.take(order), fold[order]
    # A copy of a training photo among the held-out ones has the same subject, since identical photos join subjects.
    held = dataset.subject_index[fold == 0]
    kind: SplitKind = "naive" if np.isin(held, dataset.subject_index[fold < 0]).any() else "holdout"
    ratio = float(np.round((fold == 0).mean(), 6))
    guarantees, sides = verify_split(dataset, kind, fold, 1, (ratio, ()))
    names = pack_names(dataset.image_ids[fold == 0].tolist())
    return Split(
        name=f"own-{blake2b(names, digest_size=4).hexdigest()}",
        kind=kind,
        seed=0,
        n_folds=1,
        ratio=ratio,
        stratify=(),
        images=dataset.image_ids,
        fold=fold,
        dataset_fingerprint=dataset.fingerprint,
        guarantees=guarantees,
        sides=sides,
        notes=notes_on(dataset, kind, guarantees),
    )
