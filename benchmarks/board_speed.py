"""Seconds of the board's slowest pages: 10,000 records, the flattery of a first place, a hundred runs compared.

    python benchmarks/board_speed.py [--records 10000] [--runs 200]

The records of the listing hold no predictions. Those that are compared are of 540 made-up people with seven photos
each, 18 classes and five folds. Each figure stands with the processor's seconds, which neighbours on the machine do
not lengthen much.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from PIL import Image
from records_listing import fill
from sklearn.metrics import f1_score
from starlette.testclient import TestClient

from hoego.board.access import AccessRules
from hoego.board.app import make_app
from hoego.board.board import BoardOptions
from hoego.data.dataset import Dataset
from hoego.data.load import load
from hoego.predictions import Predictions, RowProvenance, SubjectUniverse
from hoego.recipe import resolve
from hoego.runs.records import RunStore

RESULTS = Path(__file__).parent / "results" / "board_speed.json"
HOST = "http://127.0.0.1:8765"
PEOPLE, COMPARED, FOLDS = 540, 100, 5
MASKS = ("wear",) * 5 + ("incorrect", "normal")
SETTINGS = """
[dataset]
layout = "table"
table = "photos.csv"
subject = ["person"]
size = [8, 8]
[labels]
target = "composite"
composite = ["mask", "gender", "age"]
[labels.attributes.mask]
classes = ["wear", "incorrect", "normal"]
[labels.attributes.gender]
classes = ["male", "female"]
[labels.attributes.age]
edges = [30, 60]
[split]
kind = "folds"
folds = 5
"""


def people(root: Path) -> Dataset:
    """Write a table of tiny photos and load it."""
    rng = np.random.default_rng(0)
    rows = []
    for person in range(PEOPLE):
        gender, age = rng.choice(["male", "female"]), int(rng.integers(18, 75))
        for k, mask in enumerate(MASKS):
            name = f"{person:04d}-{k}.png"
            Image.new("RGB", (4, 4), (person % 256, person // 256, k)).save(root / name)
            rows.append((name, f"p{person:04d}", mask, gender, age))
    columns = ["path", "person", "mask", "gender", "age"]
    pl.DataFrame(rows, schema=columns, orient="row").write_csv(root / "photos.csv")
    (root / "hoego.toml").write_text(SETTINGS)
    return load(resolve({}, project=root / "hoego.toml"))


def predicted(dataset: Dataset, name: str, seed: int) -> Predictions:
    """Out-of-fold logits of one run, which errs by person and by photo."""
    rng = np.random.default_rng([seed, 1])
    values = {}
    for k, attribute in enumerate(dataset.schema.attributes):
        logits = rng.normal(0, 1, (dataset.n_images, attribute.n_classes))
        logits += rng.normal(0, 0.7, (dataset.n_subjects, attribute.n_classes))[dataset.subject_index]
        logits[np.arange(dataset.n_images), dataset.codes[:, k]] += 2.2
        values[attribute.name] = logits.astype(np.float32)
    fold = (dataset.subject_index % FOLDS).astype(np.int16)
    return Predictions(
        images=dataset.image_ids,
        values=values,
        scale=dict.fromkeys(values, "logits"),
        schema=dataset.schema,
        fold=fold,
        source=fold.astype(np.int32),
        sources=tuple(RowProvenance.from_training(f"{name} {k}", dataset, fold != k) for k in range(FOLDS)),
        universe=SubjectUniverse.of(dataset),
        dataset_fingerprint=dataset.fingerprint,
        split_fingerprint="made",
        split_kind="folds",
        name=name,
        lineage=(name,),
    )


def recorded(root: Path, dataset: Dataset, count: int) -> list[str]:
    """Finished runs with predictions and scores; returns their ids."""
    store = RunStore(root / "runs")
    recipe = resolve({}, project=root / "hoego.toml").to_dict()
    prints = {"dataset": dataset.fingerprint, "split": "made", "labels": dataset.labels_version}
    made = []
    for seed in range(count):
        record = store.create(recipe, name=f"run {seed}", fingerprints=prints, target="composite")
        run = predicted(dataset, record.id, seed)
        run.write(record.folder / "predictions.parquet")
        said = run.target_probabilities().argmax(axis=1)
        value = float(f1_score(dataset.target, said, average="macro"))
        score = {"macro_f1": {"value": value}, "honesty": "out-of-fold", "target": "composite"}
        record.update(score={**score, "n_images": dataset.n_images, "n_subjects": PEOPLE})
        record.set_state("done")
        made.append(record.id)
    return made


def asked(runs: Path, path: str) -> Callable[[], Any]:
    """A question to a board that has just started."""
    access = AccessRules()
    client = TestClient(make_app(BoardOptions(runs=runs, access=access)), base_url=HOST)
    client.cookies.set(access.cookie, access.token)

    def ask() -> Any:
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        return answer

    return ask


def timed(call: Callable[[], Any]) -> tuple[dict[str, float], Any]:
    """Seconds by the clock and of the processor, and what the call returned."""
    clock, work = time.perf_counter(), time.process_time()
    found = call()
    seconds = {"seconds": time.perf_counter() - clock, "cpu_seconds": time.process_time() - work}
    return {k: round(v, 3) for k, v in seconds.items()}, found


def listing(count: int) -> dict[str, Any]:
    """The table of many records, sorted by score."""
    with tempfile.TemporaryDirectory() as folder:
        fill(RunStore(folder).root, count)
        path = "/runs?sort=-macro_f1"
        first, _ = timed(asked(Path(folder), path))
        ask = asked(Path(folder), path)
        indexed, _ = timed(ask)
        warm, answer = min((timed(ask) for _ in range(5)), key=lambda pair: pair[0]["seconds"])
    return {
        "records": count,
        "first_load_without_index": first,
        "first_load_with_index": indexed,
        "page_when_warm": warm,
        "page_kilobytes": round(len(answer.content) / 1000, 1),
    }


def comparing(count: int) -> dict[str, Any]:
    """The flattery of the first place, and a comparison of many of the runs."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        os.environ["HOEGO_CACHE"] = str(root / "cache")
        ids = recorded(root, people(root), count)
        runs = root / "runs"
        listed, first = "/runs?sort=-macro_f1", timed(asked(runs, "/runs"))[0]
        estimated, answer = timed(asked(runs, listed))
        text = " ".join(re.sub("<[^>]+>", "", answer.text).split())
        kept, _ = timed(asked(runs, listed))
        chosen = "&".join(f"run={i}" for i in ids[:COMPARED])
        compared, _ = timed(asked(runs, f"/compare?{chosen}"))
    return {
        "runs": count,
        "people": PEOPLE,
        "page_without_order": first,
        "page_with_flattery_estimated": estimated,
        "page_with_flattery_kept": kept,
        "said": re.findall(r"\d+ runs ranked[^.]*\.\d+[^.]*\.", text),
        f"compare_{COMPARED}": compared,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=200)
    arguments = parser.parse_args()
    result = {
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        "load_before": [round(x, 1) for x in os.getloadavg()],
        **comparing(arguments.runs),
        **listing(arguments.records),
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
