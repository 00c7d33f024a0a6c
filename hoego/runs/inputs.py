"""What a training is given, made from its recipe: pixels, training-only edits, the inner slice; and what it tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.data.overlay import read_overlay
from hoego.data.packing import open_packed
from hoego.data.pixels import PixelCache
from hoego.data.preprocess import Preprocess
from hoego.predictions import Provenance, require_unseen
from hoego.recipe import Recipe, SplitSettings, is_filled
from hoego.runs.project import ProjectData
from hoego.runs.records import Record
from hoego.split import make
from hoego.train.weights.start import start_of

T = TypeVar("T")

REFIT = "refit"
"""Folder, in a record, of the model that was trained on all subjects."""


def preprocess_of(recipe: Recipe) -> Preprocess:
    """Return the preprocessing that training, validation and test share."""
    filled = recipe if is_filled(recipe) else start_of(recipe).recipe
    return Preprocess.from_settings(filled.dataset, Path(recipe.dataset.root))


def decode(recipe: Recipe, dataset: Dataset, preprocess: Preprocess | None = None) -> PixelCache:
    """Decode the pixels of a data set, from the cache or into it."""
    chosen = preprocess or preprocess_of(recipe)
    return PixelCache.build(dataset.paths, dataset.contents, chosen, images=dataset.image_ids.tolist())


def open_photos(recipe: Recipe, dataset: Dataset) -> PixelCache:
    """Return the pixels of a recipe's own data set: from its pack where it names one, else decoded.

    Raises:
        MismatchError: the pack is of another size or preprocessing, or lacks photos.
    """
    if recipe.dataset.packed is None:
        return decode(recipe, dataset)
    folder = Path(recipe.dataset.root) / recipe.dataset.packed
    return open_packed(folder, dataset, preprocess_of(recipe))


def training_edits(recipe: Recipe, dataset: Dataset):  # type: ignore[no-untyped-def]
    """Read the recipe's training-only edits and their overlays (paths are relative to the data set's root)."""
    from hoego.train.edits import LabelEdits, Relabel

    relabels = {}
    for name, edit in recipe.train_edits.items():
        if edit.overlay is None:
            continue
        found = read_overlay(dataset.root / edit.overlay, dataset.schema, dataset.image_ids.tolist())
        own = [c for c in found if c.attribute == name]
        rows = dataset.positions([c.image for c in own])
        relabels[name] = Relabel(rows, tuple(c.value for c in own), tuple(c.run for c in own))
    return LabelEdits(dict(recipe.train_edits), relabels, dict(recipe.source_weights))


def inner_slice(recipe: Recipe, dataset: Dataset, trained: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Return bool [N]: the training subjects that choose the epoch under `select.on = "inner"`; None otherwise."""
    if recipe.select.on != "inner":
        return None
    settings = SplitSettings(kind="holdout", ratio=recipe.select.inner_ratio, seed=recipe.seed)
    part = make(dataset.take(trained & (dataset.target >= 0)), settings)
    inner = np.zeros(dataset.n_images, dtype=bool)
    inner[dataset.positions(part.images[part.val_mask(0)])] = True
    return inner


def refit_recipe(recipe: Recipe, epochs: list[int]) -> Recipe:
    """Return the recipe of the refit: no held-out side chooses its epoch, so it trains as long as the folds'
    choice did.

    Where the epoch was chosen (`select.on` is not "last") and training stopped early, the refit ends where the chosen
    epochs did on average; otherwise it goes through the whole schedule.
    """
    changes: dict[str, object] = {"select": recipe.select.model_copy(update={"on": "last", "patience": 0})}
    if recipe.select.on != "last" and recipe.select.patience and epochs:
        changes["epochs"] = max(1, round(sum(epochs) / len(epochs)))
    return recipe.model_copy(update=changes)


def require_weights_unseen(project: ProjectData, folds: Sequence[int]) -> Provenance | None:
    """Refuse starting weights that have seen a held-out subject, before a number of it can be shown.

    Returns the subjects that they have seen; None where nothing says it.

    Raises:
        LeakError: a fold holds one of them out.
    """
    from hoego.train.starting import seen_by_start

    recipe, dataset, split = project.recipe, project.dataset, project.split
    known = seen_by_start(recipe.model, dataset)
    if known is not None:
        for k in folds:
            require_unseen(known, dataset, split.val_mask(k), naive=split.naive)
    return known


def with_training(known: Mapping[str, T], name: str, value: T) -> dict[str, T]:
    """Return a table by training with one more: in the order of the folds, whichever ended first.

    >>> with_training({"fold-1": 4, "refit": 5}, "fold-0", 3)
    {'fold-0': 3, 'fold-1': 4, 'refit': 5}
    """
    table = {**known, name: value}
    return {n: table[n] for n in sorted(table, key=lambda n: (n == REFIT, len(n), n))}


def tell_training(record: Record, what: str, name: str, value: Any, **more: Any) -> None:
    """Record what came of one training (`what` is "selected" or "pseudo"), beside what other processes record."""
    record.change(
        lambda meta: {"training": {what: with_training(getattr(meta.training, what), name, value)}, **more}
    )
