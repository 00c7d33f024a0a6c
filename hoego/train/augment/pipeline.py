"""The augmentation of a batch: from uint8 pictures to normalised floats."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hoego.errors import TrainError
from hoego.recipe.techniques import AugmentSettings
from hoego.train.augment import colour, filters, geometry, policy
from hoego.train.augment.draw import AugmentParams, draw, radius_of
from hoego.train.batch_share import BatchShare
from hoego.train.counter import sample_keys


class Augment:
    """Random changes of training photos, and the normalisation that all photos get.

    Order: crop, affine and flips in one sampling; the policy; brightness, contrast and saturation (grey among them) in
    one pass; hue; gamma; equalising; blur; noise; normalising; erasing. A photo's draws depend on (seed, epoch,
    position in the epoch's order) alone, so batches may be cut anywhere and training resumes exactly; the noise, which
    is drawn on the device, depends on the batch's first position.

    Args:
        settings: the section `augment`.
        mean, std: of each channel, in [0, 1], for normalising.
        seed: seed of the run.
        dtype: of the output.
        channels_last: memory format of the output.
    """

    def __init__(
        self,
        settings: AugmentSettings,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
        channels_last: bool = True,
    ) -> None:
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise TrainError(
                f"Normalising needs three means and three deviations above 0, got {mean} and {std}."
            )
        self.settings = settings
        self.seed = seed
        self.dtype = dtype
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.norm = colour.Normalize(mean, std)

    def __call__(self, images: Tensor, *, epoch: int, first: int, share: BatchShare | None = None) -> Tensor:
        """Augment uint8 [B, H, W, 3] or [B, 3, H, W] to float [B, 3, H, W].

        Args:
            images: photos at positions first ... of an epoch's order.
            epoch, first: their epoch, and the position of the first.
            share: where the images are a part of that batch, which part.
        """
        planes = as_planes(images)
        keys = sample_keys(self.seed, epoch, first, len(planes) if share is None else share.total)
        own = keys if share is None else keys[share.positions]
        drawn = draw(self.settings, own, (planes.shape[2], planes.shape[3]))
        return self.apply(planes, drawn, int(keys[0]), share)

    def plain(self, images: Tensor) -> Tensor:
        """Normalise the images without any other change."""
        return self.apply(as_planes(images), AugmentParams())

    def with_keys(self, images: Tensor, keys: NDArray[np.uint64]) -> Tensor:
        """Augment the images by what their own keys [B] draw."""
        planes = as_planes(images)
        return self.apply(planes, draw(self.settings, keys, (planes.shape[2], planes.shape[3])), int(keys[0]))

    @torch.no_grad()
    def apply(
        self,
        planes: Tensor,
        drawn: AugmentParams,
        noise_seed: int = 0,
        share: BatchShare | None = None,
    ) -> Tensor:
        """Apply drawn parameters to uint8 [B, 3, H, W] and normalise."""

        def grain(images: Tensor) -> Tensor:
            """Draw noise [B, 3, H, W] for the whole batch, and take the rows of the images."""
            random = torch.Generator(images.device).manual_seed(noise_seed & ((1 << 62) - 1))
            shape = images.shape if share is None else (share.total, *images.shape[1:])
            whole = torch.randn(shape, generator=random, device=images.device, dtype=images.dtype)
            return whole if share is None else whole[torch.from_numpy(share.positions)]

        with torch.autocast(planes.device.type, enabled=False):
            return self._apply(planes, drawn, grain)

    def _apply(self, planes: Tensor, drawn: AugmentParams, grain: Callable[[Tensor], Tensor]) -> Tensor:
        device = planes.device
        images = self._moved(planes, drawn)
        unit = 1 / 255
        if drawn.policy is not None:
            images, unit = self._policy(images * unit, drawn), 1.0
        pointwise = [drawn.hue, drawn.gamma, drawn.equalize, drawn.blur, drawn.noise]
        factors = [_floats(f, device) for f in (drawn.brightness, drawn.contrast, drawn.saturation)]
        means = images.mean((2, 3)) * unit if drawn.contrast is not None else None
        terms = colour.linear_colour(means, *factors)
        if all(p is None for p in pointwise):
            images = colour.apply_linear(images, terms, self.norm, unit=unit)
        else:
            images = colour.apply_linear(images, terms, colour.UNIT, unit=unit)
            images = self._pointwise(images, drawn, grain)
            images = colour.apply_linear(images, (None, None, None), self.norm)
        if drawn.boxes is not None:
            boxes = torch.from_numpy(drawn.boxes).to(device, non_blocking=True)
            images = images.masked_fill(geometry.inside(boxes, *images.shape[2:]), 0.0)
        return images.to(self.dtype, memory_format=self.memory_format)

    def _moved(self, planes: Tensor, drawn: AugmentParams) -> Tensor:
        device = planes.device
        if drawn.maps is not None:
            maps = torch.from_numpy(drawn.maps).to(device, non_blocking=True)
            return geometry.warp(planes.float(), maps, border=self.settings.border)
        for flags, axis in ((drawn.flip, 3), (drawn.flip_vertical, 2)):
            if flags is not None:
                planes = geometry.flip_rows(planes, _rows(flags, device), axis)
        return planes.float()

    def _policy(self, images: Tensor, drawn: AugmentParams) -> Tensor:
        plan = drawn.policy
        assert plan is not None
        space = policy.WIDE if plan.wide else policy.RAND
        for ops, magnitudes, signs in zip(plan.ops, plan.magnitudes, plan.signs, strict=True):
            images = policy.apply_ops(images, ops, magnitudes, signs, space)
        return images

    def _pointwise(self, images: Tensor, drawn: AugmentParams, grain: Callable[[Tensor], Tensor]) -> Tensor:
        device = images.device
        if (hue := _floats(drawn.hue, device)) is not None:
            images = colour.shift_hue(images, hue)
        if (gamma := _floats(drawn.gamma, device)) is not None:
            images = colour.apply_gamma(images, gamma)
        if drawn.equalize is not None and drawn.equalize.any():
            rows = _rows(drawn.equalize, device)
            s = self.settings
            part = filters.clahe(images[rows], s.equalize_tiles, s.equalize_clip)
            images = images.index_copy(0, rows, part)
        if drawn.blur is not None and drawn.blur.any():
            rows = _rows(drawn.blur > 0, device)
            sigma = _floats(drawn.blur[drawn.blur > 0], device)
            assert sigma is not None
            part = filters.blur(images[rows], sigma, radius_of(self.settings.blur_sigma[1]))
            images = images.index_copy(0, rows, part)
        if (noise := _floats(drawn.noise, device)) is not None:
            images = images.add(grain(images).mul_(noise[:, None, None, None])).clamp_(0, 1)
        return images


def as_planes(images: Tensor) -> Tensor:
    """View uint8 [B, H, W, 3] as [B, 3, H, W] without a copy; return [B, 3, H, W] as it is.

    Raises:
        TrainError: another type or shape.
    """
    if images.dtype != torch.uint8 or images.dim() != 4 or 3 not in (images.shape[1], images.shape[3]):
        raise TrainError(f"Photos must be uint8 [B, H, W, 3], got {images.dtype} {tuple(images.shape)}.")
    return images.permute(0, 3, 1, 2) if images.shape[3] == 3 else images


def _floats(values: NDArray[np.float64] | None, device: torch.device) -> Tensor | None:
    return (
        None if values is None else torch.from_numpy(values.astype(np.float32)).to(device, non_blocking=True)
    )


def _rows(flags: NDArray[np.bool_], device: torch.device) -> Tensor:
    return torch.from_numpy(np.flatnonzero(flags)).to(device, non_blocking=True)
