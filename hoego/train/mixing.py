"""Mixing the photos of a batch with one another: mixup, and CutMix in four forms.

Which batch is mixed how is decided by (seed, epoch, step); a share is met within one batch in every epoch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hoego.errors import TrainError, nearest
from hoego.recipe.techniques import CutmixSettings, MixingSettings, MixSettings, MixupSettings
from hoego.short_repr import ShortRepr
from hoego.train.counter import generator

Kind = Literal["mixup", "cutmix", "cutmix_same", "cutmix_vertical", "cutmix_horizontal"]
KINDS: tuple[Kind, ...] = ("mixup", "cutmix", "cutmix_same", "cutmix_vertical", "cutmix_horizontal")
_GOLDEN = 0.6180339887498949
"""The golden ratio's fraction: its multiples modulo 1 spread evenly, so rounded shares even out over few epochs."""


@dataclass(frozen=True, eq=False, repr=False)
class MixPlan(ShortRepr):
    """How one batch of B photos is mixed.

    Args:
        kind: a name of KINDS.
        partner: int64[B], the photo of the batch that each is mixed with.
        keep: float32[B], the share of each photo's own label (1: unchanged).
        boxes: int64[B, 4], the pasted rectangle as top, bottom, left, right (half-open); None for mixup.
    """

    kind: Kind
    partner: NDArray[np.int64]
    keep: NDArray[np.float32]
    boxes: NDArray[np.int64] | None = None


def schedule(settings: MixingSettings, *, seed: int, epoch: int, steps: int) -> tuple[Kind | None, ...]:
    """Draw the kind of mixing of each of the `steps` batches of an epoch; None for a plain batch.

    Each kind has the floor or the ceiling of share * steps batches (share * steps itself where that is whole), at
    places drawn from (seed, epoch). Over the epochs the rounding evens out.
    """
    shares = [_share(getattr(settings, kind), epoch) for kind in KINDS]
    start = (float(generator("mixing-round", seed).random()) + epoch * _GOLDEN) % 1.0
    bounds = np.floor(np.cumsum([0.0, *shares]) * steps + start + 1e-9).astype(int)
    counts = np.diff(bounds)
    slots: list[Kind | None] = [kind for kind, count in zip(KINDS, counts, strict=True) for _ in range(count)]
    slots += [None] * (steps - len(slots))
    order = generator("mixing-slots", seed, epoch).permutation(steps)
    return tuple(slots[i] for i in order)


def plan_batch(
    kind: Kind | None,
    settings: MixingSettings,
    labels: NDArray[np.integer],
    *,
    size: tuple[int, int],
    counters: tuple[int, int, int],
    class_names: Sequence[str] = (),
) -> MixPlan | None:
    """Draw partners, shares and boxes of one batch; None for a plain batch.

    Mixup draws keep ~ Beta(alpha, alpha) for each pair (Zhang et al. 2018); CutMix draws the area 1 - Beta of a
    box of the photo's proportions, its centre uniform, and counts what lies inside (Yun et al. 2019, eq. 1 and 2).
    The vertical form takes one half beside the other, the horizontal one half above the other.

    Args:
        kind: the batch's entry in `schedule`.
        settings: the section `mixing`.
        labels: int[B], the target classes (`cutmix_same`, `classes`).
        size: height and width in pixels.
        counters: seed, epoch, step.
        class_names: names of the target classes, to find `classes` in.

    Raises:
        TrainError: `classes` names an unknown target class.
    """
    if kind is None:
        return None
    chosen: MixSettings = getattr(settings, kind)
    random = generator(f"mixing-{kind}", *counters)
    n = len(labels)
    partner = _same_class(labels, random) if kind == "cutmix_same" else random.permutation(n)
    if isinstance(chosen, MixupSettings):
        keep, boxes = random.beta(chosen.alpha, chosen.alpha, n), None
    else:
        boxes = _boxes(kind, chosen, n, size, random)
        area = (boxes[:, 1] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 2])
        keep = 1 - area / (size[0] * size[1])
    if chosen.classes:
        untouched = ~np.isin(labels, _codes(chosen.classes, class_names, kind))
        keep[untouched] = 1.0
        if boxes is not None:
            boxes[untouched] = 0
    return MixPlan(kind, partner.astype(np.int64), keep.astype(np.float32), boxes)


def mix(
    images: Tensor, targets: Mapping[str, Tensor], plan: MixPlan | None
) -> tuple[Tensor, dict[str, Tensor]]:
    """Mix images [B, 3, H, W] and soft targets (name -> float[B, C]) as planned; unchanged where the plan is None.

    Images behind the first B serve as partners alone and are dropped.
    """
    if plan is None:
        return images, dict(targets)
    device = images.device
    partner = torch.from_numpy(plan.partner).to(device, non_blocking=True)
    keep = torch.from_numpy(plan.keep).to(device, non_blocking=True)
    own = images[: len(plan.partner)]
    if plan.boxes is None:
        mixed = torch.lerp(images[partner], own, keep.to(images.dtype)[:, None, None, None])
    else:
        boxes = torch.from_numpy(plan.boxes).to(device, non_blocking=True)
        mixed = torch.where(_inside(boxes, images.shape[2], images.shape[3]), images[partner], own)
    return mixed, {name: mix_target(target, partner, keep) for name, target in targets.items()}


def mix_target(target: Tensor, partner: Tensor, keep: Tensor) -> Tensor:
    """Mix soft targets [B, C]: keep * own + (1 - keep) * partner's."""
    return torch.lerp(target[partner], target, keep.to(target.dtype)[:, None])


def mix_mask(mask: Tensor, partner: Tensor, keep: Tensor) -> Tensor:
    """Return which mixed photos [B] have a label: those whose parts with a share above 0 all have one."""
    return (mask | (keep <= 0)) & (mask[partner] | (keep >= 1))


def _inside(boxes: Tensor, height: int, width: int) -> Tensor:
    rows = torch.arange(height, device=boxes.device)
    columns = torch.arange(width, device=boxes.device)
    down = (rows >= boxes[:, 0, None]) & (rows < boxes[:, 1, None])
    across = (columns >= boxes[:, 2, None]) & (columns < boxes[:, 3, None])
    return (down[:, :, None] & across[:, None, :])[:, None]


def _share(settings: MixSettings, epoch: int) -> float:
    return 0.0 if settings.off_epoch is not None and epoch >= settings.off_epoch else settings.share


def _boxes(
    kind: Kind, settings: MixSettings, n: int, size: tuple[int, int], random: np.random.Generator
) -> NDArray[np.int64]:
    height, width = size
    if isinstance(settings, CutmixSettings):
        side = np.sqrt(1 - random.beta(settings.alpha, settings.alpha, n))
        half_h, half_w = (height * side).astype(np.int64) // 2, (width * side).astype(np.int64) // 2
        y, x = random.integers(height, size=n), random.integers(width, size=n)
        return np.stack(
            [
                np.clip(y - half_h, 0, height),
                np.clip(y + half_h, 0, height),
                np.clip(x - half_w, 0, width),
                np.clip(x + half_w, 0, width),
            ],
            axis=1,
        )
    first = random.random(n) < 0.5
    length = width if kind == "cutmix_vertical" else height
    low, high = np.where(first, 0, length // 2), np.where(first, length // 2, length)
    zero = np.zeros(n, dtype=np.int64)
    if kind == "cutmix_vertical":
        return np.stack([zero, zero + height, low, high], axis=1)
    return np.stack([low, high, zero, zero + width], axis=1)


def _same_class(labels: NDArray[np.integer], random: np.random.Generator) -> NDArray[np.int64]:
    """Draw a permutation [B] within each class; photos without a class (-1) keep their place."""
    shuffled = random.permutation(len(labels))
    partner = np.empty(len(labels), dtype=np.int64)
    partner[np.argsort(labels, kind="stable")] = shuffled[np.argsort(labels[shuffled], kind="stable")]
    return np.where(labels < 0, np.arange(len(labels)), partner)


def _codes(classes: Sequence[str], class_names: Sequence[str], kind: str) -> list[int]:
    for name in classes:
        if name not in class_names:
            raise TrainError(
                f"mixing.{kind}.classes names {name!r}, no target class.", remedy=nearest(name, class_names)
            )
    return [list(class_names).index(name) for name in classes]
