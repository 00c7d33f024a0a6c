"""The recipes of a probe: one for each backbone that is named, or that of a recipe, or of the weights that are here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoego.errors import UsageError
from hoego.recipe import Recipe, build, resolve
from hoego.runs.first_look import CANDIDATES, weights_here


@dataclass(frozen=True, kw_only=True)
class ProbeRequest:
    """What is probed.

    Args:
        recipe: a TOML file or the name of a recipe; None for none.
        models: names of backbones with published weights; () takes the recipe's model, or without a recipe the first
            of the small models whose weights are here.
        overrides: `a.b=c` each.
        project: hoego.toml.
    """

    recipe: Path | None = None
    models: tuple[str, ...] = ()
    overrides: Sequence[str] = ()
    project: Path | None = None


def recipes_of(request: ProbeRequest) -> list[Recipe]:
    """Return a recipe for each backbone.

    Raises:
        RecipeError: a setting is unknown or wrong.
        UsageError: a model is named twice, or the recipe's model starts from no weights.
    """
    if len(set(request.models)) < len(request.models):
        raise UsageError("A model is named twice.", remedy="Name each once: --models a,b,c.")
    base = _resolved(request)
    if request.models:
        return [_with_model(base, name) for name in request.models]
    if not (base.model.pretrained or base.model.checkpoint):
        raise UsageError(
            f"A probe needs weights, and the recipe trains {base.model.name} from scratch.",
            remedy="hoego probe --models NAME (hoego weights list), or set model.pretrained = true.",
        )
    return [base if base.name else base.model_copy(update={"name": _title(base.model.name)})]


def _resolved(request: ProbeRequest) -> Recipe:
    if request.recipe is not None:
        return resolve(request.recipe, overrides=request.overrides, project=request.project)
    first: dict[str, Any] = {"model": {"name": CANDIDATES[0], "pretrained": True}}
    base = resolve(None, overrides=request.overrides, project=request.project, first=first)
    found = None if request.models else weights_here(base)
    if found is None or base.model.name != CANDIDATES[0]:
        return base
    first["model"]["name"] = found.name
    return resolve(None, overrides=request.overrides, project=request.project, first=first)


def _with_model(base: Recipe, name: str) -> Recipe:
    """Return the recipe with another backbone; what belonged to the weights of its own is left out."""
    data = base.to_dict()
    kept = {k: v for k, v in data["model"].items() if k in ("head", "attribute")}
    return build({**data, "name": _title(name), "model": {**kept, "name": name, "pretrained": True}})


def _title(name: str) -> str:
    return f"probe {name}"
