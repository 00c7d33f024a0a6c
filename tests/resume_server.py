"""Trains folds in forked children and kills them where it is told to. One JSON job per line in, one answer out.

A job: recipe changes, folder, and `kill`: null, ["step", k] (after k optimiser steps of this process) or ["save", k]
(while the k-th state is being written: after its bytes, before it has its name).
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tiny_training import held_subjects, random_teacher, tiny_dataset, tiny_recipe, with_unlabelled

from hoego.predictions import RowProvenance
from hoego.train import checkpoints, loop
from hoego.train.callbacks import Callbacks
from hoego.train.fold import train_fold
from hoego.train.fold_task import FoldTask
from hoego.train.learner import TrainStepper


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def set_trap(kill: list[Any] | None) -> None:
    if kill is None:
        return
    kind, left = kill[0], [kill[1]]

    def count() -> None:
        left[0] -= 1
        if left[0] < 0:
            die()

    if kind == "step":
        step = TrainStepper.step

        def counted(self: TrainStepper, *args: Any) -> Any:
            loss = step(self, *args)
            count()
            return loss

        TrainStepper.step = counted  # type: ignore[method-assign]
    else:
        save = checkpoints.torch.save

        def torn(*args: Any) -> None:
            save(*args)
            count()

        checkpoints.torch.save = torn  # type: ignore[assignment]


def work(job: dict[str, Any]) -> None:
    dataset, cache = tiny_dataset()
    held = held_subjects(dataset)
    inner = (dataset.subject_index % 7 == 0) & ~held if job.get("inner") else None
    folder = Path(job["folder"])
    task = FoldTask(
        recipe=tiny_recipe(**job["recipe"]),
        dataset=dataset,
        cache=cache,
        train_mask=~held,
        val_mask=held,
        folder=folder,
        name="run/fold-0",
        inner_mask=inner,
    )
    if "distill" in job["recipe"]:
        whole, pixels = with_unlabelled()
        pseudo = np.arange(whole.n_images) >= dataset.n_images
        held = np.concatenate([held, np.zeros(int(pseudo.sum()), dtype=bool)])
        teacher = random_teacher(
            whole.image_ids[pseudo], RowProvenance.from_training("teacher", dataset, ~held[~pseudo])
        )
        changes = {"dataset": whole, "cache": pixels, "train_mask": ~held, "val_mask": held}
        task = replace(task, **changes, soft_targets=teacher, pseudo_mask=pseudo)
    set_trap(job["kill"])
    result = train_fold(task, Callbacks(measure_seconds=0, state_steps=2, progress=False))
    assert result.outputs is not None
    np.savez(folder / "final.npz", **result.outputs.values)
    best = {name: [b.value, b.epoch, b.weights] for name, b in result.best.items()}
    (folder / "final.json").write_text(json.dumps(best, sort_keys=True))


def main() -> None:
    assert loop is not None
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            work(json.loads(line))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"killed": os.WIFSIGNALED(status), "status": status}), flush=True)


if __name__ == "__main__":
    main()
