"""Drawing on a supersampled picture: splines, tapered strokes, soft layers, and the projection of a head."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

Points = NDArray[np.float64]  # [P points, 2 (x, y)]
Colour = tuple[int, int, int]
Shape = tuple[Points, float]  # outline in pixels, opacity 0..1


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Return the colour at `share` of the way from `first` to `second`."""
    share = min(1.0, max(0.0, share))
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def tone(colour: Colour, factor: float) -> Colour:
    """Return the colour with every channel multiplied by `factor`, clipped to 0..255."""
    red, green, blue = (min(255, max(0, round(channel * factor))) for channel in colour)
    return red, green, blue


@cache
def _catmull_rom(steps: int) -> tuple[Points, Points, Points, Points]:
    t = (np.arange(steps, dtype=np.float64) / steps)[None, :, None]
    t2, t3 = t * t, t * t * t
    return (
        0.5 * (2.0 * t2 - t - t3),
        0.5 * (2.0 - 5.0 * t2 + 3.0 * t3),
        0.5 * (t + 4.0 * t2 - 3.0 * t3),
        0.5 * (t3 - t2),
    )


def spline(control: ArrayLike, closed: bool = False, steps: int = 7) -> Points:
    """Return a Catmull-Rom curve through control points [Q, 2]; `steps` points per segment."""
    knots = np.asarray(control, dtype=np.float64)
    if closed:
        padded = np.concatenate([knots[-1:], knots, knots[:2]])
    else:
        padded = np.concatenate([knots[:1], knots, knots[-1:]])
    p0, p1, p2, p3 = (padded[i : len(padded) - 3 + i, None, :] for i in range(4))
    w0, w1, w2, w3 = _catmull_rom(steps)
    points = (p0 * w0 + p1 * w1 + p2 * w2 + p3 * w3).reshape(-1, 2)
    return points if closed else np.concatenate([points, knots[-1:]])


def mirror(half: ArrayLike) -> Points:
    """Return a closed outline from its right half, listed from the top to the bottom (x >= 0)."""
    right = np.asarray(half, dtype=np.float64)
    left = right[::-1] * np.array([-1.0, 1.0])
    if left[0, 0] == 0.0:
        left = left[1:]
    if left[-1, 0] == 0.0:
        left = left[:-1]
    return np.concatenate([right, left])


_CIRCLE = np.array(
    [[math.cos(2 * math.pi * k / 24), math.sin(2 * math.pi * k / 24)] for k in range(24)]
).round(9)


def ellipse(x: float, y: float, rx: float, ry: float) -> Points:
    """Outline of an ellipse as 24 points."""
    outline: Points = _CIRCLE * np.array([rx, ry]) + np.array([x, y])
    return outline


_QUARTER = np.array([-1.0, 1.0])


def stroke(line: Points, width: float, taper: float = 1.0) -> Points:
    """Outline of a brush stroke along `line` [P, 2], `width` wide in its middle.

    `taper` 1 thins both ends to nothing, 0 keeps the width.
    """
    along = np.empty_like(line)
    along[1:-1] = line[2:] - line[:-2]
    along[0], along[-1] = line[1] - line[0], line[-1] - line[-2]
    length = np.sqrt(along[:, 0] * along[:, 0] + along[:, 1] * along[:, 1]) + 1e-9
    normal = along[:, ::-1] * _QUARTER / length[:, None]
    offset = normal * (1.0 - taper * _bow(len(line))) * (0.5 * width)
    return np.concatenate([line + offset, (line - offset)[::-1]])


@cache
def _bow(count: int) -> Points:
    t = 2.0 * np.arange(count, dtype=np.float64) / (count - 1) - 1.0
    return (t * t)[:, None]


def _vertices(points: Points, left: float = 0.0, top: float = 0.0, factor: float = 1.0) -> list[int]:
    scaled = points if left == top == 0.0 and factor == 1.0 else (points - np.array([left, top])) * factor
    return np.floor(scaled + 0.5).astype(np.int64).ravel().tolist()


class Canvas:
    """An RGB picture with a second, grey picture (`figure`) that marks where the person is."""

    def __init__(self, image: Image.Image) -> None:
        self.image = image
        self.figure = Image.new("L", image.size, 0)
        self._draw = ImageDraw.Draw(image)
        self._figure_draw = ImageDraw.Draw(self.figure)

    def fill(self, points: Points, colour: Colour, figure: bool = True) -> None:
        """Fill an outline with one opaque colour; it belongs to the figure unless said otherwise."""
        vertices = _vertices(points)
        self._draw.polygon(vertices, fill=colour)
        if figure:
            self._figure_draw.polygon(vertices, fill=255)

    def line(self, points: Points, colour: Colour, width: float) -> None:
        """Draw a polyline of constant width in pixels."""
        self._draw.line(_vertices(points), fill=colour, width=max(1, round(width)), joint="curve")

    def mask(self, *outlines: Points) -> Image.Image:
        """Return a grey picture of the canvas's size, 255 within the outlines."""
        image = Image.new("L", self.image.size, 0)
        draw = ImageDraw.Draw(image)
        for outline in outlines:
            draw.polygon(_vertices(outline), fill=255)
        return image

    def paint(
        self,
        shapes: Iterable[Shape] | Points,
        colour: Colour,
        alpha: float = 1.0,
        blur: float = 0.0,
        clip: Image.Image | None = None,
    ) -> None:
        """Lay shapes of one colour over the picture, softly.

        Args:
            shapes: (outline, opacity) pairs, or one outline. Where shapes overlap, the last opacity holds.
            alpha: opacity 0..1, multiplied into each shape's own.
            blur: standard deviation of the softening, pixels.
            clip: a `mask`; nothing is painted outside it.
        """
        layers = [(shapes, 1.0)] if isinstance(shapes, np.ndarray) else list(shapes)
        layers = [(outline, opacity * alpha) for outline, opacity in layers if opacity * alpha > 0.004]
        if not layers:
            return
        box = self._box(layers, 2.6 * blur + 2.0)
        if box is None:
            return
        factor = 1.0 if blur < 2.0 else (0.5 if blur < 5.0 else 0.25)
        width, height = box[2] - box[0], box[3] - box[1]
        small = (max(1, math.ceil(width * factor)), max(1, math.ceil(height * factor)))
        mask = Image.new("L", small, 0)
        draw = ImageDraw.Draw(mask)
        for outline, opacity in layers:
            draw.polygon(_vertices(outline, box[0], box[1], factor), fill=min(255, round(255 * opacity)))
        if blur > 0.0:
            mask = mask.filter(ImageFilter.GaussianBlur(blur * factor))
        if small != (width, height):
            mask = mask.resize((width, height), Image.Resampling.BILINEAR)
        if clip is not None:
            mask = ImageChops.multiply(mask, clip.crop(box))
        self.image.paste(colour, box, mask)

    def _box(self, layers: Sequence[Shape], margin: float) -> tuple[int, int, int, int] | None:
        every = layers[0][0] if len(layers) == 1 else np.concatenate([outline for outline, _ in layers])
        (x0, y0), (x1, y1) = every.min(axis=0).tolist(), every.max(axis=0).tolist()
        left, top = max(0, math.floor(x0 - margin)), max(0, math.floor(y0 - margin))
        right, bottom = (
            min(self.image.width, math.ceil(x1 + margin)),
            min(self.image.height, math.ceil(y1 + margin)),
        )
        return None if right <= left or bottom <= top else (left, top, right, bottom)


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Where the head is and how it is turned: head coordinates to pixels.

    Head coordinates: x to the picture's right, y down, z towards the camera; origin between the eyes, the
    chin near y = 1.15, the crown near y = -1.05. Angles in radians, `scale` in pixels per head unit.
    """

    x: float
    y: float
    scale: float
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0

    def at(self, points: ArrayLike, z: float | None = None) -> Points:
        """Return pixels [P, 2] of head points [P, 2]; `z` None lays them on the front of the face."""
        head = np.asarray(points, dtype=np.float64)
        x, y = head[:, 0], head[:, 1]
        cos, sin = math.cos(self.roll), math.sin(self.roll)
        a, b = math.cos(self.yaw), math.sin(self.yaw)
        c, d = math.cos(self.pitch), math.sin(self.pitch)
        depth = (
            0.6 * np.sqrt(np.maximum(0.04, 1.0 - x * x * (1 / 0.9025) - y * y * (1 / 1.96)))
            if z is None
            else z
        )
        turned = x * a + depth * b
        raised = y * c - (depth * a - x * b) * d
        pixels = np.empty(head.shape)
        pixels[:, 0] = turned * (self.scale * cos) - raised * (self.scale * sin) + self.x
        pixels[:, 1] = turned * (self.scale * sin) + raised * (self.scale * cos) + self.y
        return pixels

    def at_all(self, outlines: Sequence[Points], z: float | None = None) -> list[Points]:
        """Apply `at` to many outlines in one pass."""
        if not outlines:
            return []
        pixels = self.at(np.concatenate(outlines), z)
        ends = list(accumulate(len(outline) for outline in outlines))
        return [pixels[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]
