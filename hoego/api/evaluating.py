"""Scores, comparisons, diagnoses and ensembles of runs and predictions: one call each, typed results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hoego.api.folders import records_folder
from hoego.api.run import Run
from hoego.data.audit import AuditReport
from hoego.data.audit import audit as run_audit
from hoego.data.dataset import Dataset
from hoego.errors import UsageError
from hoego.evaluate.compare import CompareOptions, Comparison
from hoego.evaluate.compare import compare as compare_predictions
from hoego.evaluate.diagnose import DiagnoseOptions, Diagnosis
from hoego.evaluate.diagnose import diagnose as diagnose_predictions
from hoego.evaluate.ensemble import Ensemble, EnsembleOptions
from hoego.evaluate.ensemble import ensemble as combine
from hoego.evaluate.score import Score, ScoreOptions
from hoego.evaluate.score import score as score_predictions
from hoego.predictions import Predictions
from hoego.recipe import Recipe
from hoego.runs.evaluate_runs import diagnose_record
from hoego.runs.loading import dataset_of_all
from hoego.runs.recorded_data import as_recorded
from hoego.runs.records import Record, RunStore

Source = Run | Record | Predictions | str | Path
"""A run, its record, its id (or a prefix, a folder, "last"), or predictions."""


def as_run(source: Run | Record | str | Path) -> Run:
    """Return a run as an object. Raises RecordError where an id names none."""
    if isinstance(source, Run):
        return source
    if isinstance(source, Record):
        return Run(source)
    return Run(RunStore(records_folder()).find(source))


def score(
    run: Source,
    dataset: Dataset | None = None,
    *,
    metrics: Sequence[str] = (),
    resamples: int = 10_000,
    level: float = 0.95,
    allow_in_sample: bool = False,
) -> Score:
    """Score held-out predictions on today's labels, with intervals over subjects.

    Args:
        run: a run or predictions.
        dataset: holds the truth; the run's where None.
        metrics: further metrics by name, or "module:function".
        resamples: bootstrap resamples over subjects.
        level: confidence level of the intervals.
        allow_in_sample: score rows that a model has seen too, marked `in-sample`.

    Raises:
        LeakError: a model has seen subjects of these rows; names them and how.
        MismatchError: the predictions are of another data set.

    >>> import numpy as np
    >>> from hoego import make_split
    >>> from hoego.data.example import example_dataset
    >>> dataset = example_dataset()
    >>> p = np.where(dataset.target[:, None] == [0, 1], 0.9, 0.1)
    >>> made = Predictions.from_probabilities(p, dataset.image_ids, dataset, make_split(dataset, folds=3))
    >>> found = score(made, dataset, resamples=200)
    >>> found.primary.value, found.honesty.worst.value
    (1.0, 'declared')
    """
    options = ScoreOptions(
        metrics=tuple(metrics), resamples=resamples, level=level, allow_in_sample=allow_in_sample
    )
    [predictions], truth = _with_truth([run], dataset)
    return score_predictions(predictions, truth, options)


def compare(
    *sides: Source | Sequence[Source],
    dataset: Dataset | None = None,
    metric: str = "macro_f1",
    on: str = "",
    by_subject: bool = False,
    allow_in_sample: bool = False,
) -> Comparison:
    """Compare two or more runs on the same subjects: the difference with its interval, and a verdict in words.

    Args:
        *sides: runs or predictions; a list of at least three is one side (seeds of a recipe).
        dataset: holds the truth; that of the first run where None.
        metric: what is compared.
        on: an attribute or "composite"; the target where empty.
        by_subject: a subject's photos vote first.
        allow_in_sample: compare rows that a model has seen too; said in the notes.

    Raises:
        MismatchError: other photos, another split or other labels; says which.
        LeakError: a model has seen subjects of these rows.

    >>> import numpy as np
    >>> from hoego import make_split
    >>> from hoego.data.example import example_dataset
    >>> dataset = example_dataset()
    >>> split = make_split(dataset, folds=3)
    >>> right = np.where(dataset.target[:, None] == [0, 1], 0.9, 0.1)
    >>> even = np.full_like(right, 0.5)
    >>> sides = [Predictions.from_probabilities(p, dataset.image_ids, dataset, split) for p in (right, even)]
    >>> compare(*sides, dataset=dataset).verdict
    'better'
    """
    groups = [_members(side) for side in sides]
    flat = [member for group in groups for member in group]
    if len(groups) < 2:
        raise UsageError("A comparison needs two sides.", remedy="hoego.compare(run_a, run_b)")
    found, truth = _with_truth(flat, dataset)
    rest = iter(found)
    parts = [[next(rest) for _ in group] for group in groups]
    titles = tuple(_title(group) for group in groups)
    options = CompareOptions(
        metric=metric,
        label=on,
        by_subject=by_subject,
        allow_in_sample=allow_in_sample,
        names=titles if len(set(titles)) == len(titles) else (),
    )
    return compare_predictions([p if len(p) > 1 else p[0] for p in parts], truth, options)


def diagnose(
    run: Source,
    dataset: Dataset | None = None,
    *,
    slice_by: Sequence[str] = (),
    allow_in_sample: bool = False,
) -> Diagnosis:
    """Find the attribute that holds the score back, and what fixing it is worth. A run keeps the diagnosis.

    Args:
        run: a run or predictions.
        dataset: holds the truth; the run's where None.
        slice_by: columns of the table to slice by; all that can be where empty.
        allow_in_sample: diagnose rows that a model has seen too, marked.

    Raises:
        LeakError: a model has seen subjects of these rows.
    """
    options = DiagnoseOptions(slice_by=tuple(slice_by), allow_in_sample=allow_in_sample)
    [predictions], truth = _with_truth([run], dataset)
    if isinstance(run, Predictions):
        return diagnose_predictions(predictions, truth, options)
    return diagnose_record(as_run(run).record, predictions, truth, options)


def ensemble(
    runs: Sequence[Source],
    dataset: Dataset | None = None,
    *,
    method: str = "mean",
    on: str = "target",
    decide: str = "",
    name: str = "",
) -> Ensemble:
    """Combine runs from their saved probabilities; what is fitted is fitted across the folds.

    `hoego ensemble RUN RUN` keeps the same as a record that can predict.

    Args:
        runs: two or more runs or predictions of one data set and split; one with `decide`.
        dataset: holds the truth; that of the first run where None.
        method: mean, geometric, vote, rank, greedy or stack.
        on: "target", or "attributes" (each by itself).
        decide: a decision rule to try, prior or thresholds; kept where it helps.
        name: of the result.

    Raises:
        MismatchError: the members are of different data sets, splits or labels.
        LeakError: a model has seen subjects of these rows.

    >>> import numpy as np
    >>> from hoego import make_split
    >>> from hoego.data.example import example_dataset
    >>> dataset = example_dataset()
    >>> split = make_split(dataset, folds=3)
    >>> right = np.where(dataset.target[:, None] == [0, 1], 0.9, 0.1)
    >>> members = [
    ...     Predictions.from_probabilities(p, dataset.image_ids, dataset, split).named(name)
    ...     for name, p in {"one": right, "two": 0.5 * right + 0.25}.items()
    ... ]
    >>> found = ensemble(members, dataset)
    >>> [m.run for m in found.members], found.score.primary.value
    (['one', 'two'], 1.0)
    """
    found, truth = _with_truth(list(runs), dataset)
    return combine(found, truth, EnsembleOptions(method=method, on=on, decide=decide, name=name))


def audit(dataset: Dataset, *, photos: bool = True, accept: Sequence[str] = ()) -> AuditReport:
    """Find what is wrong with the data before a model is trained on them.

    Args:
        dataset: with labels.
        photos: also decode the photos; without it only the table and the files' contents are checked.
        accept: checks whose errors are known and accepted, by name.

    Raises:
        UsageError: `accept` names an unknown check.

    >>> import numpy as np, tempfile
    >>> from PIL import Image
    >>> from hoego import load_dataset
    >>> folder = Path(tempfile.mkdtemp())
    >>> for i in range(4):
    ...     Image.fromarray(np.full((8, 8, 3), 60 * i, np.uint8)).save(folder / f"{i}.png")
    >>> frame = {"path": [f"{i}.png" for i in range(4)], "who": list("aabb"), "label": list("xyxy")}
    >>> found = audit(load_dataset(frame, root=folder, subject="who", target="label"), photos=False)
    >>> [f.check for f in found.findings if f.severity == "error"]
    []
    """
    recipe = Recipe.model_validate({"audit": {"accept": list(accept)}})
    if dataset.origin is not None:
        recipe = recipe.model_copy(
            update={"dataset": dataset.origin.dataset, "labels": dataset.origin.labels}
        )
    return run_audit(dataset, recipe, photos=photos)


def predict(
    run: Run | Record | str | Path, photos: Any, *, root: Path | str | None = None, views: int = 0
) -> Predictions:
    """Predict new photos with a run's model: the one trained on all subjects, else the mean of its folds' models.

    Args:
        run: a run that is done.
        photos: a folder, a table with a path column, or a Dataset.
        root: what the table's paths are relative to; its folder where None.
        views: random views of each photo to average; 0 for the recipe's.

    Raises:
        RecordError: the run has no model.
        DataError: a photo cannot be read.
    """
    from hoego.runs.predict import predict_run

    chosen = photos if isinstance(photos, Dataset) else Path(photos)
    return predict_run(as_run(run).record, chosen, root=None if root is None else Path(root), views=views)


def report(run: Run | Record | str | Path) -> Path:
    """Write the page of a run, one HTML file in its record, and return its path."""
    return as_run(run).report()


def _members(side: Source | Sequence[Source]) -> list[Source]:
    """Return the runs of a side; a text is one run, not its letters."""
    return [side] if isinstance(side, (Run, Record, Predictions, str, Path)) else list(side)


def _title(group: Sequence[Source]) -> str:
    first = group[0]
    name = first.name if isinstance(first, Predictions) else as_run(first).name
    return name if len(group) == 1 else f"{name} ({len(group)} seeds)"


def _with_truth(sources: Sequence[Source], dataset: Dataset | None) -> tuple[list[Predictions], Dataset]:
    """Return the predictions of each source, and the data set: the one given, else the one that all runs share.

    It says what the runs' records know of it: the labels that they began with, and what the audit warned of.
    """
    chosen = [s if isinstance(s, Predictions) else as_run(s) for s in sources]
    runs = [s for s in chosen if isinstance(s, Run)]
    records = [run.record for run in runs]
    if dataset is not None:
        truth = as_recorded(dataset, records)
    elif runs:
        truth = dataset_of_all(records, runs[0].dataset)
    else:
        raise UsageError(
            "Predictions alone do not say where the labels are.", remedy="Give the data set: dataset=..."
        )
    return [s.predictions if isinstance(s, Run) else s for s in chosen], truth
