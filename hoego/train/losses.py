"""Losses over soft or hard targets, by name or as weighted blends; the table is `hoego.recipe.losses.LOSSES`.

Every loss takes logits [B, C] and a target that is either classes int[B] or probabilities float[B, C] (mixed labels).
Computation is in float32 whatever the precision of the logits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hoego.errors import TrainError
from hoego.recipe.losses import LossOptions, loss_weights

Reduction = Literal["mean", "none"]


class Loss(nn.Module):
    """A loss of one head. Subclasses give the loss per photo from log-probabilities or logits.

    Losses without a value per photo (`f1`) set `per_photo = False` and refuse `reduction="none"` by name.
    """

    name = ""
    per_photo = True

    def set_epoch(self, epoch: int, epochs: int) -> None:
        """Tell the loss where the training is: epoch (from 0) of epochs. Only deferred losses listen."""

    def per_row(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute losses [B] from float32 logits [B, C] and target probabilities [B, C]."""
        raise NotImplementedError

    def forward(
        self,
        logits: Tensor,
        target: Tensor,
        *,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        reduction: Reduction = "mean",
    ) -> Tensor:
        """Compute the weighted mean loss, or the losses [B].

        Args:
            logits: [B, C].
            target: classes int[B] (-1: masked), or probabilities float[B, C].
            weight: weights [B] of the photos; the mean is sum(weight * loss) / sum(weight).
            mask: bool[B], False where the label is missing; such photos do not count.
            reduction: "mean", or "none" for weighted losses [B] (0 where masked).

        Raises:
            TrainError: `reduction="none"` of a loss that has no value per photo.
        """
        soft, counted = soft_targets(logits, target, weight, mask)
        return self.reduce(logits.float(), soft, counted, reduction)

    def reduce(self, logits: Tensor, soft: Tensor, counted: Tensor | None, reduction: Reduction) -> Tensor:
        """Compute `forward` once targets are probabilities [B, C] and weights [B] include the mask."""
        rows = self.per_row(logits, soft)
        if counted is not None:
            rows = torch.where(counted > 0, rows * counted, 0.0)
        if reduction == "none":
            return rows
        return rows.mean() if counted is None else rows.sum() / counted.sum().clamp_min(1e-12)


def soft_targets(
    logits: Tensor, target: Tensor, weight: Tensor | None, mask: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Convert labels to probabilities float32[B, C], and weights [B] with masked photos at 0 (None: all are 1).

    Raises:
        TrainError: the target's shape does not fit the logits.
    """
    counted = None if weight is None else weight.float()
    if mask is not None:
        counted = mask.float() if counted is None else counted * mask
    if target.dim() == 2 and target.shape == logits.shape:
        return target.float(), counted
    if target.dim() != 1 or target.is_floating_point() or len(target) != len(logits):
        raise TrainError(
            f"A target of shape {tuple(target.shape)} ({target.dtype}) does not fit logits {tuple(logits.shape)}.",
            remedy="Give classes int[B] or probabilities float[B, C].",
        )
    if mask is None:
        labelled = target >= 0
        counted = labelled.float() if counted is None else counted * labelled
    return F.one_hot(target.long().clamp_min(0), logits.shape[1]).float(), counted


class CrossEntropyLoss(Loss):
    """-sum_c t_c log p_c; with `eps`, t is (1 - eps) t + eps / C (Szegedy et al. 2016, section 7)."""

    name = "ce"

    def __init__(self, eps: float = 0.0) -> None:
        super().__init__()
        self.eps = eps

    def per_row(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute cross-entropies [B] from logits [B, C] and target probabilities [B, C]."""
        return F.cross_entropy(logits, target, label_smoothing=self.eps, reduction="none")


class FocalLoss(Loss):
    """-sum_c t_c (1 - p_c)^gamma log p_c (Lin et al. 2017, eq. 4, in its softmax form; linear in the target)."""

    name = "focal"

    def __init__(self, gamma: float = 2.0) -> None:
        super().__init__()
        self.gamma = gamma

    def per_row(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute focal losses [B] from logits [B, C] and target probabilities [B, C]."""
        log_p = logits.log_softmax(1)
        # 1 - p is clamped above 0: the gradient of 0 ** gamma is infinite for gamma < 1.
        rest = (1 - log_p.exp()).clamp_min(1e-7)
        return -(target * rest**self.gamma * log_p).sum(1)


class ClassBalancedLoss(Loss):
    """-sum_c alpha_c t_c log p_c, alpha_c proportional to (1 - beta) / (1 - beta^n_c), sum of alpha = C.

    Cui et al. 2019, eq. 12 and the normalisation after it. Classes without a training photo weigh as one with one.
    """

    name = "class_balanced"

    def __init__(self, class_counts: Tensor, beta: float = 0.999) -> None:
        super().__init__()
        self.alpha: Tensor
        self.register_buffer("alpha", effective_number_weights(class_counts, beta), persistent=False)

    def per_row(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute class-weighted cross-entropies [B] from logits [B, C] and target probabilities [B, C]."""
        return -(self.alpha * target * logits.log_softmax(1)).sum(1)


def effective_number_weights(class_counts: Tensor, beta: float) -> Tensor:
    """Compute weights [C] by the inverse effective number of the class counts [C], with mean 1 (Cui et al. 2019)."""
    counts = class_counts.double().clamp_min(1)
    weights = (1 - beta) / (1 - beta**counts) if beta > 0 else torch.ones_like(counts)
    return (weights * len(counts) / weights.sum()).float()


class LdamLoss(Loss):
    """Cross-entropy after the true class's logit is lowered by scale * margin_c, margin_c ~ n_c^(-1/4).

    Cao et al. 2019, eq. 13; the rarest class has the margin `margin`. After the share `defer` of the epochs each
    class is weighted by its inverse effective number (algorithm 1, DRW). The logits are taken to be scaled already:
    with `CosineLinear(scale=s)` as the head (the paper's, s = 30), give the same scale here. A soft target is the
    mixture of the losses of its classes.
    """

    name = "ldam"

    def __init__(
        self,
        class_counts: Tensor,
        margin: float = 0.5,
        scale: float = 1.0,
        beta: float = 0.9999,
        defer: float = 0.8,
    ) -> None:
        super().__init__()
        root = class_counts.double().clamp_min(1) ** -0.25
        self.margins: Tensor
        self.later: Tensor
        self.alpha: Tensor
        self.register_buffer("margins", (scale * margin * root / root.max()).float(), persistent=False)
        self.register_buffer("later", effective_number_weights(class_counts, beta), persistent=False)
        self.register_buffer("alpha", torch.ones(len(class_counts)), persistent=False)
        self.defer = defer

    def set_epoch(self, epoch: int, epochs: int) -> None:
        """Switch the deferred re-weighting on once the share `defer` of the epochs has passed."""
        deferred = epoch < self.defer * epochs
        self.alpha = torch.ones_like(self.later) if deferred else self.later

    def per_row(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute margin losses [B] from logits [B, C] and target probabilities [B, C]."""
        shifted = logits - logits.detach().amax(1, keepdim=True)
        others = sum_of_others(shifted)
        lowered = shifted - self.margins
        losses = F.softplus(others.clamp_min(1e-38).log() - lowered)
        return (self.alpha * target * losses).sum(1)


def sum_of_others(logits: Tensor) -> Tensor:
    """Sum exp(logit) over the other classes, [B, C], for every class; logits [B, C] with row maximum 0.

    The largest term is not subtracted from a sum that it dominates, so nothing cancels.
    """
    top = logits.argmax(1, keepdim=True)
    exps = logits.exp()
    without_top = exps.scatter(1, top, 0.0).sum(1, keepdim=True)
    return torch.scatter(without_top + exps.gather(1, top) - exps, 1, top, without_top)


class LogitAdjustedLoss(Loss):
    """Cross-entropy of z + tau log pi, pi the share of each class in training (Menon et al. 2021, eq. 10)."""

    name = "logit_adjusted"

    def __init__(self, class_counts: Tensor, tau: float = 1.0) -> None:
        super().__init__()
        counts = class_counts.double().clamp_min(1)
        self.shift: Tensor
        self.register_buffer("shift", (tau * (counts / counts.sum()).log()).float(), persistent=False)

    def per_row(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute cross-entropies [B] of the adjusted logits [B, C] and target probabilities [B, C]."""
        return F.cross_entropy(logits + self.shift, target, reduction="none")


class SoftMacroF1Loss(Loss):
    """1 - the mean of 2 TP / (2 TP + FP + FN) over the classes present in the batch, with probabilities for counts.

    TP_c = sum_b t_bc p_bc, FP_c + TP_c = sum_b p_bc, FN_c + TP_c = sum_b t_bc: of one-hot probabilities it is exactly
    1 - macro F1 over the classes present. A property of the batch: it has no value per photo.
    """

    name = "f1"
    per_photo = False

    def reduce(self, logits: Tensor, soft: Tensor, counted: Tensor | None, reduction: Reduction) -> Tensor:
        """Compute 1 - soft macro F1 of the batch, a scalar: the loss has no values per photo."""
        if reduction == "none":
            raise TrainError(
                "The loss 'f1' has no value per photo.", remedy="Use it with a mean, or choose another loss."
            )
        weights = torch.ones_like(logits[:, :1]) if counted is None else counted[:, None]
        p = logits.softmax(1)
        hits, support = (weights * p * soft).sum(0), (weights * soft).sum(0)
        present = support > 0
        f1 = 2 * hits / ((weights * p).sum(0) + support).clamp_min(1e-12)
        lost = torch.where(present, 1 - f1, 0.0).sum()
        return lost / present.sum().clamp_min(1)


class SymmetricCrossEntropyLoss(Loss):
    """alpha * CE + beta * RCE, RCE = -sum_c p_c log t_c with log 0 = `log_zero` (Wang et al. 2019, eq. 7)."""

    name = "sce"

    def __init__(self, alpha: float = 0.1, beta: float = 1.0, log_zero: float = -4.0) -> None:
        super().__init__()
        self.alpha, self.beta, self.log_zero = alpha, beta, log_zero

    def per_row(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute symmetric losses [B] from logits [B, C] and target probabilities [B, C]."""
        log_t = target.clamp_min(math.exp(self.log_zero)).log().clamp_min(self.log_zero)
        reverse = -(logits.softmax(1) * log_t).sum(1)
        return self.alpha * F.cross_entropy(logits, target, reduction="none") + self.beta * reverse


class AsymmetricLoss(Loss):
    """-sum_c s_c w_c log p_c, s the smoothed target, w = (1 - p)^gamma_pos for the true class, p^gamma_neg for others.

    Ridnik et al. 2021, eq. 7, in the single-label form that its authors publish. A soft target mixes the two weights.
    """

    name = "asl"

    def __init__(self, gamma_pos: float = 0.0, gamma_neg: float = 4.0, eps: float = 0.1) -> None:
        super().__init__()
        self.gamma_pos, self.gamma_neg, self.eps = gamma_pos, gamma_neg, eps

    def per_row(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute asymmetric losses [B] from logits [B, C] and target probabilities [B, C]."""
        log_p = logits.log_softmax(1)
        p = log_p.exp()
        focus = target * (1 - p).clamp_min(1e-7) ** self.gamma_pos + (1 - target) * p**self.gamma_neg
        smoothed = (1 - self.eps) * target + self.eps / logits.shape[1]
        return -(smoothed * focus * log_p).sum(1)


class WeightedSumLoss(Loss):
    """The sum of losses, each times its weight."""

    name = "blend"

    def __init__(self, parts: list[Loss], weights: list[float]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.weights = weights
        self.per_photo = all(part.per_photo for part in parts)

    def losses(self) -> list[Loss]:
        """Return the losses of the sum, in order."""
        return [part for part in self.parts if isinstance(part, Loss)]

    def set_epoch(self, epoch: int, epochs: int) -> None:
        """Pass the epoch to every loss."""
        for part in self.losses():
            part.set_epoch(epoch, epochs)

    def reduce(self, logits: Tensor, soft: Tensor, counted: Tensor | None, reduction: Reduction) -> Tensor:
        """Compute the weighted sum of the reduced losses."""
        values = [part.reduce(logits, soft, counted, reduction) for part in self.losses()]
        return torch.stack([w * value for w, value in zip(self.weights, values, strict=True)]).sum(0)


def build_loss(
    spec: str | Mapping[str, float],
    *,
    n_classes: int,
    class_counts: Tensor | None = None,
    options: LossOptions | None = None,
) -> Loss:
    """Build the loss of a recipe.

    Args:
        spec: a name, or weights by name (`{"focal": 0.6, "f1": 0.4}`), used as they are.
        n_classes: C.
        class_counts: training photos per class [C]; `class_balanced`, `ldam` and `logit_adjusted` need them.
        options: parameters; the defaults where None.

    Raises:
        RecipeError: an unknown name or a weight below 0.
        TrainError: class counts are missing or not of length C.
    """
    weights = loss_weights(spec)
    chosen = options or LossOptions()
    parts = [_build_one(name, n_classes, class_counts, chosen) for name in weights]
    if len(parts) == 1 and next(iter(weights.values())) == 1.0:
        return parts[0]
    return WeightedSumLoss(parts, list(weights.values()))


def _build_one(name: str, n_classes: int, class_counts: Tensor | None, options: LossOptions) -> Loss:
    parameters = getattr(options, name).model_dump() if name in type(options).model_fields else {}
    plain: dict[str, type[Loss]] = {
        "ce": CrossEntropyLoss,
        "smooth": CrossEntropyLoss,
        "focal": FocalLoss,
        "f1": SoftMacroF1Loss,
        "sce": SymmetricCrossEntropyLoss,
        "asl": AsymmetricLoss,
    }
    if name in plain:
        return plain[name](**parameters)
    if class_counts is None or class_counts.shape != (n_classes,):
        found = None if class_counts is None else tuple(class_counts.shape)
        raise TrainError(
            f"The loss {name!r} needs the number of training photos of each of {n_classes} classes: {found}."
        )
    counted = {"class_balanced": ClassBalancedLoss, "ldam": LdamLoss, "logit_adjusted": LogitAdjustedLoss}
    built: Loss = counted[name](class_counts, **parameters)
    return built


class CosineLinear(nn.Linear):
    """A head whose logits are scale * cos(angle between feature and class), as LDAM's paper trains (scale = 30)."""

    def __init__(self, in_features: int, out_features: int, scale: float = 30.0) -> None:
        super().__init__(in_features, out_features, bias=False)
        self.scale = scale

    def forward(self, input: Tensor) -> Tensor:
        """Compute logits [B, C]: scale times the cosines of features [B, F] and class vectors [C, F]."""
        return self.scale * F.linear(F.normalize(input, dim=1), F.normalize(self.weight, dim=1))


def distillation(
    logits: Tensor,
    teacher: Tensor,
    *,
    temperature: float = 2.0,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Compute T^2 * KL(teacher at T || student at T), the weighted mean over photos (Hinton et al. 2015).

    Args:
        logits: the student's [B, C].
        teacher: probabilities [B, C]; softened as p^(1/T), normalised, which is softmax(logits / T) of its logits.
        temperature: T.
        weight: weights [B].
        mask: bool[B], False where the teacher has nothing to say.
    """
    log_teacher = (teacher.float().clamp_min(1e-12).log() / temperature).log_softmax(1)
    log_student = (logits.float() / temperature).log_softmax(1)
    rows = F.kl_div(log_student, log_teacher, reduction="none", log_target=True).sum(1) * temperature**2
    counted = None if weight is None else weight.float()
    if mask is not None:
        counted = mask.float() if counted is None else counted * mask
    if counted is None:
        return rows.mean()
    return torch.where(counted > 0, rows * counted, 0.0).sum() / counted.sum().clamp_min(1e-12)
