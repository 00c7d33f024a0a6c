"""The audit: problems in the data, found before a model is trained."""

from __future__ import annotations

from pathlib import Path

from hoego.data.audit.checks import BESIDE_SCORE, CHECKS, AuditCheck
from hoego.data.audit.crop_checks import crop_findings
from hoego.data.audit.findings import accepting, advice_on
from hoego.data.audit.label_checks import label_findings
from hoego.data.audit.photo_checks import photo_findings
from hoego.data.audit.table_checks import table_findings
from hoego.data.audit.thumbnails import Thumbnails, thumbnails
from hoego.data.audit.unread_checks import unread_findings
from hoego.data.dataset import Dataset
from hoego.data.load import load_unlabelled
from hoego.data.preprocess import read_boxes
from hoego.recipe import Recipe
from hoego.results.audit import AuditFinding, AuditReport

__all__ = ["BESIDE_SCORE", "CHECKS", "AuditReport", "AuditCheck", "AuditFinding", "advice_on", "audit"]


def audit(
    dataset: Dataset, recipe: Recipe, *, photos: bool = True, test: Dataset | None = None
) -> AuditReport:
    """Run every check of the table `CHECKS`.

    Progress is shown on stderr while photos are decoded; thumbnails and headers are kept in the user's cache, so that
    a second audit of the same photos takes seconds.

    Args:
        dataset: with its labels.
        recipe: its split (for rare classes), its test set and the checks it accepts.
        photos: also decode the photos; without it only what the table and the files' contents say is checked.
        test: photos without labels to compare with; `recipe.dataset.unlabelled` where not given.

    Raises:
        UsageError: `audit.accept` names an unknown check.
        DataError: the test set cannot be listed.
    """
    seen = thumbnails(dataset) if photos else Thumbnails()
    found = [*table_findings(dataset, seen.bad), *label_findings(dataset, recipe.split)]
    if recipe.dataset.crop.file is not None:
        found += crop_findings(dataset, read_boxes(Path(recipe.dataset.root) / recipe.dataset.crop.file))
    if photos:
        found += unread_findings(recipe.dataset)
        if test is None and recipe.dataset.unlabelled is not None:
            test = _test_set(dataset, Path(recipe.dataset.root) / recipe.dataset.unlabelled)
        found += photo_findings(dataset, seen, recipe.audit.near_distance, test)
    return AuditReport(
        images=dataset.n_images,
        subjects=dataset.n_subjects,
        findings=accepting(found, recipe.audit.accept),
        checked=tuple(CHECKS),
    )


def _test_set(dataset: Dataset, path: Path) -> Dataset | None:
    return load_unlabelled(path, dataset.schema) if path.exists() else None
