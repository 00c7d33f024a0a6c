"""The objective: one loss per head on labels that may be mixed, masked, weighted or soft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from hoego.data.schema import COMPOSITE, LabelSchema
from hoego.errors import TrainError
from hoego.recipe import Recipe
from hoego.short_repr import ShortRepr
from hoego.train.edits import TrainingLabels
from hoego.train.losses import Loss, build_loss, distillation
from hoego.train.mixing import MixPlan, mix_mask, mix_target
from hoego.train.models import HeadSpec
from hoego.train.ordinal import OrdinalHead, build_ordinal, scale_of
from hoego.train.pseudo import TeacherTargets


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TrainingTargets(ShortRepr):
    """Labels of the n training photos, on the training device.

    Args:
        codes: int64 [n] by head, -1 where missing.
        masked: by head, whether any label is missing.
        numbers: float32 [n] by head that learns a number.
        weight: float32 [n], None where all are 1.
        soft_targets: probabilities float32 [n, C] by head that has a teacher.
        has_soft_target: bool [n], the photos with a soft target; None for all.
        pseudo_labels: label distributions float32 [P, C] of the last P photos, by head that has them.
        n_labelled: n - P.
    """

    codes: dict[str, Tensor]
    masked: dict[str, bool]
    numbers: dict[str, Tensor] = field(default_factory=dict)
    weight: Tensor | None = None
    soft_targets: dict[str, Tensor] = field(default_factory=dict)
    has_soft_target: Tensor | None = None
    pseudo_labels: dict[str, Tensor] = field(default_factory=dict)
    n_labelled: int = 0

    def pseudo_labels_of(self, name: str, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return pseudo-labels [B, C] of the rows [B] for a head that has them, and the mask [B] of those rows."""
        return self.pseudo_labels[name][(rows - self.n_labelled).clamp_min(0)], rows >= self.n_labelled


def make_targets(
    heads: Sequence[HeadSpec],
    schema: LabelSchema,
    labels: TrainingLabels,
    device: torch.device,
    teacher_targets: TeacherTargets | None = None,
) -> TrainingTargets:
    """Build the targets of the n training rows (after their edits) for the heads of a model.

    Raises:
        TrainError: the teacher predicts no head's attribute.
    """
    teacher_targets = teacher_targets or TeacherTargets()
    codes = {h.name: schema.class_codes(h.name, labels.codes).astype(np.int64) for h in heads}
    weight = None if bool((labels.weight == 1).all()) else torch.from_numpy(labels.weight).to(device)
    numbers = {h.name: labels.numbers[h.name].astype(np.float32) for h in heads if h.name in labels.numbers}
    soft_targets = _of_heads(heads, teacher_targets.soft_targets, device)
    pseudo_labels = (
        {}
        if teacher_targets.pseudo_labels is None
        else _of_heads(heads, teacher_targets.pseudo_labels.targets, device)
    )
    if (teacher_targets.soft_targets and not soft_targets) or (
        teacher_targets.pseudo_labels is not None and not pseudo_labels
    ):
        raise TrainError(
            "The teacher predicts none of the attributes of this model's heads.", remedy="Use another."
        )
    has_soft_target = teacher_targets.has_soft_target
    return TrainingTargets(
        codes={name: torch.from_numpy(c).to(device) for name, c in codes.items()},
        masked={name: bool((c < 0).any()) for name, c in codes.items()},
        numbers={name: torch.from_numpy(v).to(device) for name, v in numbers.items()},
        weight=weight,
        soft_targets=soft_targets,
        has_soft_target=None
        if has_soft_target is None or bool(has_soft_target.all())
        else torch.from_numpy(has_soft_target).to(device),
        pseudo_labels=pseudo_labels,
        n_labelled=len(labels.codes)
        - (0 if teacher_targets.pseudo_labels is None else teacher_targets.pseudo_labels.n),
    )


def _of_heads(
    heads: Sequence[HeadSpec], tables: Mapping[str, NDArray[np.float32]], device: torch.device
) -> dict[str, Tensor]:
    return {
        h.name: torch.from_numpy(np.ascontiguousarray(tables[h.name])).to(device)
        for h in heads
        if h.name in tables
    }


@dataclass(frozen=True, eq=False, repr=False)
class LossBatch(ShortRepr):
    """What the loss needs of one batch of B photos.

    Args:
        rows: int64 [B], positions among the training photos, on the device.
        codes: classes int64 [B] that replace the labels of the rows, by head (flips that change the class).
        partner, keep: of a mixed batch (see `mixing.MixPlan`), on the device; None for a plain one.
    """

    rows: Tensor
    codes: Mapping[str, Tensor] = field(default_factory=dict)
    partner: Tensor | None = None
    keep: Tensor | None = None

    def mixed(self, plan: MixPlan | None) -> LossBatch:
        """Return the same batch, mixed as planned."""
        if plan is None:
            return self
        device = self.rows.device
        partner = torch.from_numpy(plan.partner).to(device, non_blocking=True)
        keep = torch.from_numpy(plan.keep).to(device, non_blocking=True)
        return LossBatch(self.rows, self.codes, partner, keep)

    def blended(self, values: Tensor) -> Tensor:
        """Mix values [B] as the photos are mixed: keep * own + (1 - keep) * partner's."""
        if self.partner is None or self.keep is None:
            return values
        return torch.lerp(values[self.partner], values, self.keep)


class Objective(nn.Module):
    """The losses of all heads.

    Args:
        recipe: loss, its options, the losses of single attributes, ordinal kinds, the teacher's weight.
        schema: the attributes.
        heads: the model's heads.
        labels: labels of the training rows, after their edits.
    """

    def __init__(
        self, recipe: Recipe, schema: LabelSchema, heads: Sequence[HeadSpec], labels: TrainingLabels
    ) -> None:
        super().__init__()
        self.names = tuple(h.name for h in heads)
        self.sizes = {h.name: h.n_classes for h in heads}
        self.distill = recipe.distill
        parts = [_part(recipe, schema, head, labels) for head in heads]
        self.parts = nn.ModuleList(parts)

    def part(self, name: str) -> Loss | OrdinalHead:
        """Return the loss of a head."""
        found = self.parts[self.names.index(name)]
        assert isinstance(found, Loss | OrdinalHead)
        return found

    def outputs(self) -> dict[str, int]:
        """Return the number of outputs O of each head."""
        parts = {name: self.part(name) for name in self.names}
        return {n: p.n_outputs if isinstance(p, OrdinalHead) else self.sizes[n] for n, p in parts.items()}

    def set_epoch(self, epoch: int, epochs: int) -> None:
        """Pass the epoch to every loss that depends on it."""
        for name in self.names:
            part = self.part(name)
            if isinstance(part, Loss):
                part.set_epoch(epoch, epochs)

    def forward(
        self, outputs: Mapping[str, Tensor], targets: TrainingTargets, step: LossBatch
    ) -> dict[str, Tensor]:
        """Compute the loss of each head, scalars by name."""
        return {name: self._head(name, outputs[name], targets, step) for name in self.names}

    def _head(self, name: str, outputs: Tensor, targets: TrainingTargets, step: LossBatch) -> Tensor:
        """Compute the mean over photos of (1 - w) * label loss + w * distillation loss, by the photos' weights.

        w is `distill.weight` for photos with a soft target, 0 for others.
        """
        part, rows = self.part(name), step.rows
        codes = step.codes[name] if name in step.codes else targets.codes[name][rows]
        own = None if targets.weight is None else targets.weight[rows]
        if name not in targets.soft_targets:
            return self._labels(part, outputs, (name, codes, own), targets, step)[0]
        every = torch.ones_like(outputs[:, 0], dtype=torch.float32) if own is None else own
        has_target = every if targets.has_soft_target is None else every * targets.has_soft_target[rows]
        soft = self.distill.weight * has_target
        loss, known = self._labels(part, outputs, (name, codes, every - soft), targets, step)
        labelled = step.blended(every - soft)
        if known is not None:
            labelled = labelled * known
        learned, mass = self._distillation(part, outputs, (name, step.blended(soft)), targets, step)
        return (loss * labelled.sum() + learned * mass) / (labelled.sum() + mass).clamp_min(1e-12)

    def _labels(
        self,
        part: Loss | OrdinalHead,
        outputs: Tensor,
        labels: tuple[str, Tensor, Tensor | None],
        targets: TrainingTargets,
        step: LossBatch,
    ) -> tuple[Tensor, Tensor | None]:
        """Compute the loss of labels and pseudo-labels, and the mask of photos with one (None: all).

        `labels` are the head's name, classes [B] and weights [B] of the photos before they are mixed.
        """
        if isinstance(part, OrdinalHead):
            return self._ordered(part, outputs, labels, targets, step)
        name, codes, weight = labels
        mask = codes >= 0 if targets.masked[name] else None
        target: Tensor = codes
        if name in targets.pseudo_labels or step.partner is not None:
            target = F.one_hot(codes.clamp_min(0), outputs.shape[1]).float()
        if name in targets.pseudo_labels:
            soft, own = targets.pseudo_labels_of(name, step.rows)
            target = torch.where(own[:, None], soft, target)
            mask = own | (codes >= 0)
        if step.partner is not None and step.keep is not None:
            target = mix_target(target, step.partner, step.keep)
            mask = None if mask is None else mix_mask(mask, step.partner, step.keep)
        blended = None if weight is None else step.blended(weight)
        return part(outputs, target, weight=blended, mask=mask), mask

    def _ordered(
        self,
        part: OrdinalHead,
        outputs: Tensor,
        labels: tuple[str, Tensor, Tensor | None],
        targets: TrainingTargets,
        step: LossBatch,
    ) -> tuple[Tensor, Tensor]:
        """Compute the head's own loss on labels, and cross-entropy of its class probabilities on pseudo-labels."""
        name, codes, weight = labels
        known = codes >= 0
        numbers = targets.numbers[name][step.rows] if name in targets.numbers else None
        if step.partner is None or step.keep is None:
            loss = part.loss(outputs, codes, numbers, weight=weight)
        else:
            loss = part.mixed_loss(outputs, codes, numbers, step.partner, step.keep, weight=weight)
        if name not in targets.pseudo_labels:
            return loss, step.blended(known.float())
        soft, own = targets.pseudo_labels_of(name, step.rows)
        every, log_p = step.blended((known | own).float()), log_probabilities(part, outputs)
        share = torch.ones_like(log_p[:, 0]) if weight is None else weight
        if step.partner is not None and step.keep is not None:
            both = torch.cat([torch.arange(len(codes), device=codes.device), step.partner])
            soft, own, known, log_p = soft[both], own[both], known[both], torch.cat([log_p, log_p])
            share = share[both] * torch.cat([step.keep, 1 - step.keep])
        entropy = -(soft * log_p).sum(1) @ (own * share)
        labelled, pseudo = (known * share).sum(), (own * share).sum()
        return (loss * labelled + entropy) / (labelled + pseudo).clamp_min(1e-12), every

    def _distillation(
        self,
        part: Loss | OrdinalHead,
        outputs: Tensor,
        labels: tuple[str, Tensor],
        targets: TrainingTargets,
        step: LossBatch,
    ) -> tuple[Tensor, Tensor]:
        """Compute the divergence from the teacher, and the summed weight of its photos."""
        name, weight = labels
        teacher = targets.soft_targets[name][step.rows]
        mask = None if targets.has_soft_target is None else targets.has_soft_target[step.rows]
        if step.partner is not None and step.keep is not None:
            teacher = mix_target(teacher, step.partner, step.keep)
            mask = None if mask is None else mix_mask(mask, step.partner, step.keep)
        logits = log_probabilities(part, outputs) if isinstance(part, OrdinalHead) else outputs
        counted = weight if mask is None else weight * mask
        return distillation(
            logits, teacher, temperature=self.distill.temperature, weight=counted
        ), counted.sum()


def log_probabilities(part: OrdinalHead, outputs: Tensor) -> Tensor:
    """Compute logarithms of the class probabilities [B, C] that an ordered head reads off its outputs."""
    return part.class_probabilities(outputs).clamp_min(1e-7).log()


def _part(recipe: Recipe, schema: LabelSchema, head: HeadSpec, labels: TrainingLabels) -> nn.Module:
    if head.name != COMPOSITE and head.name in recipe.ordinal:
        attribute = schema.attribute(head.name)
        if not attribute.ordered:
            raise TrainError(
                f"ordinal.{head.name}: the attribute's classes have no order.",
                remedy="Set its kind to ordinal.",
            )
        numbers = labels.numbers.get(head.name)
        column = labels.codes[:, schema.position(head.name)].astype(np.float64)
        values = np.where(column < 0, np.nan, column) if numbers is None else numbers
        scale = scale_of(attribute.n_classes, attribute.edges, torch.from_numpy(values))
        built = build_ordinal(recipe.ordinal[head.name], scale)
        if built is not None:
            return built
    codes = schema.class_codes(head.name, labels.codes)
    counts = np.bincount(codes[codes >= 0], minlength=head.n_classes)
    spec = recipe.heads.losses.get(head.name, recipe.loss)
    return build_loss(
        spec, n_classes=head.n_classes, class_counts=torch.from_numpy(counts), options=recipe.loss_options
    )
