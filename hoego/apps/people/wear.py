"""What people wear: clothes, glasses and face masks."""

from __future__ import annotations

import numpy as np
from PIL import Image

from hoego.apps.people.age import draw_neck_lines
from hoego.apps.people.canvas import Colour, Points, Shape, ellipse, mirror, mix, spline, stroke, tone
from hoego.apps.people.dice import Dice
from hoego.apps.people.shot import Mask
from hoego.apps.people.studio import Studio


def draw_body(studio: Studio) -> None:
    """Draw neck, shoulders and clothes, with the head's shadow on them."""
    outfit, body, canvas = studio.person.outfit, studio.body, studio.canvas
    n = outfit.neck
    neck = spline(
        mirror([(0.0, 0.5), (n, 0.6), (n * 0.96, 1.2), (n * 1.04, 1.50), (n * 1.30, 1.70), (0.0, 2.2)]),
        closed=True,
    )
    outline = body.at(neck, 0.0)
    canvas.fill(outline, tone(studio.person.face.skin, 0.95))
    clip = canvas.mask(outline)
    chin = studio.head.at(ellipse(0.0, 1.12, 0.52, 0.30), 0.0)
    canvas.paint(chin, studio.shadow, 0.75, 0.07 * studio.unit, clip)
    draw_neck_lines(studio, clip)
    _draw_clothes(studio)


def _torso(studio: Studio) -> Points:
    outfit = studio.person.outfit
    s, n = outfit.shoulders, outfit.neck
    open_at = {"turtle": 1.34, "hoodie": 1.55, "shirt": 1.52, "jacket": 1.52}.get(outfit.cut, 1.60)
    wide = {"turtle": n * 0.98, "hoodie": n * 1.25, "shirt": n * 1.05, "jacket": n * 1.1}.get(
        outfit.cut, n * 1.22
    )
    dip = {"turtle": 0.06, "vneck": 0.62, "tee": 0.26, "sweater": 0.20, "hoodie": 0.30}.get(outfit.cut, 0.52)
    right = [
        (0.0, open_at + dip),
        (wide * (0.45 if dip > 0.5 else 0.7), open_at + dip * (0.5 if dip > 0.5 else 0.8)),
        (wide, open_at),
        (n + 0.30, 1.70),
        (s * 0.80, 1.88),
        (s, 2.15),
        (s + 0.16, 2.8),
        (s + 0.22, 4.2),
        (0.0, 4.2),
    ]
    return spline(mirror(right), closed=True, steps=5)


def _draw_clothes(studio: Studio) -> None:
    outfit, body, canvas, unit = studio.person.outfit, studio.body, studio.canvas, studio.unit
    if outfit.cut == "jacket":
        inner = spline(mirror([(0.0, 1.85), (0.45, 1.52), (0.6, 2.0), (0.5, 4.2), (0.0, 4.2)]), closed=True)
        canvas.fill(body.at(inner, 0.0), outfit.second)
    outline = body.at(_torso(studio), 0.0)
    canvas.fill(outline, outfit.colour)
    clip = canvas.mask(outline)
    _draw_pattern(studio, clip)
    dark = tone(outfit.colour, 0.62)
    quirks = Dice(*studio.person.seed, 7)
    creases: list[Shape] = []
    for side in (-1, 1):
        for _ in range(3):
            x, y = side * quirks.uniform(0.5, 1.3), quirks.uniform(2.0, 2.5)
            curve = spline([(x, y), (x + side * 0.06, y + 0.25), (x - side * 0.05, y + 0.6)])
            creases.append((body.at(stroke(curve, 0.09, 0.9), 0.0), 0.8))
    canvas.paint(creases, dark, 0.5, 0.04 * unit, clip)
    rim = [
        (
            body.at(
                stroke(
                    spline([(side * 1.0, 1.9), (side * outfit.shoulders, 2.2), (side * 1.6, 3.2)]), 0.25, 0.3
                ),
                0.0,
            ),
            0.6,
        )
        for side in (-1, 1)
    ]
    canvas.paint(rim, dark, 0.6, 0.09 * unit, clip)
    _draw_collar(studio, dark)


def _draw_pattern(studio: Studio, clip: Image.Image) -> None:
    outfit, body, canvas = studio.person.outfit, studio.body, studio.canvas
    step, second = outfit.pitch, outfit.second
    if outfit.pattern == "plain" or outfit.cut in ("jacket", "turtle"):
        return
    if outfit.pattern == "print":
        area = (
            ellipse(0.0, 2.45, 0.42, 0.3)
            if step > 0.17
            else np.array([(-0.5, 2.3), (0.5, 2.3), (0.5, 2.62), (-0.5, 2.62)])
        )
        canvas.paint(body.at(area, 0.1), second, 0.9, 0.0, clip)
        return
    outlines: list[Points] = []
    if outfit.pattern == "dots":
        for row in range(10):
            for column in range(-9, 10):
                x, y = (column + 0.5 * (row % 2)) * step * 1.3, 1.6 + row * step
                outlines.append(ellipse(x, y, step * 0.2, step * 0.2))
    else:
        outlines += [_bar(-2.0, 1.5 + row * step, 4.0, step * 0.42) for row in range(int(1.6 / step))]
    _print(studio, outlines, 0.45 if outfit.pattern == "check" else 0.85, clip)
    if outfit.pattern == "check":
        reach = int(1.9 / step)
        columns = [_bar(column * step, 1.4, step * 0.42, 2.1) for column in range(-reach, reach)]
        _print(studio, columns, 0.45, clip)


def _bar(x: float, y: float, width: float, height: float) -> Points:
    return np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])


def _print(studio: Studio, outlines: list[Points], alpha: float, clip: Image.Image) -> None:
    shapes: list[Shape] = [(pixels, 1.0) for pixels in studio.body.at_all(outlines, 0.0)]
    studio.canvas.paint(shapes, studio.person.outfit.second, alpha, 0.0, clip)


def _draw_collar(studio: Studio, dark: Colour) -> None:
    outfit, body, canvas, unit = studio.person.outfit, studio.body, studio.canvas, studio.unit
    n = outfit.neck
    for side in (-1, 1):
        if outfit.cut in ("shirt", "jacket"):
            _draw_flap(studio, side, dark)
        elif outfit.cut == "hoodie":
            _draw_hood(studio, side, dark)
    if outfit.cut in ("tee", "sweater"):
        rib = spline([(-n * 1.22, 1.60), (-n * 0.85, 1.80), (0.0, 1.84), (n * 0.85, 1.80), (n * 1.22, 1.60)])
        canvas.paint(body.at(stroke(rib, 0.08, 0.1), 0.0), tone(outfit.colour, 0.82), 0.9, 0.008 * unit)
    elif outfit.cut == "turtle":
        for y in (1.36, 1.52):
            rib = spline([(-n, y), (0.0, y + 0.08), (n, y)])
            canvas.paint(body.at(stroke(rib, 0.05, 0.3), 0.0), dark, 0.6, 0.02 * unit)
    elif outfit.cut == "shirt":
        placket = body.at([(-0.02, 2.03), (0.02, 2.03), (0.02, 3.6), (-0.02, 3.6)], 0.0)
        canvas.paint(placket, dark, 0.7, 0.01 * unit)


def _draw_flap(studio: Studio, side: int, dark: Colour) -> None:
    outfit, unit, n = studio.person.outfit, studio.unit, studio.person.outfit.neck
    if outfit.cut == "shirt":
        half = [(n * 0.98, 1.42), (n * 1.25, 1.62), (n * 0.80, 2.10), (0.06, 2.02)]
        colour = mix(outfit.colour, (255, 255, 255), 0.12)
    else:
        half = [(n * 1.05, 1.46), (n + 0.34, 1.78), (n + 0.16, 2.1), (0.30, 3.0), (0.16, 3.0)]
        colour = tone(outfit.colour, 1.15)
    pixels = studio.body.at([(side * x, y) for x, y in half], 0.05)
    studio.canvas.paint(pixels + np.array([0.0, 0.03 * unit]), dark, 0.75, 0.03 * unit)
    studio.canvas.fill(pixels, colour)


def _draw_hood(studio: Studio, side: int, dark: Colour) -> None:
    body, canvas, unit, n = studio.body, studio.canvas, studio.unit, studio.person.outfit.neck
    half = [(n * 0.9, 1.28), (n + 0.30, 1.40), (n + 0.26, 1.78), (0.16, 2.02), (n * 0.9, 1.70)]
    hood = spline([(side * x, y) for x, y in half], closed=True)
    canvas.fill(body.at(hood, 0.0), mix(studio.person.outfit.colour, (255, 255, 255), 0.12))
    edge = spline([(side * n * 0.9, 1.3), (side * n, 1.66), (side * 0.16, 2.0)])
    canvas.paint(body.at(stroke(edge, 0.06, 0.5), 0.0), dark, 0.7, 0.02 * unit)
    canvas.line(body.at([(side * 0.14, 1.98), (side * 0.17, 2.45)], 0.1), (232, 230, 224), 0.035 * unit)


def draw_glasses(studio: Studio) -> None:
    """Draw spectacles over eyes and mask."""
    outfit, face, head, canvas, unit = (
        studio.person.outfit,
        studio.person.face,
        studio.head,
        studio.canvas,
        studio.unit,
    )
    if outfit.glasses == "none":
        return
    width = max(1.0, 0.032 * unit)
    for side in (-1, 1):
        x = side * (face.eye_gap + 0.01)
        pixels = head.at(_rim(outfit.glasses, x), 0.62)
        canvas.paint(pixels, (226, 236, 244), 0.13)
        pixels = np.concatenate([pixels, pixels[:1]])
        if outfit.glasses == "half":
            pixels = pixels[:12]
        canvas.line(pixels, outfit.glasses_colour, width)
        canvas.line(
            np.concatenate(
                [head.at([(x + side * 0.23, -0.04)], 0.60), head.at([(side * (face.width + 0.02), 0.0)], 0.0)]
            ),
            outfit.glasses_colour,
            width,
        )
    canvas.line(head.at([(-0.11, 0.0), (0.0, -0.03), (0.11, 0.0)], 0.66), outfit.glasses_colour, width)


def _rim(glasses: str, x: float) -> Points:
    """Return the outline of one glass around x, in head coordinates."""
    if glasses == "round":
        return ellipse(x, 0.03, 0.235, 0.215)
    low = 0.21 if glasses == "square" else 0.17
    corners = [
        (x - 0.22, -0.12),
        (x + 0.22, -0.14),
        (x + 0.235, 0.05),
        (x + 0.17, low),
        (x - 0.17, low),
        (x - 0.235, 0.05),
    ]
    return spline(np.array(corners), closed=True, steps=4)


def _mask_half(mask: Mask, width: float) -> list[tuple[float, float]]:
    t, b = mask.top, mask.bottom
    height = b - t
    if mask.style == "boat":
        return [
            (0.0, t),
            (0.16, t + 0.06),
            (0.42, t + 0.20 * height),
            (width * 0.93, t + 0.30 * height),
            (width * 0.92, t + 0.56 * height),
            (0.50, b - 0.14 * height),
            (0.22, b),
            (0.0, b + 0.02),
        ]
    if mask.style in ("moulded", "valve"):
        return [
            (0.0, t),
            (0.15, t + 0.03),
            (0.38, t + 0.14 * height),
            (width * 0.95, t + 0.08 * height),
            (width * 0.92, t + 0.42 * height),
            (0.55, b - 0.16 * height),
            (0.25, b),
            (0.0, b + 0.03),
        ]
    return [
        (0.0, t),
        (0.16, t + 0.025),
        (0.42, t + 0.12 * height),
        (width * 0.88, t + 0.17 * height),
        (width * 0.87, t + 0.68 * height),
        (0.50, b - 0.05 * height),
        (0.22, b),
        (0.0, b),
    ]


def draw_mask(studio: Studio) -> None:
    """Draw the face mask, with straps to the ears, cloth shading and a shadow on the skin."""
    mask = studio.shot.mask
    if mask is None:
        return
    head, canvas, unit, width = studio.head, studio.canvas, studio.unit, studio.person.face.width
    outline = spline(mirror(_mask_half(mask, width)), closed=True, steps=5)
    outline = outline + np.stack([np.zeros(len(outline)), mask.tilt * outline[:, 0]], axis=1)
    half = mask.bottom - mask.top
    for side in (-1, 1):
        for start, end in ((0.20, -0.02), (0.60, 0.30)):
            y = mask.top + start * half
            points = np.concatenate(
                [head.at([(side * width * 0.86, y)], 0.15), head.at([(side * (width + 0.03), end)], -0.05)]
            )
            canvas.line(points, mix(mask.colour, (245, 245, 245), 0.35), 0.030 * unit)
    pixels = head.at(outline, None)
    canvas.paint(pixels + np.array([0.0, 0.03 * unit]), studio.shadow, 0.6, 0.03 * unit, canvas.figure)
    canvas.fill(pixels, mask.colour)
    clip = canvas.mask(pixels)
    _mask_shading(studio, mask, clip)


def _mask_shading(studio: Studio, mask: Mask, clip: Image.Image) -> None:
    head, canvas, unit = studio.head, studio.canvas, studio.unit
    t, b, height = mask.top, mask.bottom, mask.bottom - mask.top
    dark, light = tone(mask.colour, 0.60), mix(mask.colour, (255, 255, 255), 0.55)
    lit = 1.0 if studio.shot.light[0] >= 0 else -1.0
    far = [(-0.25, t - 0.1), (-1.0, t), (-1.0, b + 0.2), (-0.10, b + 0.2), (-0.34, t + 0.5 * height)]
    side = head.at([(lit * x, y) for x, y in far])
    canvas.paint(side, dark, 0.25 + 0.35 * abs(studio.shot.light[0]), 0.10 * unit, clip)
    low = [
        (-0.9, b - 0.20 * height),
        (0.0, b - 0.07 * height),
        (0.9, b - 0.20 * height),
        (0.9, b + 0.3),
        (-0.9, b + 0.3),
    ]
    canvas.paint(head.at(low), dark, 0.5, 0.06 * unit, clip)
    canvas.paint(head.at(ellipse(lit * 0.12, t + 0.32 * height, 0.16, 0.16)), light, 0.35, 0.07 * unit, clip)
    if mask.style == "pleated":
        top = spline([(-0.5, t + 0.17 * height), (0.0, t + 0.045), (0.5, t + 0.17 * height)])
        canvas.paint(head.at(stroke(top, 0.07, 0.2)), mask.second, 0.8, 0.008 * unit, clip)
    if mask.style == "cloth":
        _cloth(studio, mask, clip)
    canvas.paint(_seams(studio, mask), dark, 0.62, 0.010 * unit, clip)
    if mask.style == "valve":
        valve = ellipse(lit * 0.26, t + 0.62 * height, 0.12, 0.10)
        canvas.paint(head.at(valve), mask.second, 0.9, 0.006 * unit, clip)


def _seams(studio: Studio, mask: Mask) -> list[Shape]:
    head, width, t, height = studio.head, studio.person.face.width, mask.top, mask.bottom - mask.top
    if mask.style == "cloth":
        return []
    if mask.style in ("moulded", "valve"):
        seam = spline([(0.0, t), (0.03, t + 0.5 * height), (0.0, mask.bottom)])
        return [(head.at(stroke(seam, 0.03, 0.1), 0.66), 1.0)]
    pleats = (
        ((0.30, -0.05, -0.02), (0.48, -0.05, -0.02), (0.66, -0.05, -0.02))
        if mask.style == "pleated"
        else ((0.36, 0.06, 0.03), (0.74, -0.04, -0.02))
    )
    shapes: list[Shape] = []
    for share, middle, ends in pleats:
        y = t + share * height
        line = spline([(-width, y + ends), (0.0, y - middle), (width, y + ends)])
        shapes.append((head.at(stroke(line, 0.034, 0.15)), 1.0))
    return shapes


def _cloth(studio: Studio, mask: Mask, clip: Image.Image) -> None:
    dots = [
        ellipse((column + 0.5 * (row % 2)) * 0.16, mask.top + 0.05 + row * 0.14, 0.028, 0.028)
        for row in range(8)
        for column in range(-5, 6)
    ]
    shapes: list[Shape] = [(pixels, 1.0) for pixels in studio.head.at_all(dots)]
    studio.canvas.paint(shapes, mask.second, 0.85, 0.004 * studio.unit, clip)
