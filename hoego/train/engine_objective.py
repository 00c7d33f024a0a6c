"""What a training minimises: one loss per head on labels that may be mixed, masked, weighted or taught."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from hoego.errors import TrainError
from hoego.labels import COMPOSITE, LabelSchema
from hoego.recipe import Recipe
from hoego.train.edits import Labels
from hoego.train.losses import Loss, build_loss, distillation
from hoego.train.mixing import MixPlan, mix_mask, mix_target
from hoego.train.models import HeadSpec
from hoego.train.ordinal import OrdinalHead, build_ordinal, scale_of


@dataclass(frozen=True)
class Targets:
    """Labels of the n training photos, on the training device.

    Args:
        codes: int64 [n] by head, -1 where missing.
        masked: by head, whether any label is missing.
        numbers: float32 [n] by head that learns a number.
        weight: float32 [n], None where all are 1.
        teacher: probabilities float32 [n, C] by head that has a teacher.
        taught: bool [n], the photos of which the teacher says something; None for all.
    """

    codes: dict[str, Tensor]
    masked: dict[str, bool]
    numbers: dict[str, Tensor] = field(default_factory=dict)
    weight: Tensor | None = None
    teacher: dict[str, Tensor] = field(default_factory=dict)
    taught: Tensor | None = None


def make_targets(
    heads: Sequence[HeadSpec],
    schema: LabelSchema,
    labels: Labels,
    device: torch.device,
    *,
    teacher: Mapping[str, NDArray[np.float32]] | None = None,
    taught: NDArray[np.bool_] | None = None,
) -> Targets:
    """Labels of the n training rows (after their edits) for the heads of a model."""
    codes = {h.name: schema.class_codes(h.name, labels.codes).astype(np.int64) for h in heads}
    weight = None if bool((labels.weight == 1).all()) else torch.from_numpy(labels.weight).to(device)
    numbers = {h.name: labels.numbers[h.name].astype(np.float32) for h in heads if h.name in labels.numbers}
    known = {} if teacher is None else {h.name: teacher[h.name] for h in heads if h.name in teacher}
    if teacher is not None and not known:
        raise TrainError(
            "The teacher says nothing of what this model's heads predict.", remedy="Use another."
        )
    return Targets(
        {name: torch.from_numpy(c).to(device) for name, c in codes.items()},
        {name: bool((c < 0).any()) for name, c in codes.items()},
        {name: torch.from_numpy(v).to(device) for name, v in numbers.items()},
        weight,
        {name: torch.from_numpy(np.ascontiguousarray(p)).to(device) for name, p in known.items()},
        None if taught is None or bool(taught.all()) else torch.from_numpy(taught).to(device),
    )


@dataclass(frozen=True)
class Step:
    """What the loss needs to know of one batch of B photos.

    Args:
        rows: int64 [B], positions among the training photos, on the device.
        codes: classes int64 [B] that stand in place of the labels of the rows, by head (flips that change the class).
        partner, keep: of a mixed batch (see `mixing.MixPlan`), on the device; None for a plain one.
    """

    rows: Tensor
    codes: Mapping[str, Tensor] = field(default_factory=dict)
    partner: Tensor | None = None
    keep: Tensor | None = None

    def mixed(self, plan: MixPlan | None) -> Step:
        """The same batch, mixed as planned."""
        if plan is None:
            return self
        device = self.rows.device
        partner = torch.from_numpy(plan.partner).to(device, non_blocking=True)
        keep = torch.from_numpy(plan.keep).to(device, non_blocking=True)
        return Step(self.rows, self.codes, partner, keep)


class Objective(nn.Module):
    """The losses of all heads.

    Args:
        recipe: loss, its options, the losses of single attributes, ordinal kinds, the teacher's weight.
        schema: the attributes.
        heads: the model's heads.
        labels: labels of the training rows, after their edits.
    """

    def __init__(
        self, recipe: Recipe, schema: LabelSchema, heads: Sequence[HeadSpec], labels: Labels
    ) -> None:
        super().__init__()
        self.names = tuple(h.name for h in heads)
        self.sizes = {h.name: h.n_classes for h in heads}
        self.distill = recipe.distill
        parts = [_part(recipe, schema, head, labels) for head in heads]
        self.parts = nn.ModuleList(parts)

    def part(self, name: str) -> Loss | OrdinalHead:
        """The loss of a head."""
        found = self.parts[self.names.index(name)]
        assert isinstance(found, Loss | OrdinalHead)
        return found

    def outputs(self) -> dict[str, int]:
        """Outputs O that the network gives to each head."""
        parts = {name: self.part(name) for name in self.names}
        return {n: p.n_outputs if isinstance(p, OrdinalHead) else self.sizes[n] for n, p in parts.items()}

    def set_epoch(self, epoch: int, epochs: int) -> None:
        for name in self.names:
            part = self.part(name)
            if isinstance(part, Loss):
                part.set_epoch(epoch, epochs)

    def forward(self, outputs: Mapping[str, Tensor], targets: Targets, step: Step) -> dict[str, Tensor]:
        """The loss of each head, scalars by name."""
        return {name: self._head(name, outputs[name], targets, step) for name in self.names}

    def _head(self, name: str, outputs: Tensor, targets: Targets, step: Step) -> Tensor:
        part, rows = self.part(name), step.rows
        codes = step.codes[name] if name in step.codes else targets.codes[name][rows]
        own = weight = None if targets.weight is None else targets.weight[rows]
        if weight is not None and step.partner is not None and step.keep is not None:
            weight = torch.lerp(weight[step.partner], weight, step.keep)
        if isinstance(part, OrdinalHead):
            numbers = targets.numbers[name][rows] if name in targets.numbers else None
            if step.partner is None or step.keep is None:
                return part.loss(outputs, codes, numbers, weight=weight)
            return part.mixed_loss(outputs, codes, numbers, step.partner, step.keep, weight=own)
        loss = self._classes(part, outputs, codes, weight, targets.masked[name], step)
        if name not in targets.teacher:
            return loss
        return self._taught(loss, outputs, targets, name, weight, step)

    def _classes(
        self, part: Loss, outputs: Tensor, codes: Tensor, weight: Tensor | None, masked: bool, step: Step
    ) -> Tensor:
        mask = codes >= 0 if masked else None
        if step.partner is None or step.keep is None:
            target: Tensor = codes
        else:
            soft = F.one_hot(codes.clamp_min(0), outputs.shape[1]).float()
            target = mix_target(soft, step.partner, step.keep)
            mask = None if mask is None else mix_mask(mask, step.partner, step.keep)
        value: Tensor = part(outputs, target, weight=weight, mask=mask)
        return value

    def _taught(
        self, loss: Tensor, outputs: Tensor, targets: Targets, name: str, weight: Tensor | None, step: Step
    ) -> Tensor:
        teacher = targets.teacher[name][step.rows]
        mask = None if targets.taught is None else targets.taught[step.rows]
        if step.partner is not None and step.keep is not None:
            teacher = mix_target(teacher, step.partner, step.keep)
            mask = None if mask is None else mix_mask(mask, step.partner, step.keep)
        d = self.distill
        learned = distillation(outputs, teacher, temperature=d.temperature, weight=weight, mask=mask)
        return (1 - d.weight) * loss + d.weight * learned


def _part(recipe: Recipe, schema: LabelSchema, head: HeadSpec, labels: Labels) -> nn.Module:
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
