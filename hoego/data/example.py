"""A data set small enough for the examples of the documentation."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from hoego.data.dataset import Dataset
from hoego.data.load_dataset import load_dataset


def example_dataset(n_subjects: int = 12, photos: int = 4) -> Dataset:
    """Make a data set of plain grey photos in a temporary folder: S subjects with photos of two classes.

    >>> dataset = example_dataset()
    >>> dataset.n_images, dataset.n_subjects, dataset.schema.target_classes
    (48, 12, ('x', 'y'))
    """
    folder = Path(tempfile.mkdtemp(prefix="hoego-example-"))
    rows = [(s, k) for s in range(n_subjects) for k in range(photos)]
    names = [f"{s:02d}-{k}.png" for s, k in rows]
    for i, name in enumerate(names):
        # Every photo differs from the others: subjects that share a photo would be merged.
        pixels = np.zeros((8, 8, 3), dtype=np.uint8)
        pixels[..., 0], pixels[..., 1] = i % 256, i // 256
        Image.fromarray(pixels).save(folder / name)
    frame = {
        "path": names,
        "who": [f"subject {s:02d}" for s, _ in rows],
        "label": ["xy"[(k + s // 3) % 2] for s, k in rows],
    }
    return load_dataset(frame, root=folder, subject="who", target="label")
