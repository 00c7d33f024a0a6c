"""What a process of a training on several devices is told, by the one that leads it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hoego.data.pixels import PixelCache
from hoego.errors import TrainError
from hoego.results.training import ResolvedSettings
from hoego.short_repr import ShortRepr
from hoego.train.fold_task import FoldTask


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class DeviceTask(ShortRepr):
    """A training, and the part that one device takes in it.

    Args:
        task: the training, with what `auto` became on this device.
        rank: of the device, from 1.
        rendezvous: the file over which the devices meet.
        timed: whether the training has a time limit, which device 0 watches.
        mapped: file, type and shape of the cache's pixels, which are not sent but mapped anew; None where they are
            sent.
    """

    task: FoldTask
    rank: int
    rendezvous: Path
    timed: bool = False
    mapped: tuple[str, str, tuple[int, ...]] | None = None

    @classmethod
    def of(
        cls, task: FoldTask, resolved: ResolvedSettings, rank: int, rendezvous: Path, seconds: float
    ) -> DeviceTask:
        """Return the part of device `rank` in a training of at most `seconds`."""
        device = f"cuda:{rank}" if resolved.device.startswith("cuda") else resolved.device
        task, mapped = _without_pixels(replace(task, runtime=resolved.with_(device=device)))
        timed = math.isfinite(seconds)
        return cls(task=task, rank=rank, rendezvous=rendezvous, timed=timed, mapped=mapped)

    def fold_task(self) -> FoldTask:
        """Return the training with its pixels."""
        if self.mapped is None:
            return self.task
        name, kind, shape = self.mapped
        pixels = np.memmap(name, dtype=kind, mode="r", shape=shape)
        return replace(self.task, cache=replace(self.task.cache, array=pixels))


def _without_pixels(task: FoldTask) -> tuple[FoldTask, tuple[str, str, tuple[int, ...]] | None]:
    """Take memory-mapped pixels out of a task: pickled, they would be copied whole for each device."""
    array = task.cache.array
    if not isinstance(array, np.ndarray):  # a pack, which maps its shards anew
        return task, None
    base: Any = array
    while isinstance(base, np.ndarray) and not (isinstance(base, np.memmap) and base.filename):
        base = base.base
    whole = isinstance(base, np.memmap) and base.shape == array.shape and base.offset == 0
    if not whole:
        return task, None
    empty: PixelCache = replace(task.cache, array=np.empty((0, *array.shape[1:]), dtype=array.dtype))
    return replace(task, cache=empty), (str(base.filename), str(array.dtype), array.shape)


def require_devices(device: str, world: int, count: int) -> None:
    """Raise TrainError where a training asks for more GPUs than there are, or where its device is a single one.

    Args:
        device: of device 0.
        world: number of devices.
        count: GPUs that this process sees.
    """
    if device.startswith("cuda:") and device != "cuda:0":
        raise TrainError(
            f"device = {device!r} is one GPU, and devices = {world}.",
            remedy="Set device = 'cuda' and choose the GPUs with CUDA_VISIBLE_DEVICES.",
        )
    if device.startswith("cuda") and world > count:
        raise TrainError(
            f"devices = {world}, and this process sees {count} GPU{'s' * (count != 1)}.",
            remedy=f"Set devices = {max(count, 1)}, or device = 'cpu'.",
        )
    if device == "mps":
        raise TrainError(
            "A Mac's GPU is one device.", remedy="Set devices = 1, or device = 'cpu' for several processes."
        )
