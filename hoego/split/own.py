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
from hoego.split.prove import SplitTerms, by_image_id, proved_split


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
    dataset = by_image_id(dataset)
    fold = np.full(dataset.n_images, -1, dtype=np.int16)
    fold[dataset.positions(images)] = 0
    # A copy of a training photo among the held-out ones has the same subject, since identical photos join subjects.
    held = dataset.subject_index[fold == 0]
    kind: SplitKind = "naive" if np.isin(held, dataset.subject_index[fold < 0]).any() else "holdout"
    ratio = float(np.round((fold == 0).mean(), 6))
    names = pack_names(dataset.image_ids[fold == 0].tolist())
    name = f"own-{blake2b(names, digest_size=4).hexdigest()}"
    return proved_split(dataset, fold, SplitTerms(name=name, kind=kind, seed=0, n_folds=1, ratio=ratio))
