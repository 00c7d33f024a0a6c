"""Photos that the tests of outside trainers share: 40 people, three photos each, two classes told apart by colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

import hoego
from hoego.data.dataset import Dataset
from hoego.predictions import Predictions
from hoego.split import Split

# Not in the order of the alphabet, so that a class that is taken by its number alone is found out.
CLASSES = ("warm", "cold")


def photos(root: Path, size: int = 32) -> tuple[Dataset, Split]:
    """Write the photos; return them and their split into four folds."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(120):
        label = CLASSES[(i // 3) % 2]
        pixels = rng.integers(0, 90, (size, size, 3), dtype=np.uint8)
        pixels[..., 0 if label == "warm" else 2] += 120
        Image.fromarray(pixels).save(root / f"{i:03d}.png")
        rows.append((f"{i:03d}.png", f"p{i // 3:02d}", label))
    pl.DataFrame(rows, schema=["path", "who", "finding"], orient="row").write_csv(root / "photos.csv")
    dataset = hoego.load_dataset(root / "photos.csv", subject="who", target="finding")
    return dataset, hoego.make_split(dataset, folds=4)


def check(made: Predictions, dataset: Dataset, split: Split, fold: int, at_least: float = 0.9) -> None:
    """Hold what every page promises: the held-out photos alone, marked declared, classes by name."""
    assert set(made.images.tolist()) == set(split.images[split.val_mask(fold)].tolist())
    found = hoego.score(made, dataset, resamples=100)
    assert str(found.honesty) == "declared"
    assert (found.primary.value or 0.0) >= at_least
