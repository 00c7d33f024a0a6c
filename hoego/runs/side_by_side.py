"""Runs that differ only in their recipes, in one process: on a GPU side by side, elsewhere one after another."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from hoego.errors import is_out_of_memory
from hoego.extras import require
from hoego.recipe import Recipe
from hoego.runs.run_result import RunResult, print_status
from hoego.runs.train import TrainOptions, begin, resume, train
from hoego.train.callbacks import Callbacks, Epoch

MOST = 8
"""Runs at a time on a GPU."""
LINE_SECONDS = 15.0


def train_side_by_side(
    recipes: Sequence[Recipe],
    options: TrainOptions,
    callbacks: Callbacks | None = None,
    *,
    most: int | None = None,
    log: Callable[[str], object] = print_status,
) -> list[RunResult]:
    """Train several recipes, each to a record of its own, as `train` does.

    Runs on one GPU share the decoded photos and take their steps in turns, each on its own stream, where that is
    faster than one after another: the first steps are timed both ways. A run that finds too little memory beside the
    others goes on alone after them. A recipe that is compiled trains alone, since CUDA graphs share memory, and
    so does one on several devices.

    Args:
        recipes: each is one run.
        options: of all of them.
        callbacks: of all of them.
        most: runs at a time; None takes `MOST` on a GPU and one elsewhere.
        log: called with a line as each run begins.

    Raises:
        HoegoError: as `train`; of runs side by side, once the others have ended.
    """
    require("train", "Training")
    callbacks = callbacks or Callbacks()
    results: list[RunResult] = []
    for (device, n), group in groupby(recipes, key=lambda r: _place(r, most)):
        waiting = list(group)
        for start in range(0, len(waiting), n):
            some = waiting[start : start + n]
            for recipe in some:
                log(f"{recipe.name}: training")
            if len(some) == 1:
                results.append(train(some[0], options, callbacks))
            else:
                results += _train_interleaved(some, options, callbacks, device)
    return results


def _place(recipe: Recipe, most: int | None) -> tuple[str, int]:
    """Return the device of a recipe, and how many runs it takes at a time."""
    from hoego.train.precision import resolve_device

    device = resolve_device(recipe.device)
    room = (MOST if device.type == "cuda" else 1) if most is None else most
    alone = recipe.compile == "on" or recipe.devices > 1
    return str(device), 1 if alone else room


def _train_interleaved(
    recipes: Sequence[Recipe], options: TrainOptions, callbacks: Callbacks, device: str
) -> list[RunResult]:
    from hoego.train.precision import resolve_device
    from hoego.train.side_by_side import SharedPixels, free_memory, interleave_steps

    progress = _Progress(callbacks=callbacks, epochs=sum(r.epochs for r in recipes), runs=len(recipes))
    shared = SharedPixels()
    own = replace(callbacks, open_pixels=shared, progress=False, on_epoch=progress.on_epoch)
    begun = [begin(recipe, options, own) for recipe in recipes]
    ended = interleave_steps(
        [steps for _, steps in begun], resolve_device(device), on_timed=progress.on_timed
    )
    shared.close()
    free_memory()
    results, errors = [], []
    for (record, _), end in zip(begun, ended, strict=True):
        record.refresh()
        record.update(training={"beside": {"runs": len(recipes), "gain": progress.gain}})
        if isinstance(end, RunResult):
            results.append(end)
        elif is_out_of_memory(end):
            print_status(
                f"{record.meta.name or record.id}: too little memory beside the others; goes on alone"
            )
            results.append(resume(record, callbacks))
        else:
            errors.append(end)
    if errors:
        raise errors[0]
    return results


@dataclass(kw_only=True)
class _Progress:
    """A line now and then about all runs together."""

    callbacks: Callbacks
    epochs: int
    runs: int
    done: int = 0
    gain: float | None = None
    first: float = 0.0
    last_print: float = field(default_factory=time.monotonic)

    def on_timed(self, gain: float) -> None:
        self.gain = round(gain, 3)
        how = "side by side" if gain >= 1 else "one after another"
        self.log(f"{self.runs} runs {how}: steps in turns are {gain:.2f} times as fast as one after another")

    def on_epoch(self, row: Epoch) -> None:
        self.callbacks.on_epoch(row)
        now = time.monotonic()
        self.first = self.first or now
        self.done += 1
        if self.done > self.runs and now - self.last_print >= LINE_SECONDS:
            self.last_print = now
            left = (now - self.first) / (self.done - 1) * max(0, self.epochs - self.done)
            self.log(f"{self.runs} runs: {self.done} of {self.epochs} epochs, {left:.0f} s left")

    def log(self, text: str) -> None:
        if self.callbacks.progress:
            print_status(text)
