"""Features of photos from a frozen network: the mean over a photo and its mirror image, in half precision."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hoego.data.pixels import PixelCache
from hoego.errors import UsageError
from hoego.predictions import Provenance
from hoego.recipe import Recipe, normalisation
from hoego.results.training import Precision
from hoego.train.augment import Augment
from hoego.train.data import open_pixels
from hoego.train.forward import evaluating
from hoego.train.models import Network, build_network
from hoego.train.precision import (
    MixedPrecision,
    resolve_device,
    resolve_threads,
    synchronize,
    threads_restored,
    usable_precision,
)
from hoego.train.threads import best_count, thread_counts
from hoego.train.weights.start import Start, folder_of
from hoego.weights import sha256_of

BATCH = {"cpu": 16, "cuda": 256, "mps": 64}
"""Photos per forward pass. On a CPU the maps of 16 photos stay in the cache: 151 images/s against 41 with 64
(tf_efficientnet_lite0, 224 px, bfloat16, one thread)."""

TURNS = 3
"""Batches timed of each number of threads, in turns; they are kept like all others."""

LARGEST = float(np.finfo(np.float16).max)


@dataclass(frozen=True, kw_only=True)
class FeatureNetwork:
    """A frozen network that gives features.

    Args:
        network: in evaluation mode, on its device.
        recipe: with what belongs to the weights filled in.
        precision: of the forward passes.
        flips: whether the features of the mirror image are averaged in.
        external: the published weights or outside checkpoint that it holds.
        started_from: provenance of a checkpoint of Hoego's own.
    """

    network: Network
    recipe: Recipe
    precision: Precision
    flips: bool = True
    external: tuple[str, ...] = ()
    started_from: Provenance | None = None

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device


def made_by(start: Start, flips: bool) -> dict[str, Any]:
    """Return what decides the features of a photo's pixels, as plain values.

    Raises:
        UsageError: the recipe starts from no weights at all.
    """
    recipe = start.recipe
    model = recipe.model
    if start.found is not None:
        weights = start.found.sha256
    elif model.checkpoint is not None:
        weights = sha256_of(Path(model.checkpoint))
    else:
        raise UsageError(
            f"A probe needs weights, and the recipe trains {model.name} from scratch.",
            remedy="hoego probe --models NAME (hoego weights list), or set model.pretrained = true.",
        )
    mean, std = normalisation(recipe)
    return {
        "model": model.name,
        "options": dict(model.options),
        "weights": weights,
        "mean": list(mean),
        "std": list(std),
        "flips": flips,
        "precision": precision_of(recipe),
    }


def precision_of(recipe: Recipe) -> Precision:
    """Return the precision of the forward passes; `auto` is bfloat16 on processors that compute in it.

    It is not timed: features that are kept must not depend on how busy the machine was.
    """
    device = resolve_device(recipe.device)
    if recipe.precision != "auto":
        return usable_precision(recipe.precision, device)
    if device.type == "cuda":
        quick = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        quick = device.type == "cpu" and any(
            getattr(torch.cpu, name, bool)()
            for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        )
    return "bfloat16" if quick else "float32"


def feature_network(start: Start, flips: bool = True) -> FeatureNetwork:
    """Build the network that a recipe starts from, without its heads.

    Raises:
        TrainError: an unknown model, or weights that do not fit it.
    """
    recipe = start.recipe
    size = recipe.dataset.size
    assert size is not None
    built = build_network(recipe.model, {"unused": 1}, size, folder=folder_of(recipe))
    device = resolve_device(recipe.device)
    network = built.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return FeatureNetwork(
        network=network.eval(),
        recipe=recipe,
        precision=precision_of(recipe),
        flips=flips,
        external=built.external,
        started_from=built.started_from,
    )


class FeaturePasses:
    """Forward passes of a frozen network, batch after batch.

    With `threads = 0` the first batches are computed with one thread to all in turns, and the others with the fastest
    number.

    Args:
        network: the frozen network.
        n_images: photos that will come, N.
    """

    def __init__(self, network: FeatureNetwork, n_images: int) -> None:
        recipe = network.recipe
        mean, std = normalisation(recipe)
        self.network, self.device = network, network.device
        self.prepare = Augment(recipe.augment, mean=mean, std=std).plain
        self.autocast = MixedPrecision(self.device, network.precision).autocast
        self.batch = BATCH.get(self.device.type, 64)
        self.seconds, self.number = 0.0, 0
        self.threads = resolve_threads(recipe.threads)
        counts = thread_counts(self.threads)
        tried = not recipe.threads and self.device.type == "cpu" and len(counts) > 1
        enough = n_images > self.batch * 4 * TURNS * len(counts)
        self.trial = counts * (TURNS + 1) if tried and enough else ()
        self.taken: dict[int, list[float]] = {n: [] for n in self.trial}

    def run(self, cache: PixelCache, images: NDArray[np.int64]) -> Iterator[NDArray[np.float16]]:
        """Yield the features float16 [B, F] of the photos at positions `images` [N] of a cache, in their order."""
        pixels = open_pixels(cache, images, self.device)
        n, size = len(images), self.batch
        rows = [np.arange(a, min(a + size, n)) for a in range(0, n, size)]
        with threads_restored(), evaluating(self.network.network):
            for photos in pixels.batches(rows):
                yield self.features(photos)

    def features(self, photos: torch.Tensor) -> NDArray[np.float16]:
        """Return the features float16 [B, F] of photos uint8 [B, H, W, 3]."""
        in_trial = self.number < len(self.trial)
        torch.set_num_threads(self.trial[self.number] if in_trial else self.threads)
        images = self.prepare(photos)
        synchronize(self.device)
        start = time.perf_counter()
        with self.autocast():
            out = self.network.network.features(images).float()
            if self.network.flips:
                out = (out + self.network.network.features(images.flip(3)).float()) / 2
        synchronize(self.device)
        taken = time.perf_counter() - start
        self.seconds += taken
        self._note(taken, in_trial)
        # A feature beyond half precision's range would become infinite, and the heads undefined.
        return out.clamp(-LARGEST, LARGEST).cpu().numpy().astype(np.float16)

    def _note(self, taken: float, in_trial: bool) -> None:
        counts = tuple(self.taken)
        if in_trial and self.number >= len(counts):  # the first of each number warms up
            self.taken[self.trial[self.number]].append(taken)
        self.number += 1
        if self.number == len(self.trial):
            self.threads = best_count(self.medians(), self.threads)

    def medians(self) -> dict[int, float]:
        """Return milliseconds per batch of each number of threads that was tried."""
        return {n: 1e3 * statistics.median(times) for n, times in self.taken.items() if times}
