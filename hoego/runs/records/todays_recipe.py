"""What a record's recipe says today, with the corrections and joins that the project's hoego.toml names now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hoego.recipe import Recipe, build, find_project, read_toml
from hoego.runs.records.record import Record


def corrected_recipe(record: Record) -> Recipe:
    """Return the recipe of a run with the overlay that hoego.toml names today."""
    recipe = build(record.recipe)
    overlay = project_of(record, recipe).get("dataset", {}).get("overlay")
    return recipe if overlay is None else with_values(recipe, "dataset", overlay=overlay)


def project_of(record: Record, recipe: Recipe) -> dict[str, Any]:
    """Return today's hoego.toml: the one beside the records or above the photos, if it is of the same photos."""
    root = Path(recipe.dataset.root).resolve()
    # Not in the record itself: a hoego.toml there came with it, from whoever made it.
    for start in (record.folder.parent, root):
        if (file := find_project(start)) is not None:
            said = read_toml(file)
            build({k: said[k] for k in ("dataset", "split") if k in said}, file=file)
            named = said.get("dataset", {}).get("root")
            if named is None or (file.parent / named).resolve() == root:
                return dict(said)
    return {}


def with_values(recipe: Recipe, section: str, **values: Any) -> Recipe:
    """Return the recipe with some values of a section replaced."""
    data = recipe.to_dict()
    return build({**data, section: {**data[section], **values}})
