"""Parameters of the augmentation: from one key per photo to numbers, without torch.

Every operation reads columns of its own, so that switching one on does not change what the others draw.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hoego.recipe.techniques import AugmentSettings
from hoego.short_repr import ShortRepr
from hoego.train.augment.geometry import affine_inverse, crop_map, flip_map, to_normalised
from hoego.train.augment.policy import N_OPS
from hoego.train.counter import uniforms

Floats = NDArray[np.float64]
_POLICY = 32
_COLUMNS = _POLICY + 3 * 6


@dataclass(frozen=True, eq=False, repr=False)
class PolicyOps(ShortRepr):
    """Operations of a policy: int64[R, B] positions in OPS, magnitudes 0..30 int64[R, B], signs -1 or 1 [R, B]."""

    wide: bool
    ops: NDArray[np.int64]
    magnitudes: NDArray[np.int64]
    signs: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class AugmentParams(ShortRepr):
    """What happens to each of B photos; None where the operation is off.

    Args:
        flip: bool[B], left-right (only where no map is given, which holds the flips otherwise).
        flip_vertical: bool[B].
        maps: float32[B, 2, 3], output to input coordinates in [-1, 1], as `grid_sample` reads them.
        policy: a policy's operations.
        brightness, contrast, saturation: factors [B]; a grey photo has the saturation 0.
        hue: shifts [B] of the colour circle.
        gamma: exponents [B].
        equalize: bool[B].
        blur: standard deviations [B] in pixels; 0 where not blurred.
        noise: standard deviations [B], white being 1.
        boxes: int64[B, 4], top, bottom, left, right of the erased box; all 0 where nothing is erased.
    """

    flip: NDArray[np.bool_] | None = None
    flip_vertical: NDArray[np.bool_] | None = None
    maps: NDArray[np.float32] | None = None
    policy: PolicyOps | None = None
    brightness: Floats | None = None
    contrast: Floats | None = None
    saturation: Floats | None = None
    hue: Floats | None = None
    gamma: Floats | None = None
    equalize: NDArray[np.bool_] | None = None
    blur: Floats | None = None
    noise: Floats | None = None
    boxes: NDArray[np.int64] | None = None


def draw(settings: AugmentSettings, keys: NDArray[np.uint64], size: tuple[int, int]) -> AugmentParams:
    """Draw the parameters of the photos with the keys [B], for images of `size` (height, width).

    Ranges are uniform, but for zoom, crop ratio and gamma, which are log-uniform (0.5 is as likely as 2).
    """
    u = uniforms(keys, _COLUMNS)
    s = settings
    flip = u[:, 0] < s.flip if s.flip else None
    vertical = u[:, 1] < s.flip_vertical if s.flip_vertical else None
    maps = _maps(s, u, size, flip, vertical)
    saturation = _factor(s.saturation, u[:, 13])
    if s.grey:
        saturation = np.where(u[:, 14] < s.grey, 0.0, 1.0 if saturation is None else saturation)
    return AugmentParams(
        flip=flip if maps is None else None,
        flip_vertical=vertical if maps is None else None,
        maps=maps,
        policy=_policy(s, u),
        brightness=_factor(s.brightness, u[:, 11]),
        contrast=_factor(s.contrast, u[:, 12]),
        saturation=saturation,
        hue=_between(-s.hue, s.hue, u[:, 15]) if s.hue else None,
        gamma=(1 + s.gamma) ** (2 * u[:, 16] - 1) if s.gamma else None,
        equalize=u[:, 17] < s.equalize if s.equalize else None,
        blur=np.where(u[:, 18] < s.blur, _between(*s.blur_sigma, u[:, 19]), 0.0) if s.blur else None,
        noise=s.noise * u[:, 20] if s.noise else None,
        boxes=_erased(s, u, size) if s.erase else None,
    )


def _between(low: float, high: float, u: Floats) -> Floats:
    return low + (high - low) * u


def _log_between(low: float, high: float, u: Floats) -> Floats:
    return np.asarray(low * (high / low) ** u, dtype=np.float64)


def _factor(jitter: float, u: Floats) -> Floats | None:
    return _between(1 - jitter, 1 + jitter, u) if jitter else None


def _maps(
    s: AugmentSettings,
    u: Floats,
    size: tuple[int, int],
    flip: NDArray[np.bool_] | None,
    vertical: NDArray[np.bool_] | None,
) -> NDArray[np.float32] | None:
    moved = s.affine_share > 0 and (s.rotate or s.translate or s.shear or s.scale != (1.0, 1.0))
    cropped = s.crop_area != (1.0, 1.0)
    if not moved and not cropped:
        return None
    height, width = size
    maps: Floats | None = None
    if moved:
        on = u[:, 2] < s.affine_share
        inverse = affine_inverse(
            np.where(on, _between(-s.rotate, s.rotate, u[:, 3]), 0.0),
            np.where(on, _between(-s.translate, s.translate, u[:, 4]) * width, 0.0),
            np.where(on, _between(-s.translate, s.translate, u[:, 5]) * height, 0.0),
            np.where(on, _log_between(*s.scale, u[:, 6]), 1.0),
            np.where(on, _between(-s.shear, s.shear, u[:, 7]), 0.0),
            np.where(on, _between(-s.shear, s.shear, u[:, 8]), 0.0),
        )
        maps = to_normalised(inverse, size)
    if cropped:
        box = crop_map(crop_boxes(s, u[:, [9, 10, 21, 22]], size), size)
        maps = box if maps is None else box @ maps
    if flip is not None or vertical is not None:
        still = np.zeros(len(u), dtype=bool)
        assert maps is not None
        maps = maps @ flip_map(still if flip is None else flip, still if vertical is None else vertical)
    assert maps is not None
    return np.ascontiguousarray(maps[:, :2], dtype=np.float32)


def crop_boxes(s: AugmentSettings, u: Floats, size: tuple[int, int]) -> Floats:
    """Compute boxes [B, 4] of a random resized crop from uniforms [B, 4].

    A box is top, left, height and width in pixels, not rounded. The area is uniform and the ratio log-uniform (Szegedy
    et al. 2015, section 6); a side longer than the photo is cut to it, where the common implementation draws again up
    to ten times.
    """
    height, width = size
    area = _between(*s.crop_area, u[:, 0]) * height * width
    ratio = _log_between(*s.crop_ratio, u[:, 1])
    h, w = np.minimum(np.sqrt(area / ratio), height), np.minimum(np.sqrt(area * ratio), width)
    return np.stack([u[:, 2] * (height - h), u[:, 3] * (width - w), h, w], axis=1)


def _erased(s: AugmentSettings, u: Floats, size: tuple[int, int]) -> NDArray[np.int64]:
    """Compute boxes [B, 4] (top, bottom, left, right) of erasing (Zhong et al. 2020, alg. 1; ratio 0.3 to 3.3)."""
    height, width = size
    area = _between(*s.erase_area, u[:, 24]) * height * width
    ratio = _log_between(0.3, 1 / 0.3, u[:, 25])
    h = np.clip(np.rint(np.sqrt(area / ratio)), 1, height).astype(np.int64)
    w = np.clip(np.rint(np.sqrt(area * ratio)), 1, width).astype(np.int64)
    top = np.floor(u[:, 26] * (height - h + 1)).astype(np.int64)
    left = np.floor(u[:, 27] * (width - w + 1)).astype(np.int64)
    boxes = np.stack([top, top + h, left, left + w], axis=1)
    boxes[u[:, 23] >= s.erase] = 0
    return boxes


def _policy(s: AugmentSettings, u: Floats) -> PolicyOps | None:
    if s.policy == "none":
        return None
    wide = s.policy == "trivialaugment"
    rounds = 1 if wide else s.policy_ops
    columns = u[:, _POLICY : _POLICY + 3 * rounds].T.reshape(rounds, 3, -1)
    ops = np.floor(columns[:, 0] * N_OPS).astype(np.int64)
    magnitudes = (
        np.floor(columns[:, 1] * 31).astype(np.int64) if wide else np.full_like(ops, s.policy_magnitude)
    )
    return PolicyOps(wide, ops, magnitudes, np.where(columns[:, 2] < 0.5, -1, 1))


def radius_of(sigma: float) -> int:
    """Return half the width of a blur kernel that holds three standard deviations, in pixels."""
    return max(1, math.ceil(3 * sigma))
