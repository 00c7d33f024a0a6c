"""Hair: what hangs behind the head, what covers the skull, and the locks before the ears."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image

from hoego.apps.people.canvas import Colour, Points, Shape, ellipse, mirror, mix, spline, stroke, tone
from hoego.apps.people.dice import Dice
from hoego.apps.people.person import Person
from hoego.apps.people.studio import Studio, both

GREY: Colour = (212, 211, 208)
TAIL = 1.12
"""Tied hair longer than this is a bun, shorter a tail."""
LONG = ("long", "longfringe")
BOB = ("bob", "bobfringe")
FRINGED = ("fringe", "longfringe", "bobfringe")


def hair_colour(studio: Studio) -> Colour:
    """Return the colour from a step away: pigment and grey mixed."""
    hair = studio.person.hair
    return mix(hair.colour, GREY, 0.78 * hair.grey)


def draw_back_hair(studio: Studio) -> None:
    """Draw hair behind neck and head."""
    hair, width = studio.person.hair, studio.person.face.width
    colour = tone(hair_colour(studio), 0.72)
    v = hair.volume
    if hair.style in LONG or hair.style in BOB:
        end, flare = hair.length, 0.10 if hair.style in LONG else 0.04
        half = [
            (0.0, -1.0),
            (0.55, -0.95),
            (width + v + 0.06, -0.3),
            (width + v + 0.14, 0.4),
            (width + v + 0.10 + flare, 0.5 * (end + 0.4)),
            (width + v + flare, end - 0.06),
            (width - 0.12, end),
            (0.0, end - 0.03),
        ]
        studio.canvas.fill(studio.head.at(spline(mirror(half), closed=True), -0.35), colour)
    elif hair.style == "tied":
        if hair.length > TAIL:
            studio.canvas.fill(studio.head.at(ellipse(0.0, -1.16, 0.27, 0.24), -0.3), tone(colour, 1.15))
    elif hair.style == "perm":
        curls = Dice(hair.strands, 1)
        for x, y in spline(
            [(width + 0.03, 0.34), (width + 0.12, -0.1), (width + 0.02, -0.62), (0.5, -1.02), (0.0, -1.14)],
            steps=3,
        ):
            for side in (-1, 1):
                size = 0.12 + curls.uniform(0.0, 0.04)
                curl = ellipse(side * (x - 0.02), y + curls.uniform(-0.02, 0.02), size, size)
                studio.canvas.fill(studio.head.at(curl, -0.1), tone(colour, curls.uniform(1.05, 1.45)))


def _outer(person: Person, low: float) -> Points:
    """Return the hair's outside from the right ear over the crown to the left ear, open."""
    width, v = person.face.width, person.hair.volume
    flat = person.ageing.recede
    v = v * (1.0 - 0.75 * flat)
    thick = 0.35 if person.hair.style in ("crop", "swept", "side") else 1.0
    half = [
        (width + 0.01 + 0.3 * v * thick, low),
        (width + 0.035 + 0.7 * v * thick, -0.25),
        (width * 0.96 + 0.03 + 0.8 * v, -0.62),
        (0.46 + 0.6 * v, -0.97 - 0.8 * v),
        (0.0, -1.05 - 1.15 * v),
    ]
    left = [(-x, y) for x, y in half[-2::-1]]
    return spline(half + left, steps=6)


def _inner(person: Person, low: float) -> list[tuple[float, float]]:
    """Return control points of the hairline, from the left ear to the right one."""
    hair, w, r = person.hair, person.face.width, person.ageing.recede
    style = hair.style
    temple = [(w - 0.035, low), (w - 0.045, -0.16), (w - 0.10 + 0.03 * r, -0.40 - 0.10 * r)]
    if style in FRINGED:
        return _fringe(person, low, temple)
    if style in ("curtain", "long", "bob") and r < 0.45:
        return _parted(person, low)
    if style in ("side", "pixie") and r < 0.4:
        return _combed_over(person, low)
    high = -0.70 - 0.02 * abs(hair.part)
    line = [*temple, (0.42, high + 0.02 - 0.30 * r), (0.20, high - 0.20 * r * r), (0.0, high - 0.30 * r * r)]
    right = [(x, max(y, -1.03)) for x, y in line]
    return [(-x, y) for x, y in right] + right[-2::-1]


def _fringe(person: Person, low: float, temple: list[tuple[float, float]]) -> list[tuple[float, float]]:
    hair, w, r = person.hair, person.face.width, person.ageing.recede
    jag = Dice(hair.strands, 2)
    y = -0.36 - 0.10 * r if hair.style == "fringe" else -0.33
    middle = [(x, y + jag.uniform(-0.06, 0.05)) for x in (0.50, 0.36, 0.22, 0.08, -0.06, -0.20, -0.34, -0.48)]
    right = [*temple[:2], (w - 0.07, -0.30), *middle]
    left = [(-w + 0.07, -0.30), (-w + 0.045, -0.16), (-w + 0.035, low)]
    return [(-x, y) for x, y in right] + [(-x, y) for x, y in left]


def _parted(person: Person, low: float) -> list[tuple[float, float]]:
    hair, w = person.hair, person.face.width
    p = 0.4 * hair.part if hair.style == "curtain" else hair.part
    drop = -0.34 if hair.style == "curtain" else -0.42
    return [
        (-w + 0.05, low),
        (-w + 0.06, -0.14),
        (-w + 0.13, drop),
        (p - 0.22, -0.66),
        (p, -0.86),
        (p + 0.22, -0.66),
        (w - 0.13, drop),
        (w - 0.06, -0.14),
        (w - 0.05, low),
    ]


def _combed_over(person: Person, low: float) -> list[tuple[float, float]]:
    hair, w, r = person.hair, person.face.width, person.ageing.recede
    s = 1.0 if hair.part > 0 else -1.0
    line = [
        (s * (w - 0.035), low),
        (s * (w - 0.05), -0.2),
        (s * (w - 0.12), -0.50),
        (s * 0.32, -0.72 - 0.1 * r),
        (s * 0.10, -0.60),
        (-s * 0.24, -0.52),
        (-s * (w - 0.16), -0.46),
        (-s * (w - 0.06), -0.16),
        (-s * (w - 0.035), low),
    ]
    return line if s < 0 else line[::-1]


@lru_cache(maxsize=4)
def _outlines(person: Person) -> tuple[Points, Points]:
    """Return the hair's outside and the hairline, both open curves in head coordinates."""
    low = 0.10 if person.hair.style in ("crop", "swept", "tied") else 0.16
    return _outer(person, low), spline(_inner(person, low), steps=4)


def draw_top_hair(studio: Studio) -> None:
    """Draw hair on the skull, with strands, a band of light, and grey hairs."""
    hair = studio.person.hair
    outer, inner = _outlines(studio.person)
    colour = hair_colour(studio)
    outline = np.concatenate([studio.head.at(outer, 0.0), studio.head.at(inner, 0.22)])
    shadow = studio.head.at(stroke(inner, 0.10, 0.3) + np.array([0.0, 0.04]), 0.25)
    studio.canvas.paint(shadow, studio.shadow, 0.45, 0.035 * studio.unit, studio.canvas.figure)
    studio.canvas.fill(outline, colour)
    clip = studio.canvas.mask(outline)
    if hair.style == "perm":
        _curls(studio, clip, colour)
    else:
        _strands(studio, clip, colour)
    lit = 0.25 * (1.0 if studio.shot.light[0] >= 0 else -1.0)
    band = stroke(
        spline([(-0.62 + lit, -0.66), (-0.3 + lit, -0.92), (0.1 + lit, -0.98), (0.48 + lit, -0.82)]),
        0.13,
        0.9,
    )
    studio.canvas.paint(
        studio.head.at(band, 0.1), mix(colour, (255, 246, 232), 0.42), 0.42, 0.05 * studio.unit, clip
    )
    if hair.style in (*LONG, *BOB, "pixie"):
        _locks(studio, colour)


def draw_tail(studio: Studio) -> None:
    """Draw hair tied behind the neck and laid over a shoulder; between clothes and face."""
    hair = studio.person.hair
    if hair.style != "tied" or studio.person.gender != "female" or hair.length > TAIL:
        return
    colour = hair_colour(studio)
    side = 1.0 if studio.person.hair.part > 0 else -1.0
    half = [
        (0.20, 0.55),
        (0.56, 0.72),
        (0.84, 1.15),
        (0.92, 1.65),
        (0.80, 2.15),
        (0.64, 2.45),
        (0.54, 2.05),
        (0.54, 1.60),
        (0.20, 1.20),
    ]
    outline = studio.head.at(spline([(side * x, y) for x, y in half], closed=True), -0.1)
    studio.canvas.fill(outline, colour)
    clip = studio.canvas.mask(outline)
    strands = [
        stroke(
            spline([(side * (x - 0.2), 0.75), (side * (x + 0.06), 1.6), (side * (x - 0.08), 2.4)]), 0.035, 0.6
        )
        for x in (0.60, 0.68, 0.76, 0.84)
    ]
    _lay(studio, strands[::2], tone(colour, 0.6), 0.6, -0.1, clip)
    _lay(studio, strands[1::2], mix(colour, (255, 240, 222), 0.25), 0.5, -0.1, clip)


@lru_cache(maxsize=4)
def _strand_outlines(person: Person) -> dict[str, list[Points]]:
    """Return strands by tint in head coordinates: the same in all photos of a person."""
    hair = person.hair
    outer, inner = _outlines(person)
    dice = Dice(hair.strands, 3)
    groups: dict[str, list[Points]] = {"dark": [], "light": [], "grey": []}
    parted = hair.style in (*LONG, *BOB, "side", "curtain")
    root = np.array([hair.part if parted else 0.0, -0.98 - 0.6 * hair.volume])
    reverse = inner[::-1]
    for k in range(34):
        t = (k + dice.uniform(0.0, 1.0)) / 34
        rim = outer[int(t * (len(outer) - 1))]
        line = reverse[int(t * (len(reverse) - 1))]
        mixin = dice.uniform(0.0, 1.0)
        end = rim * (1.0 - mixin) + line * mixin
        start = root * 0.7 + 0.3 * rim
        bend = 0.5 * (start + end) + np.array([0.10 * (end[0] - root[0]), -0.08])
        kind = "grey" if dice.chance(0.75 * hair.grey) else dice.pick(("dark", "light"))
        groups[kind].append(stroke(spline([start, bend, end], steps=4), 0.032, 0.8))
    return groups


def _strands(studio: Studio, clip: Image.Image, colour: Colour) -> None:
    tints = {
        "dark": tone(colour, 0.55),
        "light": mix(colour, (255, 236, 214), 0.22),
        "grey": mix(colour, (232, 232, 230), 0.7),
    }
    for kind, strands in _strand_outlines(studio.person).items():
        shapes = [(shape, 0.45 + 0.15 * (i % 4)) for i, shape in enumerate(studio.head.at_all(strands, 0.12))]
        studio.canvas.paint(shapes, tints[kind], 0.6, 0.010 * studio.unit, clip)


def _curls(studio: Studio, clip: Image.Image, colour: Colour) -> None:
    dice = Dice(studio.person.hair.strands, 4)
    light: list[Points] = []
    dark: list[Points] = []
    for _ in range(80):
        x, y, size = dice.uniform(-0.95, 0.95), dice.uniform(-1.25, 0.2), dice.uniform(0.05, 0.085)
        arc = np.roll(ellipse(x, y, size, size * 0.85), dice.integer(0, 23), axis=0)[:11]
        (light if dice.chance(0.45 + 0.3 * studio.person.hair.grey) else dark).append(stroke(arc, 0.05, 0.8))
    _lay(studio, dark, tone(colour, 0.6), 0.6, 0.1, clip)
    _lay(studio, light, mix(colour, (240, 234, 226), 0.28), 0.6, 0.1, clip)


def _lay(
    studio: Studio, outlines: list[Points], colour: Colour, alpha: float, z: float, clip: Image.Image
) -> None:
    shapes: list[Shape] = [(pixels, 1.0) for pixels in studio.head.at_all(outlines, z)]
    studio.canvas.paint(shapes, colour, alpha, 0.008 * studio.unit, clip)


def _lock_outline(studio: Studio, end: float) -> list[tuple[float, float]]:
    w, v = studio.person.face.width, studio.person.hair.volume
    top = [(w - 0.20, -0.62), (w + 0.03 + 0.7 * v, -0.5)]
    if studio.person.hair.style == "pixie":
        return [
            *top,
            (w + 0.08 + 0.6 * v, -0.05),
            (w + 0.05 + 0.4 * v, end - 0.08),
            (w - 0.05, end),
            (w - 0.09, 0.10),
            (w - 0.16, -0.40),
        ]
    half = 0.5 * (end + 0.5)
    return [
        *top,
        (w + v + 0.09, 0.2),
        (w + v + 0.12, half),
        (w + v + 0.02, end - 0.05),
        (w - 0.16, end),
        (w - 0.02, half + 0.05),
        (w - 0.05, 0.35),
        (w - 0.06, -0.10),
        (w - 0.16, -0.40),
    ]


def _locks(studio: Studio, colour: Colour) -> None:
    hair, w, v = studio.person.hair, studio.person.face.width, studio.person.hair.volume
    end = 0.30 + 0.3 * (hair.length - 0.85) if hair.style == "pixie" else hair.length
    dice = Dice(hair.strands, 5)
    for points in both(_lock_outline(studio, end)):
        outline = studio.head.at(spline(points, closed=True, steps=5), 0.06)
        studio.canvas.fill(outline, colour)
        clip = studio.canvas.mask(outline)
        side = 1.0 if points[0][0] > 0 else -1.0
        light: list[Points] = []
        dark: list[Points] = []
        for _ in range(7):
            x = side * (w + dice.uniform(-0.12, 0.12 + v))
            curve = spline(
                [
                    (x - side * 0.08, -0.5),
                    (x + side * 0.03, 0.2),
                    (x, 0.5 * (end + 0.4)),
                    (x - side * 0.05, end),
                ],
                steps=5,
            )
            (light if dice.chance(0.45 + 0.3 * hair.grey) else dark).append(stroke(curve, 0.03, 0.6))
        _lay(studio, dark, tone(colour, 0.6), 0.5, 0.06, clip)
        _lay(studio, light, mix(colour, (255, 240, 222), 0.25), 0.5, 0.06, clip)
