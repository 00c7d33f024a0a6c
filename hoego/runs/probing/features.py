"""Features of a data set's photos: those that are kept already, and the others computed and kept."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hoego.data.contents import cache_folder
from hoego.data.dataset import Dataset
from hoego.data.features import FeatureStore
from hoego.data.pixels import CacheBuildOptions, PixelCache, ProgressBar, photo_keys
from hoego.recipe import Recipe
from hoego.runs.inputs import preprocess_of
from hoego.short_repr import ShortRepr
from hoego.train.weights.start import Start

PART = 1024
"""Photos whose features are kept together; an interrupted extraction loses at most as many."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PhotoFeatures(ShortRepr):
    """Features of a data set's photos, and how they came.

    Args:
        values: float16 [N, F], in the data set's order.
        extracted: distinct photos whose features were computed now.
        threads: CPU threads of the forward passes; 0 where there were none.
        precision: of the forward passes.
        device: of the forward passes.
        seconds: decode, build (of the network), forward (the network alone) and features (all of the extraction).
    """

    values: NDArray[np.float16]
    extracted: int
    threads: int
    precision: str
    device: str
    seconds: dict[str, float] = field(default_factory=dict)


def features_of(
    start: Start, dataset: Dataset, *, flips: bool = True, progress: bool = True
) -> PhotoFeatures:
    """Return the features of a data set's photos; only those that are not kept yet are computed.

    Args:
        start: the weights, with the preprocessing that belongs to them.
        dataset: N photos.
        flips: average the features of each photo and of its mirror image.
        progress: whether a bar is shown.

    Raises:
        DataError: a photo cannot be read, or the disk is full.
        TrainError: the network cannot be built.
        UsageError: the recipe starts from no weights.
    """
    from hoego.train.features import made_by
    from hoego.train.precision import resolve_device

    how = made_by(start, flips)
    preprocess = preprocess_of(start.recipe)
    ids = dataset.image_ids.tolist()
    keys, row = np.unique(photo_keys(dataset.contents, preprocess, ids), return_inverse=True)
    store = FeatureStore.of({**how, "preprocess": preprocess.fingerprint}, cache_folder())
    found, have = store.read(keys)
    work = _Extraction(start, dataset, store, flips)
    if not have.all():
        values = work.compute(keys, ~have, row, progress)
        found = np.zeros((len(keys), values.shape[1]), dtype=np.float16) if found is None else found
        found[~have] = values
    assert found is not None
    return PhotoFeatures(
        values=found[row],
        extracted=int((~have).sum()),
        threads=work.threads,
        precision=how["precision"],
        device=str(resolve_device(start.recipe.device)),
        seconds=work.seconds,
    )


def names_of(recipe: Recipe, dataset: Dataset) -> list[str]:
    """Return what the heads of a recipe predict: attributes, or the composite."""
    from hoego.train.models import head_specs

    return [spec.name for spec in head_specs(recipe.model, dataset.schema)]


class _Extraction:
    """The computing of features that no cache holds, in parts that are kept as they come."""

    def __init__(self, start: Start, dataset: Dataset, store: FeatureStore, flips: bool) -> None:
        self.start, self.dataset, self.store, self.flips = start, dataset, store, flips
        self.threads = 0
        self.seconds: dict[str, float] = dict.fromkeys(("decode", "build", "forward", "features"), 0.0)

    def compute(
        self, keys: NDArray[np.uint64], wanted: NDArray[np.bool_], row: NDArray[np.int64], progress: bool
    ) -> NDArray[np.float16]:
        """Return the features float16 [n, F] of the distinct photos `wanted`.

        Args:
            keys: of the R distinct photos.
            wanted: bool [R].
            row: of each photo of the data set, int64 [N], in `keys`.
            progress: whether a bar is shown.
        """
        from hoego.train.features import FeaturePasses, feature_network

        begun = time.perf_counter()
        network = feature_network(self.start, self.flips)
        self.seconds["build"] = time.perf_counter() - begun
        first = np.zeros(len(keys), dtype=np.int64)
        first[row[::-1]] = np.arange(len(row))[::-1]
        photos, mine = first[wanted], keys[wanted]
        cache = self._decode(progress)
        bar = ProgressBar(len(photos), "Computing features") if progress else None
        passes = FeaturePasses(network, len(photos))
        parts: list[NDArray[np.float16]] = []
        done = kept = 0
        try:
            for values in passes.run(cache, photos):
                parts.append(values)
                done += len(values)
                if bar is not None:
                    bar(done, len(photos))
                if done - kept >= PART or done == len(photos):
                    self.store.add(mine[kept:done], np.concatenate(parts)[kept:done])
                    kept = done
        finally:
            if bar is not None:
                bar.close()
        self.threads, self.seconds["forward"] = passes.threads, passes.seconds
        self.seconds["features"] = time.perf_counter() - begun - self.seconds["decode"]
        return np.concatenate(parts)

    def _decode(self, progress: bool) -> PixelCache:
        options = None if progress else CacheBuildOptions(progress=lambda done, total: None)
        cache = PixelCache.of(self.dataset, preprocess_of(self.start.recipe), options=options)
        self.seconds["decode"] = cache.seconds
        return cache
