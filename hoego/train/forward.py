"""Compute the outputs of a network for a set of photos, in batches as large as fit, read back once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hoego.predictions.scale import Scale
from hoego.short_repr import ShortRepr
from hoego.train.data import PixelLoader, eval_batch

Prepare = Callable[[Tensor], Tensor]
"""uint8 [B, H, W, 3] to normalised floats [B, 3, H, W]."""


@dataclass(frozen=True, eq=False, repr=False)
class PredictedValues(ShortRepr):
    """Outputs of a network for N photos.

    Args:
        values: float32 [N, C] by head.
        scale: "logits", or "probabilities" for heads whose classes are read off (ordered attributes, views).
    """

    values: dict[str, NDArray[np.float32]]
    scale: dict[str, Scale]


@contextlib.contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Switch to evaluation mode without gradients, and restore the former mode afterwards."""
    training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        network.train(training)


def outputs_of(
    network: nn.Module,
    pixels: PixelLoader,
    prepare: Prepare,
    *,
    autocast: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext,
    batch_size: int = 64,
) -> dict[str, Tensor]:
    """Compute raw outputs float32 [N, O] by head, on the network's device, of all photos of `pixels` in their order."""
    device = next(network.parameters()).device
    step = eval_batch(pixels.size, batch_size, device)
    rows = [np.arange(a, min(a + step, pixels.n_images)) for a in range(0, pixels.n_images, step)]
    parts: list[Mapping[str, Tensor]] = []
    with evaluating(network):
        for photos in pixels.batches(rows):
            with autocast():
                parts.append(network(prepare(photos)))
        return {name: torch.cat([p[name].float() for p in parts]) for name in parts[0]}


Readers = Mapping[str, Callable[[Tensor], Tensor] | None]
"""By head: from outputs [B, O] to class probabilities [B, C]; None where the outputs are logits of the classes."""


def read_outputs(raw: Mapping[str, Tensor], readers: Readers) -> PredictedValues:
    """Convert raw outputs to class logits or probabilities."""
    values: dict[str, NDArray[np.float32]] = {}
    scale: dict[str, Scale] = {}
    for name, outputs in raw.items():
        reader = readers.get(name)
        with torch.inference_mode():
            values[name] = (outputs if reader is None else reader(outputs)).float().cpu().numpy()
        scale[name] = "logits" if reader is None else "probabilities"
    return PredictedValues(values, scale)


def probabilities(outputs: PredictedValues) -> dict[str, NDArray[np.float32]]:
    """Compute class probabilities float32 [N, C] by head."""
    out = {}
    for name, values in outputs.values.items():
        if outputs.scale[name] == "logits":
            values = torch.from_numpy(values).softmax(1).numpy()
        out[name] = values
    return out


def mean_of(several: list[PredictedValues]) -> PredictedValues:
    """Compute the mean probabilities of several outputs of the same photos (views, or members of an ensemble)."""
    each = [probabilities(o) for o in several]
    values = {name: np.asarray(sum(p[name] for p in each) / len(each), np.float32) for name in each[0]}
    return PredictedValues(values, dict.fromkeys(values, "probabilities"))
