"""Several trainings in one process: they share the decoded photos and take their steps in turns.

Every training has a CUDA stream of its own, so that a GPU fills with one's kernels what another leaves free. A
step draws nothing from what ran before it (its random numbers depend on the seed, the epoch and the step alone), so
each training's numbers are those of training it by itself: bit for bit on a CPU, within the precision's tolerance on
a GPU.
"""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Sequence
from typing import Generic

import numpy as np
import torch
from numpy.typing import NDArray

from hoego.data.pixels import PixelCache
from hoego.train.data import PixelLoader, open_pixels
from hoego.train.memory import trim_memory
from hoego.train.precision import synchronize
from hoego.train.steps import Steps, T

WARM_UP = 4
"""Steps of each, by itself, before anything is timed: preparation, autotuning, the first epoch's start."""
ROUNDS, STEPS = 3, 4
"""Times that turns are weighed against one after another, and the steps of each training in such a time."""


class SharedPixels:
    """Opens the pixels of the same photos once for all trainings."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, bytes, str], PixelLoader] = {}

    def __call__(self, cache: PixelCache, images: NDArray[np.int64], device: torch.device) -> PixelLoader:
        key = (str(cache.folder), cache.row[images].tobytes(), str(device))
        if key not in self._open:
            self._open[key] = open_pixels(cache, images, device)
            synchronize(device)  # they came on one training's stream and are read on those of all
        return self._open[key]

    def close(self) -> None:
        """Release all pixels."""
        self._open.clear()


def interleave_steps(
    runs: Sequence[Steps[T]],
    device: torch.device,
    *,
    on_timed: Callable[[float], object] | None = None,
) -> list[T | Exception]:
    """Run several trainings to their ends, a step of each in turn, each on its own stream of the device.

    Args:
        runs: each yields after every step and returns its result.
        device: of all of them.
        on_timed: where given, the first steps are timed one after another and in turns, and it is called with the
            speed of turns relative to one after another. Where turns are not faster, the rest runs one after another.
            Runs too short to be timed take turns, and it is not called.

    Returns:
        the result of each, or the error that ended it, in the order of `runs`.

    Raises:
        BaseException: what is no Exception, such as Ctrl-C; it has then been raised in every run.
    """
    turns = _Turns(runs, device)
    try:
        gain = None if on_timed is None else turns.gain()
        if on_timed is not None and gain is not None:
            on_timed(gain)
        while turns.live:
            for k in turns.live[:1] if gain is not None and gain < 1 else list(turns.live):
                turns.step(k)
    except BaseException as e:
        turns.abandon(e)
        raise
    finally:
        synchronize(device)
    return [turns.ended[k] for k in range(len(runs))]


class _Turns(Generic[T]):
    """The unfinished runs, and the results of the others."""

    def __init__(self, runs: Sequence[Steps[T]], device: torch.device) -> None:
        self.runs, self.device = runs, device
        self.streams = [_stream(device) for _ in runs]
        self.live = list(range(len(runs)))
        self.ended: dict[int, T | Exception] = {}

    def step(self, k: int) -> None:
        """Take one step of a run that has not ended."""
        if k not in self.live:
            return
        try:
            with self.streams[k]():
                next(self.runs[k])
        except StopIteration as end:
            self.ended[k] = end.value
        except Exception as e:
            # Its traceback would keep the memory of the training that failed.
            self.ended[k] = e.with_traceback(None)
        else:
            return
        self.live.remove(k)

    def gain(self) -> float | None:
        """Return the speed of turns relative to one after another, by the shortest of a few times of each.

        None where a run has ended before all were timed.
        """
        for k in list(self.live):
            for _ in range(WARM_UP):
                self.step(k)
        apart, together = [], []
        for _ in range(ROUNDS):
            apart.append(sum(self._timed([k] * STEPS) for k in list(self.live)))
            together.append(self._timed(list(self.live) * STEPS))
        return None if self.ended else min(apart) / max(min(together), 1e-9)

    def _timed(self, order: Sequence[int]) -> float:
        synchronize(self.device)
        began = time.perf_counter()
        for k in order:
            self.step(k)
        synchronize(self.device)
        return time.perf_counter() - began

    def abandon(self, reason: BaseException) -> None:
        """Raise in every run that has not ended what ended all."""
        for k in self.live:
            with contextlib.suppress(BaseException):
                self.runs[k].throw(type(reason)())


def free_memory() -> None:
    """Give back what trainings that have ended left behind."""
    gc.collect()
    trim_memory()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _stream(device: torch.device) -> Callable[[], contextlib.AbstractContextManager[object]]:
    """Return a context that puts work on a stream of its own; none on a CPU."""
    if device.type != "cuda":
        return contextlib.nullcontext
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    return lambda: torch.cuda.stream(stream)
