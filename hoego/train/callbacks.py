"""What a caller of a training is told, what it is asked, and where the pixels come from. Loads no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from hoego.data.pixels import PixelCache
    from hoego.train.data import PixelLoader

Epoch = dict[str, Any]
"""One epoch's figures: epoch (from 0), train_loss, lr, images_per_second, train_seconds, macro_f1, accuracy,
held_loss, macro_f1_<attribute>; those of averaged weights end in _ema or _swa, those of the slice start with inner_."""

Opener = Callable[["PixelCache", "NDArray[np.int64]", "torch.device"], "PixelLoader"]
"""Gives the pixels of some images of a cache on a device."""


@dataclass(frozen=True, kw_only=True)
class Callbacks:
    """One object for everything that a training passes to its caller or asks of it, from the queue to the loop.

    Args:
        should_stop: asked after each step; a text is the reason to stop now, with the state written.
        on_epoch: called after each epoch with its figures.
        on_runtime: called once with what `auto` became, before the first step.
        on_throughput: called with the measured throughput.
        on_note: called with each sentence for the log.
        progress: whether progress is shown on stderr.
        measure_seconds: seconds given to measuring the throughput; 0 measures nothing.
        state_seconds: seconds between two states within an epoch; every epoch ends with one.
        state_steps: steps between two states within an epoch; 0 leaves it to the seconds.
        open_pixels: opens the pixels of runs that share them and take their steps in turns; None where a run has the
            process to itself.
    """

    should_stop: Callable[[], str] = lambda: ""
    on_epoch: Callable[[Epoch], object] = lambda _: None
    on_runtime: Callable[[Any], object] = lambda _: None
    on_throughput: Callable[[Any], object] = lambda _: None
    on_note: Callable[[str], object] = lambda _: None
    progress: bool = True
    measure_seconds: float = 4.0
    state_seconds: float = 60.0
    state_steps: int = 0
    open_pixels: Opener | None = None
