"""Networks: a timm backbone of any name (or Hoego's own small one) with one linear head per attribute."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from hoego.data.schema import COMPOSITE, LabelSchema
from hoego.errors import TrainError
from hoego.predictions import Provenance
from hoego.recipe import ModelSettings
from hoego.train.checkpoints import load_weights
from hoego.train.foreign_weights import fit_weights, stripped
from hoego.train.losses import CosineLinear
from hoego.train.registered_models import HUB, require_registered
from hoego.train.small32 import SMALL_MODEL
from hoego.train.small_maps import speed_up_small_maps
from hoego.train.weights.start import find_weights
from hoego.train.weights.tensors import overlay_of, refuse_confused
from hoego.weights import Found


@dataclass(frozen=True)
class HeadSpec:
    """One head: what it predicts, and how many classes that has."""

    name: str
    n_classes: int


def head_specs(settings: ModelSettings, schema: LabelSchema) -> tuple[HeadSpec, ...]:
    """Return the heads of a recipe: `composite` one for the target, `multi` one per attribute, `single` one attribute.

    Raises:
        TrainError: a single head without its attribute.
    """
    if settings.head == "composite":
        whole = schema.target == COMPOSITE or schema.target in schema.composite
        target = COMPOSITE if whole else schema.target
        return (HeadSpec(target, schema.n_classes(target)),)
    if settings.head == "single":
        name = settings.attribute or (schema.target if schema.target != COMPOSITE else None)
        if name is None:
            raise TrainError(
                "model.head is 'single', but model.attribute does not say which.",
                remedy=f"Set model.attribute to one of: {', '.join(schema.names)}.",
            )
        return (HeadSpec(name, schema.attribute(name).n_classes),)
    names = list(schema.names)
    if schema.target == COMPOSITE:
        names = [n for n in names if n in schema.composite] + [n for n in names if n not in schema.composite]
    return tuple(HeadSpec(n, schema.n_classes(n)) for n in names)


class Network(nn.Module):
    """Backbone and heads. Takes normalised photos float [B, 3, H, W] and returns outputs [B, O] by head.

    Args:
        backbone: gives features [B, F].
        features: F.
        outputs: number of outputs O of each head.
        drop: dropout before the heads.
        cosine: scale of cosine heads (see `losses.CosineLinear`); 0 for linear ones.
    """

    def __init__(
        self,
        body: nn.Module,
        features: int,
        outputs: Mapping[str, int],
        drop: float = 0.0,
        cosine: float = 0.0,
    ) -> None:
        super().__init__()
        self.backbone = body
        self.names = tuple(outputs)
        self.sizes = tuple(outputs.values())
        n = sum(self.sizes)
        self.head = CosineLinear(features, n, cosine) if cosine else nn.Linear(features, n)
        self.drop = drop

    @property
    def outputs(self) -> dict[str, int]:
        """Number of outputs O by head."""
        return dict(zip(self.names, self.sizes, strict=True))

    def features(self, images: Tensor) -> Tensor:
        """Compute pooled features [B, F]."""
        out: Tensor = self.backbone(images)
        return out.flatten(1)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Compute outputs [B, O] by head of normalised photos [B, 3, H, W]."""
        return self.classify(self.features(images))

    def classify(self, features: Tensor) -> dict[str, Tensor]:
        """Compute outputs [B, O] by head from pooled features [B, F]."""
        outputs = self.head(F.dropout(features, self.drop, self.training))
        return dict(zip(self.names, outputs.split(self.sizes, dim=1), strict=True))

    @torch.no_grad()
    def start_heads(self, given: Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]]) -> None:
        """Set the linear heads to weights [F, O] and intercepts [O] by head; others stay as they are.

        A head of other outputs than the given classes, such as that of an ordered attribute, stays as it is too.
        """
        if not isinstance(self.head, nn.Linear):
            return
        start = 0
        for name, size in zip(self.names, self.sizes, strict=True):
            rows = slice(start, start + size)
            start += size
            if name in given and len(given[name][1]) == size:
                weights, intercept = given[name]
                self.head.weight[rows] = torch.from_numpy(weights.T.copy()).to(self.head.weight)
                self.head.bias[rows] = torch.from_numpy(intercept.copy()).to(self.head.bias)

    def head_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the heads."""
        return list(self.head.parameters())


@dataclass(frozen=True)
class BuiltNetwork:
    """A network with the notes for the log and the provenance of its starting weights.

    Args:
        network: on the CPU, float32.
        notes: sentences for the log.
        external: outside checkpoints that it started from.
        started_from: provenance of a checkpoint of Hoego's own.
    """

    network: Network
    notes: tuple[str, ...] = ()
    external: tuple[str, ...] = ()
    started_from: Provenance | None = None


@dataclass
class _Start:
    notes: list[str] = field(default_factory=list)
    external: list[str] = field(default_factory=list)
    seen: Provenance | None = None


def build_network(
    settings: ModelSettings,
    outputs: Mapping[str, int],
    size: tuple[int, int],
    *,
    initialise: bool = True,
    folder: Path | None = None,
) -> BuiltNetwork:
    """Build the network of a recipe for photos of `size` (height, width).

    Args:
        settings: the section `model`.
        outputs: number of outputs of each head.
        size: of the photos, in pixels.
        initialise: False skips pretrained weights and checkpoints (the caller loads its own).
        folder: of weights, looked at first (`weights.folder`).

    Raises:
        TrainError: an unknown model, weights that are nowhere, or a checkpoint that does not fit.
    """
    start = _Start()
    published = settings.pretrained and settings.checkpoint is None and initialise
    found = find_weights(settings.name, folder) if published else None
    body = build_body(settings, size, found)
    body.train()
    places, features = _probe(body, size, settings)
    if found is not None:
        start.external.append(found.text)
    # Larger photos keep some detail before the last map; at 32 px, stride 32 leaves one place.
    if places == 1 and min(size) <= 96:
        start.notes.append(
            f"{settings.name} shrinks a photo of {size[0]} x {size[1]} px to a single place before it looks at it; "
            f"{SMALL_MODEL} is made for such photos."
        )
    network = Network(body, features, outputs, settings.drop, settings.cosine)
    if settings.checkpoint is not None and initialise:
        _load(network, settings, Path(settings.checkpoint), start)
    return BuiltNetwork(speed_up_small_maps(network), tuple(start.notes), tuple(start.external), start.seen)


def build_body(settings: ModelSettings, size: tuple[int, int], found: Found | None) -> nn.Module:
    """Build the network without heads for photos of `size` (height, width), with the weights found.

    Raises:
        TrainError: an unknown model or option, or weights that do not fit it.
    """
    name = settings.name
    require_registered(name)
    _require_no_weights(settings.options)
    options = body_options(settings, size)
    given: dict[str, Any] = {}
    if found is not None and name.startswith(HUB):
        load_weights(found.path)  # a pickle that carries code is refused before timm opens it
        name = f"local-dir:{found.path.parent}"
        given["pretrained"] = True
    elif found is not None:
        name = found.name
        given = {"pretrained": True, "pretrained_cfg_overlay": overlay_of(found)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body: nn.Module = timm.create_model(name, num_classes=0, **options, **given)
    except TypeError as e:
        raise TrainError(
            f"{name} does not take the options {sorted(options)}: {e}", remedy="Check model.options."
        ) from None
    except Exception as e:
        said = " ".join(str(e).split())[:160]
        if found is None:
            raise TrainError(f"{name} cannot be built for {size[0]} x {size[1]} px: {said}") from e
        raise TrainError(
            f"The weights {found.name} of {found.place} cannot be loaded into the model: {said}",
            file=found.path,
            remedy="Fetch the file again (hoego weights fetch), set model.checkpoint = FILE, "
            "or model.pretrained = false.",
        ) from None
    if found is not None:
        body.pretrained_cfg.pop("state_dict", None)  # type: ignore[operator,union-attr]
    return body


def body_options(settings: ModelSettings, size: tuple[int, int]) -> dict[str, Any]:
    """Return the keyword arguments of timm's model for photos of `size` (height, width)."""
    options: dict[str, Any] = dict(settings.options)
    if settings.drop_path:
        options["drop_path_rate"] = settings.drop_path
    if settings.name != SMALL_MODEL and _fixed_size(settings.name):
        options.setdefault("img_size", size)
    return options


def _require_no_weights(options: Mapping[str, Any]) -> None:
    """Refuse options that load weights: only `model.checkpoint` and `model.pretrained` record their provenance."""
    for name in sorted(options):
        if name.startswith("pretrained") or name in ("checkpoint_path", "cache_dir"):
            raise TrainError(
                f"model.options.{name} would choose starting weights past the provenance.",
                remedy="Set model.checkpoint = FILE for weights of your own, or model.pretrained = true for published "
                "ones (the hub's cache is HF_HOME).",
            )


def _fixed_size(name: str) -> bool:
    config = timm.get_pretrained_cfg(name, allow_unregistered=True)
    return bool(config is not None and config.fixed_input_size)


def _probe(body: nn.Module, size: tuple[int, int], settings: ModelSettings) -> tuple[int, int]:
    """Return the places of the last map (0 without a map) and the number of features, by a photo of zeros."""
    training = body.training
    body.eval()
    with torch.no_grad():
        photo = torch.zeros(1, 3, *size)
        try:
            maps = body.forward_features(photo) if hasattr(body, "forward_features") else None  # type: ignore[operator]
            features = body(photo)
        except (RuntimeError, AssertionError, ValueError) as e:
            raise TrainError(
                f"{settings.name} does not take photos of {size[0]} x {size[1]} px: {' '.join(str(e).split())[:160]}",
                remedy="Change dataset.size, or choose another model.",
            ) from None
    body.train(training)
    places = maps.shape[2] * maps.shape[3] if isinstance(maps, Tensor) and maps.dim() == 4 else 0
    if isinstance(maps, Tensor) and maps.dim() == 4 and maps.shape[-1] == features.shape[-1]:
        places = maps.shape[1] * maps.shape[2]
    return places, int(features.flatten(1).shape[1])


def _load(network: Network, settings: ModelSettings, path: Path, start: _Start) -> None:
    weights = load_weights(path)
    heads = ("head.weight", "head.bias")
    refuse_confused(settings.name, weights.tensors, path)
    same_heads = weights.metadata.get("outputs") == network.outputs
    kept = {k: v for k, v in weights.tensors.items() if same_heads or stripped(k) not in heads}
    fitted = fit_weights(network, kept, path)
    start.notes.extend((*weights.notes, *fitted.notes))
    if any(name.startswith("head.") for name in fitted.left):
        start.notes.append(
            f"The heads start anew: {path.name} has none of the same name and number of outputs."
        )
    start.seen = weights.provenance
    if weights.provenance is None and not settings.trained_on:
        start.external.append(path.name)
