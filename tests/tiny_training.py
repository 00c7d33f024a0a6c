"""A tiny data set of coloured photos, and a fold of it, for the tests of the training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from hoego.data.dataset import Dataset
from hoego.data.pixels import PixelCache
from hoego.data.preprocess import Preprocess
from hoego.data.schema import Attribute, LabelSchema
from hoego.predictions import Predictions, RowProvenance, SubjectUniverse
from hoego.recipe import Recipe, build

SIZE = 16
SUBJECTS = 24
PER_SUBJECT = 5


def tiny_dataset(seed: int = 0) -> tuple[Dataset, PixelCache]:
    """24 subjects x 5 photos of 16 px; colour (3 classes) shows in the hue, age (binned) in the brightness."""
    random = np.random.default_rng(seed)
    n = SUBJECTS * PER_SUBJECT
    subject = np.repeat(np.arange(SUBJECTS), PER_SUBJECT)
    colour = subject % 3
    age = np.array([20.0, 45.0, 70.0])[(subject // 3) % 3] + random.uniform(-3, 3, SUBJECTS)[subject]
    photos = random.integers(0, 60, (n, SIZE, SIZE, 3))
    photos[np.arange(n), :, :, colour] += 90
    photos += (age / 2).astype(np.int64)[:, None, None, None]
    schema = LabelSchema(
        (
            Attribute(name="colour", kind="nominal", classes=("r", "g", "b")),
            Attribute(name="age", kind="binned", classes=("young", "middle", "old"), edges=(30, 60)),
        ),
        "composite",
        ("colour", "age"),
    )
    ids = [f"p{i:04d}" for i in range(n)]
    images = pl.DataFrame(
        {
            "image": ids,
            "path": [f"{i}.png" for i in ids],
            "subject": [f"s{s:02d}" for s in subject],
            "content": pl.Series(np.arange(n, dtype=np.uint64)),
            "source": ["camera" if s % 2 else "phone" for s in subject],
        }
    )
    codes = np.stack([colour, schema.attribute("age").bin(age)], axis=1).astype(np.int16)
    dataset = Dataset(root=Path("/nowhere"), schema=schema, images=images, codes=codes, numbers={"age": age})
    cache = PixelCache(
        array=photos.astype(np.uint8),
        row=np.arange(n),
        preprocess=Preprocess(size=(SIZE, SIZE)),
        folder=Path("/nowhere"),
    )
    return dataset, cache


def tiny_recipe(**changes: Any) -> Recipe:
    """Three epochs of a tiny network in float32."""
    data: dict[str, Any] = {
        "dataset": {"size": [SIZE, SIZE]},
        "model": {
            "name": "hoego_small32",
            "options": {"width": 0.125, "norm": False},
            "mean": [0.5] * 3,
            "std": [0.25] * 3,
        },
        "epochs": 3,
        "batch_size": 16,
        "precision": "float32",
        "device": "cpu",
        "threads": 1,
        "optim": {"name": "adamw", "lr": 1e-2},
    }
    for key, value in changes.items():
        data[key] = (
            {**data[key], **value} if isinstance(value, dict) and isinstance(data.get(key), dict) else value
        )
    return build(data)


def held_subjects(dataset: Dataset) -> Any:
    """bool [N]: every fourth group of three subjects is held out."""
    return (dataset.subject_index // 3) % 4 == 3


NEW = 40


def with_unlabelled() -> tuple[Dataset, PixelCache]:
    """The tiny data set with 40 photos of other people behind it, without labels."""
    dataset, cache = tiny_dataset()
    other, unseen = tiny_dataset(seed=9)
    rows = other.images[:NEW].with_columns(
        image=pl.format("new-{}", "image"),
        subject=pl.format("unlabelled:{}", "image"),
        content=pl.col("content") + 9000,
    )
    whole = replace(
        dataset,
        images=pl.concat([dataset.images, rows]),
        codes=np.concatenate([dataset.codes, np.full((NEW, 2), -1, dtype=np.int16)]),
        numbers={"age": np.concatenate([dataset.numbers["age"], np.full(NEW, np.nan)])},
    )
    photos = np.concatenate([cache.array, unseen.array[:NEW]])
    return whole, replace(cache, array=photos, row=np.arange(len(photos)))


def random_teacher(images: Any, source: RowProvenance) -> Predictions:
    """Predictions of some images that say random things; they come from `source`, of the tiny data set."""
    dataset, _ = tiny_dataset()
    random = np.random.default_rng(0)
    names = dataset.schema.names
    return Predictions(
        images=images,
        values={n: random.normal(size=(len(images), 3)).astype(np.float32) for n in names},
        scale=dict.fromkeys(names, "logits"),
        schema=dataset.schema,
        fold=np.full(len(images), -1, dtype=np.int16),
        source=np.zeros(len(images), dtype=np.int32),
        sources=(source,),
        universe=SubjectUniverse.of(dataset),
        dataset_fingerprint="elsewhere",
        name="teacher",
    )
