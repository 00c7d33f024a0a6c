"""Which subjects the weights that a training starts from have seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hoego.data.dataset import Dataset
from hoego.errors import LeakError, UsageError, first_few
from hoego.predictions import Provenance
from hoego.predictions.declaration import declared
from hoego.recipe import ModelSettings
from hoego.train.checkpoints import provenance_of_weights


def seen_by_start(model: ModelSettings, dataset: Dataset) -> Provenance | None:
    """Return which subjects `model.checkpoint` has seen: what the file says, and what `model.trained_on` says.

    None for a file that says nothing and of which nothing is said, and for other starts.

    Raises:
        LeakError: the file has seen subjects that the declaration does not name; names subjects.
        UsageError: `model.trained_on` without a checkpoint.
    """
    if model.checkpoint is None:
        if model.trained_on:
            raise UsageError(
                "model.trained_on says what a checkpoint was trained on, and there is none.",
                remedy="Set model.checkpoint = FILE.",
            )
        return None
    path = Path(model.checkpoint)
    own = provenance_of_weights(path)
    if not model.trained_on:
        return own
    said = declared([Path(p) for p in model.trained_on], dataset, path.name)
    if own is None:
        return said
    _require_within(own, said, dataset, path)
    return Provenance.joined((own, said))


def _require_within(own: Provenance, said: Provenance, dataset: Dataset, path: Path) -> None:
    """Raise LeakError naming subjects that the file has seen and the declaration leaves out."""
    [source] = said.sources
    seen = np.logical_or.reduce([s.seen | s.seen_through for s in own.sources])
    shown = own.universe.images_showing(seen, dataset)
    more = np.setdiff1d(dataset.subjects[dataset.subject_index[shown]], said.universe.names[source.seen])
    if len(more):
        raise LeakError(
            f"The weights have seen {len(more):,} subjects that model.trained_on does not name: "
            f"{first_few([repr(s) for s in more.tolist()])}.",
            remedy=f"{path.name} says itself what it was trained on: leave model.trained_on out.",
        )
