"""Colour: everything linear as one matrix per photo; hue and gamma pixel by pixel. Pictures are float[B, 3, H, W]."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

LUMA = (0.2989, 0.587, 0.114)
Terms = tuple[Tensor | None, Tensor | None, Tensor | None]


class Normalize:
    """The normalisation (x - mean) / std of the three channels, and where it takes 0 and 1."""

    def __init__(
        self, mean: Sequence[float] = (0.0, 0.0, 0.0), std: Sequence[float] = (1.0, 1.0, 1.0)
    ) -> None:
        self.bounds = [(-m / s, (1 - m) / s) for m, s in zip(mean, std, strict=True)]
        self._scale, self._shift = [1 / s for s in std], [low for low, _ in self.bounds]
        self._ready: dict[torch.device, tuple[Tensor, Tensor]] = {}

    def tensors(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return 1 / std and -mean / std, [3] each, on the device."""
        if device not in self._ready:
            self._ready[device] = (
                torch.tensor(self._scale, device=device),
                torch.tensor(self._shift, device=device),
            )
        return self._ready[device]


UNIT = Normalize()


@lru_cache(maxsize=32)
def constant(values: tuple[float, ...], device: torch.device) -> Tensor:
    """Return values on the device, sent once and cached: a copy inside the loop would wait for the device."""
    return torch.tensor(values, device=device)


def luma(images: Tensor) -> Tensor:
    """Compute the lightness [B, 1, H, W] (ITU-R BT.601 weights, as torchvision rounds them)."""
    r, g, b = images.unbind(1)
    return torch.add(torch.add(r * LUMA[0], g, alpha=LUMA[1]), b, alpha=LUMA[2])[:, None]


def linear_colour(
    means: Tensor | None, brightness: Tensor | None, contrast: Tensor | None, saturation: Tensor | None
) -> Terms:
    """Combine brightness, then contrast, then saturation into own * x_c + grey * luma(x) + bias.

    Each is the blend of torchvision's `adjust_*`: with black, with the photo's mean lightness, with its own lightness.

    Args:
        means: mean of each channel [B, 3]; needed with `contrast`.
        brightness, contrast, saturation: factors [B] or None.

    Returns:
        own [B], grey [B], bias [B]; None where it is 1, 0, 0.
    """
    own = brightness
    bias = None
    if contrast is not None:
        assert means is not None
        mean = (means * constant(LUMA, means.device)).sum(1)
        bias = (1 - contrast) * (mean if own is None else own * mean)
        own = contrast if own is None else own * contrast
    if saturation is None:
        return own, None, bias
    own = torch.ones_like(saturation) if own is None else own
    if bias is not None:
        bias = bias * (saturation + (1 - saturation) * sum(LUMA))
    return own * saturation, own * (1 - saturation), bias


def apply_linear(images: Tensor, terms: Terms, norm: Normalize, *, unit: float = 1.0) -> Tensor:
    """Compute own * x + grey * luma(x) + bias, clip to [0, 1], then normalise; x is images * unit.

    Args:
        images: float[B, 3, H, W].
        terms: of `linear_colour`.
        norm: of the normalisation; `Normalize()` leaves [0, 1].
        unit: what brings the images to [0, 1], such as 1 / 255.
    """
    own, grey, bias = terms
    device = images.device
    scale, shift = norm.tensors(device)
    if own is None and bias is None and grey is None:
        return scaled(images, (scale * unit)[None], shift[None])
    gain = (scale if own is None else own[:, None] * scale).mul(unit)
    offset = shift[None] if bias is None else bias[:, None] * scale + shift
    batch, channels, height, width = images.shape
    if grey is None:
        out = scaled(images, gain.view(-1, channels), offset)
    else:
        matrix = torch.diag_embed(gain.expand(batch, channels))
        matrix = matrix + (grey[:, None] * scale)[:, :, None] * (constant(LUMA, device) * unit)
        flat = images.reshape(batch, channels, height * width)
        out = torch.baddbmm(offset.expand(batch, channels)[:, :, None], matrix, flat).view(images.shape)
    for channel, (low, high) in enumerate(norm.bounds):
        out[:, channel].clamp_(low, high)
    return out


def scaled(images: Tensor, gain: Tensor, offset: Tensor) -> Tensor:
    """Compute images [B, 3, H, W] * gain + offset ([B or 1, 3]), in the layout of the images.

    A product and a sum are three times as fast as one `addcmul` on a CPU, which does not vectorise its broadcasts; in
    channels-last layout the three channels are repeated along each row for the same reason.
    """
    batch, channels, height, width = images.shape
    rows = images.permute(0, 2, 3, 1)
    if rows.is_contiguous() and images.device.type == "cpu":
        out = rows.reshape(batch, height, width * channels) * gain.repeat(1, width)[:, None]
        out.add_(offset.repeat(1, width)[:, None])
        return out.view(rows.shape).permute(0, 3, 1, 2)
    return (images * gain[:, :, None, None]).add_(offset[:, :, None, None])


def shift_hue(images: Tensor, shifts: Tensor) -> Tensor:
    """Rotate the hue of images in [0, 1] by shifts [B] of the circle in HSV space (Smith 1978)."""
    top, low = images.amax(1), images.amin(1)
    spread = top - low
    safe = torch.where(spread > 0, spread, 1.0)
    r, g, b = images.unbind(1)
    sector = torch.where(
        top == r, (g - b) / safe, torch.where(top == g, 2 + (b - r) / safe, 4 + (r - g) / safe)
    )
    hue = sector + 6 * shifts[:, None, None]
    places = constant((5.0, 3.0, 1.0), images.device)
    k = torch.remainder(places[None, :, None, None] + hue[:, None], 6.0)
    return top[:, None] - spread[:, None] * torch.minimum(k, 4 - k).clamp(0, 1)


def apply_gamma(images: Tensor, gamma: Tensor) -> Tensor:
    """Compute images ** gamma [B], for images in [0, 1]."""
    return images.clamp(0, 1) ** gamma[:, None, None, None]
