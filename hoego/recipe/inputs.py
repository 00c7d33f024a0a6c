"""How photos reach a model: size, interpolation, mean and deviation, which belong to the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from hoego.errors import TrainError
from hoego.recipe.recipe import Recipe
from hoego.recipe.sections import Interpolation


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a network expects of photos.

    Args:
        size: height and width, in pixels.
        interpolation: resampling filter.
        mean, std: of each channel, in [0, 1].
    """

    size: tuple[int, int] = (224, 224)
    interpolation: Interpolation = "bilinear"
    # ImageNet's mean and standard deviation, the values of timm and torchvision.
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Inputs:
        """Read timm's configuration of weights; missing entries take the defaults of a network from scratch."""
        plain = cls()
        size = tuple(config.get("input_size") or (3, *plain.size))[1:]
        filter_ = str(config.get("interpolation") or plain.interpolation)
        # timm also names filters that a recipe cannot set, such as "random".
        if filter_ not in get_args(Interpolation):
            filter_ = "bicubic"
        mean, std = (tuple(float(v) for v in config.get(k) or getattr(plain, k)) for k in ("mean", "std"))
        if len(size) != 2 or len(mean) != len(std) or not mean:
            raise TrainError(
                f"The weights' configuration has input_size {config.get('input_size')}, {len(mean)} means and "
                f"{len(std)} deviations.",
                remedy="Set dataset.size, model.mean and model.std.",
            )
        return cls(size=(int(size[0]), int(size[1])), interpolation=filter_, mean=mean, std=std)  # type: ignore[arg-type]


def is_filled(recipe: Recipe) -> bool:
    """Return whether a recipe sets everything that is otherwise read from the weights."""
    data, model = recipe.dataset, recipe.model
    return None not in (data.size, data.interpolation, model.mean, model.std)


def fill(recipe: Recipe, own: Inputs | None = None) -> Recipe:
    """Return the recipe with the settings it leaves open taken from the weights; settings it makes are kept.

    Args:
        recipe: resolved.
        own: what the weights expect; None fills in what suits a network from scratch.
    """
    if is_filled(recipe):
        return recipe
    own = own or Inputs()
    data, model = recipe.dataset, recipe.model
    sizes = {"size": data.size or own.size, "interpolation": data.interpolation or own.interpolation}
    norm = {"mean": model.mean or own.mean, "std": model.std or own.std}
    changes = {"dataset": data.model_copy(update=sizes), "model": model.model_copy(update=norm)}
    return recipe.model_copy(update=changes)


def normalisation(recipe: Recipe) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and deviation of each channel of a recipe. Call `fill` first where it starts from weights.

    Raises:
        TrainError: the recipe starts from weights, and what belongs to them is not filled in.
    """
    if not recipe.model.pretrained and recipe.model.checkpoint is None:
        recipe = fill(recipe)
    if recipe.model.mean is None or recipe.model.std is None:
        raise TrainError("The recipe does not say model.mean and model.std.", remedy="Set both.")
    return recipe.model.mean, recipe.model.std


def contradictions(recipe: Recipe, own: Inputs) -> tuple[str, ...]:
    """Return a sentence for every setting of a recipe that differs from what the weights were trained with."""
    said = {
        "dataset.interpolation": (recipe.dataset.interpolation, own.interpolation),
        "model.mean": (recipe.model.mean, own.mean),
        "model.std": (recipe.model.std, own.std),
    }
    return tuple(
        f"The recipe sets {key} = {_shown(ours)}; the weights of {recipe.model.name} were trained with "
        f"{_shown(theirs)}."
        for key, (ours, theirs) in said.items()
        if ours is not None and ours != theirs
    )


def _shown(value: Any) -> str:
    return str(list(value)) if isinstance(value, tuple) else repr(value)
