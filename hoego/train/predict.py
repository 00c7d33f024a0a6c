"""Weights read back from a checkpoint, and what they say of photos."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hoego.damage import parsing
from hoego.data.pixels import PixelCache
from hoego.data.schema import LabelSchema
from hoego.errors import TrainError
from hoego.predictions import Provenance
from hoego.recipe import Recipe, build, fill, normalisation
from hoego.results.labels import ModelLabels
from hoego.results.training import Precision
from hoego.train.augment import Augment
from hoego.train.checkpoints import CheckpointWeights, load_weights
from hoego.train.data import open_pixels
from hoego.train.forward import PredictedValues, Readers, mean_of, outputs_of, probabilities, read_outputs
from hoego.train.models import Network, build_network
from hoego.train.ordinal import OrdinalHead, OrdinalScale, build_ordinal
from hoego.train.precision import MixedPrecision, resolve_device, resolve_threads, threads_restored
from hoego.train.validation_views import TtaView, mean_views
from hoego.train.views import TtaViews

OBJECTIVE = "objective.parts."


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A trained network that can predict.

    Args:
        network: in evaluation mode, on its device.
        decoders: how its outputs become class probabilities.
        recipe: that it was trained by.
        schema: of its labels.
        precision: that it was trained in.
        provenance: who it has seen.
    """

    network: Network
    decoders: Readers
    recipe: Recipe
    schema: LabelSchema
    precision: Precision
    provenance: Provenance


def load_model(path: Path, device: str = "auto", *, views: int = 0) -> TrainedModel:
    """Load the model of a checkpoint that a training wrote.

    Args:
        path: the checkpoint.
        device: where it is to run.
        views: views per photo; 0 for its recipe's.

    Raises:
        TrainError: no such file, or not one of Hoego's own checkpoints.
    """
    weights = load_weights(path)
    about = weights.metadata
    if weights.provenance is None or "recipe" not in about:
        raise TrainError(
            "The checkpoint does not say what it was trained on.",
            file=path,
            remedy="Use one from a run's folder.",
        )
    with parsing(path):
        return _loaded(weights, weights.provenance, device, views)


def _loaded(weights: CheckpointWeights, provenance: Provenance, device: str, views: int) -> TrainedModel:
    about = weights.metadata
    recipe, schema = fill(build(about["recipe"])), LabelSchema.of(ModelLabels.model_validate(about["schema"]))
    if views:
        recipe = recipe.model_copy(update={"views": recipe.views.model_copy(update={"n": views})})
    size = recipe.dataset.size
    assert size is not None
    built = build_network(recipe.model, about["outputs"], size, initialise=False)
    own = {k.removeprefix("network."): v for k, v in weights.tensors.items() if k.startswith("network.")}
    # Older checkpoints call the backbone `body`.
    built.network.load_state_dict({re.sub(r"^body\.", "backbone.", k): v for k, v in own.items()})
    where = resolve_device(device)
    network = built.network.to(where, memory_format=torch.channels_last)  # type: ignore[call-overload]
    readers = _readers(about, weights.tensors, recipe, where)
    return TrainedModel(
        network=network.eval(),
        decoders=readers,
        recipe=recipe,
        schema=schema,
        precision=about["precision"],
        provenance=provenance,
    )


def _readers(
    about: Mapping[str, Any], tensors: Mapping[str, torch.Tensor], recipe: Recipe, device: torch.device
) -> Readers:
    readers: dict[str, Any] = {}
    for position, name in enumerate(about["outputs"]):
        readers[name] = None
        if name in about["scales"]:
            fields = dict(about["scales"][name])
            head = build_ordinal(
                recipe.ordinal[name], OrdinalScale(**{**fields, "edges": tuple(fields["edges"])})
            )
            assert isinstance(head, OrdinalHead)
            start = f"{OBJECTIVE}{position}."
            head.load_state_dict(
                {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}
            )
            readers[name] = head.to(device).class_probabilities
    return readers


def predict_photos(
    models: Sequence[TrainedModel], cache: PixelCache, images: Sequence[str] | NDArray[Any]
) -> PredictedValues:
    """Predict the photos of a cache with models under their recipes' views; the mean where there are several.

    Args:
        models: of one schema.
        cache: decoded pixels of N photos.
        images: their ids [N].
    """
    with threads_restored():
        torch.set_num_threads(resolve_threads(models[0].recipe.threads))
        each = [_predict_one(model, cache, images) for model in models]
    return each[0] if len(each) == 1 else mean_of(each)


def _predict_one(
    model: TrainedModel, cache: PixelCache, images: Sequence[str] | NDArray[Any]
) -> PredictedValues:
    recipe = model.recipe
    device = next(model.network.parameters()).device
    pixels = open_pixels(cache, np.arange(cache.n_images), device)
    autocast = MixedPrecision(device, model.precision).autocast

    def read(prepare: Any) -> PredictedValues:
        raw = outputs_of(model.network, pixels, prepare, autocast=autocast, batch_size=recipe.batch_size)
        return read_outputs(raw, model.decoders)

    if not recipe.views.n:
        mean, std = normalisation(recipe)
        return read(Augment(recipe.augment, mean=mean, std=std, seed=recipe.seed).plain)
    views = TtaViews.of(recipe)
    keys = TtaViews.keys(list(images))
    return mean_views([probabilities(read(TtaView(views, keys, number))) for number in range(views.n)])[0]
