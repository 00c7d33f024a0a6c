"""Several trainings in one process: they share the decoded photos and, on a GPU, take their steps side by side.

Every training has a CUDA stream of its own, so that the device fills with one's kernels what another leaves free. A
step draws nothing from what ran before it (its random numbers depend on the seed, the epoch and the step alone), so
each training's numbers are those of training it by itself: bit for bit on a CPU, within the precision's tolerance on
a GPU.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from hoego.pixels import PixelCache
from hoego.train.data import Pixels, open_pixels
from hoego.train.engine import FoldResult, FoldTask, Hooks, Training, prepare_fold, train_fold
from hoego.train.loop import Stopped
from hoego.train.precision import resolve_device, synchronize


class SharedPixels:
    """Opens the pixels of the same photos once for all that ask."""

    def __init__(self) -> None:
        self._open: dict[tuple[int, bytes, str], Pixels] = {}

    def __call__(self, cache: PixelCache, images: NDArray[np.int64], device: torch.device) -> Pixels:
        key = (id(cache), images.tobytes(), str(device))
        if key not in self._open:
            self._open[key] = open_pixels(cache, images, device)
        return self._open[key]


def train_side_by_side(
    tasks: Sequence[FoldTask],
    hooks: Sequence[Hooks] | None = None,
    *,
    turns: bool | None = None,
) -> list[FoldResult]:
    """Train several folds or recipes; those of one device, each in a folder of its own.

    Args:
        tasks: what to train; `auto` values are resolved for each by itself, before the first step.
        hooks: one per task; progress is best off, and the seconds of an epoch are those of all together.
        turns: whether steps are taken in turns; None does so on a GPU. Otherwise one is trained after another.

    Raises:
        Stopped: a training was asked to stop; the others have gone on until they were asked too, or to their end.
        TrainError, RecipeError: as `train_fold`; the states of the others are those of their last writing.
    """
    told = hooks or [Hooks(progress=False, measure_seconds=0)] * len(tasks)
    device = resolve_device(tasks[0].recipe.device)
    if not (device.type == "cuda" if turns is None else turns):
        return [train_fold(task, hook) for task, hook in zip(tasks, told, strict=True)]
    shared = SharedPixels()
    trainings = [prepare_fold(task, hook, shared) for task, hook in zip(tasks, told, strict=True)]
    take_turns(trainings, device)
    return [training.result() for training in trainings]


def take_turns(trainings: Sequence[Training], device: torch.device) -> None:
    """Run prepared trainings to their ends, a step of each in turn, each on its own stream of the device.

    Raises:
        Stopped: with the first reason, once none goes on.
    """
    synchronize(device)
    streams = [_stream(device) for _ in trainings]
    running = dict(enumerate(training.steps() for training in trainings))
    stopped: Stopped | None = None
    while running:
        for k in list(running):
            try:
                with streams[k]():
                    next(running[k])
            except StopIteration:
                del running[k]
            except Stopped as reason:
                stopped = stopped or reason
                del running[k]
    synchronize(device)
    if stopped is not None:
        raise stopped


def _stream(device: torch.device) -> Callable[[], contextlib.AbstractContextManager[object]]:
    """A context that puts work on a stream of its own; none on a CPU."""
    if device.type != "cuda":
        return contextlib.nullcontext
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    return lambda: torch.cuda.stream(stream)
