"""How a training meets the other devices: as device 0, which starts and watches the others, or as one of those."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.distributed as dist

from hoego.results.training import ResolvedSettings
from hoego.train.devices.group import DeviceGroup
from hoego.train.devices.processes import DeviceProcesses
from hoego.train.devices.tasks import DeviceTask, require_devices
from hoego.train.fold_task import FoldTask
from hoego.train.steps import Steps, T

_NUMBERS = itertools.count()


class DeviceLink(Protocol):
    """A way to the other devices of a training."""

    @property
    def leads(self) -> bool:
        """True on device 0, which alone writes."""
        ...

    def connect(self, task: FoldTask, resolved: ResolvedSettings) -> DeviceGroup:
        """Meet the other devices, once what `auto` became is known."""
        ...


class DeviceLead:
    """Device 0 of a training.

    Args:
        processes: those of the other devices.
        seconds: that the training may take.
    """

    leads = True

    def __init__(self, processes: DeviceProcesses, seconds: float) -> None:
        self.processes, self.seconds = processes, seconds
        self.group: DeviceGroup | None = None
        self._rendezvous: Path | None = None
        self._unwatch: Callable[[], None] = lambda: None

    def connect(self, task: FoldTask, resolved: ResolvedSettings) -> DeviceGroup:
        """Tell the others their parts and meet them over a file in the fold's folder.

        Raises:
            TrainError: there are fewer GPUs than devices, or a process has ended.
        """
        world = self.processes.world
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        require_devices(resolved.device, world, count)
        # Under the name of a file in work: one that a killed process leaves is removed by the next.
        self._rendezvous = rendezvous = task.folder / f".devices-{os.getpid()}-{next(_NUMBERS)}.part"
        self.processes.send(lambda rank: DeviceTask.of(task, resolved, rank, rendezvous, self.seconds))
        device = torch.device(resolved.device)
        self.group = DeviceGroup.open(0, world, device, _met(rendezvous, world, self._require_alive))
        self._unwatch = self.processes.watch(_abort if device.type == "cuda" else lambda: None)
        return self.group

    def steps(self, steps: Steps[T]) -> Steps[T]:
        """Take the steps of the training; where a process has ended that they need, say how.

        Raises:
            ProcessDied: a process was killed.
            TrainError: a process ended by an error.
        """
        try:
            return (yield from steps)
        except RuntimeError as problem:
            death = self.processes.death()
            if death is None:
                raise
            raise death from problem
        finally:
            self._unwatch()
            if self._rendezvous is not None:
                self._rendezvous.unlink(missing_ok=True)
            if self.group is not None:
                self.group.close()

    def _require_alive(self) -> None:
        if self.processes.ended and (death := self.processes.death()) is not None:
            raise death


class DevicePart:
    """A device from 1 on, in a process that device 0 has started."""

    leads = False

    def __init__(self, part: DeviceTask) -> None:
        self.part = part

    def connect(self, task: FoldTask, resolved: ResolvedSettings) -> DeviceGroup:
        """Meet the other devices over the file that device 0 has named."""
        world, device = task.recipe.devices, torch.device(resolved.device)
        store = _met(self.part.rendezvous, world, lambda: None, self.part.rank)
        return DeviceGroup.open(self.part.rank, world, device, store)


def _met(rendezvous: Path, world: int, require: Callable[[], object], rank: int = 0) -> Any:
    """Return the store in a file once every device has written itself into it; until then call `require`."""
    store = dist.FileStore(str(rendezvous), world)  # type: ignore[attr-defined]
    store.set(f"here-{rank}", "1")
    while not store.check([f"here-{k}" for k in range(world)]):
        require()
        time.sleep(0.01)
    return store


def _abort() -> None:
    """Break off what waits for a GPU that will not answer; between CPUs the lost connection does."""
    group: Any = dist.group.WORLD
    if group is not None and hasattr(group, "abort"):
        group.abort()
