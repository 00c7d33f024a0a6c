"""Seconds and memory of importing predictions of 1,000,000 photos and 100 classes from Parquet, and of their score.

The photos are rows of a data set in memory (reading a million files from the disk is not what is measured). The import
reads the file, finds each row's photo, checks everything, derives the provenance and writes the record; the score is
macro F1 with its interval over 150,000 subjects.

    python benchmarks/import_million.py [--images 1000000] [--classes 100] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from hoego.data.dataset import Dataset
from hoego.data.schema import Attribute, LabelSchema
from hoego.evaluate.score import Score
from hoego.recipe import Recipe
from hoego.runs.outside import importing
from hoego.runs.outside.importing import ImportRequest, import_predictions
from hoego.runs.project import ProjectData
from hoego.split.make_split import make_split


def photos(n_images: int, n_classes: int) -> Dataset:
    rng = np.random.default_rng(0)
    n_subjects = int(n_images * 0.15)
    owner = np.concatenate([np.arange(n_subjects), rng.integers(0, n_subjects, n_images - n_subjects)])
    names = [f"img{i:07d}" for i in range(n_images)]
    images = pl.DataFrame(
        {
            "image": names,
            "path": [f"{n}.jpg" for n in names],
            "subject": [f"s{s:06d}" for s in owner],
            "content": np.arange(n_images, dtype=np.uint64),
        }
    )
    classes = tuple(f"class {c:02d}" for c in range(n_classes))
    codes = rng.integers(0, n_classes, (n_images, 1)).astype(np.int16)
    schema = LabelSchema((Attribute(name="kind", kind="nominal", classes=classes),), "kind", ())
    return Dataset(root=Path("."), schema=schema, images=images, codes=codes)


def write_predictions(dataset: Dataset, path: Path) -> None:
    rng = np.random.default_rng(1)
    n, c = dataset.n_images, dataset.schema.n_target_classes
    p = rng.random((n, c), dtype=np.float32)
    p[np.arange(n), dataset.target] += 20 * (rng.random(n) < 0.8)
    p /= p.sum(axis=1, keepdims=True)
    frame = pl.DataFrame(
        {"path": dataset.images["path"]} | dict(zip(dataset.schema.target_classes, p.T, strict=True))
    )
    frame.sample(fraction=1.0, shuffle=True, seed=0).write_parquet(path)


def peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure(n_images: int, n_classes: int, folder: Path) -> dict[str, Any]:
    dataset = photos(n_images, n_classes)
    project = ProjectData(Recipe(), dataset, make_split(dataset, folds=5))
    file = folder / "predictions.parquet"
    write_predictions(dataset, file)
    before, scoring = peak_gib(), [0.0]
    plain = importing.score

    def timed(*args: Any) -> Score:
        started = time.perf_counter()
        found = plain(*args)
        scoring[0] = time.perf_counter() - started
        return found

    importing.score = timed  # type: ignore[assignment]
    started = time.perf_counter()
    made = import_predictions(project, ImportRequest(file=file, name="million"), folder / "runs")
    whole = time.perf_counter() - started
    return {
        "images": n_images,
        "classes": n_classes,
        "subjects": dataset.n_subjects,
        "file_mb": round(file.stat().st_size / 1e6),
        "import_seconds": round(whole - scoring[0], 1),
        "score_seconds": round(scoring[0], 1),
        "peak_gib": round(peak_gib(), 2),
        "peak_gib_before": round(before, 2),
        "macro_f1": made.score.primary.model_dump(mode="json"),
        "honesty": str(made.score.honesty),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--json", action="store_true", help="write results/import_million.json")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(asked.images, asked.classes, Path(folder))
    versions = {"python": platform.python_version(), "numpy": np.__version__, "polars": pl.__version__}
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    out = {
        "date": str(date.today()),
        "machine": machine,
        "load": os.getloadavg()[0],
        "versions": versions,
        **found,
    }
    print(json.dumps(out, indent=2))
    if asked.json:
        path = Path(__file__).parent / "results" / "import_million.json"
        path.write_text(json.dumps(out, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
