"""A tiny training whose losses and predictions are kept in tests/golden/run.json. `make golden` writes them anew.

48 photos of 16 px of 24 subjects, drawn from a seed; three folds, three epochs, one thread of the CPU, float32. The
recipe uses what has randomness of its own (augmentation, mixing, oversampling, dropout), so that a change of any of
them shows. The network does not normalise each photo by itself: with it, the rounding of another CPU's instructions is
amplified up to 0.05 in a logit, as much as a changed setting.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
from PIL import Image
from tiny_training import PER_SUBJECT, SIZE, tiny_dataset

from hoego.predictions import Predictions
from hoego.recipe import Recipe, build
from hoego.runs.records import RunStore
from hoego.runs.train import TrainOptions, train
from hoego.train.callbacks import Callbacks

FILE = Path(__file__).resolve().parent / "golden" / "run.json"
PHOTOS_OF_A_SUBJECT = 2
RECIPE: dict[str, Any] = {
    "name": "golden",
    "dataset": {"layout": "table", "table": "train.csv", "subject": ["subject"], "size": [SIZE, SIZE]},
    "labels": {
        "attributes": {"colour": {}, "age": {"edges": [30, 60], "classes": ["young", "middle", "old"]}}
    },
    "split": {"kind": "folds", "folds": 3},
    "fold": "all",
    "model": {"name": "hoego_small32", "options": {"width": 0.125, "norm": False}, "drop": 0.1},
    "epochs": 3,
    "batch_size": 8,
    "loss": "smooth",
    "optim": {"name": "adamw", "lr": 5e-3, "clip": 1.0},
    "augment": {"flip": 0.5, "rotate": 10, "brightness": 0.2, "erase": 0.2},
    "mixing": {"mixup": {"share": 0.3}, "cutmix": {"share": 0.3}},
    "sampling": {"kind": "oversample", "strength": 0.5},
    "average": {"ema": 0.5},
    "select": {"on": "last"},
    "precision": "float32",
    "device": "cpu",
    "threads": 1,
    "compile": "off",
    "score": {"resamples": 200},
}


def draw(folder: Path) -> None:
    """Write the photos and their table."""
    dataset, cache = tiny_dataset()
    kept = [i for i in range(dataset.n_images) if i % PER_SUBJECT < PHOTOS_OF_A_SUBJECT]
    table = dataset.images.select("path", "subject")[kept].with_columns(
        colour=pl.Series([dataset.schema.attribute("colour").classes[c] for c in dataset.codes[kept, 0]]),
        age=pl.Series(dataset.numbers["age"][kept].round(1)),
    )
    for name, pixels in zip(table["path"].to_list(), cache.array[kept], strict=True):
        Image.fromarray(pixels).save(folder / name)
    table.write_csv(folder / "train.csv")


def recipe(folder: Path) -> Recipe:
    """The recipe, its data set in `folder`."""
    return build(RECIPE | {"dataset": RECIPE["dataset"] | {"root": str(folder)}})


def golden_run() -> dict[str, Any]:
    """Train, and return what is kept: by fold the losses of each epoch; by image its fold and its logits."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        draw(folder)
        callbacks = Callbacks(progress=False, measure_seconds=0.05)
        result = train(recipe(folder), TrainOptions(folder=folder, audit=False), callbacks)
        record = RunStore(folder / "runs").find(result.run)
        found = Predictions.read(record.folder / "predictions.parquet")
        epochs = {str(k): [losses(row) for row in record.epochs(k)] for k in record.folds()}
    return {
        "epochs": epochs,
        "images": found.images.tolist(),
        "fold": found.fold.tolist(),
        "scale": dict(found.scale),
        "values": {name: rounded(values.tolist()) for name, values in sorted(found.values.items())},
    }


def losses(row: dict[str, Any]) -> dict[str, float]:
    """What an epoch says of losses and of the learning rate."""
    return {k: float(f"{v:.6g}") for k, v in sorted(row.items()) if "loss" in k or k in ("epoch", "lr")}


def rounded(values: Any) -> Any:
    """Numbers with six significant digits: float32 has no more."""
    return [rounded(v) if isinstance(v, list) else float(f"{v:.6g}") for v in values]


def write(found: dict[str, Any]) -> None:
    """Write a line for each epoch and each image, so that a difference can be read."""
    FILE.parent.mkdir(exist_ok=True)
    text = json.dumps(found, indent=None, separators=(", ", ": "))
    for mark in ('"epochs"', '"images"', '"fold"', '"scale"', '"values"', '{"epoch"', "[["):
        text = text.replace(mark, f"\n{mark}")
    FILE.write_text(text.replace("], [", "],\n[") + "\n", encoding="utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as cache:
        os.environ["HOEGO_CACHE"] = cache
        write(golden_run())
