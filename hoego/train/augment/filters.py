"""Neighbourhoods and histograms: blur, sharpness, equalising. Pictures are float[B, 3, H, W] in [0, 1]."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from hoego.train.augment.colour import luma


def blur(images: Tensor, sigma: Tensor, radius: int) -> Tensor:
    """Apply a Gaussian blur with a standard deviation [B] (pixels) per photo; the border is mirrored.

    The kernel has 2 * radius + 1 points a side and sums to 1. A radius that the mirrored border cannot fill is cut.
    """
    for axis in (3, 2):
        reach = min(radius, images.shape[axis] - 1)
        places = torch.arange(-reach, reach + 1, device=images.device, dtype=images.dtype)
        kernel = (-(places**2) / (2 * sigma[:, None] ** 2)).softmax(1)
        pad = (reach, reach, 0, 0) if axis == 3 else (0, 0, reach, reach)
        padded = F.pad(images, pad, mode="reflect")
        length = images.shape[axis]
        out = torch.zeros_like(images)
        for i in range(2 * reach + 1):
            out = torch.addcmul(out, padded.narrow(axis, i, length), kernel[:, i, None, None, None])
        images = out
    return images


def sharpness(images: Tensor, factors: Tensor) -> Tensor:
    """Compute factor * x + (1 - factor) * smoothed x, factors [B]; the border pixels are kept (as PIL's Sharpness)."""
    if min(images.shape[2:]) < 3:
        return images
    total = F.avg_pool2d(images, 3, stride=1) * 9
    inner = images[:, :, 1:-1, 1:-1]
    smooth = images.clone()
    smooth[:, :, 1:-1, 1:-1] = (total + 4 * inner) / 13
    return torch.lerp(smooth, images, factors[:, None, None, None]).clamp(0, 1)


def autocontrast(images: Tensor) -> Tensor:
    """Stretch each channel to [0, 1]; a constant channel is kept."""
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    spread = high - low
    return torch.where(spread > 0, (images - low) / torch.where(spread > 0, spread, 1.0), images)


def levels(images: Tensor) -> Tensor:
    """Convert images in [0, 1] to the 256 levels, int64."""
    return (images * 255).round().clamp(0, 255).long()


def histograms(values: Tensor) -> Tensor:
    """Compute histograms int64[R, 256] of the levels int64[R, P] of R regions."""
    out = torch.zeros(len(values), 256, dtype=torch.int64, device=values.device)
    return out.scatter_add_(1, values, torch.ones_like(values))


def equalize(images: Tensor) -> Tensor:
    """Equalise each channel's histogram as PIL does: level i to (sum of the bars below i + step / 2) / step.

    `step` is the number of pixels, less those at the highest level present, over 255, rounded down; where it is 0 the
    channel stays.
    """
    batch, channels, height, width = images.shape
    values = levels(images).view(batch * channels, height * width)
    bars = histograms(values)
    highest = values.amax(1, keepdim=True)
    step = (height * width - bars.gather(1, highest)) // 255
    below = bars.cumsum(1) - bars
    table = ((below + step // 2) // step.clamp_min(1)).clamp(0, 255)
    out = torch.where(step > 0, table.gather(1, values), values)
    return out.view(images.shape).to(images.dtype) / 255


def clahe(images: Tensor, tiles: int = 4, clip: float = 2.0) -> Tensor:
    """Apply contrast-limited adaptive equalisation to the lightness (Zuiderveld 1994); colour differences are kept.

    Each of tiles x tiles regions maps lightness to its own cumulative histogram, whose bars are cut at `clip` times the
    mean height with the cut part spread evenly; between the regions' centres the maps are interpolated bilinearly.
    """
    batch, _, height, width = images.shape
    down, across = min(tiles, height), min(tiles, width)
    light = luma(images)
    padded = F.pad(light, (0, -width % across, 0, -height % down), mode="replicate")
    tall, wide = padded.shape[2] // down, padded.shape[3] // across
    regions = (
        levels(padded).view(batch, down, tall, across, wide).permute(0, 1, 3, 2, 4).reshape(-1, tall * wide)
    )
    bars = histograms(regions).to(images.dtype)
    limit = clip * tall * wide / 256
    cut = bars.clamp_max(max(limit, 1.0))
    cut = cut + (tall * wide - cut.sum(1, keepdim=True)) / 256
    table = (cut.cumsum(1) / (tall * wide)).view(batch, down * across * 256)
    top, bottom, part_y = _neighbours(height, tall, down, images)
    left, right, part_x = _neighbours(width, wide, across, images)
    values = levels(light).view(batch, height, width)

    def look(row: Tensor, column: Tensor) -> Tensor:
        place = (row[:, None] * across + column[None, :]) * 256 + values
        return table.gather(1, place.view(batch, -1)).view(batch, height, width)

    upper = torch.lerp(look(top, left), look(top, right), part_x[None, None, :])
    lower = torch.lerp(look(bottom, left), look(bottom, right), part_x[None, None, :])
    new = torch.lerp(upper, lower, part_y[None, :, None])
    return (images + (new[:, None] - light)).clamp(0, 1)


def _neighbours(length: int, tile: int, count: int, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return for each of `length` pixels the two tiles whose centres enclose it, and the share of the second."""
    place = (torch.arange(length, device=like.device, dtype=like.dtype) + 0.5) / tile - 0.5
    first = place.floor()
    low, high = first.long().clamp(0, count - 1), (first.long() + 1).clamp(0, count - 1)
    return low, high, place - first
