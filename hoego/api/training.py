"""`hoego.train`: from a data set and a split to a run, by the path that `hoego train` takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

from hoego.api.folders import records_folder
from hoego.api.run import Run
from hoego.data.dataset import Dataset
from hoego.data.load_dataset import READING
from hoego.errors import MismatchError, RecipeError, UsageError
from hoego.recipe import Recipe, build, merge, resolve
from hoego.runs.project import ProjectData
from hoego.runs.records import RunStore
from hoego.runs.records.mirrors import following
from hoego.runs.train import TrainOptions, train_project
from hoego.split import FOLDER, Split, keep
from hoego.split.make_split import settings_of

OF_THE_DATASET = ("root", "subject", *READING)
"""Settings of [dataset] that a Dataset has been read with."""


class TrainKeywords(TypedDict, total=False):
    """Keywords of `train` on the record.

    Args:
        where: the folder of the records; `runs/` beside the nearest hoego.toml or here where not given.
        name: of the run.
        why: the hypothesis.
        tags: of the record.
        audit: whether the data are audited first; True where not given.
        progress: whether progress is shown; True where not given.
    """

    where: Path | str
    name: str
    why: str
    tags: Sequence[str]
    audit: bool
    progress: bool


def train(
    dataset: Dataset,
    split: Split,
    recipe: Recipe | Mapping[str, Any] | Path | str | None = None,
    *,
    fold: int | Literal["all"] | None = None,
    **keywords: Unpack[TrainKeywords],
) -> Run:
    """Audit, train, predict what was held out, score, and keep a record that every command can read.

    A data set that was given as a frame is written once to `tables/` beside the records, and the split to `splits/`,
    so that `hoego score`, `hoego report` and `hoego reproduce` need nothing else.

    Args:
        dataset: as `hoego.load_dataset` gives it.
        split: of the data set.
        recipe: as `load_recipe` takes it. Where a recipe names photos, labels or a split, the objects count.
        fold: the fold to hold out, or "all" for predictions of every photo; None: the recipe's.
        **keywords: `where`, `name`, `why`, `tags`, `audit` and `progress` (see `TrainKeywords`).

    Raises:
        MismatchError: the split is of another data set.
        RecipeError: an unknown setting, or one of the data set or split, which are given as objects.
        DataError: the audit found errors that the recipe does not accept.
        UsageError: PyTorch is not installed.
    """
    from hoego.train.callbacks import Callbacks

    if isinstance(recipe, Mapping):
        _refuse_settings_of_objects(nested(recipe))
    _require_of(dataset, split)
    runs = records_folder(keywords.get("where")).resolve()
    chosen = load_recipe(recipe, {"name": keywords["name"]} if keywords.get("name") else None)
    ran = _with_objects(chosen, dataset, split, runs.parent)
    keep(split, runs.parent / FOLDER)
    options = TrainOptions(
        folder=runs.parent,
        runs=runs,
        fold=fold,
        why=keywords.get("why", ""),
        tags=tuple(keywords.get("tags", ())),
        audit=keywords.get("audit", True),
    )
    store = RunStore(runs)
    with following(store):
        result = train_project(
            ProjectData(ran, dataset, split), options, Callbacks(progress=keywords.get("progress", True))
        )
    return Run(store.find(result.run), dataset)


def load_recipe(
    recipe: Recipe | Mapping[str, Any] | Path | str | None = None, overrides: Mapping[str, Any] | None = None
) -> Recipe:
    """Return a resolved recipe.

    Args:
        recipe: the name of one that comes with Hoego, a TOML file, or a Recipe. None is the small network that
            `hoego train` takes without a recipe; a mapping is that with some settings changed.
        overrides: settings to change, nested or dotted.

    Raises:
        RecipeError: an unknown setting with the nearest valid one, a wrong type, a value out of range.

    >>> load_recipe({"epochs": 3, "optim.lr": 0.01}).optim.lr
    0.01
    >>> load_recipe("gtsrb", {"seed": 1}).model.name
    'hoego_small32'
    """
    if isinstance(recipe, Recipe):
        base = recipe
    elif recipe is None or isinstance(recipe, Mapping):
        base = resolve(None)
        overrides = {**(recipe or {}), **(overrides or {})}
    else:
        base = resolve(recipe)
    if not overrides:
        return base
    return build(merge(base.to_dict(), nested(overrides)))


def nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with dotted keys as tables in tables.

    >>> nested({"optim.lr": 0.1, "optim": {"name": "sgd"}, "epochs": 2})
    {'optim': {'lr': 0.1, 'name': 'sgd'}, 'epochs': 2}
    """
    out: dict[str, Any] = {}
    for key, value in settings.items():
        patch: Any = nested(value) if isinstance(value, Mapping) else value
        for part in reversed(key.split(".")):
            patch = {part: patch}
        out = merge(out, patch)
    return out


def _refuse_settings_of_objects(settings: Mapping[str, Any]) -> None:
    named = [f"dataset.{k}" for k in settings.get("dataset", {}) if k in OF_THE_DATASET]
    named += [section for section in ("labels", "split") if section in settings]
    if named:
        raise RecipeError(
            f"The recipe sets {', '.join(named)}, which the Dataset and the Split decide here.",
            remedy="Give it to hoego.load_dataset or hoego.make_split.",
        )


def _require_of(dataset: Dataset, split: Split) -> None:
    if not isinstance(dataset, Dataset) or not isinstance(split, Split):
        raise UsageError(
            f"train takes a Dataset and a Split, not {type(dataset).__name__} and {type(split).__name__}.",
            remedy="dataset = hoego.load_dataset(...); split = hoego.make_split(dataset)",
        )
    if split.dataset_fingerprint != dataset.fingerprint:
        raise MismatchError(
            f"The split {split.name!r} is of data set {split.dataset_fingerprint}, this one is {dataset.fingerprint}.",
            remedy="Make the split of this data set: hoego.make_split(dataset).",
        )


def _with_objects(recipe: Recipe, dataset: Dataset, split: Split, folder: Path) -> Recipe:
    """Return the recipe with the sections that read this data set again and make this split again."""
    origin = dataset.origin
    if origin is None:
        raise UsageError(
            f"The data set {dataset.name!r} was taken out of another, so no record could read it again.",
            remedy="Select the rows of the table or frame, and give them to hoego.load_dataset.",
        )
    read = origin.saved(folder, dataset.name).model_dump()
    data = recipe.model_copy(
        update={
            "dataset": recipe.dataset.model_copy(update={k: read[k] for k in OF_THE_DATASET}),
            "labels": origin.labels,
            "split": settings_of(split, origin.join),
        }
    )
    return build(data.to_dict())
