"""`hoego submit RUN`: predict the test set of the project, check it against its form, enter it in the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoego.data.schema import COMPOSITE
from hoego.errors import UsageError
from hoego.predictions import Predictions
from hoego.recipe import Recipe, build, read_toml
from hoego.recipe.resolve import anchored, merge
from hoego.results.score import Score
from hoego.runs.predict import predict_run
from hoego.runs.records import Record, RunStore


@dataclass(frozen=True, kw_only=True)
class TestSet:
    """Predictions of the test set, with what is known of the run behind them.

    Args:
        predictions: of the photos that the form lists.
        recipe: of the run.
        info: the form (info.csv).
        score: of the run, or None.
        training_classes: photos per answer in training.
    """

    __test__ = False

    predictions: Predictions
    recipe: Recipe
    info: Path
    score: Score | None
    training_classes: Mapping[str, int]


def predict_test(runs: Path, name: str, info: Path | None = None, project: Path | None = None) -> TestSet:
    """Predict the test set for a run (or take a file of predictions as it is).

    Args:
        runs: folder of the records.
        name: of the run, or a .parquet file that `hoego predict` wrote.
        info: the form; submission.info, or eval/info.csv under the data set's root, where not given.
        project: hoego.toml as it is today, whose [submission] counts; by default that of the record.

    Raises:
        UsageError: no form is known.
        MismatchError, DataError: as in `hoego predict`.
    """
    store, path = RunStore(runs), Path(name)
    given = Predictions.read(path) if path.suffix == ".parquet" and path.is_file() else None
    record = store.find(given.name if given is not None else name)
    recipe = build(_as_of_today(record.recipe, project))
    form = info or form_of(recipe)
    predictions = given if given is not None else predict_run(record, photos_of(recipe, form))
    return TestSet(
        predictions=predictions,
        recipe=recipe,
        info=form,
        score=record.full_score,
        training_classes=training_classes(record),
    )


def _as_of_today(recipe: Mapping[str, Any], project: Path | None) -> dict[str, Any]:
    """Use today's form with a run's recipe: the form is usually known only after the training."""
    if project is None:
        return dict(recipe)
    today = anchored(read_toml(project), project.parent)
    dataset = {k: v for k, v in today.get("dataset", {}).items() if k in ("root", "unlabelled")}
    return merge(recipe, {"submission": today.get("submission", {}), "dataset": dataset})


def form_of(recipe: Recipe) -> Path:
    """Return the table whose order a submission follows."""
    root = Path(recipe.dataset.root)
    if recipe.submission.info is not None:
        return root / recipe.submission.info
    for guess in (root / "eval" / "info.csv", root.parent / "eval" / "info.csv"):
        if guess.is_file():
            return guess
    raise UsageError(
        "No form of the submission is known.",
        remedy='Set submission.info, such as "eval/info.csv", or give --info.',
    )


def photos_of(recipe: Recipe, form: Path) -> Path:
    """Return the photos of the test set: dataset.unlabelled, or the folder `images` beside the form."""
    root = Path(recipe.dataset.root)
    if recipe.dataset.unlabelled is not None:
        return root / recipe.dataset.unlabelled
    beside = form.parent / "images"
    return beside if beside.is_dir() else form


def training_classes(record: Record) -> dict[str, int]:
    """Count the photos per answer (the composite's code, or the class's name) in the data set of a run."""
    split = record.split
    if split is None and record.meta.parents:
        split = Record(record.folder.parent / record.meta.parents[0]).split
    return {} if split is None else dict(split.classes)


def counts_by_code(counts: Mapping[str, int], predictions: Predictions) -> dict[str, int]:
    """Return counts by class name as counts by answer."""
    schema = predictions.schema
    if schema.target != COMPOSITE:
        return dict(counts)
    where = {name: i for i, name in enumerate(schema.target_classes)}
    return {str(where[name]): n for name, n in counts.items() if name in where}
