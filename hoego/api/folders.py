"""Where records lie when nobody says so: beside the nearest hoego.toml, else in the working directory."""

from __future__ import annotations

from pathlib import Path

from hoego.recipe import find_project


def records_folder(where: Path | str | None = None) -> Path:
    """Return the folder of the records: as given, else `runs/` beside the nearest hoego.toml or here."""
    if where is not None:
        return Path(where)
    project = find_project(Path.cwd())
    return (project.parent if project is not None else Path.cwd()) / "runs"
