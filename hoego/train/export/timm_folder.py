"""Write a trained model as a folder that `timm.create_model("local-dir:DIR", pretrained=True)` reads anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import timm
import torch
from torch import Tensor, nn

from hoego import files
from hoego.data.schema import LabelSchema
from hoego.errors import ParityError, TrainError
from hoego.recipe import normalisation
from hoego.results.export import TOLERANCE
from hoego.train.export.graph import plain_network
from hoego.train.models import body_options
from hoego.train.predict import TrainedModel

CONFIG, WEIGHTS = "config.json", "model.safetensors"
CROPS = {"squash": "squash", "crop": "center", "pad": "border"}
"""timm's names of the ways to fit a photo, by ours. Its Resize is Pillow's; it does not decode JPEGs in part."""
PHOTOS = 8


def require_timms_own(model: TrainedModel) -> None:
    """Raise TrainError, with the reason, where timm itself cannot build the model."""
    reason = ""
    if not type(model.network.backbone).__module__.startswith("timm."):
        reason = f"{model.recipe.model.name} is not one of timm's models"
    elif type(model.network.head) is not nn.Linear:
        reason = "timm has no cosine heads"
    if reason:
        raise TrainError(
            f"This model cannot be a folder of timm: {reason}.", remedy="Export ONNX alone: --formats onnx."
        )


def write_timm(model: TrainedModel, folder: Path) -> float:
    """Write config.json and model.safetensors, build the model from them, and compare the logits.

    Args:
        model: trained, of a network that timm has.
        folder: to write.

    Returns:
        the largest difference of an output, relative to the largest output.

    Raises:
        TrainError: timm cannot build the model.
        ParityError: what timm builds from the folder gives other outputs.
    """
    require_timms_own(model)
    network = plain_network(model.network)
    body, head = network.backbone, network.head
    config = _config(model)
    built = timm.create_model(config["architecture"], num_classes=head.out_features, **config["model_args"])
    name = _classifier_name(built)
    weights = {k: v for k, v in body.state_dict().items() if not k.startswith(f"{name}.")}
    weights |= {f"{name}.weight": head.weight, f"{name}.bias": head.bias}
    missing = [k for k in built.state_dict() if k not in weights]
    extra = [k for k in weights if k not in built.state_dict()]
    if missing or extra:
        raise TrainError(
            f"timm's {config['architecture']} has other weights behind its features than a linear head: "
            f"{', '.join([*missing, *extra][:3])}.",
            remedy="Export ONNX alone: --formats onnx.",
        )
    with files.writing(folder / WEIGHTS) as temporary:
        plain = {k: v.detach().contiguous().clone() for k, v in weights.items()}
        safetensors.torch.save_file(plain, temporary, metadata={"format": "pt"})
    files.write_json(folder / CONFIG, config)
    again = timm.create_model(f"local-dir:{folder.resolve()}", pretrained=True).eval()
    photos = torch.randn(
        PHOTOS, 3, *config["pretrained_cfg"]["input_size"][1:], generator=torch.Generator().manual_seed(0)
    )
    with torch.inference_mode():
        want = torch.cat(list(network(photos).values()), dim=1)
        gap = _difference(again(photos), want)
    if not gap <= TOLERANCE:
        raise ParityError(
            f"What timm builds from the folder gives other outputs: they differ by {gap:.2g} of the largest.",
            file=folder,
            remedy="Export ONNX alone: --formats onnx.",
        )
    return gap


def _difference(found: Tensor, want: Tensor) -> float:
    return float((found - want).abs().max() / want.abs().max().clamp_min(1.0))


def _classifier_name(built: nn.Module) -> str:
    classifier = built.get_classifier()  # type: ignore[operator]
    name: str
    for name, module in built.named_modules():
        if module is classifier and isinstance(module, nn.Linear):
            return name
    raise TrainError(
        "timm's model has no linear classifier to put the heads into.",
        remedy="Export ONNX alone: --formats onnx.",
    )


def _config(model: TrainedModel) -> dict[str, Any]:
    recipe, network = model.recipe, model.network
    size = recipe.dataset.size
    assert size is not None
    own: Any = network.backbone.pretrained_cfg
    known: dict[str, Any] = asdict(own) if is_dataclass(own) and not isinstance(own, type) else dict(own)
    mean, std = normalisation(recipe)
    about = {
        "input_size": [3, *size],
        "interpolation": recipe.dataset.interpolation or "bilinear",
        "crop_pct": 1.0,
        "crop_mode": CROPS[recipe.dataset.fit],
        "mean": list(mean),
        "std": list(std),
        "num_classes": sum(network.sizes),
    }
    kept = {
        k: known[k]
        for k in ("first_conv", "classifier", "fixed_input_size", "pool_size")
        if known.get(k) is not None
    }
    return {
        "architecture": str(known["architecture"]),
        "num_classes": sum(network.sizes),
        "num_features": int(getattr(network.backbone, "num_features", 0)),
        "label_names": label_names(model.schema, network.names, network.sizes),
        "model_args": body_options(recipe.model, size),
        "pretrained_cfg": {**kept, **about},
        "hoego": {
            "heads": _slices(model),
            "labels": model.schema.described().model_dump(mode="json"),
            "preprocessing": f"{recipe.dataset.fit}; preprocessing.py, one folder up, gives training's own bytes",
        },
    }


def _slices(model: TrainedModel) -> list[dict[str, Any]]:
    """Return, for each head, which outputs are its own and how they become probabilities."""
    out, start = [], 0
    for name, n in zip(model.network.names, model.network.sizes, strict=True):
        ordinal = model.decoders.get(name) is not None
        reads = model.recipe.ordinal[name].kind if ordinal else "softmax"
        out.append({"name": name, "start": start, "stop": start + n, "probabilities": reads})
        start += n
    return out


def label_names(schema: LabelSchema, heads: Sequence[str], sizes: Sequence[int]) -> list[str]:
    """Name every output: the classes of the only head, or "attribute: class"; numbers where a head is not a softmax."""
    out: list[str] = []
    for head, size in zip(heads, sizes, strict=True):
        classes = schema.classes(head)
        names = list(classes) if len(classes) == size else [f"output {k}" for k in range(size)]
        out += names if len(heads) == 1 else [f"{head}: {n}" for n in names]
    return out
