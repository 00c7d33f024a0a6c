"""Where a teammate's folder chooses differently from a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hoego.apps.doctor.convert import Conversion, UnconvertedSetting, to_recipe
from hoego.apps.doctor.report import SourceLocation
from hoego.results.base import Result

if TYPE_CHECKING:
    from hoego.recipe import Recipe


class Difference(Result):
    """One setting on which a folder and a recipe disagree.

    Attributes:
        key: the recipe's name of the setting.
        folder: the folder's value.
        recipe: the recipe's value.
        name: how the folder spells it.
        place: where the folder says it.
    """

    key: str
    folder: Any
    recipe: Any
    name: str
    place: SourceLocation


class Differences(Result):
    """A folder beside a recipe.

    Attributes:
        differs: settings that both state, with different values.
        same: settings that both state alike.
        unstated: settings that the recipe changes from their defaults and the folder does not state, with their values.
        left: what the folder states and a recipe cannot hold.
    """

    folder: str
    recipe: str
    differs: tuple[Difference, ...]
    same: tuple[str, ...]
    unstated: tuple[tuple[str, Any], ...]
    left: tuple[UnconvertedSetting, ...]


_OURS = ("name", "dataset.root", "queue", "submission", "score", "audit")
_OF_THE_DATA = (
    "labels",
    "dataset.layout",
    "dataset.table",
    "dataset.subject",
    "dataset.path",
    "augment.mirror",
)


def against(folder: Path | str, recipe: Recipe | Mapping[str, Any] | Path | str) -> Differences:
    """List where a training folder chooses differently from a recipe.

    Args:
        folder: the teammate's folder.
        recipe: a resolved Recipe, plain data, or a TOML file.

    Raises:
        DataError: there is nothing to read.
        RecipeError: the recipe is not valid.
    """
    from hoego.recipe import Recipe as RecipeType
    from hoego.recipe import resolve

    shown = str(recipe) if isinstance(recipe, str | Path) else "recipe"
    if isinstance(recipe, str):
        recipe = Path(recipe)
    resolved = recipe if isinstance(recipe, RecipeType) else resolve(recipe)
    stated = resolved.model_dump(mode="json", exclude_none=True, exclude_unset=True)
    sides = ComparedFolders(resolved.to_dict(), stated, RecipeType().to_dict(), resolved.name or shown)
    return compare(to_recipe(folder), sides)


@dataclass(frozen=True)
class ComparedFolders:
    """A recipe as plain data: whole, what it states itself, and the defaults of all recipes."""

    whole: dict[str, Any]
    stated: dict[str, Any]
    defaults: dict[str, Any]
    name: str


def compare(theirs: Conversion, ours: ComparedFolders) -> Differences:
    """Compare a conversion with plain recipes, as `against`."""
    flat, plain = _flat(ours.whole), _flat(ours.defaults)
    differs, same = [], []
    for one in theirs.taken:
        if one.key.startswith(_OURS):
            continue
        value = flat.get(one.key)
        if _alike(one.value, value):
            same.append(one.key)
        else:
            differs.append(
                Difference(key=one.key, folder=one.value, recipe=value, name=one.name, place=one.place)
            )
    stated = {one.key for one in theirs.taken}
    unstated = [
        (key, value)
        for key, value in _flat(ours.stated).items()
        if key not in stated
        and not key.startswith((*_OURS, *_OF_THE_DATA))
        and not _alike(value, plain.get(key))
    ]
    return Differences(
        folder=theirs.folder,
        recipe=ours.name,
        differs=tuple(differs),
        same=tuple(same),
        unstated=tuple(unstated),
        left=theirs.left,
    )


def _flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, Mapping) and value:
            found.update(_flat(value, f"{prefix}{key}."))
        else:
            found[f"{prefix}{key}"] = value
    return found


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(_alike(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) <= 1e-12 * max(abs(one), abs(other))
    return bool(one == other)
