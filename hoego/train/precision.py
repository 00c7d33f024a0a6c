"""Device, threads and precision of a training: `auto` is resolved once, and what was found is recorded."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import torch
from torch import Tensor

from hoego.data.images import cpu_count
from hoego.errors import TrainError
from hoego.recipe import Recipe
from hoego.results.training import Precision, ResolvedSettings
from hoego.train.threads import fastest_threads

GAIN = 1.05
"""bfloat16 is used where it is faster by at least this factor; otherwise the more exact float32 is."""


def resolve_device(setting: str) -> torch.device:
    """Return the device of a recipe. Raises TrainError where it does not exist."""
    if setting == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda:0")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(setting)
    except RuntimeError:
        raise TrainError(f"There is no device {setting!r}.", remedy="auto, cpu, cuda, cuda:1, mps.") from None
    if device.type == "cuda":
        index = device.index or 0
        if not torch.cuda.is_available() or index >= torch.cuda.device_count():
            raise TrainError(f"There is no {setting} on this machine.", remedy="Set device = 'auto'.")
        return torch.device("cuda", index)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise TrainError("There is no mps on this machine.", remedy="Set device = 'auto'.")
    return device


def resolve_threads(setting: int) -> int:
    """Return the CPU threads of a recipe: 0 takes every core that this process may use."""
    return setting or cpu_count()


@contextlib.contextmanager
def threads_restored() -> Iterator[None]:
    """Restore the CPU threads of the process afterwards: a caller of the library keeps its own."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def resolve_compile(setting: str, device: torch.device, steps: int, step_seconds: float = 0.05) -> bool:
    """Return whether torch.compile pays: on a GPU, for a run of more than about ten minutes.

    Compiling takes minutes before the first step, so only a long run earns them back. On a CPU it needs a C++ compiler
    besides, and is used only with `compile = "on"`.
    """
    if setting == "on":
        return True
    return setting == "auto" and device.type == "cuda" and steps * step_seconds > 600


class MixedPrecision:
    """Autocast on one device, and in float16 a loss scale, since small gradients would round to zero there.

    Weights, gradients and the optimiser stay in float32 (Micikevicius et al. 2018, arXiv:1710.03740).

    Args:
        device: where the steps run.
        precision: of the forward and backward pass.
    """

    def __init__(self, device: torch.device, precision: Precision) -> None:
        self.kind = device.type
        kept = usable_precision(precision, device)
        self.dtype = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}[kept]
        self.scaler = torch.amp.GradScaler(self.kind) if kept == "float16" else None

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context of a forward pass."""
        if self.dtype is None:
            return contextlib.nullcontext()
        return torch.autocast(self.kind, dtype=self.dtype)

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a loss, times the loss scale where there is one."""
        scaled = loss if self.scaler is None else self.scaler.scale(loss)
        scaled.backward()  # type: ignore[no-untyped-call]

    def unscale(self, optimizer: torch.optim.Optimizer) -> None:
        """Divide the gradients by the loss scale, so that they can be clipped."""
        if self.scaler is not None:
            self.scaler.unscale_(optimizer)

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """Take a step of the optimiser; in float16, skip it where a gradient is not finite."""
        if self.scaler is None:
            optimizer.step()
        else:
            self.scaler.step(optimizer)
            self.scaler.update()

    def state_dict(self) -> dict[str, Any]:
        """Return the loss scale and its counters; {} where there is none."""
        return {} if self.scaler is None else dict(self.scaler.state_dict())

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        if self.scaler is not None:
            self.scaler.load_state_dict(dict(state))


def usable_precision(precision: Precision, device: torch.device) -> Precision:
    """Return the precision that a device trains in: a CPU, which has no fast float16, takes bfloat16 for it."""
    return "bfloat16" if precision == "float16" and device.type == "cpu" else precision


def choose_precision(
    setting: str,
    device: torch.device,
    make_step: Callable[[Precision], Callable[[], None]],
    *,
    rounds: int = 4,
    seconds: float = 3.0,
) -> tuple[Precision, dict[str, float]]:
    """Choose the precision of a recipe; `auto` times float32 and bfloat16 in turns and takes the faster.

    Args:
        setting: of the recipe.
        device: where the steps run.
        make_step: gives a training step in a precision.
        rounds: steps timed of each, after one that warms up; two where steps are slow.
        seconds: after which no further round is begun.

    Returns:
        the precision, and milliseconds per step (the median) of each that was timed.
    """
    if setting != "auto":
        return usable_precision(cast(Precision, setting), device), {}
    names: tuple[Precision, ...] = ("float32", "bfloat16")
    if device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return "float32", {}
    steps = {name: make_step(name) for name in names}
    taken: dict[str, list[float]] = {name: [] for name in names}
    begun = time.perf_counter()
    for k in range(rounds + 1):
        if k > 2 and time.perf_counter() - begun > seconds:
            break
        for name in names:
            start = time.perf_counter()
            steps[name]()
            synchronize(device)
            if k:
                taken[name].append(time.perf_counter() - start)
    ms = {name: 1e3 * statistics.median(values) for name, values in taken.items()}
    faster = ms["bfloat16"] * GAIN < ms["float32"]
    return ("bfloat16" if faster else "float32"), {k: round(v, 3) for k, v in ms.items()}


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def resolve(
    recipe: Recipe,
    steps: int,
    make_step: Callable[[torch.device], Callable[[Precision], Callable[[], None]]],
) -> ResolvedSettings:
    """Resolve every `auto` of a recipe on this machine. Torch's threads stay set: call it in `threads_restored`.

    Args:
        recipe: the resolved recipe.
        steps: optimiser steps of the whole run.
        make_step: for a device, gives training steps by precision.
    """
    device = resolve_device(recipe.device)
    threads, maker = resolve_threads(recipe.threads), make_step(device)
    torch.set_num_threads(threads)
    threads_ms: dict[str, float] = {}
    if not recipe.threads and device.type == "cpu" and threads > 1:
        first: Precision = "float32" if recipe.precision == "auto" else recipe.precision
        threads, taken = fastest_threads(maker(first), threads, steps=steps)
        threads_ms = {str(n): ms for n, ms in taken.items()}
    precision, step_ms = choose_precision(recipe.precision, device, maker)
    seconds = step_ms.get(precision, 50.0) / 1e3
    return ResolvedSettings(
        device=str(device),
        threads=threads,
        precision=precision,
        compile=resolve_compile(recipe.compile, device, steps, seconds),
        step_ms=step_ms,
        threads_ms=threads_ms,
    )
