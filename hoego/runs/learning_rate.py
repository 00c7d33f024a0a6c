"""`hoego lr`: the learning-rate finder on a recipe's own data, model and augmentation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from hoego.extras import require
from hoego.recipe import Recipe
from hoego.results.training import LrResult, ResolvedSettings
from hoego.runs.inputs import open_photos, training_edits
from hoego.runs.project import ProjectData, open_project

if TYPE_CHECKING:
    from torch import Tensor

    from hoego.train.fold_task import FoldTask
    from hoego.train.objective import LossBatch


def find_learning_rate(recipe: Recipe, folder: Path, *, steps: int = 100) -> LrResult:
    """Make one optimiser step at each of `steps` rising rates, on the training side of fold 0.

    Raises:
        NotEstimableError: the loss was not finite for long enough.
    """
    require("train", "The learning-rate finder")
    from hoego.train.data import open_pixels
    from hoego.train.fold import training_rows
    from hoego.train.learner import TrainStepper
    from hoego.train.optim import find_lr
    from hoego.train.precision import resolve_device, resolve_threads
    from hoego.train.weights.start import start_of

    recipe = start_of(recipe).recipe
    constant = recipe.optim.model_copy(update={"schedule": "constant", "warmup": 0.0, "accumulate": 1})
    trial = recipe.model_copy(update={"optim": constant})
    project = open_project(trial, folder)
    with TemporaryDirectory() as scratch:
        task = _task(trial, project, Path(scratch))
        rows = training_rows(task)
        device = resolve_device(trial.device)
        resolved = ResolvedSettings(
            device=str(device), threads=resolve_threads(trial.threads), precision="float32"
        )
        parts = TrainStepper(
            trial, task.dataset, rows, open_pixels(task.cache, rows.images, device), resolved
        )
        parts.start_epoch(0)
        batches = _endless(parts)

        def step(rate: float) -> float:
            parts.recipe = trial.model_copy(update={"optim": constant.model_copy(update={"lr": rate})})
            epoch, number, images, batch = next(batches)
            return float(parts.step(epoch, number, images, batch))

        return LrResult(**dict(find_lr(step, steps=steps)), present=recipe.optim.lr)


def _task(trial: Recipe, project: ProjectData, folder: Path) -> FoldTask:
    """Return the training side of fold 0, without a held-out side: no score is computed."""
    from hoego.train.fold_task import FoldTask

    held = project.split.val_mask(0)
    return FoldTask(
        recipe=trial,
        dataset=project.dataset,
        cache=open_photos(trial, project.dataset),
        train_mask=~held,
        val_mask=np.zeros_like(held),
        folder=folder,
        name="lr",
        edits=training_edits(trial, project.dataset),
    )


def _endless(parts: Any) -> Iterator[tuple[int, int, Tensor, LossBatch]]:
    epoch = 0
    while True:
        for number, images, batch in parts.batches(epoch):
            yield epoch, number, images, batch
        epoch += 1
