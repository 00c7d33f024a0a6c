"""The signs of age on a face; each grows continuously with its strength in `person.Ageing`."""

from __future__ import annotations

import numpy as np
from PIL import Image

from hoego.apps.people.canvas import Points, Shape, ellipse, mix, spline, stroke, tone
from hoego.apps.people.dice import Dice
from hoego.apps.people.studio import Studio, both


def draw_age(studio: Studio, clip: Image.Image) -> None:
    """Draw lines, folds, bags, jowls and spots; nothing under a mask."""
    ageing = studio.person.ageing
    quirks = Dice(*studio.person.seed, 6)
    lines: list[Shape] = [
        *_forehead(studio, quirks, ageing.forehead),
        *_frown(studio, quirks, ageing.frown),
        *_crow(studio, quirks, ageing.crow),
    ]
    bare = studio.shot.mask is None or studio.shot.mask.top > 0.35
    if bare:
        lines += _marionette(studio, ageing.folds * ageing.sag)
    colour = mix(tone(studio.shadow, 0.80), (96, 52, 44), 0.25)
    studio.canvas.paint(lines, colour, 0.85, 0.013 * studio.unit, clip)
    if bare:
        _folds(studio, clip, ageing.folds * (1.0 + 0.35 * max(0.0, studio.shot.smile)))
        _jowls(studio, clip, ageing.sag)
    _bags(studio, clip, ageing.bags)
    _spots(studio, quirks, clip, ageing.spots)


def _line(studio: Studio, points: list[tuple[float, float]], width: float) -> Points:
    return studio.head.at(stroke(spline(points), width, 0.95))


def _forehead(studio: Studio, quirks: Dice, strength: float) -> list[Shape]:
    shapes = []
    for k in range(4):
        y, reach = -0.40 - 0.095 * k + quirks.bell(0.0, 0.012), quirks.uniform(0.26, 0.46)
        bow, lean = quirks.bell(0.02, 0.012), quirks.bell(0.0, 0.05)
        points = [
            (lean - reach, y + bow),
            (lean - reach * 0.4, y - bow * 0.4),
            (lean + reach * 0.4, y),
            (lean + reach, y + bow),
        ]
        opacity = min(0.8, max(0.0, strength * 1.05 - 0.12 * k))
        shapes.append((_line(studio, points, 0.030), opacity * quirks.uniform(0.6, 1.0)))
    return shapes


def _frown(studio: Studio, quirks: Dice, strength: float) -> list[Shape]:
    shapes = []
    for side in (-1, 1):
        x = side * quirks.uniform(0.045, 0.075)
        points = [(x * 0.8, -0.34), (x, -0.25), (x * 1.3, -0.16)]
        shapes.append((_line(studio, points, 0.028), min(0.6, 0.6 * strength)))
    return shapes


def _crow(studio: Studio, quirks: Dice, strength: float) -> list[Shape]:
    face, shapes = studio.person.face, []
    for side in (-1, 1):
        x0 = side * (face.eye_gap + face.eye_width + 0.02)
        for k, rise in enumerate((-0.13, -0.04, 0.05, 0.12)):
            reach = quirks.uniform(0.10, 0.17)
            points = [
                (x0, 0.01 + 0.25 * rise),
                (x0 + side * reach * 0.6, 0.01 + 0.7 * rise),
                (x0 + side * reach, 0.02 + 1.15 * rise),
            ]
            opacity = strength * (1.0 + 0.35 * max(0.0, studio.shot.smile)) - 0.10 * k
            shapes.append((_line(studio, points, 0.024), min(0.7, max(0.0, opacity))))
    return shapes


def _marionette(studio: Studio, strength: float) -> list[Shape]:
    face, shapes = studio.person.face, []
    for side in (-1, 1):
        x, y = side * (face.mouth_width + 0.03), face.mouth_y + 0.02
        points = [(x, y), (x + side * 0.045, y + 0.08), (x + side * 0.04, y + 0.18)]
        shapes.append((_line(studio, points, 0.030), min(0.7, 0.85 * strength)))
    return shapes


def _folds(studio: Studio, clip: Image.Image, strength: float) -> None:
    """Draw nasolabial folds: a crease from the nose's wing past the mouth's corner, with a lit cheek beside it."""
    face = studio.person.face
    crease, cheek = [], []
    for side in (-1, 1):
        x, y = face.nose_width + 0.02, face.nose_y - 0.05
        corner = face.mouth_width + 0.045
        points = [
            (side * x, y),
            (side * (x + 0.09), y + 0.10),
            (side * (corner + 0.01), face.mouth_y - 0.08),
            (side * (corner + 0.02), face.mouth_y + 0.03),
        ]
        crease.append((_line(studio, points, 0.046), 1.0))
        shifted = [(px + side * 0.06, py - 0.02) for px, py in points]
        cheek.append((_line(studio, shifted, 0.08), 1.0))
    px = studio.unit
    studio.canvas.paint(
        cheek, mix(studio.person.face.skin, (255, 244, 230), 0.5), min(0.55, 0.42 * strength), 0.03 * px, clip
    )
    studio.canvas.paint(crease, tone(studio.shadow, 0.84), min(0.92, 0.85 * strength), 0.016 * px, clip)


def _bags(studio: Studio, clip: Image.Image, strength: float) -> None:
    face, px = studio.person.face, studio.unit
    swell, crease, dark = [], [], []
    for side in (-1, 1):
        x, w = side * face.eye_gap, face.eye_width
        arc = [
            (x - side * w * 0.95, 0.085),
            (x - side * w * 0.2, 0.175),
            (x + side * w * 0.6, 0.150),
            (x + side * w * 1.0, 0.09),
        ]
        crease.append((_line(studio, arc, 0.030), 1.0))
        swell.append((studio.head.at(ellipse(x, 0.115, w * 0.75, 0.03)), 1.0))
        dark.append((studio.head.at(ellipse(x - side * 0.03, 0.12, w * 0.95, 0.07)), 1.0))
    studio.canvas.paint(
        dark, mix(studio.shadow, (110, 84, 100), 0.3), min(0.55, 0.40 * strength), 0.04 * px, clip
    )
    studio.canvas.paint(
        swell, mix(face.skin, (255, 246, 236), 0.4), min(0.5, 0.42 * strength), 0.018 * px, clip
    )
    studio.canvas.paint(crease, tone(studio.shadow, 0.86), min(0.88, 0.80 * strength), 0.012 * px, clip)


def _jowls(studio: Studio, clip: Image.Image, strength: float) -> None:
    px = studio.unit
    shade = [
        (_line(studio, points.tolist(), 0.05), 1.0)
        for points in both([(0.40, 0.80), (0.42, 0.95), (0.30, 1.06)])
    ]
    studio.canvas.paint(shade, studio.shadow, min(0.7, 0.6 * strength), 0.03 * px, clip)
    hollow = [(studio.head.at(points), 1.0) for points in both(ellipse(0.50, 0.45, 0.09, 0.16))]
    studio.canvas.paint(hollow, studio.shadow, min(0.4, 0.28 * strength), 0.06 * px, clip)


def _spots(studio: Studio, quirks: Dice, clip: Image.Image, strength: float) -> None:
    outlines, opacities = [], []
    for _ in range(16):
        x, y = quirks.uniform(-0.66, 0.66), quirks.uniform(-0.62, 0.7)
        size, opacity = quirks.uniform(0.012, 0.038), quirks.uniform(0.1, 0.6)
        outlines.append(ellipse(x, y, size, size * 0.8))
        opacities.append(opacity * min(1.0, strength))
    shapes: list[Shape] = list(zip(studio.head.at_all(outlines), opacities, strict=True))
    studio.canvas.paint(shapes, mix(studio.shadow, (128, 84, 56), 0.5), 0.7, 0.010 * studio.unit, clip)


def draw_neck_lines(studio: Studio, clip: Image.Image) -> None:
    """Draw rings around the neck."""
    strength, width = studio.person.ageing.neck, studio.person.outfit.neck
    shapes: list[Shape] = []
    for k, y in enumerate((1.30, 1.43, 1.55)):
        arc = np.array([(-width, y - 0.05), (-width * 0.4, y), (width * 0.4, y), (width, y - 0.05)])
        shapes.append(
            (studio.body.at(stroke(spline(arc), 0.03, 0.7), 0.0), min(0.8, max(0.0, strength - 0.15 * k)))
        )
    studio.canvas.paint(shapes, tone(studio.shadow, 0.85), 0.7, 0.014 * studio.unit, clip)
