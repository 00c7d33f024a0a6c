"""Heads for ordered attributes: five ways to learn an order or a number, all of which end in class probabilities.

Each head defines how many outputs [B, O] the network gives it, computes the loss from codes and numbers, and turns
outputs into class probabilities [B, C], so that runs with different heads compare and combine.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hoego.errors import TrainError
from hoego.recipe.losses import ORDINAL, OrdinalSettings


@dataclass(frozen=True, kw_only=True)
class OrdinalScale:
    """What an ordered attribute is, for a head.

    Args:
        n_classes: C.
        edges: the C - 1 edges of a binned attribute; () for an ordinal one without a number, whose number is its code
            and whose edges are 0.5, 1.5, ...
        low: smallest number among the training rows.
        high: largest.
        mean: their mean.
        std: their standard deviation.
    """

    n_classes: int
    edges: tuple[float, ...] = ()
    low: float = 0.0
    high: float = 0.0
    mean: float = 0.0
    std: float = 1.0

    @property
    def has_number(self) -> bool:
        """True where the attribute has a number besides its class."""
        return bool(self.edges)

    @property
    def cuts(self) -> tuple[float, ...]:
        """The C - 1 edges in use."""
        return self.edges or tuple(k + 0.5 for k in range(self.n_classes - 1))


def scale_of(n_classes: int, edges: Sequence[float], numbers: Sequence[float] | Tensor) -> OrdinalScale:
    """Fit the scale of the numbers [N] of the training rows (NaN: missing); of their codes where `edges` is empty.

    Raises:
        TrainError: no training row has a number.
    """
    known = torch.as_tensor(numbers, dtype=torch.float64)
    known = known[~known.isnan()]
    if not len(known):
        raise TrainError("No training photo has a number of this attribute.")
    std = float(known.std(correction=0))
    return OrdinalScale(
        n_classes=n_classes,
        edges=tuple(edges),
        low=float(known.min()),
        high=float(known.max()),
        mean=float(known.mean()),
        std=std if std > 0 else 1.0,
    )


class OrdinalHead(nn.Module):
    """Base: `n_outputs`, `loss` and `class_probabilities`. May hold parameters, which belong to the model's heads."""

    n_outputs: int

    def __init__(self, scale: OrdinalScale) -> None:
        super().__init__()
        self.scale = scale
        self.cuts: Tensor
        self.register_buffer("cuts", torch.tensor(scale.cuts, dtype=torch.float32), persistent=False)

    @property
    def n_classes(self) -> int:
        """Number of classes C."""
        return self.scale.n_classes

    def terms(self, outputs: Tensor, codes: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Compute summed loss [B] and number of terms [B] per photo; the loss is the ratio of their weighted sums."""
        raise NotImplementedError

    def class_probabilities(self, outputs: Tensor) -> Tensor:
        """Compute class probabilities [B, C] from outputs [B, O]."""
        raise NotImplementedError

    def loss(
        self,
        outputs: Tensor,
        codes: Tensor,
        numbers: Tensor | None = None,
        *,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Compute the weighted mean loss.

        Args:
            outputs: [B, O].
            codes: classes int[B]; -1 is masked.
            numbers: float[B]; NaN is masked. None takes the codes.
            weight: weights [B].
            mask: bool[B], False where the label is missing.
        """
        codes = codes.long()
        values = codes.float() if numbers is None or not self.scale.has_number else numbers.float()
        known = (codes >= 0) & ~values.isnan()
        if mask is not None:
            known = known & mask
        counted = known.float() if weight is None else known * weight.float()
        sums, counts = self.terms(
            outputs.float(), codes.clamp_min(0), torch.where(known, values, self.scale.mean)
        )
        total = torch.where(known, sums * counted, 0.0).sum()
        return total / (counts * counted).sum().clamp_min(1e-12)

    def mixed_loss(
        self,
        outputs: Tensor,
        codes: Tensor,
        numbers: Tensor | None,
        partner: Tensor,
        keep: Tensor,
        *,
        weight: Tensor | None = None,
    ) -> Tensor:
        """Compute the loss of mixed photos: keep [B] is the share of their own label, 1 - keep of partner's (int[B]).

        `weight` [B] is of the photos before they were mixed.
        """
        both = torch.cat([codes, codes[partner]])
        values = None if numbers is None else torch.cat([numbers, numbers[partner]])
        shares = torch.cat([keep, 1 - keep])
        if weight is not None:
            shares = shares * torch.cat([weight, weight[partner]])
        return self.loss(torch.cat([outputs, outputs]), both, values, weight=shares)


class CoralHead(OrdinalHead):
    """One score g and ordered thresholds: P(y > k) = sigmoid(g + b_k); the sum of C - 1 binary cross-entropies.

    Cao, Mirjalili and Raschka 2020, eq. 4 and 5, all importances 1. The thresholds are parameters of this head; where
    they are out of order (the paper proves that they are not at the optimum), the probabilities are cut at 0.
    """

    def __init__(self, scale: OrdinalScale) -> None:
        super().__init__(scale)
        self.n_outputs = 1
        levels = torch.arange(1, scale.n_classes, dtype=torch.float32)
        self.bias = nn.Parameter((scale.n_classes - levels) / scale.n_classes)

    def terms(self, outputs: Tensor, codes: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the summed binary cross-entropies [B] of the C - 1 thresholds, and their number [B]."""
        logits = outputs[:, :1] + self.bias
        above = (codes[:, None] > torch.arange(self.n_classes - 1, device=codes.device)).float()
        sums = F.binary_cross_entropy_with_logits(logits, above, reduction="none").sum(1)
        return sums, torch.ones_like(sums)

    def class_probabilities(self, outputs: Tensor) -> Tensor:
        """Compute class probabilities [B, C] from outputs [B, O]."""
        return _differences(torch.sigmoid(outputs.float()[:, :1] + self.bias))


class CornHead(OrdinalHead):
    """C - 1 conditional probabilities P(y > k | y > k - 1), each learned on the photos that reach it.

    Shi, Cao and Raschka 2021, eq. 4 to 6: the sum of the binary cross-entropies over all thresholds, divided by the
    number of (photo, threshold) pairs. P(y > k) is the product of the first k + 1, so the order holds by itself.
    """

    def __init__(self, scale: OrdinalScale) -> None:
        super().__init__(scale)
        self.n_outputs = scale.n_classes - 1

    def terms(self, outputs: Tensor, codes: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the summed conditional binary cross-entropies [B], and their number [B]."""
        levels = torch.arange(self.n_outputs, device=codes.device)
        reached = (codes[:, None] >= levels).float()
        above = (codes[:, None] > levels).float()
        each = F.binary_cross_entropy_with_logits(outputs, above, reduction="none")
        return (each * reached).sum(1), reached.sum(1)

    def class_probabilities(self, outputs: Tensor) -> Tensor:
        """Compute class probabilities [B, C] from outputs [B, O]."""
        above = torch.sigmoid(outputs.float())
        # Not `cumprod`, which no ONNX runtime has; the numbers are the same.
        products = list(itertools.accumulate(above.unbind(1), torch.mul))
        return _differences(torch.stack(products, 1))


def _differences(above: Tensor) -> Tensor:
    """Compute class probabilities [B, C] from P(y > k) [B, C - 1], clipped at 0 and normalised."""
    ones, zeros = torch.ones_like(above[:, :1]), torch.zeros_like(above[:, :1])
    steps = (torch.cat([ones, above], 1) - torch.cat([above, zeros], 1)).clamp_min(0)
    return steps / steps.sum(1, keepdim=True)


class _Grid(OrdinalHead):
    """Base of the heads whose outputs are the logits of a grid over the number; a class is the sum of its points."""

    def __init__(self, scale: OrdinalScale, step: float) -> None:
        super().__init__(scale)
        if scale.has_number:
            first, last = math.floor(scale.low / step), math.ceil(scale.high / step)
            grid = torch.arange(first, last + 1, dtype=torch.float64) * step
        else:
            grid = torch.arange(scale.n_classes, dtype=torch.float64)
        classes = torch.bucketize(grid, torch.tensor(scale.cuts, dtype=torch.float64), right=True)
        absent = sorted(set(range(scale.n_classes)) - set(classes.tolist()))
        if absent:
            raise TrainError(
                f"The grid from {float(grid[0]):g} to {float(grid[-1]):g} has no point in the classes {absent}.",
                remedy="Take a smaller step, or learn the attribute as classes.",
            )
        self.n_outputs = len(grid)
        self.grid: Tensor
        self.members: Tensor
        self.register_buffer("grid", grid.float(), persistent=False)
        self.register_buffer("members", F.one_hot(classes, scale.n_classes).float(), persistent=False)

    def class_probabilities(self, outputs: Tensor) -> Tensor:
        return outputs.float().softmax(1) @ self.members


class LabelDistributionHead(_Grid):
    """KL divergence from a Gaussian around the number, on a grid (Gao et al. 2017, DLDL, eq. 3 and 8)."""

    def __init__(self, scale: OrdinalScale, step: float = 1.0, sigma: float = 2.0) -> None:
        super().__init__(scale, step)
        self.sigma = sigma

    def target(self, numbers: Tensor) -> Tensor:
        """Compute label distributions [B, O] of the numbers [B]: exp(-(grid - x)^2 / (2 sigma^2)), normalised."""
        return (-((self.grid - numbers[:, None]) ** 2) / (2 * self.sigma**2)).softmax(1)

    def terms(self, outputs: Tensor, codes: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the loss [B] of each photo, and its number of terms [B]."""
        sums = F.kl_div(outputs.log_softmax(1), self.target(numbers), reduction="none").sum(1)
        return sums, torch.ones_like(sums)


class MeanVarianceHead(_Grid):
    """Cross-entropy on the grid + mean_weight * (m - y)^2 / 2 + variance_weight * v (Pan et al. 2018, eq. 2 to 6)."""

    def __init__(
        self, scale: OrdinalScale, step: float = 1.0, mean_weight: float = 0.2, variance_weight: float = 0.05
    ) -> None:
        super().__init__(scale, step)
        self.mean_weight, self.variance_weight = mean_weight, variance_weight

    def terms(self, outputs: Tensor, codes: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the loss [B] of each photo, and its number of terms [B]."""
        p = outputs.softmax(1)
        mean = (p * self.grid).sum(1)
        variance = (p * (self.grid - mean[:, None]) ** 2).sum(1)
        nearest = (self.grid - numbers[:, None]).abs().argmin(1)
        entropy = F.cross_entropy(outputs, nearest, reduction="none")
        sums = entropy + self.mean_weight * (mean - numbers) ** 2 / 2 + self.variance_weight * variance
        return sums, torch.ones_like(sums)


class RegressionHead(OrdinalHead):
    """The number by least squares; class probabilities are a Gaussian's mass between the edges.

    The output is the number in units of the training rows' standard deviation. The Gaussian's spread is one parameter,
    fitted by maximum likelihood to the residuals and without effect on the number itself. As the spread shrinks, the
    most probable class is the one in which the number lies.
    """

    def __init__(self, scale: OrdinalScale) -> None:
        super().__init__(scale)
        self.n_outputs = 1
        self.log_spread = nn.Parameter(torch.zeros(()))

    def numbers(self, outputs: Tensor) -> Tensor:
        """Return the predicted numbers [B], in the attribute's unit."""
        return outputs.float()[:, 0] * self.scale.std + self.scale.mean

    def terms(self, outputs: Tensor, codes: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the loss [B] of each photo, and its number of terms [B]."""
        squared = (outputs[:, 0] - (numbers - self.scale.mean) / self.scale.std) ** 2
        likelihood = squared.detach() * torch.exp(-2 * self.log_spread) / 2 + self.log_spread
        # Its own gradient alone: the likelihood's value is taken off again, so the loss stays the squared error.
        sums = squared + likelihood - likelihood.detach()
        return sums, torch.ones_like(sums)

    def class_probabilities(self, outputs: Tensor) -> Tensor:
        """Compute class probabilities [B, C] from outputs [B, O]."""
        spread = self.scale.std * self.log_spread.exp()
        above = torch.special.ndtr((self.numbers(outputs)[:, None] - self.cuts) / spread)
        return _differences(above)


def build_ordinal(settings: OrdinalSettings, scale: OrdinalScale) -> OrdinalHead | None:
    """Build the head of an ordered attribute; None where it is learned as classes.

    Raises:
        TrainError: fewer than two classes, or a grid that misses a class.
    """
    if settings.kind == "classes":
        return None
    if scale.n_classes < 2:
        raise TrainError(
            f"An ordinal head ({settings.kind!r}) needs at least two classes, got {scale.n_classes}."
        )
    if settings.kind == "coral":
        return CoralHead(scale)
    if settings.kind == "corn":
        return CornHead(scale)
    if settings.kind == "distribution":
        return LabelDistributionHead(scale, settings.step, settings.sigma)
    if settings.kind == "mean_variance":
        return MeanVarianceHead(scale, settings.step, settings.mean_weight, settings.variance_weight)
    assert set(ORDINAL) >= {settings.kind}
    return RegressionHead(scale)
