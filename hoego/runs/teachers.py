"""The teachers of a recipe: their predictions, and the pool of unlabelled photos that they predict."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.data.load import load_unlabelled
from hoego.data.readers import read_layout, read_unlabelled
from hoego.data.spelling import plain_name
from hoego.data.subjects import join_subjects
from hoego.errors import DataError, MismatchError
from hoego.predictions import Predictions
from hoego.recipe import Recipe
from hoego.runs.combined import is_combined
from hoego.runs.predict import fold_checkpoints, models_of, predict_run, predict_with
from hoego.runs.probing.facts import is_probe
from hoego.runs.probing.predicting import heads_of, predict_probe
from hoego.runs.records import Record, RunStore
from hoego.runs.soft_targets import Bits, DistillationData

PREFIX = "unlabelled:"
"""Of the subjects of unlabelled photos whose subject no table names."""

FOLDER = "teachers"
"""In a record: predictions of the unlabelled photos by the models of a teacher run."""

SILENT = "not in the teacher's predictions"
IDENTICAL = "identical to a labelled photo"
SAME_ID = "of the same id as a labelled photo"


def load_distillation(recipe: Recipe, dataset: Dataset, record: Record) -> DistillationData:
    """Load the teachers of a recipe, and the unlabelled photos that they predict.

    A teacher run is looked up beside the record. Each of its folds' models labels the unlabelled photos, so
    that every fold can use a model that has not seen its held-out subjects.

    Args:
        recipe: its `distill` and `dataset.unlabelled`.
        dataset: the labelled one.
        record: of the student run.

    Raises:
        MismatchError: a teacher of another label schema, of photos that are not here or of none that are, or a file
            that has changed since the run began.
        DataError, RecordError: a file that cannot be read, or that holds a value that is not a number.
    """
    asked = recipe.distill.teacher
    names = () if asked is None else (asked,) if isinstance(asked, str) else asked
    if not names:
        return DistillationData(dataset=dataset, n_labelled=dataset.n_images)
    shown = ", ".join(repr(n) for n in names)
    place = unlabelled_path(recipe)
    others = None if place is None else load_unlabelled(place, dataset.schema)
    members = [m for name in names for m in _members(name, others, record)]
    for member in members:
        _require_known(member, dataset, others, recipe)
    if place is None or others is None:
        cut = [m.take(np.isin(m.images, dataset.image_ids)) for m in members]
        return DistillationData(
            dataset=dataset, n_labelled=dataset.n_images, teachers=_with_predictions(cut, shown), names=shown
        )
    _with_predictions(
        [m.take(np.isin(m.images, np.r_[dataset.image_ids, others.image_ids])) for m in members], shown
    )
    clear = _clear_ids(dataset, others)
    predicted = np.unique(np.concatenate([m.images for m in members]))
    pool, left = _pool(dataset, others, predicted)
    persons, named = _persons(recipe, dataset, place, others)
    persons = persons[np.r_[np.ones(dataset.n_images, dtype=bool), pool]]
    cut = [_cut(m, (dataset, clear), (others, others.image_ids[pool])) for m in members]
    return DistillationData(
        dataset=_joined(dataset, others.take(pool), persons) if pool.any() else dataset,
        n_labelled=dataset.n_images,
        teachers=tuple(m for m in cut if m.n_images),
        subject_names=persons,
        subjects_named=named,
        left_out=left,
        names=shown,
    )


def unlabelled_path(recipe: Recipe) -> Path | None:
    """Return the path of the photos that may be pseudo-labelled; None if none may."""
    if recipe.dataset.unlabelled is None or recipe.distill.pseudo.labels == "none":
        return None
    return Path(recipe.dataset.root) / recipe.dataset.unlabelled


def _members(name: str, others: Dataset | None, record: Record) -> list[Predictions]:
    """Return a teacher's predictions: of a Predictions file, of the models of a run, or of a run's own
    predictions.
    """
    path = Path(name)
    if path.is_file():
        _require_unchanged(name, path, record)
        return [_read(path)]
    run = RunStore(record.folder.parent).find(name)
    if others is None:
        return [_read(run.folder / "predictions.parquet")]
    parts: dict[str, Callable[[], Predictions]] = {"all": lambda: predict_run(run, others)}
    if is_probe(run):
        parts = {p.stem: partial(predict_probe, run, others, heads=[p]) for p in heads_of(run)}
    elif not is_combined(run):
        models_of(run)  # raises where the run is not done
        parts = {p.parent.name: partial(predict_with, run, [p], others) for p in fold_checkpoints(run)}
    made = []
    for part, predict in parts.items():
        kept = record.folder / FOLDER / f"{run.id}-{part}.parquet"
        if not kept.is_file():
            predict().write(kept)
        made.append(_read(kept))
    return made


def _read(path: Path) -> Predictions:
    try:
        return Predictions.read(path)
    except DataError as e:
        raise DataError(f"It cannot be a teacher: {e.message}", remedy=e.remedy, file=path) from None


def _require_unchanged(name: str, path: Path, record: Record) -> None:
    """Raise if the teacher's file changed after the run began: a run that resumes keeps its soft targets."""
    digest = blake2b(path.read_bytes(), digest_size=16).hexdigest()
    known = record.meta.training.teachers
    if known.get(name, digest) != digest:
        raise MismatchError(
            f"The teacher {name!r} has changed since the run {record.id} began.",
            remedy="Restore the file, or begin a new run.",
        )
    if name not in known:
        record.update(training={"teachers": {**known, name: digest}})


def _require_known(member: Predictions, dataset: Dataset, others: Dataset | None, recipe: Recipe) -> None:
    if member.schema.fingerprint != dataset.schema.fingerprint:
        raise MismatchError(
            f"The teacher {member.name!r} has other labels ({', '.join(member.schema.names)}; target "
            f"{member.schema.target}) than this data set ({', '.join(dataset.schema.names)}; target "
            f"{dataset.schema.target}), or other classes of them.",
            remedy="Take a teacher that was trained with the same [labels].",
        )
    if recipe.distill.pseudo.labels == "none":
        return
    known = dataset.image_ids if others is None else np.concatenate([dataset.image_ids, others.image_ids])
    strange = member.images[(member.fold < 0) & ~np.isin(member.images, known)]
    if len(strange):
        where = "the data set" if others is None else f"the data set nor in {recipe.dataset.unlabelled}"
        raise MismatchError(
            f"The teacher {member.name!r} predicts {len(strange):,} photos that are not in {where}, "
            f"such as {str(strange[0])!r}.",
            remedy="Set dataset.unlabelled to the table or folder that was predicted (ids are its paths), "
            'or distill.pseudo.labels = "none".',
        )


def _with_predictions(members: Sequence[Predictions], shown: str) -> tuple[Predictions, ...]:
    """Return the members that predict any of the images here."""
    found = tuple(m for m in members if m.n_images)
    if not found:
        raise MismatchError(
            f"The teacher {shown} does not predict any image of this data set.",
            remedy="Predict them with it, or set dataset.unlabelled to the photos that it predicts.",
        )
    return found


def _clear_ids(dataset: Dataset, others: Dataset) -> NDArray[Any]:
    """Return labelled ids that do not name another photo among the unlabelled ones."""
    both, here, there = np.intersect1d(dataset.image_ids, others.image_ids, return_indices=True)
    unclear = both[dataset.contents[here] != others.contents[there]]
    return dataset.image_ids[~np.isin(dataset.image_ids, unclear)]


def _pool(dataset: Dataset, others: Dataset, predicted: NDArray[Any]) -> tuple[Bits, dict[str, int]]:
    """Return the unlabelled photos that may join, bool [M], and how many may not, by reason."""
    covered = np.isin(others.image_ids, predicted)
    same = covered & np.isin(others.contents, dataset.contents)
    clash = covered & ~same & np.isin(others.image_ids, dataset.image_ids)
    left = {SILENT: int((~covered).sum()), IDENTICAL: int(same.sum()), SAME_ID: int(clash.sum())}
    return covered & ~same & ~clash, left


def _cut(
    member: Predictions, labelled: tuple[Dataset, NDArray[Any]], pool: tuple[Dataset, NDArray[Any]]
) -> Predictions:
    """Keep the rows of photos that are here, and that the predictions were made of, if that is known.

    Args:
        member: a teacher.
        labelled, pool: each set, and those of its ids that name one photo alone.
    """
    if member.dataset_fingerprint == labelled[0].fingerprint:
        known = labelled[0].image_ids
    elif member.dataset_fingerprint == pool[0].fingerprint:
        known = pool[1]
    else:
        known = np.concatenate([labelled[1], pool[1]])
    return member.take(np.isin(member.images, known))


def _persons(recipe: Recipe, dataset: Dataset, place: Path, others: Dataset) -> tuple[NDArray[Any], bool]:
    """Return which subject each image shows, over both sets [L + M]; and whether the unlabelled set's table
    names subjects.

    Photos are of one person when a chain of equal subjects, equal content and equal names in the recipe's subject
    columns links them.
    """
    new = [PREFIX + i for i in others.image_ids.tolist()]
    rows = pl.DataFrame(
        {
            "image": [*dataset.image_ids.tolist(), *new],
            "person": [*dataset.images["subject"].to_list(), *new],
        }
    )
    theirs = read_unlabelled(place).rows
    shared = [c for c in recipe.dataset.subject if c in theirs.columns]
    if shared:
        ours = read_layout(recipe.dataset, recipe.labels).rows.sort("image")
        for k, c in enumerate(shared):
            known = plain_name(ours[c].cast(pl.String)).to_list()
            filled = [v or i for v, i in zip(plain_name(theirs[c].cast(pl.String)), new, strict=True)]
            rows = rows.with_columns(pl.Series(f"column {k}", [*known, *filled], dtype=pl.String))
    contents = np.concatenate([dataset.contents, others.contents])
    joined, _ = join_subjects(rows, ["person", *(f"column {k}" for k in range(len(shared)))], contents, [])
    return np.asarray(joined, dtype=np.str_), bool(shared)


def _joined(dataset: Dataset, pool: Dataset, persons: NDArray[Any]) -> Dataset:
    """Return the labelled photos with the pool behind them; a photo of a known person has that subject."""
    known: dict[str, str] = {}
    for person, subject in zip(persons.tolist(), dataset.images["subject"].to_list(), strict=False):
        known.setdefault(person, subject)
    subjects = [known.get(p, p) for p in persons[dataset.n_images :].tolist()]
    rows = pl.DataFrame(
        {
            "image": pool.images["image"],
            "path": pl.Series([os.path.relpath(p, dataset.root) for p in pool.paths], dtype=pl.String),
            "subject": pl.Series(subjects, dtype=pl.String),
            "content": pool.images["content"],
        }
    )
    blank = np.full(pool.n_images, np.nan)
    return replace(
        dataset,
        images=pl.concat([dataset.images, rows], how="diagonal"),
        codes=np.concatenate([dataset.codes, pool.codes]),
        numbers={k: np.concatenate([v, blank]) for k, v in dataset.numbers.items()},
    )
