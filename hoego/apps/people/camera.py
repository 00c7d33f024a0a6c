"""Light and camera: from the supersampled drawing to the pixels of a photo."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from hoego.apps.people.canvas import Frame
from hoego.apps.people.dice import Dice
from hoego.apps.people.shot import Shot

Pixels = NDArray[np.float32]


def _light(size: tuple[int, int], frame: Frame, shot: Shot) -> tuple[Pixels, Pixels]:
    """Return brightness factors [H, W] of the figure and of the background."""
    width, height = size
    x = (np.arange(width, dtype=np.float32) - np.float32(frame.x)) / np.float32(frame.scale)
    y = (np.arange(height, dtype=np.float32) - np.float32(frame.y)) / np.float32(frame.scale)
    across = np.clip(x / np.float32(1.1), -1.0, 1.0)[None, :]
    down = np.clip(y / np.float32(1.6), -1.0, 1.3)[:, None]
    hard = shot.hardness
    figure = 1.0 + hard * (shot.light[0] * across + shot.light[1] * down) - 0.10 * np.maximum(down - 0.3, 0.0)
    wall = shot.backdrop * (1.0 + 0.5 * hard * (shot.light[0] * across * 0.8 + shot.light[1] * down))
    return figure.astype(np.float32), wall.astype(np.float32)


def expose(
    drawing: Image.Image, figure: Image.Image, size: tuple[int, int], frame: Frame, shot: Shot, dice: Dice
) -> Image.Image:
    """Take the photo.

    Args:
        drawing: the RGB drawing, a whole multiple of `size`; figure: its grey mask of the person.
        size: width and height of the photo, pixels.
        frame: where the head is, in pixels of the photo.
        shot: light and camera settings.
        dice: the sensor's noise.
    """
    times = drawing.width // size[0]
    small, mask = drawing.reduce(times), figure.reduce(times)
    if shot.blur > 0.0:
        small = small.filter(ImageFilter.GaussianBlur(shot.blur * frame.scale / 32.0))
    rgb = np.asarray(small, dtype=np.float32)
    share = (np.asarray(mask, dtype=np.float32) / np.float32(255.0))[:, :, None]
    on_figure, on_wall = _light(size, frame, shot)
    factor = on_wall[:, :, None] + share * (on_figure - on_wall)[:, :, None]
    warm = np.array([1.0 + shot.warmth, 1.0, 1.0 - shot.warmth], dtype=np.float32) * np.float32(shot.exposure)
    rgb = rgb * factor * warm
    grey = (rgb[:, :, 0:1] * np.float32(0.30) + rgb[:, :, 1:2] * np.float32(0.59)) + rgb[
        :, :, 2:3
    ] * np.float32(0.11)
    rgb = grey + (rgb - grey) * np.float32(shot.saturation)
    rgb = (rgb - np.float32(124.0)) * np.float32(shot.contrast) + np.float32(124.0)
    fine = dice.noise((size[1], size[0], 1))
    coloured = dice.noise((size[1], size[0], 3))
    rgb = rgb + (fine * np.float32(0.8) + coloured * np.float32(0.6)) * np.float32(shot.noise)
    return Image.fromarray(np.floor(np.clip(rgb, 0.0, 255.0) + np.float32(0.5)).astype(np.uint8))
