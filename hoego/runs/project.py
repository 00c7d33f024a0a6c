"""A recipe's data set and split, with the audit before training."""

from __future__ import annotations

import contextlib
import glob
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hoego import files
from hoego.data.audit import AuditReport, advice_on, audit
from hoego.data.dataset import Dataset
from hoego.data.load import load
from hoego.data.schema import COMPOSITE
from hoego.errors import DataError, NotEstimableError, SplitError
from hoego.evaluate.score import METRICS, load_own, require_applicable
from hoego.evaluate.score.metrics import own_value
from hoego.recipe import ALL, Fold, Recipe
from hoego.split import FOLDER, Split, load_or_make

SPLIT_FILE = "split.parquet"
"""The split of a run, in its record."""


@dataclass(frozen=True)
class ProjectData:
    """What every run of a recipe shares: the data set and who is held out."""

    recipe: Recipe
    dataset: Dataset
    split: Split


def open_project(recipe: Recipe, folder: Path) -> ProjectData:
    """Return the data set of a recipe and its split: the saved one, else a new one, which is saved.

    Args:
        recipe: resolved.
        folder: where `splits/` lies.
    """
    dataset = load(recipe)
    return ProjectData(recipe, dataset, load_or_make(dataset, recipe.split, folder / FOLDER))


def folds_of(split: Split, fold: Fold) -> list[int]:
    """Return the folds that a run trains. Raises SplitError if the split does not have such a fold."""
    if fold != ALL:
        split.val_mask(fold)
        return [fold]
    if split.kind != "folds":
        raise SplitError(
            f"--fold all needs a split into folds; {split.name!r} is of the kind {split.kind}.",
            remedy='Set split.kind = "folds".',
        )
    return list(split.fold_numbers)


def split_project(recipe: Recipe, folder: Path) -> Split:
    """Make or load the split, prove it and save it, as `hoego split` does."""
    return open_project(recipe, folder).split


_AUDITS: dict[tuple[str, ...], AuditReport] = {}


def audited(dataset: Dataset, recipe: Recipe) -> AuditReport:
    """Audit a data set, once in a process: the runs of a study share their data."""
    settings = (recipe.dataset, recipe.labels, recipe.split, recipe.audit)
    key = (dataset.fingerprint, dataset.labels_version, *(s.model_dump_json() for s in settings))
    if key not in _AUDITS:
        _AUDITS[key] = audit(dataset, recipe)
    return _AUDITS[key]


def audit_project(recipe: Recipe) -> AuditReport:
    """Audit the data set of a recipe, as `hoego audit` does."""
    return audit(load(recipe), recipe)


UNREADABLE = "unreadable.toml"


def write_unreadable(report: AuditReport, folder: Path) -> Path | None:
    """Write the photos that an audit could not decode as a line for hoego.toml; None where there is none.

    It lists every photo, with the reason, as a glob pattern of `dataset.exclude`.
    """
    found = report.found("unreadable")
    if not found:
        return None
    lines = [
        "# Photos that cannot be decoded. To leave them out, copy this into [dataset] of hoego.toml.",
        "exclude = [",
    ]
    for example in found[0].examples:
        path, _, why = example.partition(": ")
        lines.append(f"  {json.dumps(glob.escape(path), ensure_ascii=False)},  # {' '.join(why.split())}")
    file = folder / UNREADABLE
    try:
        files.write_text(file, "\n".join([*lines, "]", ""]))
    except DataError:  # a read-only project: `audit --json` names them all
        return None
    return file


def require_clean(report: AuditReport) -> None:
    """Raise DataError if the audit found errors that hoego.toml does not accept by name."""
    if report.exit_code:
        said = "; ".join(f"{f.check} ({f.count:,}): {f.message}" for f in report.open_errors)
        raise DataError(f"The audit found errors: {said}", remedy=advice_on(report))


def require_metrics(recipe: Recipe, dataset: Dataset) -> None:
    """Load every metric that a recipe names, and call the custom ones on the labels before the training.

    Raises:
        UsageError: there is no such metric, it means nothing for these labels, or it fails on predictions that are
            mostly right.
    """
    schema = dataset.schema
    labels = [*schema.names, *([COMPOSITE] if schema.composite else [])]
    asked = [require_applicable(name, schema, labels) for name in recipe.score.metrics]
    own = [row.name for row in asked if row.name not in METRICS]
    n_classes = dataset.schema.n_target_classes
    truth = dataset.target[dataset.target >= 0]
    if not own or not len(truth) or n_classes < 2:
        return
    probabilities = np.random.default_rng(0).dirichlet(np.ones(n_classes), len(truth))
    probabilities[np.arange(len(truth)), truth] += 1.0
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    for name in own:
        with contextlib.suppress(
            NotEstimableError
        ):  # of these made-up predictions; the run's own may be another thing
            own_value(load_own(name), truth, probabilities)
