"""RandAugment and TrivialAugment, an operation drawn for each photo by itself.

The fourteen operations and their ranges are those of Cubuk et al. 2020 (RandAugment) and Mueller and Hutter 2021
(TrivialAugment, the wide space), in torchvision's reading: 31 magnitudes, nearest sampling, black borders, shears about
the upper left corner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hoego.train.augment import colour, filters
from hoego.train.augment.geometry import affine_inverse, to_normalised, warp

OPS: tuple[str, ...] = (
    "Identity",
    "ShearX",
    "ShearY",
    "TranslateX",
    "TranslateY",
    "Rotate",
    "Brightness",
    "Color",
    "Contrast",
    "Sharpness",
    "Posterize",
    "Solarize",
    "AutoContrast",
    "Equalize",
)
N_OPS = len(OPS)
_GEOMETRIC = OPS[1:6]
_BLENDS = OPS[6:9]


@dataclass(frozen=True, kw_only=True)
class MagnitudeLimits:
    """Largest value of each operation's magnitude 30; translate in pixels, or as a share of the side."""

    shear: float
    translate: float
    share: bool
    rotate: float
    blend: float
    posterize: int


RAND = MagnitudeLimits(shear=0.3, translate=150 / 331, share=True, rotate=30, blend=0.9, posterize=4)
WIDE = MagnitudeLimits(shear=0.99, translate=32, share=False, rotate=135, blend=0.99, posterize=6)


def apply_ops(
    images: Tensor,
    ops: NDArray[np.int64],
    magnitudes: NDArray[np.int64],
    signs: NDArray[np.int64],
    space: MagnitudeLimits,
) -> Tensor:
    """Apply an operation int[B] at magnitude 0..30, sign -1 or 1 [B], to each image float[B, 3, H, W] in [0, 1]."""
    out = images.clone(memory_format=torch.contiguous_format)
    share = magnitudes / 30
    for names, change in _CHANGES:
        rows = np.flatnonzero(np.isin(ops, [OPS.index(name) for name in names]))
        if not len(rows):
            continue
        place = torch.from_numpy(rows).to(images.device, non_blocking=True)
        part = change(out.index_select(0, place), ops[rows], share[rows], signs[rows], space)
        out.index_copy_(0, place, part)
    return out


def _move(
    images: Tensor,
    ops: NDArray[np.int64],
    share: NDArray[np.float64],
    signs: NDArray[np.int64],
    space: MagnitudeLimits,
) -> Tensor:
    height, width = images.shape[2:]
    signed = share * signs

    def where(name: str, value: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(ops == OPS.index(name), value, 0.0)

    reach = (
        (space.translate * width, space.translate * height)
        if space.share
        else (space.translate, space.translate)
    )
    x = where("TranslateX", np.trunc(signed * reach[0]))
    y = where("TranslateY", np.trunc(signed * reach[1]))
    shear_x = np.degrees(np.arctan(where("ShearX", signed * space.shear)))
    shear_y = np.degrees(np.arctan(where("ShearY", signed * space.shear)))
    inverse = affine_inverse(where("Rotate", -signed * space.rotate), x, y, np.ones_like(x), shear_x, shear_y)
    corner = np.isin(ops, [OPS.index("ShearX"), OPS.index("ShearY")])
    centre = np.where(corner[:, None], [-width / 2, -height / 2], 0.0)
    inverse[:, :2, 2] += centre - np.einsum("bij,bj->bi", inverse[:, :2, :2], centre)
    maps = np.ascontiguousarray(to_normalised(inverse, (height, width))[:, :2], dtype=np.float32)
    return warp(
        images, torch.from_numpy(maps).to(images.device, non_blocking=True), border="black", nearest=True
    )


def _blend(
    images: Tensor,
    ops: NDArray[np.int64],
    share: NDArray[np.float64],
    signs: NDArray[np.int64],
    space: MagnitudeLimits,
) -> Tensor:
    factor = 1 + share * signs * space.blend

    def of(name: str) -> Tensor:
        values = np.where(ops == OPS.index(name), factor, 1.0).astype(np.float32)
        return torch.from_numpy(values).to(images.device, non_blocking=True)

    terms = colour.linear_colour(images.mean((2, 3)), of("Brightness"), of("Contrast"), of("Color"))
    return colour.apply_linear(images, terms, colour.UNIT)


def _sharpness(
    images: Tensor,
    ops: NDArray[np.int64],
    share: NDArray[np.float64],
    signs: NDArray[np.int64],
    space: MagnitudeLimits,
) -> Tensor:
    factor = torch.from_numpy((1 + share * signs * space.blend).astype(np.float32))
    return filters.sharpness(images, factor.to(images.device, non_blocking=True))


def _posterize(
    images: Tensor,
    ops: NDArray[np.int64],
    share: NDArray[np.float64],
    signs: NDArray[np.int64],
    space: MagnitudeLimits,
) -> Tensor:
    lost = torch.from_numpy(np.rint(share * space.posterize).astype(np.int64)).to(
        images.device, non_blocking=True
    )
    values = filters.levels(images)
    kept = torch.bitwise_left_shift(
        torch.bitwise_right_shift(values, lost[:, None, None, None]), lost[:, None, None, None]
    )
    return kept.to(images.dtype) / 255


def _solarize(
    images: Tensor,
    ops: NDArray[np.int64],
    share: NDArray[np.float64],
    signs: NDArray[np.int64],
    space: MagnitudeLimits,
) -> Tensor:
    threshold = torch.from_numpy((1 - share).astype(np.float32)).to(images.device, non_blocking=True)
    return torch.where(images >= threshold[:, None, None, None] - 1e-6, 1 - images, images)


def _autocontrast(
    images: Tensor,
    ops: NDArray[np.int64],
    share: NDArray[np.float64],
    signs: NDArray[np.int64],
    space: MagnitudeLimits,
) -> Tensor:
    return filters.autocontrast(images)


def _equalize(
    images: Tensor,
    ops: NDArray[np.int64],
    share: NDArray[np.float64],
    signs: NDArray[np.int64],
    space: MagnitudeLimits,
) -> Tensor:
    return filters.equalize(images)


_CHANGES = (
    (_GEOMETRIC, _move),
    (_BLENDS, _blend),
    (("Sharpness",), _sharpness),
    (("Posterize",), _posterize),
    (("Solarize",), _solarize),
    (("AutoContrast",), _autocontrast),
    (("Equalize",), _equalize),
)
