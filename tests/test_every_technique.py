"""Every row of the tables trains: two epochs of a tiny network for each technique, through the whole engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
from tiny_training import held_subjects, tiny_dataset, tiny_recipe

from hoego.recipe.losses import LOSS_NAMES, ORDINAL
from hoego.train.callbacks import Callbacks
from hoego.train.edits import LabelEdits
from hoego.train.fold import train_fold
from hoego.train.fold_task import FoldTask
from hoego.train.mixing import KINDS

pytestmark = pytest.mark.torch

LOSSES = [{"loss": name, "mixing": {"mixup": {"share": 0.5}}} for name in LOSS_NAMES]
OTHERS: list[dict[str, Any]] = [
    {"loss": {"focal": 0.6, "f1": 0.4}, "model": {"head": "composite"}},
    {"loss": "ldam", "model": {"cosine": 30.0}, "loss_options": {"ldam": {"scale": 30.0, "defer": 0.5}}},
    *[{"ordinal": {"age": {"kind": kind}}, "mixing": {"cutmix": {"share": 0.5}}} for kind in ORDINAL],
    *[{"mixing": {kind: {"share": 1.0, "off_epoch": 1}}} for kind in KINDS],
    {"mixing": {"mixup": {"share": 1.0, "classes": ["r/old"]}}},
    {"heads": {"weighting": "uncertainty"}},
    {"heads": {"weighting": "gradnorm", "every": 2}},
    {"heads": {"weights": {"age": 2.0}, "losses": {"age": "smooth"}}},
    {"sampling": {"strength": 1.0, "by": "age"}},
    {"sampling": {"kind": "progressive", "per_subject": True}},
    {"sampling": {"kind": "square_root", "by": "composite"}},
    *[{"optim": {"name": name}} for name in ("sgd", "lion", "lamb")],
    {"optim": {"sam": 0.05, "clip": 1.0}},
    {"optim": {"sam": 0.5, "sam_adaptive": True}},
    {"optim": {"freeze_epochs": 1, "head_lr": 3.0, "schedule": "onecycle", "warmup": 0.3}},
    {"optim": {"schedule": "step", "accumulate": 3}},
    {"model": {"name": "resnet10t", "options": {}}, "optim": {"layer_decay": 0.7}},
    {"average": {"ema": 0.9, "swa": 1.0}},
    {"augment": {"policy": "randaugment"}},
    {
        "augment": {
            "policy": "trivialaugment",
            "hue": 0.1,
            "gamma": 0.3,
            "blur": 0.5,
            "equalize": 0.5,
            "grey": 0.2,
        }
    },
    {
        "augment": {
            "crop_area": [0.5, 1.0],
            "saturation": 0.3,
            "erase": 0.5,
            "noise": 0.05,
            "border": "reflect",
        }
    },
    {"views": {"n": 3}},
    {"train_edits": {"age": {"drop": [[18, 19]], "shift": {"60": 58}}}, "source_weights": {"phone": 0.5}},
]


def shown(case: dict[str, Any]) -> str:
    return "-".join(str(v) for v in case.values()).replace("'", "").replace(" ", "")[:60]


@pytest.mark.parametrize("case", [*LOSSES, *OTHERS], ids=shown)
def test_it_trains(case: dict[str, Any], tmp_path: Path) -> None:
    dataset, cache = tiny_dataset()
    held = held_subjects(dataset)
    recipe = tiny_recipe(**{"epochs": 2, **case})
    edits = LabelEdits(attributes=recipe.train_edits, source_weights=recipe.source_weights)
    task = FoldTask(
        recipe=recipe,
        dataset=dataset,
        cache=cache,
        train_mask=~held,
        val_mask=held,
        folder=tmp_path,
        name="tiny",
        edits=edits,
    )
    figures: list[dict[str, Any]] = []
    result = train_fold(task, Callbacks(on_epoch=figures.append, measure_seconds=0, progress=False))
    assert len(figures) == 2
    assert all(np.isfinite(f["train_loss"]) for f in figures)
    assert result.outputs is not None
    for name, values in result.outputs.values.items():
        assert values.shape == (held.sum(), dataset.schema.n_classes(name))
        assert np.isfinite(values).all()
        if result.outputs.scale[name] == "probabilities":
            np.testing.assert_allclose(values.sum(1), 1, atol=1e-3)
