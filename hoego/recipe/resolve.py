"""From files, a profile and overrides to one Recipe."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from hoego.errors import RecipeError, nearest
from hoego.recipe.base import Setting, _inner_section, settings_of
from hoego.recipe.profiles import FIRST_LOOK, PROFILES
from hoego.recipe.ready import recipe_file
from hoego.recipe.recipe import Recipe

PROJECT_FILE = "hoego.toml"
FILE_KEYS = ("root", "overlay", "unlabelled", "table")


def settings_table() -> list[Setting]:
    """Return every setting, in the order of the recipe."""
    return list(settings_of(Recipe))


def find_project(start: Path) -> Path | None:
    """Return the nearest hoego.toml in `start` or above it; None where there is none."""
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / PROJECT_FILE).is_file():
            return folder / PROJECT_FILE
    return None


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        RecipeError: the file is missing or is not valid TOML; the message names the file, and the line where the
            parser gives one.
    """
    try:
        return tomllib.loads(
            path.read_text(encoding="utf-8-sig")
        )  # editors on Windows write a byte order mark
    except FileNotFoundError:
        raise RecipeError(f"There is no file {path}.", remedy="Check the path.") from None
    except IsADirectoryError:
        raise RecipeError(f"{path} is a folder, not a recipe.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise RecipeError(f"Not valid TOML: {e}", file=path) from None
    except RecursionError:
        raise RecipeError("Not a recipe: its values are nested too deep.", file=path) from None
    except OSError as e:
        raise RecipeError(f"The file cannot be read: {e.strerror}.", file=path) from None


def parse_override(text: str) -> tuple[tuple[str, ...], Any]:
    """Parse `a.b=c` into a key path and a value; the value is TOML, or else plain text.

    >>> parse_override("mixing.mixup.share=0.5")
    (('mixing', 'mixup', 'share'), 0.5)
    >>> parse_override("model.name=resnet18")
    (('model', 'name'), 'resnet18')
    """
    key, sign, value = text.partition("=")
    path = tuple(part.strip() for part in key.split("."))
    if not sign or not all(path):
        raise RecipeError(
            f"--set takes KEY=VALUE, got {text!r}.", remedy="Example: --set model.name=resnet18"
        )
    try:
        return path, tomllib.loads(f"v = {value.strip()}")["v"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return path, value.strip()


WHOLE = ("loss", "attributes")
"""Tables that a file replaces as a whole. Merging key by key would keep a loss or an attribute that the file drops."""


def merge(base: Mapping[str, Any], over: Mapping[str, Any], whole: Sequence[str] = WHOLE) -> dict[str, Any]:
    """Merge `over` into `base`: tables key by key; all other values and the tables in `whole` are replaced."""
    out = dict(base)
    for key, value in over.items():
        below = out.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping) and key not in whole:
            out[key] = merge(below, value, whole)
        else:
            out[key] = value
    return out


def apply_overrides(data: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return the data with each `a.b=c` set. The first `loss.X=w` replaces a loss given by name or by file."""
    out = merge({}, data)
    # Without this, `--set loss.focal=1` would blend focal with the loss of the recipe instead of replacing it.
    if any(parse_override(text)[0][0] == "loss" and len(parse_override(text)[0]) > 1 for text in overrides):
        out["loss"] = {}
    for text in overrides:
        path, value = parse_override(text)
        patch: Any = value
        for part in reversed(path):
            patch = {part: patch}
        if path[0] == "loss" and isinstance(out.get("loss"), Mapping) and isinstance(patch["loss"], Mapping):
            out["loss"] = {**out["loss"], **patch["loss"]}
        else:
            out = merge(out, patch, whole=("loss",))
    return out


def anchored(data: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the data of a file with its relative paths resolved against the file's folder."""
    out = merge({}, data)
    given = out.get("dataset", {})
    section = dict(given) if isinstance(given, Mapping) else {}  # of another type: `build` says so
    root = folder / section["root"] if isinstance(section.get("root"), str) else None
    if root is not None:
        section["root"] = str(root.resolve())
    crop = section.get("crop")
    if isinstance(crop, Mapping) and isinstance(crop.get("file"), str):
        section["crop"] = {**crop, "file": str((folder / crop["file"]).resolve())}
    if section:
        out["dataset"] = section
    model = out.get("model")
    if isinstance(model, Mapping) and isinstance(model.get("checkpoint"), str):
        model = out["model"] = {**model, "checkpoint": str((folder / model["checkpoint"]).resolve())}
    if isinstance(model, Mapping) and isinstance(told := model.get("trained_on"), list | tuple):
        places = [str((folder / p).resolve()) if isinstance(p, str) else p for p in told]
        out["model"] = {**model, "trained_on": places}
    weights = out.get("weights")
    if isinstance(weights, Mapping) and isinstance(weights.get("folder"), str):
        out["weights"] = {**weights, "folder": str((folder / weights["folder"]).resolve())}
    return out


def build(data: Mapping[str, Any], *, file: Path | None = None) -> Recipe:
    """Build a Recipe from plain data.

    Raises:
        RecipeError: a setting is unknown or invalid; the message names the key and the nearest valid one.
    """
    try:
        return Recipe.model_validate(dict(data))
    except ValidationError as e:
        raise _readable(e, file) from None


def _readable(error: ValidationError, file: Path | None) -> RecipeError:
    lines, remedies = [], []
    for item in error.errors():
        path = [
            str(p) for p in item["loc"] if not (isinstance(p, str) and p.startswith(("dict[", "function-")))
        ]
        key = ".".join(path)
        if item["type"] == "extra_forbidden":
            lines.append(f"There is no setting {key!r}.")
            remedies.append(nearest(key, [s.key for s in settings_table()]) + _siblings(path))
        else:
            shown = item.get("input")
            lines.append(f"{key} = {shown!r}: {item['msg'][0].lower()}{item['msg'][1:]}.")
    return RecipeError(
        " ".join(dict.fromkeys(lines)),
        remedy=" ".join(dict.fromkeys(remedies)) or "`hoego settings` lists every setting with its range.",
        file=file,
    )


def _siblings(path: Sequence[str]) -> str:
    section: type[BaseModel] | None = Recipe
    for part in path[:-1]:
        if section is None:
            return ""
        field = section.model_fields.get(part)
        section = None if field is None else _inner_section(field.annotation)[0]
    if section is None or section is Recipe:
        return ""
    return f" ({'.'.join(path[:-1])} has: {', '.join(section.model_fields)})"


def resolve(
    recipe: Path | str | Mapping[str, Any] | None = None,
    *,
    overrides: Sequence[str] = (),
    profile: str | None = None,
    project: Path | None = None,
    first: Mapping[str, Any] = FIRST_LOOK,
) -> Recipe:
    """Resolve one Recipe: the project's hoego.toml, the recipe over it, the profile over that, the overrides last.

    Args:
        recipe: a TOML file, the name of a recipe that comes with Hoego, or plain data; None takes `first`.
        overrides: `a.b=c` each; relative paths in them start from the working directory.
        profile: a name of PROFILES.
        project: the hoego.toml to use; None for no project.
        first: the base where there is neither recipe nor profile; by default the profile quick with light
            augmentation.

    Raises:
        RecipeError: an unknown key (with the nearest valid one), a wrong type, a value out of range.
    """
    data: dict[str, Any] = {}
    if recipe is None:
        data = merge(data, PROFILES.get(profile or "", first))
    if project is not None:
        base = anchored(read_toml(project), project.parent)
        # Each file is validated alone before the merge, so that an error names the file that holds the key.
        base.setdefault("dataset", {}).setdefault("root", str(project.parent.resolve()))
        build(base, file=project)
        data = merge(data, base)
    if isinstance(recipe, Path | str):
        file = recipe_file(recipe)
        over = anchored(read_toml(file), file.parent)
        build(over, file=file)
        data = merge(data, {"name": file.stem, **over})
    elif recipe is not None:
        data = merge(data, recipe)
    if profile is not None:
        if profile not in PROFILES:
            raise RecipeError(f"There is no profile {profile!r}.", remedy=nearest(profile, PROFILES))
        data = merge(data, PROFILES[profile])
    return build(anchored(apply_overrides(data, overrides), Path.cwd()))
