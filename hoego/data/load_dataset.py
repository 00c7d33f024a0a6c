"""`hoego.load_dataset`: photos with their subjects and labels, from a table, a folder, a data frame or a hoego.toml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hoego.data.dataset import Dataset
from hoego.data.load import read_dataset
from hoego.data.origin import DatasetOrigin
from hoego.data.readers.frames import root_of, to_polars
from hoego.errors import RecipeError, UsageError, nearest
from hoego.recipe import DatasetSettings, build, find_project, resolve

READING = (
    "layout", "table", "path", "image", "pattern", "subject_regex", "label_regex", "exclude", "overlay",
    "unlabelled", "namespace",
)  # fmt: skip
"""Settings of [dataset] that say which photos there are; those on their pixels belong to the recipe."""
FURTHER = {"composite": "labels", "sparse": "labels", "join": "split"}

Attributes = Sequence[str] | Mapping[str, Mapping[str, Any]]


def load_dataset(
    source: Any = None,
    *,
    root: Path | str | None = None,
    subject: str | Sequence[str] = (),
    target: str | None = None,
    attributes: Attributes = (),
    **settings: Any,
) -> Dataset:
    """Read photos with their subjects and labels.

    Every photo is hashed once (its hash is remembered), so that copies of one photo make one subject and a run knows
    its photos again. A frame's `path` column names the photos.

    Args:
        source: a table (CSV, TSV, Parquet, JSON lines), a folder of photos, a polars or pandas frame, a mapping of
            columns, or a hoego.toml; None for the nearest hoego.toml.
        root: the folder that paths start from. By default the table's folder; for a frame, what its absolute paths
            share, else the working directory.
        subject: the column (or columns, joined transitively) that names the subject of a photo.
        target: the column to predict, or "composite".
        attributes: label columns, or name -> settings of each, such as `{"age": {"edges": [30, 60]}}`.
        **settings: further settings of [dataset] by name (path, image, pattern, exclude, overlay, namespace, ...),
            and `composite`, `sparse` and `join`.

    Raises:
        DataError: a photo, a column or a label cannot be used; names the row and the remedy.
        RecipeError: an unknown setting, with the nearest valid one.

    >>> import numpy as np, tempfile
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> for i in range(4):
    ...     Image.fromarray(np.full((8, 8, 3), 60 * i, np.uint8)).save(folder / f"{i}.png")
    >>> frame = {"path": [f"{i}.png" for i in range(4)], "who": ["ann", "ann", "bob", "bob"], "age": [20, 20, 70, 70]}
    >>> dataset = load_dataset(frame, root=folder, subject="who", attributes={"age": {"edges": [30, 60]}})
    >>> dataset.n_images, dataset.n_subjects, dataset.schema.target_classes
    (4, 2, ('<30', '30-59', '>=60'))
    """
    said = _sections(settings)
    said["dataset"]["subject"] = [subject] if isinstance(subject, str) else list(subject)
    labels = said["labels"]
    if target is not None:
        labels["target"] = target
    if isinstance(attributes, str):
        attributes = [attributes]
    chosen = attributes if isinstance(attributes, Mapping) else {name: {} for name in attributes}
    if chosen:
        labels["attributes"] = {name: dict(how) for name, how in chosen.items()}
    frame = to_polars(source)
    if frame is not None:
        root = root_of(frame, said["dataset"].get("path", "path")) if root is None else root
        said["dataset"] |= {"layout": "table", "root": str(Path(root).resolve())}
    elif source is None or (isinstance(source, (str, Path)) and Path(source).suffix == ".toml"):
        _require_nothing_else(settings, (root, subject, target, attributes))
        return _of_project(source)
    else:
        said["dataset"] |= _located(source, root)
    checked = build(said)
    return read_dataset(DatasetOrigin(checked.dataset, checked.labels, checked.split.join, frame))


def _located(source: Any, root: Path | str | None) -> dict[str, Any]:
    """Return the settings that name a table or a folder."""
    if not isinstance(source, (str, Path)):
        raise UsageError(
            "load_dataset takes a path, a frame of polars or pandas, or a mapping of columns, "
            f"not {type(source).__name__}.",
            remedy="Example: hoego.load_dataset('photos.csv', subject='person', target='finding')",
        )
    path = Path(source).expanduser().resolve()
    if path.is_file():
        return {
            "layout": "table",
            "table": str(path),
            "root": str(path.parent if root is None else Path(root).resolve()),
        }
    if root is not None:
        raise UsageError(
            "root= belongs to a table or a frame.", remedy="Give the folder of the photos alone."
        )
    return {"root": str(path)}


def _sections(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return keyword arguments as sections of a recipe. Raise RecipeError for a setting that does not describe
    the photos.
    """
    said: dict[str, dict[str, Any]] = {"dataset": {}, "labels": {}, "split": {}}
    for name, value in settings.items():
        if name in READING:
            said["dataset"][name] = [value] if name == "exclude" and isinstance(value, str) else value
        elif name in FURTHER:
            said[FURTHER[name]][name] = value
        elif name in DatasetSettings.model_fields:
            raise RecipeError(
                f"{name!r} is a setting of the recipe, not of the data set.",
                remedy=f'Give it to the training: hoego.train(..., recipe={{"dataset.{name}": ...}}).',
            )
        else:
            raise RecipeError(
                f"load_dataset has no setting {name!r}.", remedy=nearest(name, [*READING, *FURTHER])
            )
    return said


def _require_nothing_else(settings: Mapping[str, Any], others: tuple[Any, ...]) -> None:
    if settings or any(others):
        raise UsageError(
            "A hoego.toml says by itself which columns mean what.",
            remedy="Give the file alone, or the table with keywords.",
        )


def _of_project(source: Path | str | None) -> Dataset:
    """Return the data set of a hoego.toml."""
    file = find_project(Path.cwd()) if source is None else Path(source)
    if file is None:
        raise UsageError(
            "There is no hoego.toml here or above.",
            remedy="Name a table or a folder, or write one with `hoego init`.",
        )
    recipe = resolve(project=file)
    return read_dataset(DatasetOrigin(recipe.dataset, recipe.labels, recipe.split.join))
