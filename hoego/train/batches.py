"""The batches of a training: which photos, what is drawn for them, and the photos made ready for the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hoego.data.schema import LabelSchema
from hoego.recipe import Recipe, normalisation
from hoego.short_repr import ShortRepr
from hoego.train.augment import Augment
from hoego.train.batch_share import BatchShare
from hoego.train.data import PixelLoader
from hoego.train.devices.group import DeviceGroup
from hoego.train.edits import TrainingLabels
from hoego.train.mirroring import FlipLabels
from hoego.train.mixing import Kind, MixPlan, mix, plan_batch, schedule
from hoego.train.models import HeadSpec
from hoego.train.objective import LossBatch
from hoego.train.pseudo import TeacherTargets, epoch_batches


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TrainingRows(ShortRepr):
    """The training side of a fold, after its edits.

    Args:
        images: positions [n] in the data set.
        labels: of those n photos.
        target: int32 [n] target classes.
        by: int32 [n], the classes that sampling balances.
        subjects: int32 [n].
        teacher_targets: soft targets and pseudo-labels of these photos.
    """

    images: NDArray[np.int64]
    labels: TrainingLabels
    target: NDArray[np.int32]
    by: NDArray[np.int32]
    subjects: NDArray[np.int32]
    teacher_targets: TeacherTargets = field(default_factory=TeacherTargets)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PlannedBatch(ShortRepr):
    """What is drawn for a batch of B photos before any of them is read.

    Args:
        rows: int64 [B], positions among the training photos.
        first: position of the first in the epoch's order.
        flips: bool [B], photos whose flip changes their class; None without such flips.
        shown: int32 [B], target classes after those flips.
        mixing: how the photos are mixed; None for a plain batch.
        share: the part that this device makes ready; None for all of it.
    """

    rows: NDArray[np.int64]
    first: int
    flips: NDArray[np.bool_] | None
    shown: NDArray[np.int32]
    mixing: MixPlan | None
    share: BatchShare | None

    @property
    def read(self) -> NDArray[np.int64]:
        """Rows [n] of the photos that are made ready here."""
        return self.rows if self.share is None else self.rows[self.share.positions]


class BatchMaker:
    """Makes the batches of a training ready, an epoch at a time.

    Args:
        recipe: the resolved recipe, with the normalisation of its weights.
        schema: of the labels.
        heads: of the model.
        rows: the training side.
        pixels: of the training rows, in their order.
        device: where the model is.
    """

    def __init__(
        self,
        recipe: Recipe,
        schema: LabelSchema,
        heads: Sequence[HeadSpec],
        rows: TrainingRows,
        pixels: PixelLoader,
        device: torch.device,
    ) -> None:
        self.recipe, self.schema, self.rows, self.pixels, self.device = recipe, schema, rows, pixels, device
        self.group: DeviceGroup | None = None
        mean, std = normalisation(recipe)
        self.mirror = FlipLabels.of(recipe.augment, schema, heads, recipe.seed)
        augment = recipe.augment if self.mirror is None else recipe.augment.model_copy(update={"flip": 0.0})
        self.augment = Augment(augment, mean=mean, std=std, seed=recipe.seed)

    def batches(
        self, epoch: int, first: int = 0, count: int | None = None
    ) -> Iterator[tuple[int, Tensor, LossBatch]]:
        """Yield step number, photos float [b, 3, H, W] and the loss's batch, from step `first` of an epoch on.

        The photos are those of the whole batch, b = B; on one of several devices, its share of them. The loss's batch
        is always the whole one.
        """
        recipe = self.recipe
        batches = epoch_batches(
            self.rows.by, self.rows.subjects, self.rows.teacher_targets.pseudo_labels, recipe, epoch
        )
        last = len(batches) if count is None else min(len(batches), first + count)
        kinds = schedule(recipe.mixing, seed=recipe.seed, epoch=epoch, steps=len(batches))
        planned: Iterable[PlannedBatch] = (
            self._planned(batches[number], kinds[number], epoch, number) for number in range(first, last)
        )
        chosen = batches[first:last]
        if self.group is not None:
            planned = list(planned)
            chosen = [plan.read for plan in planned]
        for number, photos, plan in zip(
            range(first, last), self.pixels.batches(chosen), planned, strict=True
        ):
            images, batch = self._made(photos, plan, epoch)
            yield number, images, batch

    def _planned(self, rows: NDArray[np.int64], kind: Kind | None, epoch: int, number: int) -> PlannedBatch:
        """Draw for a whole batch what happens to its photos."""
        recipe, first, group = self.recipe, number * len(rows), self.group
        target, flips = self.rows.target[rows], None
        if self.mirror is not None:
            flips, target = self.mirror.draw(target, epoch, first)
        plan = plan_batch(
            kind,
            recipe.mixing,
            target,
            size=self.pixels.size,
            counters=(recipe.seed, epoch, number),
            class_names=self.schema.target_classes,
        )
        share = None if group is None else BatchShare.of(group.rank, group.world, len(rows), plan)
        return PlannedBatch(rows=rows, first=first, flips=flips, shown=target, mixing=plan, share=share)

    def _made(self, photos: Tensor, plan: PlannedBatch, epoch: int) -> tuple[Tensor, LossBatch]:
        """Make the photos uint8 [n, H, W, 3] of a plan ready; return them with the loss's batch."""
        share = plan.share
        step = LossBatch(torch.from_numpy(plan.rows).to(self.device, non_blocking=True))
        if self.mirror is not None and plan.flips is not None:
            flips = plan.flips if share is None else plan.flips[share.positions]
            photos = self.mirror.flip(photos, flips)
            step = LossBatch(step.rows, self.mirror.codes_of(plan.shown, self.device))
        images = self.augment(photos, epoch=epoch, first=plan.first, share=share)
        images, _ = mix(images, {}, plan.mixing if share is None else share.mixing(plan.mixing))
        return images, step.mixed(plan.mixing)
