"""Adding the losses of several heads: by fixed weights, by learned uncertainty, or by the size of their gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from hoego.errors import TrainError, nearest
from hoego.recipe.losses import HeadsSettings


class HeadWeights(nn.Module):
    """Base: turns the losses of H heads into one; its parameters, if any, are trained with the model's heads."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names)

    def stack(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Stack the losses [H] in the order of `names`."""
        return torch.stack([losses[name] for name in self.names])

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Compute the total loss from the heads' scalar losses, by name."""
        raise NotImplementedError

    def adapt(self, losses: Mapping[str, Tensor], shared: Tensor, step: int) -> None:
        """Adapt the weights before `backward`, by each loss's gradient at the shared tensor."""


class FixedHeadWeights(HeadWeights):
    """sum_h w_h L_h."""

    def __init__(self, names: Sequence[str], weights: Mapping[str, float]) -> None:
        super().__init__(names)
        self.weights: Tensor
        self.register_buffer("weights", torch.tensor([weights.get(n, 1.0) for n in names]), persistent=False)

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Compute the sum of the losses by their fixed weights."""
        return (self.weights * self.stack(losses)).sum()


class UncertaintyHeadWeights(HeadWeights):
    """sum_h exp(-s_h) L_h + s_h / 2, s_h = log sigma_h^2 learned (Kendall et al. 2018, eq. 10: classification)."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(names)
        self.log_variance = nn.Parameter(torch.zeros(len(names)))

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Compute the sum of the losses by their learned uncertainties."""
        return (torch.exp(-self.log_variance) * self.stack(losses) + self.log_variance / 2).sum()


class GradNormHeadWeights(HeadWeights):
    """sum_h w_h L_h, the w_h moved so that heads that learn slowly get larger gradients (Chen et al. 2018, alg. 1).

    G_h = |gradient of w_h L_h at the shared tensor|, its goal mean(G) * r_h^alpha, r_h the loss's ratio to its first
    value over the mean ratio. The weights take a gradient step on sum_h |G_h - goal_h| (Adam in the paper, plain here)
    and are scaled to sum to H. The shared tensor is the features that all heads read, where the paper takes the last
    shared layer's weights: this costs one backward pass through the heads alone.
    """

    def __init__(
        self, names: Sequence[str], *, alpha: float = 1.5, every: int = 10, lr: float = 0.025
    ) -> None:
        super().__init__(names)
        self.alpha, self.every, self.lr = alpha, every, lr
        self.weights: Tensor
        self.first: Tensor
        self.register_buffer("weights", torch.ones(len(names)))
        self.register_buffer("first", torch.zeros(len(names)))

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Compute the sum of the losses by the present weights."""
        return (self.weights * self.stack(losses)).sum()

    def adapt(self, losses: Mapping[str, Tensor], shared: Tensor, step: int) -> None:
        """Move the weights every `every` steps towards equal training rates."""
        if step % self.every:
            return
        stacked = self.stack(losses)
        gradients = [torch.autograd.grad(loss, shared, retain_graph=True)[0] for loss in stacked]
        with torch.no_grad():
            sizes = torch.stack([g.float().norm() for g in gradients])
            self.first.copy_(torch.where(self.first > 0, self.first, stacked.float()))
            self.weights.copy_(self.updated(sizes, stacked.float()))

    def updated(self, sizes: Tensor, losses: Tensor) -> Tensor:
        """Return the next weights [H] from the gradients' unweighted norms [H] and the losses [H]."""
        weighted = self.weights * sizes
        ratio = losses / self.first.clamp_min(1e-12)
        goal = weighted.mean() * (ratio / ratio.mean().clamp_min(1e-12)) ** self.alpha
        moved = (self.weights - self.lr * torch.sign(weighted - goal) * sizes).clamp_min(1e-3)
        return moved * len(self.names) / moved.sum()


def build_weighting(settings: HeadsSettings, names: Sequence[str]) -> HeadWeights:
    """Build the weighting of a recipe for the heads `names`. Raises TrainError where a weight names no head."""
    for name, weight in settings.weights.items():
        if name not in names:
            raise TrainError(f"heads.weights names {name!r}, no head.", remedy=nearest(name, names))
        if weight < 0:
            raise TrainError(f"heads.weights.{name} is {weight:g}; a weight must not be negative.")
    if settings.weighting == "uncertainty":
        return UncertaintyHeadWeights(names)
    if settings.weighting == "gradnorm":
        return GradNormHeadWeights(names, alpha=settings.alpha, every=settings.every)
    return FixedHeadWeights(names, settings.weights)
