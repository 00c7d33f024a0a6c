"""A recipe's data set and split, with the audit that stands before training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hoego.data.audit import AuditReport, audit
from hoego.data.dataset import Dataset
from hoego.data.load import load
from hoego.errors import DataError
from hoego.recipe import Recipe
from hoego.split import FOLDER, Split, obtain


@dataclass(frozen=True)
class Project:
    """What every run of a recipe shares: the data set and who is held out."""

    recipe: Recipe
    dataset: Dataset
    split: Split


def open_project(recipe: Recipe, folder: Path) -> Project:
    """The data set of a recipe and its split: the saved one if there is one, else a new one, saved.

    Args:
        recipe: resolved.
        folder: where `splits/` lies.
    """
    dataset = load(recipe)
    return Project(recipe, dataset, obtain(dataset, recipe.split, folder / FOLDER))


def split_project(recipe: Recipe, folder: Path) -> Split:
    """What `hoego split` does: make or load the split, prove it, save it."""
    return open_project(recipe, folder).split


def audit_project(recipe: Recipe) -> AuditReport:
    """What `hoego audit` does."""
    return audit(load(recipe), recipe)


def require_clean(report: AuditReport) -> None:
    """Raises DataError when errors stand that hoego.toml does not accept by name."""
    if report.exit_code:
        said = "; ".join(f"{f.check} ({f.count:,}): {f.message}" for f in report.standing)
        raise DataError(f"The audit found errors: {said}", remedy=report.advice)
