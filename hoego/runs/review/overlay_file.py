"""Where the corrections of a review go: the overlay that hoego.toml names."""

from __future__ import annotations

import os
from pathlib import Path

from hoego import files
from hoego.data.dataset import Dataset
from hoego.errors import UsageError
from hoego.recipe import find_project

CORRECTIONS = "corrections.csv"


def overlay_of(dataset: Dataset) -> Path | None:
    """Return the overlay file of a data set, which need not exist yet; None where none is named."""
    named = None if dataset.origin is None else dataset.origin.dataset.overlay
    return dataset.root / named if named else None


def name_overlay(runs: Path, dataset: Dataset) -> Path:
    """Name corrections.csv beside hoego.toml as the overlay, where none is named yet; the rest of the file stays.

    Args:
        runs: folder of the records.
        dataset: whose labels are reviewed.

    Returns:
        The overlay's path; the file is made by the first correction.

    Raises:
        UsageError: there is no hoego.toml to name it in.
    """
    import tomlkit

    before = overlay_of(dataset)
    if before is not None:
        return before
    project = find_project(runs.resolve())
    if project is None:
        raise UsageError(
            "There is no hoego.toml that could name an overlay.",
            remedy='Write one beside runs/ with [dataset] overlay = "corrections.csv".',
        )
    overlay = project.parent / CORRECTIONS
    document = tomlkit.parse(project.read_text(encoding="utf-8-sig"))
    section = document.setdefault("dataset", tomlkit.table())
    relative = os.path.relpath(overlay, dataset.root.resolve()).replace(os.sep, "/")
    section["overlay"] = relative
    if not overlay.exists():
        files.write_text(overlay, "image,attribute,value,reason,source\n")
    files.write_text(project, tomlkit.dumps(document))
    return overlay
