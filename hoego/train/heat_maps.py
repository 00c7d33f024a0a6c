"""Heat maps of a trained model over photos, and pictures of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from hoego.errors import TrainError
from hoego.recipe import normalisation
from hoego.train.augment import Augment
from hoego.train.cam import attention_map, grad_cam
from hoego.train.predict import TrainedModel

Bytes = NDArray[np.uint8]
BATCH = 16
_RAMP = np.array([[20, 20, 120], [0, 160, 220], [250, 220, 60], [220, 30, 30]], dtype=np.float64)


def cam_maps(model: TrainedModel, photos: Bytes) -> NDArray[np.float32]:
    """Compute heat maps float32 [N, H, W] in [0, 1] of the model's decisions on photos uint8 [N, H, W, 3].

    Networks with maps: Grad-CAM of the sum, over the heads, of the predicted class's score (the logit, or the
    log-probability of an ordered attribute). Transformers: attention roll-out, which is of the photo, not of a class.

    Raises:
        TrainError: the network has neither maps nor attention.
    """
    recipe, device = model.recipe, next(model.network.parameters()).device
    mean, std = normalisation(recipe)
    prepare = Augment(recipe.augment, mean=mean, std=std).plain
    parts = []
    for first in range(0, len(photos), BATCH):
        images = prepare(torch.from_numpy(photos[first : first + BATCH]).to(device))
        parts.append(_heat(model, images).cpu().numpy())
    shape = (0, *photos.shape[1:3])
    return np.concatenate(parts) if parts else np.zeros(shape, dtype=np.float32)


def _heat(model: TrainedModel, images: Tensor) -> Tensor:
    network = model.network.eval()
    if any(hasattr(m, "attn_drop") for m in network.modules()):
        return attention_map(network, images)
    one = torch.zeros(len(images), dtype=torch.int64, device=images.device)
    return grad_cam(network, images, one, logits_of=lambda outputs: _predicted_score(model, outputs))


def _predicted_score(model: TrainedModel, outputs: Mapping[str, Tensor]) -> Tensor:
    """Return the joint score [B, 1] of the classes that the heads predict."""
    total: Tensor | None = None
    for name, raw in outputs.items():
        reader = model.decoders.get(name)
        scores = raw.float() if reader is None else reader(raw).clamp_min(1e-12).log()
        best = scores.amax(1, keepdim=True)
        total = best if total is None else total + best
    if total is None:
        raise TrainError("The model has no head.")
    return total


def overlay(
    photo: Bytes, heat: NDArray[np.floating], *, side: int = 160, strength: float = 0.55
) -> Image.Image:
    """Draw a photo uint8 [H, W, 3] in grey under its heat map [H, W] in colour, enlarged to about `side` pixels.

    Blue is little, red is much; where there is no heat the grey photo shows.
    """
    values = np.clip(heat, 0, 1).astype(np.float64)
    places = np.linspace(0, 1, len(_RAMP))
    colour = np.stack([np.interp(values, places, _RAMP[:, c]) for c in range(3)], axis=-1)
    grey = (photo @ np.array([0.299, 0.587, 0.114]))[..., None].repeat(3, axis=-1)
    share = strength * np.sqrt(values)[..., None]
    picture = Image.fromarray(np.rint((1 - share) * grey + share * colour).astype(np.uint8))
    longest = max(picture.size)
    if longest * 2 <= side:
        factor = side // longest
        return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.BICUBIC)
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return picture
