"""What is wrong with the data before a model is trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hoego.audit.findings import CHECKS, AuditReport, Check, Finding, accepting, finding
from hoego.audit.photos import photo_findings
from hoego.audit.tables import table_findings
from hoego.dataset.load import load_unlabelled
from hoego.dataset.manifest import Dataset
from hoego.recipe import Recipe

__all__ = ["CHECKS", "AuditReport", "Check", "Finding", "audit"]


def audit(dataset: Dataset, recipe: Recipe, *, photos: bool = True) -> AuditReport:
    """Run every check of the table.

    Args:
        dataset: with its labels.
        recipe: its split (for rare classes), its test set and the checks it accepts.
        photos: also decode the photos.
    """
    found = list(table_findings(dataset, recipe.split))
    if recipe.dataset.unlabelled is not None:
        found += _in_training(dataset, Path(recipe.dataset.root) / recipe.dataset.unlabelled)
    if photos:
        found += photo_findings(dataset, recipe.audit.near_distance)
    return AuditReport(
        accepting(found, recipe.audit.accept), dataset.n_images, dataset.n_subjects, tuple(CHECKS)
    )


def _in_training(dataset: Dataset, test: Path) -> list[Finding]:
    if not test.exists():
        return []
    other = load_unlabelled(test, dataset.schema)
    same = np.flatnonzero(np.isin(other.contents, dataset.contents))
    if not len(same):
        return []
    shown = other.image_ids[same[:10]].tolist()
    return [finding("eval-in-train", len(same), f"{len(same):,} test photos are training photos too", shown)]
