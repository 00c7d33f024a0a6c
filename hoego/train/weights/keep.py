"""Weights put into a folder of weights, as safetensors: from the network, or from a file that the safe loader took."""

from __future__ import annotations

from pathlib import Path

import safetensors.torch

from hoego import files
from hoego.errors import TrainError
from hoego.recipe import ModelSettings
from hoego.results.weights import ShelvedWeights
from hoego.train.checkpoints import load_weights
from hoego.train.models import build_body
from hoego.train.weights.start import find_weights, wanted_of
from hoego.train.weights.tensors import from_package, refuse_confused
from hoego.weights import Found
from hoego.weights.facts import sha256_of
from hoego.weights.places import FILES
from hoego.weights.shelf import write_facts


def fetch(name: str, to: Path, folder: Path | None = None) -> ShelvedWeights:
    """Put published weights into `to`/NAME.TAG: model.safetensors, config.json and the lock with its hash.

    They are taken from this machine where a place has them, else from the network.

    Raises:
        TrainError: there are none of this name, or they cannot be had.
    """
    return keep(find_weights(name, folder), to)


def add_file(path: Path, name: str, to: Path) -> ShelvedWeights:
    """Put a file into `to` as the weights NAME.TAG; a pickle is converted only after the safe loader took it.

    Raises:
        TrainError: timm publishes nothing of this name, the file carries code, or it fits another network.
    """
    wanted = wanted_of(name)
    if not path.is_file():
        raise TrainError("There is no such file.", file=path, remedy="Name a file of weights.")
    found = Found(
        path=path,
        place=str(path),
        model=wanted.model,
        tag=wanted.tag,
        sha256=sha256_of(path),
        licence="",
        config={k: v for k, v in wanted.config.items() if k != "license"},
    )
    return keep(found, to)


def keep(found: Found, to: Path) -> ShelvedWeights:
    """Write what was found as safetensors into `to`/NAME.TAG, with its facts.

    Raises:
        TrainError: the file carries code, is damaged, or its tensors are not those of the network.
    """
    tensors = load_weights(found.path).tensors
    refuse_confused(found.model, tensors, found.path)
    if found.package is not None:
        tensors = from_package(found, found.package, tensors)
    else:
        _require_fit(found)
    folder = to / found.name.replace("/", "--")
    plain = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
    with files.writing(folder / FILES[0]) as temporary:
        safetensors.torch.save_file(plain, temporary, metadata={"format": "pt"})
    return write_facts(folder, found, origin=f"{found.place}, sha256 {found.sha256}")


def _require_fit(found: Found) -> None:
    """Raise TrainError if timm cannot load the file into the network of that name."""
    size = tuple(found.config.get("input_size") or (3, 224, 224))[1:]
    build_body(ModelSettings(name=found.model, pretrained=True), (int(size[0]), int(size[1])), found)
