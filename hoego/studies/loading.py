"""From a run on disk to what the statistics take: its predictions, its data set, its epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hoego.dataset.load import load
from hoego.dataset.manifest import Dataset
from hoego.errors import HoegoError, RecordError
from hoego.predictions import Predictions
from hoego.recipe import build, find_project, read_toml
from hoego.records import Record, Store
from hoego.score import Score, ScoreOptions
from hoego.score import score as score_predictions


@dataclass(frozen=True)
class Loaded:
    """Runs of one data set, with it."""

    records: tuple[Record, ...]
    predictions: tuple[Predictions, ...]
    dataset: Dataset


def dataset_of(record: Record, *, required: bool = True) -> Dataset | None:
    """The data set of a run as its recipe names it, with the overlay that hoego.toml names today.

    Args:
        record: of the run.
        required: raise where it cannot be loaded; otherwise give None.
    """
    try:
        recipe = build(record.recipe)
        project = find_project(Path(recipe.dataset.root))
        if project is not None:
            overlay = read_toml(project).get("dataset", {}).get("overlay")
            if overlay is not None:
                recipe = recipe.model_copy(
                    update={"dataset": recipe.dataset.model_copy(update={"overlay": overlay})}
                )
        return load(recipe)
    except HoegoError:
        if required:
            raise
        return None


def load_runs(folder: Path, names: Sequence[str]) -> Loaded:
    """Predictions and the one data set of several runs (ids, prefixes, folders, or files of predictions).

    Raises:
        RecordError: a run has no predictions yet, or none of them says where the photos are.
    """
    store = Store(folder)
    records, predictions = [], []
    for name in names:
        path = Path(name)
        if path.suffix == ".parquet" and path.is_file():
            predictions.append(Predictions.read(path))
            continue
        record = store.find(name)
        file = record.folder / "predictions.parquet"
        if not file.is_file():
            raise RecordError(
                f"The run {record.id} has no predictions: it is {record.state}.",
                remedy=f"hoego train --resume {record.id}" if record.state != "done" else "Train it again.",
            )
        records.append(record)
        predictions.append(Predictions.read(file))
    if not records:
        raise RecordError(
            "Files of predictions alone do not say where the photos and labels are.",
            remedy="Name at least one run.",
        )
    dataset = dataset_of(records[0])
    assert dataset is not None
    return Loaded(tuple(records), tuple(predictions), dataset)


def rescore(folder: Path, name: str, options: ScoreOptions) -> Score:
    """Score a run again on today's labels."""
    found = load_runs(folder, [name])
    return score_predictions(found.predictions[0], found.dataset, options)
