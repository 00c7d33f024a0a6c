"""How fast a recipe's model trains and predicts at several photo sizes, on the machine as it is now."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from hoego.data.images import cpu_count
from hoego.recipe import Recipe
from hoego.train.models import build_network
from hoego.train.optim import BackboneFreezer
from hoego.train.precision import resolve_device, synchronize, threads_restored
from hoego.train.threads import fastest_threads
from hoego.train.weights.start import folder_of

TURNS, BATCH, SIDE = 3, 16, 128
OUTPUTS = 8


@dataclass(frozen=True)
class Speed:
    """Images per second of a model at one size.

    Args:
        train: forward, loss, backward and step.
        predict: forward alone.
        threads: CPU threads that were fastest.
    """

    train: float
    predict: float
    threads: int


def speeds_of(recipe: Recipe, sizes: Sequence[int]) -> dict[int, Speed]:
    """Time a few steps of the recipe's model on noise of one side, and scale by the area to the sides of `sizes`.

    Raises:
        TrainError: the model or its weights cannot be had.
    """
    with threads_restored():
        device = resolve_device(recipe.device)
        built = build_network(recipe.model, {"outputs": OUTPUTS}, (SIDE, SIDE), folder=folder_of(recipe))
        network = built.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-6)
        freezer = BackboneFreezer(network.backbone, (), recipe.optim)
        bench = _Bench(network, optimizer, freezer, min(BATCH, recipe.batch_size))
        threads = recipe.threads
        if not threads and device.type == "cpu":
            threads = fastest_threads(bench.train, cpu_count())[0]
        torch.set_num_threads(threads or 1)
        train, predict = bench.speed(bench.train), bench.speed(bench.predict)
    scale = {size: (SIDE / size) ** 2 for size in sizes}
    return {size: Speed(train * s, predict * s, threads or 1) for size, s in scale.items()}


class _Bench:
    """Steps of a network on photos of noise."""

    def __init__(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, freezer: BackboneFreezer, batch: int
    ) -> None:
        self.network, self.optimizer, self.freezer, self.batch = network, optimizer, freezer, batch
        self.device = next(network.parameters()).device
        noise = torch.randn(batch, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
        self.photos = noise.to(self.device, memory_format=torch.channels_last)

    def train(self) -> None:
        self.network.train()
        self.freezer.apply(self.freezer.epochs)
        outputs = self.network(self.photos)["outputs"]
        outputs.logsumexp(1).mean().backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def predict(self) -> None:
        self.network.eval()
        with torch.inference_mode():
            self.network(self.photos)

    def speed(self, step: Callable[[], None]) -> float:
        """Return images per second: the median of a few steps after one that warms up."""
        taken = []
        for turn in range(TURNS + 1):
            synchronize(self.device)
            start = time.perf_counter()
            step()
            synchronize(self.device)
            if turn:
                taken.append(time.perf_counter() - start)
        return self.batch / statistics.median(taken)
