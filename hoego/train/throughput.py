"""How fast a training is: the model alone, the input alone and the two joined, measured in turns in one process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from hoego.results.training import RunThroughput
from hoego.train.precision import synchronize

Steps = Callable[[int], None]
"""Runs the given number of batches."""


@dataclass(frozen=True)
class ThroughputTasks:
    """What is timed; each runs a number of batches.

    Args:
        model_only: steps on synthetic photos that lie on the device.
        input_only: photos made ready, without a model.
        joined: both.
    """

    model_only: Steps
    input_only: Steps
    joined: Steps


def measure(
    timed: ThroughputTasks,
    *,
    batch_size: int,
    device: torch.device,
    steps: int = 10**9,
    seconds: float = 4.0,
) -> RunThroughput:
    """Time the three tasks in turns.

    Args:
        timed: what runs.
        batch_size: photos per batch.
        device: waited for before and after each turn.
        steps: batches of the whole training; measuring takes at most a thirtieth of it, about.
        seconds: what all of it may take, about; there are five turns of each, or two where steps are slow.
    """
    parts = {"model": timed.model_only, "input": timed.input_only, "joined": timed.joined}
    once = {name: _timed(part, 1, device) for name, part in parts.items()}
    once = {name: min(once[name], _timed(part, 1, device)) for name, part in parts.items()}
    allowed = min(seconds, max(0.3, steps * once["joined"] / 30))
    turns = allowed / sum(once.values())
    rounds = int(min(5, max(2, turns)))
    n = max(1, min(200, int(turns / rounds)))
    taken: dict[str, list[float]] = {name: [] for name in parts}
    for k in range(rounds):
        names = list(parts) if k % 2 == 0 else list(reversed(parts))
        for name in names:
            taken[name].append(_timed(parts[name], n, device) / n)
    speed = {name: batch_size / statistics.median(values) for name, values in taken.items()}
    return RunThroughput(
        train_images_per_second=round(speed["joined"], 1),
        model_only_images_per_second=round(speed["model"], 1),
        input_only_images_per_second=round(speed["input"], 1),
        efficiency=round(speed["joined"] / speed["model"], 4),
        batch_size=batch_size,
        rounds=rounds,
    )


def _timed(steps: Steps, n: int, device: torch.device) -> float:
    synchronize(device)
    start = time.perf_counter()
    steps(n)
    synchronize(device)
    return time.perf_counter() - start
