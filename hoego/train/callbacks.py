"""The callbacks of a training and the source of its pixels. Imports no torch, so that the core can name them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from hoego.data.pixels import PixelCache
    from hoego.train.data import PixelLoader
    from hoego.train.devices.processes import DeviceProcesses

Epoch = dict[str, Any]
"""One epoch's figures: epoch (from 0), train_loss, lr, images_per_second, train_seconds, macro_f1, accuracy,
held_loss, macro_f1_<attribute>; those of averaged weights end in _ema or _swa, those of the slice start with inner_."""

Opener = Callable[["PixelCache", "NDArray[np.int64]", "torch.device"], "PixelLoader"]
"""Opens the pixels of some images of a cache on a device."""


@dataclass(frozen=True, kw_only=True)
class Callbacks:
    """Callbacks and settings that the caller passes to a training, in one object from the queue to the loop.

    Args:
        should_stop: called after each step; a text is the reason to stop now, after the state is written.
        on_epoch: called after each epoch with its figures.
        on_runtime: called once with what `auto` became, before the first step.
        on_throughput: called with the measured throughput.
        on_note: called with each sentence for the log.
        seconds: that the training of a fold may take; a run shares out those of its record.
        progress: whether progress is shown on stderr.
        measure_seconds: seconds given to measuring the throughput; 0 measures nothing.
        state_seconds: seconds between two states within an epoch; every epoch ends with one.
        state_steps: steps between two states within an epoch; 0 leaves it to the seconds.
        open_pixels: opens the pixels of runs that share them and take their steps in turns; None for a run alone in
            its process.
        processes: of the devices of several trainings, one after another; None where each starts its own.
    """

    should_stop: Callable[[], str] = lambda: ""
    on_epoch: Callable[[Epoch], object] = lambda _: None
    on_runtime: Callable[[Any], object] = lambda _: None
    on_throughput: Callable[[Any], object] = lambda _: None
    on_note: Callable[[str], object] = lambda _: None
    seconds: float = math.inf
    progress: bool = True
    measure_seconds: float = 4.0
    state_seconds: float = 60.0
    state_steps: int = 0
    open_pixels: Opener | None = None
    processes: DeviceProcesses | None = None
