"""From a run on disk to what the statistics take: its predictions, its data set, its epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from hoego.data.dataset import Dataset
from hoego.data.load import load
from hoego.errors import MismatchError, RecordError
from hoego.evaluate.score import Score, ScoreOptions
from hoego.evaluate.score import score as score_predictions
from hoego.predictions import Predictions
from hoego.recipe import build
from hoego.runs.candidates import recorded_candidates
from hoego.runs.own_code import require_named_here
from hoego.runs.record_predictions import predictions_of
from hoego.runs.recorded_data import as_recorded
from hoego.runs.records import Record, RunStore
from hoego.runs.records.todays_recipe import corrected_recipe, project_of, with_values


@dataclass(frozen=True)
class LoadedRuns:
    """Runs of one data set, with it."""

    records: tuple[Record, ...]
    predictions: tuple[Predictions, ...]
    dataset: Dataset


def dataset_of(record: Record) -> Dataset:
    """Load the data set of a run as its recipe names it, with the overlay that hoego.toml names today.

    Subjects that hoego.toml has merged since count as one: a model that has seen one of them has seen them all.

    Raises:
        HoegoError: the data set cannot be loaded, or the labels that the run began with cannot be read.
    """
    today = project_of(record, build(record.recipe))
    recipe = corrected_recipe(record)
    dataset = as_recorded(load(recipe), [record])
    now = recipe
    for section, key in (("dataset", "subject"), ("split", "join")):
        if (value := today.get(section, {}).get(key)) is not None:
            now = with_values(now, section, **{key: value})
    return dataset if now == recipe else replace(dataset, merged_subjects=merged_subjects(dataset, load(now)))


def merged_subjects(dataset: Dataset, now: Dataset) -> tuple[tuple[str, ...], ...]:
    """Return the subjects of a data set that are the same by what is known of its photos now."""
    pairs = dataset.images.select("image", "subject").join(
        now.images.select("image", one="subject"), on="image", how="inner"
    )
    groups = pairs.group_by("one").agg(pl.col("subject").unique().sort())
    return tuple(sorted(tuple(g) for g in groups["subject"].to_list() if len(g) > 1))


def load_runs(folder: Path, names: Sequence[str]) -> LoadedRuns:
    """Load the predictions and the one data set of several runs (ids, prefixes, folders, or files of
    predictions).

    Raises:
        RecordError: a run has no predictions yet, or none of them says where the photos are.
    """
    store = RunStore(folder)
    records, predictions = [], []
    for name in names:
        path = Path(name)
        if path.suffix == ".parquet" and path.is_file():
            predictions.append(Predictions.read(path))
            continue
        record = store.find(name)
        records.append(record)
        predictions.append(predictions_of(record))
    if not records:
        raise RecordError(
            "Files of predictions alone do not say where the photos and labels are.",
            remedy="Name at least one run.",
        )
    return LoadedRuns(tuple(records), tuple(predictions), dataset_of_all(records))


def dataset_of_all(records: Sequence[Record], first: Dataset | None = None) -> Dataset:
    """Load the one data set of several runs, on today's labels.

    Args:
        records: of the runs.
        first: the data set of the first of them, where it is at hand.

    Raises:
        MismatchError: the tables of two runs give other labels to the same photos. Which of the two scored the runs
            would depend on their order, and one side was trained on labels that the other is scored by.
    """
    dataset = first or dataset_of(records[0])
    known = {records[0].meta.fingerprints.get("labels")}
    for record in records[1:]:
        # Equal fingerprints are equal labels; other ones may be those of an overlay that has grown since.
        if (labels := record.meta.fingerprints.get("labels")) in known:
            continue
        known.add(labels)
        other = dataset_of(record)
        if other.fingerprint == dataset.fingerprint:
            _require_same_labels((records[0], dataset), (record, other))
    return as_recorded(dataset, records)


def _require_same_labels(first: tuple[Record, Dataset], second: tuple[Record, Dataset]) -> None:
    (a, one), (b, two) = first, second
    if one.labels_version == two.labels_version:
        return
    if one.schema.fingerprint != two.schema.fingerprint:
        raise MismatchError(
            f"{a.id} and {b.id} have other classes or attributes.",
            remedy="Train both runs on one label schema.",
        )
    differ = int((one.target != two.target[two.positions(one.image_ids)]).sum())
    raise MismatchError(
        f"{a.id} and {b.id} have other labels: {differ:,} of {one.n_images:,} target labels of the same photos differ.",
        remedy="Keep corrections in one overlay (dataset.overlay), and train both runs on one table.",
    )


def score_as_recipe(options: ScoreOptions, record: Record) -> ScoreOptions:
    """Fill in what a recipe says of its score, where the options were not changed."""
    usual, said = ScoreOptions(), build(record.recipe).score
    names = ("metrics", "resamples", "level")
    if options.metrics == usual.metrics:
        require_named_here(record)
    return replace(
        options, **{n: getattr(said, n) for n in names if getattr(options, n) == getattr(usual, n)}
    )


def rescore(folder: Path, name: str, options: ScoreOptions) -> Score:
    """Score a run again on today's labels; the optimism is estimated where the record holds the candidates.

    What the options leave as it is by default (metrics, resamples, level) is taken from the run's recipe.
    """
    found = load_runs(folder, [name])
    predictions = found.predictions[0]
    if found.records:
        options = score_as_recipe(options, found.records[0])
    if options.candidates is None and found.records:
        options = replace(options, candidates=recorded_candidates(found.records[0], predictions))
    return score_predictions(predictions, found.dataset, options)
