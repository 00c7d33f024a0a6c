"""A folder's training augmentation as settings of `augment`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from hoego.apps.doctor.hit import is_augmenting
from hoego.apps.doctor.knobs import find_hyperparameters
from hoego.apps.doctor.project import SourceProject
from hoego.apps.doctor.report import SourceLocation
from hoego.apps.doctor.source import SourceModule
from hoego.apps.doctor.syntax import argument, last


def augmentations(project: SourceProject) -> Iterator[tuple[str, Any, str, SourceLocation]]:
    """Find (recipe key, value, operation, place) of each random operation that the training uses by default."""
    for module, call in _chosen(project):
        name = last(module.name(call.func))
        line, cell = module.place(call.lineno)
        for key, value in _settings(project, module, call, name):
            if value is not None:
                yield f"augment.{key}", value, name, SourceLocation(file=module.file, cell=cell, line=line)


def _chosen(project: SourceProject) -> list[tuple[SourceModule, ast.Call]]:
    """Return random operations: of the class that the augmentation flag names, else of the whole folder."""
    named = [
        str(k.value)
        for k in find_hyperparameters(project)
        if k.name.lower().split(".")[-1] in ("augmentation", "aug", "transform")
    ]
    for name in named:
        scopes = [*project.classes.get(name, []), *project.functions.get(name, [])]
        if scopes:
            return [
                (m, c) for m, n in scopes for c in ast.walk(n) if isinstance(c, ast.Call) and _random(m, c)
            ]
    return [(m, c) for m, c, _ in project.calls if _random(m, c)]


def _random(module: SourceModule, call: ast.Call) -> bool:
    return is_augmenting(last(module.name(call.func))) or last(module.name(call.func)) == "CLAHE"


def _settings(
    project: SourceProject, module: SourceModule, call: ast.Call, name: str
) -> Iterator[tuple[str, Any]]:
    def value(position: int, *names: str, default: float | None = None) -> Any:
        found = project.constant(module, argument(call, position, *names))
        return default if found is None else found

    if name in ("RandomHorizontalFlip", "HorizontalFlip", "Fliplr"):
        yield "flip", value(99 if name == "HorizontalFlip" else 0, "p", default=0.5)
    elif name in ("RandomRotation", "Rotate"):
        yield "rotate", _most(value(0, "degrees", "limit", default=90.0 if name == "Rotate" else None))
    elif name == "ColorJitter":
        for position, key in enumerate(("brightness", "contrast", "saturation", "hue")):
            yield key, _most(value(position, key))
    elif name == "RandomBrightnessContrast":
        yield "brightness", _most(value(0, "brightness_limit", default=0.2))
        yield "contrast", _most(value(1, "contrast_limit", default=0.2))
    elif name == "RandomResizedCrop":
        yield "crop_area", value(99, "scale") or [0.08, 1.0]
        yield "crop_ratio", value(99, "ratio")
    elif name == "RandomGrayscale":
        yield "grey", value(0, "p", default=0.1)
    elif name in ("RandomErasing", "Cutout", "CoarseDropout"):
        yield "erase", value(0 if name == "RandomErasing" else 99, "p", default=0.5)
    elif name in ("GaussianBlur", "Blur", "MotionBlur"):
        yield "blur", value(99, "p", default=0.5)
    elif name == "CLAHE":
        yield "equalize", value(99, "p", default=0.5)
    elif name == "RandAugment":
        yield "policy", "randaugment"
        yield "policy_ops", value(0, "num_ops")
        yield "policy_magnitude", value(1, "magnitude")
    elif name == "TrivialAugmentWide":
        yield "policy", "trivialaugment"
    elif name in ("RandomAffine", "Affine"):
        yield "rotate", _most(value(0, "degrees", "rotate"))
    elif name == "ShiftScaleRotate":
        yield "translate", _most(value(0, "shift_limit", default=0.0625))
        yield "rotate", _most(value(2, "rotate_limit", default=45.0))


def _most(value: Any) -> float | None:
    """Return the largest move either way of a number or of a (low, high) pair."""
    if isinstance(value, list) and value and all(isinstance(v, int | float) for v in value):
        return float(max(abs(v) for v in value))
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
