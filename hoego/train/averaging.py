"""Averages of the weights along the training: exponential (EMA) and equal (SWA)."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn


class WeightAverage:
    """A copy of the model that holds an average of its weights; `module` is ready to predict.

    Parameters and floating buffers (norm statistics) are averaged, other buffers copied, in a handful of fused kernels.
    """

    def __init__(self, model: nn.Module) -> None:
        self.module = deepcopy(model).eval().requires_grad_(False)
        self.updates = 0
        self._pairs: tuple[nn.Module, list[Tensor], list[Tensor], list[tuple[Tensor, Tensor]]] | None = None

    def weight(self) -> float:
        """Return the share of the model's weights in the next update."""
        raise NotImplementedError

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take the model's present weights into the average."""
        own, theirs, others = self._tensors(model)
        torch._foreach_lerp_(own, theirs, self.weight())
        for mine, other in others:
            mine.copy_(other)
        self.updates += 1

    def _tensors(self, model: nn.Module) -> tuple[list[Tensor], list[Tensor], list[tuple[Tensor, Tensor]]]:
        if self._pairs is None or self._pairs[0] is not model:
            mine, given = self.module.state_dict(keep_vars=True), model.state_dict(keep_vars=True)
            floating = [name for name, value in mine.items() if value.is_floating_point()]
            rest = [(mine[name].detach(), given[name].detach()) for name in mine if name not in set(floating)]
            self._pairs = (
                model,
                [mine[name].detach() for name in floating],
                [given[name].detach() for name in floating],
                rest,
            )
        return self._pairs[1:]

    def state_dict(self) -> dict[str, Any]:
        """Return everything that resuming needs."""
        return {"module": self.module.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.module.load_state_dict(state["module"])
        self.updates = int(state["updates"])


class Ema(WeightAverage):
    """average <- d * average + (1 - d) * weights (Polyak and Juditsky 1992, exponential form).

    With warm-up d is min(decay, (1 + n) / (10 + n)) at update n (from 0), so that the first weights are soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float, *, warmup: bool = True) -> None:
        super().__init__(model)
        self.decay, self.warmup = decay, warmup

    def weight(self) -> float:
        """Return 1 - d of the next update."""
        n = self.updates
        return 1 - (min(self.decay, (1 + n) / (10 + n)) if self.warmup else self.decay)


class Swa(WeightAverage):
    """The equal mean of the weights it was shown (Izmailov et al. 2018, alg. 1); re-estimate batch norms after it."""

    def weight(self) -> float:
        """Return 1 / (n + 1), which makes the average the equal mean of n + 1 weights."""
        return 1 / (self.updates + 1)


@torch.no_grad()
def reestimate_batch_norm(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set the running statistics of the model's batch norms to the means over the batches of images [B, 3, H, W]."""
    update_bn(batches, model)
