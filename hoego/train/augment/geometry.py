"""Maps of the plane, composed in numpy, and their application to a batch by one sampling of one grid."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float64]
Border = Literal["edge", "black", "reflect"]
_PADDING: dict[Border, str] = {"edge": "border", "black": "zeros", "reflect": "reflection"}


def affine_inverse(
    angle: Floats, x: Floats, y: Floats, scale: Floats, shear_x: Floats, shear_y: Floats
) -> Floats:
    """Compute maps [B, 3, 3] from output to input pixels, both counted from the image centre.

    The picture is sheared, turned by `angle` (clockwise), scaled and moved by (x, y) pixels to the right and down, in
    that order, which is torchvision's order and sense. Angles and shears are in degrees.
    """
    turn, sx, sy = np.radians(angle), np.radians(shear_x), np.radians(shear_y)
    a = np.cos(turn - sy) / np.cos(sy)
    b = -np.cos(turn - sy) * np.tan(sx) / np.cos(sy) - np.sin(turn)
    c = np.sin(turn - sy) / np.cos(sy)
    d = -np.sin(turn - sy) * np.tan(sx) / np.cos(sy) + np.cos(turn)
    out = np.zeros((len(angle), 3, 3))
    # The determinant of turn and shear is 1, so that the inverse is the adjugate over the scale.
    out[:, 0, 0], out[:, 0, 1] = d / scale, -b / scale
    out[:, 1, 0], out[:, 1, 1] = -c / scale, a / scale
    out[:, 0, 2] = -(out[:, 0, 0] * x + out[:, 0, 1] * y)
    out[:, 1, 2] = -(out[:, 1, 0] * x + out[:, 1, 1] * y)
    out[:, 2, 2] = 1
    return out


def to_normalised(maps: Floats, size: tuple[int, int]) -> Floats:
    """Convert maps [B, 3, 3] of pixels from the centre to maps of coordinates in [-1, 1] (the outer image borders)."""
    height, width = size
    half = np.array([width / 2, height / 2, 1.0])
    return np.asarray(maps * half[None, None, :] / half[None, :, None], dtype=np.float64)


def crop_map(boxes: Floats, size: tuple[int, int]) -> Floats:
    """Compute maps [B, 3, 3] that show the boxes [B, 4] (top, left, height, width in pixels) in the whole image."""
    height, width = size
    top, left, h, w = boxes.T
    out = np.zeros((len(boxes), 3, 3))
    out[:, 0, 0], out[:, 0, 2] = w / width, (2 * left + w) / width - 1
    out[:, 1, 1], out[:, 1, 2] = h / height, (2 * top + h) / height - 1
    out[:, 2, 2] = 1
    return out


def flip_map(left_right: NDArray[np.bool_], up_down: NDArray[np.bool_]) -> Floats:
    """Compute maps [B, 3, 3] that mirror the flagged images."""
    out = np.zeros((len(left_right), 3, 3))
    out[:, 0, 0] = np.where(left_right, -1.0, 1.0)
    out[:, 1, 1] = np.where(up_down, -1.0, 1.0)
    out[:, 2, 2] = 1
    return out


def grid_of(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Compute the sampling grid [B, H, W, 2] of the maps [B, 2, 3], as sums of a row part and a column part.

    Sums, not products of matrices: reduced matrix precision (TF32, bfloat16) cannot move a pixel.
    """
    height, width = size
    x = (torch.arange(width, device=maps.device, dtype=maps.dtype) * 2 + 1) / width - 1
    y = (torch.arange(height, device=maps.device, dtype=maps.dtype) * 2 + 1) / height - 1
    columns = maps[:, None, :, 0] * x[None, :, None]
    rows = maps[:, None, :, 1] * y[None, :, None] + maps[:, None, :, 2]
    # Pairs as complex numbers: one broadcast addition writes both coordinates.
    both = (
        torch.view_as_complex(columns.contiguous())[:, None, :]
        + torch.view_as_complex(rows.contiguous())[:, :, None]
    )
    return torch.view_as_real(both)


def warp(
    images: Tensor,
    maps: Tensor,
    *,
    size: tuple[int, int] | None = None,
    border: Border = "edge",
    nearest: bool = False,
) -> Tensor:
    """Sample images float[B, 3, H, W] through the maps [B, 2, 3], as [B, 3, *size].

    Bilinear without antialiasing, or nearest.
    """
    height, width = size or (images.shape[2], images.shape[3])
    return F.grid_sample(
        images,
        grid_of(maps, (height, width)),
        mode="nearest" if nearest else "bilinear",
        padding_mode=_PADDING[border],
        align_corners=False,
    )


def flip_rows(images: Tensor, rows: Tensor, axis: int) -> Tensor:
    """Return a copy of the images with the rows int[R] mirrored along the axis."""
    return images.index_copy(0, rows, images.index_select(0, rows).flip(axis))


def inside(boxes: Tensor, height: int, width: int) -> Tensor:
    """Return the mask bool[B, 1, H, W] of the pixels in the boxes int[B, 4] (top, bottom, left, right; half-open)."""
    rows = torch.arange(height, device=boxes.device)
    columns = torch.arange(width, device=boxes.device)
    down = (rows >= boxes[:, 0, None]) & (rows < boxes[:, 1, None])
    across = (columns >= boxes[:, 2, None]) & (columns < boxes[:, 3, None])
    return (down[:, :, None] & across[:, None, :])[:, None]
