"""Made-up people and made-up predictions of them, for the tests of scores and comparisons."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from hoego.data.dataset import Dataset
from hoego.data.schema import Attribute, LabelSchema
from hoego.predictions import Predictions, RowProvenance, SubjectUniverse

SCHEMA = LabelSchema(
    (
        Attribute(name="mask", kind="nominal", classes=("wear", "incorrect", "normal")),
        Attribute(name="gender", kind="nominal", classes=("male", "female")),
        Attribute(name="age", kind="binned", classes=("<30", "30-59", ">=60"), edges=(30, 60)),
    ),
    "composite",
    ("mask", "gender", "age"),
)
STATES = np.array([0, 0, 0, 0, 0, 1, 2])
FOLDS = 5


def people(n_subjects: int = 60, *, subject_shown: bool = True, seed: int = 0) -> Dataset:
    """Seven photos a person; the three ages are held by about 40, 45 and 15 in a hundred."""
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(n_subjects), len(STATES))
    n = len(subject)
    age = np.resize([0, 1, 0, 1, 2, 1, 0, 1, 0, 1, 2, 0, 1], n_subjects)
    gender = rng.integers(0, 2, n_subjects)
    codes = np.stack([np.resize(STATES, n), gender[subject], age[subject]], axis=1).astype(np.int16)
    images = pl.DataFrame(
        {
            "image": [f"img{i:06d}" for i in range(n)],
            "path": [f"img{i:06d}.png" for i in range(n)],
            "subject": [f"s{s:05d}" for s in subject] if subject_shown else [f"img{i:06d}" for i in range(n)],
            "content": np.arange(1000, 1000 + n, dtype=np.uint64),
        }
    )
    return Dataset(root=Path("."), schema=SCHEMA, images=images, codes=codes, subject_shown=subject_shown)


def logits(truth: np.ndarray, n_classes: int, error: float, owner: np.ndarray, seed: int) -> np.ndarray:
    """Logits [N, C] whose most probable class is wrong for a share of the photos; half of them by subject."""
    rng = np.random.default_rng(seed)
    known = np.maximum(truth, 0)
    out = rng.normal(0, 0.5, (len(truth), n_classes))
    whole = rng.random(owner.max() + 1) < error / 2
    wrong = whole[owner] | (rng.random(len(truth)) < error / 2)
    shift = np.where(wrong, 1 + rng.integers(0, max(n_classes - 1, 1), len(truth)), 0)
    out[np.arange(len(truth)), (known + shift) % n_classes] += 3.0
    return out.astype(np.float32)


def predict(
    dataset: Dataset,
    errors: tuple[float, ...] = (0.02, 0.04, 0.2),
    *,
    seed: int = 0,
    name: str = "run",
    selected: bool = False,
) -> Predictions:
    """Out-of-fold predictions of every image."""
    fold = (dataset.subject_index % FOLDS).astype(np.int16)
    sources = tuple(
        RowProvenance.from_training(
            f"{name} fold {k}", dataset, fold != k, selection_mask=(fold == k) if selected else None
        )
        for k in range(FOLDS)
    )
    values = {
        a.name: logits(dataset.codes[:, i], a.n_classes, errors[i], dataset.subject_index, seed=97 * seed + i)
        for i, a in enumerate(dataset.schema.attributes)
    }
    return Predictions(
        images=dataset.image_ids,
        values=values,
        scale=dict.fromkeys(values, "logits"),
        schema=dataset.schema,
        fold=fold,
        source=fold.astype(np.int32),
        sources=sources,
        universe=SubjectUniverse.of(dataset),
        dataset_fingerprint=dataset.fingerprint,
        split_fingerprint="split",
        split_kind="folds",
        name=name,
        lineage=(name,),
    )
