"""A tiny project whose runs are exported: photos as files, a table, and recipes of several networks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from PIL import Image
from tiny_training import tiny_dataset

from hoego.recipe import Recipe, build

if TYPE_CHECKING:
    from hoego.runs.records import Record

SIDE = 48
SIZE = 32
FOLDS: dict[str, Any] = {"split": {"kind": "folds", "folds": 5}, "fold": "all", "epochs": 1}


@contextmanager
def photo_project(root: Path) -> Iterator[Path]:
    """Give a folder with photos/, whose pixels are kept in its own cache."""
    (root / "photos").mkdir()
    write_photos(root / "photos")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOEGO_CACHE", str(root / "cache"))
        yield root


def write_photos(root: Path) -> None:
    """Write the tiny data set as files of 48 px, PNG and JPEG in turn, with the table train.csv."""
    dataset, cache = tiny_dataset()
    names = []
    for k, (name, pixels) in enumerate(zip(dataset.images["path"].to_list(), cache.array, strict=True)):
        image = Image.fromarray(pixels).resize((SIDE * (1 + k % 3), SIDE), Image.Resampling.BICUBIC)
        name = name.replace(".png", ".jpg") if k % 2 else name
        image.save(root / name, **({"quality": 92} if k % 2 else {}))
        names.append(name)
    colours = dataset.schema.attribute("colour").classes
    table = dataset.images.select("subject", "source").with_columns(
        path=pl.Series(names),
        colour=pl.Series([colours[c] for c in dataset.codes[:, 0]]),
        age=pl.Series(np.round(dataset.numbers["age"], 2)),
    )
    table.write_csv(root / "train.csv")


NETWORKS: dict[str, dict[str, Any]] = {
    "hoego_small32": {"name": "hoego_small32", "options": {"width": 0.25}},
    "tf_efficientnet_lite0": {"name": "tf_efficientnet_lite0", "pretrained": True},
    "vit": {
        "name": "vit_tiny_patch16_224",
        "options": {"depth": 2, "embed_dim": 32, "num_heads": 2, "patch_size": 8},
    },
}


def recipe(photos: Path, network: str = "hoego_small32", **changes: Any) -> Recipe:
    """Two epochs of a network in float32, with a head for each attribute."""
    data: dict[str, Any] = {
        "name": f"tiny {network}",
        "dataset": {
            "root": str(photos), "layout": "table", "table": "train.csv", "subject": ["subject"], "size": [SIZE, SIZE],
        },
        "labels": {"attributes": {"colour": {}, "age": {"edges": [30, 60], "classes": ["young", "middle", "old"]}}},
        "split": {"ratio": 0.5},
        "model": NETWORKS[network],
        "epochs": 2,
        "batch_size": 16,
        "precision": "float32",
        "device": "cpu",
        "threads": 1,
        "optim": {"name": "adamw", "lr": 3e-3},
        "score": {"resamples": 200},
    }  # fmt: skip
    for key, value in changes.items():
        data[key] = {**data[key], **value} if isinstance(data.get(key), dict) else value
    return build(data)


def trained(project: Path, network: str = "hoego_small32", **changes: Any) -> Record:
    """Train a run on the photos of a project, or find the one that was trained with the same changes."""
    from hoego.runs.records import RunStore
    from hoego.runs.train import TrainOptions, train
    from hoego.train.callbacks import Callbacks

    name = f"{network} {json.dumps(changes, sort_keys=True)}"
    store = RunStore(project / "runs")
    for record in store.list():
        if record.meta.why == name:
            return record
    options = TrainOptions(folder=project, audit=False, why=name)
    quiet = Callbacks(progress=False, measure_seconds=0.05)
    return store.find(train(recipe(project / "photos", network, **changes), options, quiet).run)
