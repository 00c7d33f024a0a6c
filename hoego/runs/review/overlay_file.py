"""The file of a review's corrections: the overlay that hoego.toml names."""

from __future__ import annotations

import os
from pathlib import Path

from hoego import files
from hoego.errors import UsageError
from hoego.recipe import build, find_project
from hoego.runs.records import Record
from hoego.runs.records.todays_recipe import corrected_recipe

CORRECTIONS = "corrections.csv"


def overlay_of(record: Record) -> Path | None:
    """Return the overlay file of a run's data set as it is named today; None where none is."""
    named = corrected_recipe(record).dataset
    return Path(named.root) / named.overlay if named.overlay else None


def name_overlay(record: Record) -> Path:
    """Name corrections.csv beside hoego.toml as the overlay, where none is named yet; the rest of the file stays.

    Args:
        record: of a run whose labels are to be reviewed.

    Returns:
        The overlay's path.

    Raises:
        UsageError: there is no hoego.toml to name it in.
    """
    import tomlkit

    before = overlay_of(record)
    if before is not None:
        return before
    project = find_project(record.folder.parent.resolve())
    if project is None:
        raise UsageError(
            "There is no hoego.toml that could name an overlay.",
            remedy='Write one beside runs/ with [dataset] overlay = "corrections.csv".',
        )
    overlay = project.parent / CORRECTIONS
    document = tomlkit.parse(project.read_text(encoding="utf-8-sig"))
    section = document.setdefault("dataset", tomlkit.table())
    relative = os.path.relpath(overlay, Path(build(record.recipe).dataset.root).resolve()).replace(
        os.sep, "/"
    )
    section["overlay"] = relative
    if not overlay.exists():
        files.write_text(overlay, "image,attribute,value,reason,source\n")
    files.write_text(project, tomlkit.dumps(document))
    return overlay
