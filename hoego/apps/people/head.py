"""The head without its hair: ears, face, eyes, brows, nose and mouth."""

from __future__ import annotations

import numpy as np
from PIL import Image

from hoego.apps.people.canvas import Colour, Points, ellipse, mix, spline, stroke, tone
from hoego.apps.people.studio import Studio, both, face_outline

Clip = Image.Image


def draw_ears(studio: Studio) -> None:
    """Draw ears, behind the face; earrings below them."""
    face = studio.person.face
    for side in (-1, 1):
        x, size = side * (face.width + 0.015), face.ear
        outer = ellipse(x, 0.14, 0.115 * size, 0.265 * size)
        studio.canvas.fill(studio.head.at(outer, -0.08), tone(face.skin, 0.94))
        studio.soft(
            ellipse(x + side * 0.012, 0.11, 0.055 * size, 0.15 * size), studio.shadow, 0.5, 0.03, z=-0.08
        )
        if studio.person.outfit.earrings:
            stone = ellipse(x + side * 0.01, 0.14 + 0.29 * size, 0.035, 0.045)
            studio.canvas.fill(studio.head.at(stone, -0.08), (232, 218, 178))


def draw_face(studio: Studio) -> Clip:
    """Draw the face's ground: skin, the light on it, blush, beard shadow. Return the mask of the face."""
    person, shot, face = studio.person, studio.shot, studio.person.face
    outline = studio.head.at(face_outline(person), 0.08)
    studio.canvas.fill(outline, face.skin)
    clip = studio.canvas.mask(outline)
    lit = 1.0 if shot.light[0] >= 0.0 else -1.0
    _shade_face(studio, clip, lit)
    light = mix(face.skin, (255, 250, 240), 0.55)
    studio.soft(ellipse(lit * 0.16, -0.48, 0.32, 0.15), light, 0.34, 0.11, clip)
    studio.soft(ellipse(lit * 0.40, 0.28, 0.14, 0.09), light, 0.38, 0.07, clip)
    studio.soft(ellipse(lit * 0.03, 1.02, 0.11, 0.06), light, 0.25, 0.05, clip)
    _draw_beard(studio, clip)
    for x, y, size in face.moles:
        studio.soft(ellipse(x, y, size, size), (64, 42, 36), 0.85, 0.006, clip)
    return clip


def _shade_face(studio: Studio, clip: Clip, lit: float) -> None:
    """Darken the side away from the light (`lit` is its sign), the rims and the hollow cheeks, and add the blush."""
    person, face, dark = studio.person, studio.person.face, studio.shadow
    strength = 0.25 + 0.55 * abs(studio.shot.light[0])
    far = [
        (-lit * 0.34, -1.1),
        (-lit * 1.1, -1.0),
        (-lit * 1.1, 1.2),
        (-lit * 0.1, 1.3),
        (-lit * 0.42, 0.55),
        (-lit * 0.5, 0.0),
    ]
    studio.soft(spline(far, closed=True), dark, 0.62 * strength, 0.13, clip)
    for x in (-1.0, 1.0):
        rim = [
            (x * 0.70, -0.9),
            (x * 0.95, -0.2),
            (x * 0.85, 0.6),
            (x * 0.4, 1.3),
            (x * 0.30, 1.12),
            (x * 0.58, 0.7),
        ]
        studio.soft(rim, dark, 0.42, 0.09, clip)
        hollow = spline([(x * 0.70, 0.30), (x * 0.38, 0.52), (x * 0.46, 0.80), (x * 0.66, 0.62)], closed=True)
        studio.soft(hollow, dark, (0.06 + 0.22 * face.bone) * (1.0 - 0.5 * person.ageing.youth), 0.08, clip)
        blush = mix(face.skin, (214, 84, 78), 0.6)
        studio.soft(
            ellipse(x * 0.43, 0.42, 0.19, 0.13),
            blush,
            face.blush * (0.75 + 0.5 * person.ageing.youth),
            0.10,
            clip,
        )


def _draw_beard(studio: Studio, clip: Clip) -> None:
    face, hair = studio.person.face, studio.person.hair
    if face.stubble <= 0.0:
        return
    colour = mix(mix(hair.colour, (206, 204, 200), 0.8 * studio.person.ageing.grey), face.skin, 0.15)
    area = [
        (-0.74, 0.45),
        (-0.52, 0.66),
        (-0.30, 0.58),
        (0.0, 0.56),
        (0.30, 0.58),
        (0.52, 0.66),
        (0.74, 0.45),
        (0.64, 0.95),
        (0.25, 1.25),
        (-0.25, 1.25),
        (-0.64, 0.95),
    ]
    studio.soft(spline(area, closed=True), mix(colour, (60, 66, 76), 0.4), 0.40 * face.stubble, 0.06, clip)
    y = face.mouth_y
    if face.beard in ("moustache", "goatee", "full"):
        lip = [
            (-0.27, y - 0.02),
            (-0.15, y - 0.12),
            (0.0, y - 0.11),
            (0.15, y - 0.12),
            (0.27, y - 0.02),
            (0.0, y - 0.055),
        ]
        studio.soft(spline(lip, closed=True), colour, 0.85, 0.015, clip)
    if face.beard in ("goatee", "full"):
        studio.soft(ellipse(0.0, y + 0.29, 0.17, 0.15), colour, 0.8, 0.03, clip)
    if face.beard == "full":
        for rim in both(
            [(0.76, 0.18), (0.66, 0.30), (0.50, 0.72), (0.16, 0.92), (0.0, 1.25), (0.5, 1.2), (0.8, 0.7)]
        ):
            studio.soft(spline(rim, closed=True), colour, 0.75, 0.03, clip)


def draw_eyes(studio: Studio, clip: Clip) -> None:
    """Draw sockets, eyeballs, lids and lashes."""
    for side in (-1, 1):
        _draw_eye(studio, side, clip)


def _draw_eye(studio: Studio, side: int, clip: Clip) -> None:
    face, ageing, shot, head = studio.person.face, studio.person.ageing, studio.shot, studio.head
    dark = studio.shadow
    x0, w = side * face.eye_gap, face.eye_width * (1.0 + 0.05 * ageing.youth)
    h = face.eye_height * shot.lids * (1.0 + 0.12 * ageing.youth - 0.26 * ageing.lids)
    tilt = face.eye_tilt - 0.12 * ageing.lids
    studio.soft(
        ellipse(x0 - side * 0.02, -0.07, w * 1.25, 0.15),
        dark,
        0.20 + 0.12 * face.bone + 0.08 * ageing.lids,
        0.06,
        clip,
    )

    def eye(points: list[tuple[float, float]]) -> Points:
        local = spline(points, steps=6)
        lift = -tilt * local[:, 0] * w
        return np.stack([x0 + side * local[:, 0] * w, local[:, 1] * h + lift], axis=1)

    upper = eye([(-1.0, 0.30), (-0.62, -0.62), (0.0, -1.0), (0.60, -0.72), (1.0, 0.05)])
    lower = eye([(1.0, 0.05), (0.55, 0.68), (-0.1, 0.82), (-0.7, 0.62), (-1.0, 0.30)])
    ball = head.at(np.concatenate([upper, lower]))
    studio.canvas.fill(ball, mix((240, 236, 230), face.skin, 0.18 + 0.10 * ageing.lids))
    opening = studio.canvas.mask(ball)
    px = studio.unit
    centre = head.at([(x0 + w * 0.55 * shot.gaze[0], -0.008 + h * shot.gaze[1])])[0]
    _draw_iris(studio, centre, opening)
    studio.canvas.paint(
        head.at(stroke(upper + np.array([0.0, 0.03]), 0.05, 0.5)), (40, 26, 24), 0.35, 0.012 * px, opening
    )
    glint = ellipse(
        centre[0] + 0.034 * px * (1 if shot.light[0] >= 0 else -1),
        centre[1] - 0.034 * px,
        0.02 * px,
        0.02 * px,
    )
    studio.canvas.paint(glint, (255, 255, 255), 0.9, 0.0, opening)
    _draw_lids(studio, side, upper, lower, clip)


def _draw_iris(studio: Studio, centre: Points, opening: Clip) -> None:
    face, px, radius = studio.person.face, studio.unit, 0.092
    for size, colour in (
        (radius, tone(face.iris, 0.7)),
        (radius * 0.82, tone(face.iris, 1.35)),
        (radius * 0.45, (12, 10, 12)),
    ):
        studio.canvas.paint(ellipse(centre[0], centre[1], size * px, size * px), colour, 1.0, 0.0, opening)


def _draw_lids(studio: Studio, side: int, upper: Points, lower: Points, clip: Clip) -> None:
    face, ageing, head, px = studio.person.face, studio.person.ageing, studio.head, studio.unit
    dark, lash = studio.shadow, (34, 24, 24)
    edge = head.at(stroke(upper, 0.026 + 0.026 * face.lashes, 0.55))
    studio.canvas.paint(edge, lash, 0.72 + 0.25 * face.lashes, 0.004 * px)
    if face.lashes > 0.4:
        wing = np.array([upper[-4], upper[-1], upper[-1] + np.array([side * 0.05, -0.035])])
        studio.canvas.paint(head.at(stroke(spline(wing), 0.026, 0.9)), lash, 0.9 * face.lashes, 0.003 * px)
        lid = ellipse(side * face.eye_gap, -0.075, face.eye_width * 0.9, 0.05)
        studio.soft(lid, mix(face.skin, (150, 80, 74), 0.5), 0.55 * (face.lashes - 0.4), 0.025, clip)
    studio.canvas.paint(head.at(stroke(lower, 0.018, 0.9)), mix(dark, lash, 0.4), 0.55, 0.004 * px)
    if face.fold > 0.0:
        crease = upper[3:] + np.array([0.0, -face.fold - 0.02 * ageing.youth + 0.02 * ageing.lids])
        studio.canvas.paint(head.at(stroke(crease, 0.02, 0.8)), tone(dark, 0.8), 0.7, 0.006 * px)


def draw_brows(studio: Studio) -> None:
    """Draw eyebrows: they grey later than the hair and sink with the years."""
    face, ageing = studio.person.face, studio.person.ageing
    base = mix(studio.person.hair.colour, (44, 34, 30), 0.45)
    colour = mix(base, (176, 172, 168), 0.6 * ageing.grey * ageing.grey)
    for side in (-1, 1):
        y = face.brow_y + studio.shot.brows + 0.02 * ageing.lids
        line = spline(
            [
                (side * 0.135, y + 0.020 + face.brow_tilt),
                (side * 0.28, y - face.brow_arch * 0.6),
                (side * 0.42, y - face.brow_arch),
                (side * 0.565, y + 0.035 - face.brow_tilt + 0.02 * ageing.lids),
            ]
        )
        shape = studio.head.at(stroke(line, face.brow_width, 0.8))
        studio.canvas.paint(shape, colour, 0.80 - 0.15 * ageing.sag, 0.010 * studio.unit)


def draw_nose(studio: Studio, clip: Clip) -> None:
    """Draw bridge, tip, wings and nostrils; the bridge's shadow lies away from the light."""
    face, shot, dark = studio.person.face, studio.shot, studio.shadow
    y, w = face.nose_y, face.nose_width
    lit = 1.0 if shot.light[0] >= 0.0 else -1.0
    bridge = [
        (-lit * 0.05, -0.12),
        (-lit * 0.11, -0.02),
        (-lit * 0.085, 0.22),
        (-lit * (w + 0.01), y - 0.02),
        (-lit * 0.03, y),
    ]
    depth = 0.28 + 0.42 * abs(shot.light[0])
    studio.soft(spline(bridge, closed=True), dark, depth * (0.55 + 0.35 * face.bridge), 0.035, clip, z=0.66)
    light = mix(face.skin, (255, 252, 246), 0.7)
    studio.soft(
        [(lit * 0.0, -0.1), (lit * 0.045, -0.1), (lit * 0.05, 0.28), (lit * 0.0, 0.28)],
        light,
        0.4 * face.bridge,
        0.022,
        clip,
        z=0.72,
    )
    studio.soft(ellipse(lit * 0.02, y - 0.085, 0.05, 0.04), light, 0.55, 0.022, clip, z=0.76)
    under = [
        (-w, y - 0.01),
        (-w * 0.5, y + 0.035),
        (0.0, y + 0.05),
        (w * 0.5, y + 0.035),
        (w, y - 0.01),
        (0.0, y + 0.085),
    ]
    studio.soft(spline(under, closed=True), dark, 0.55, 0.022, clip, z=0.66)
    px = studio.unit
    for side in (-1, 1):
        wing = spline(
            [(side * w * 0.82, y - 0.10), (side * w * 1.02, y - 0.035), (side * w * 0.80, y + 0.025)]
        )
        studio.canvas.paint(studio.head.at(stroke(wing, 0.03, 0.9), 0.64), tone(dark, 0.82), 0.62, 0.008 * px)
        hole = ellipse(side * w * 0.46, y + 0.008, 0.040, 0.018)
        studio.canvas.paint(studio.head.at(hole, 0.68), mix((58, 28, 24), dark, 0.2), 0.8, 0.007 * px)


def draw_mouth(studio: Studio, clip: Clip) -> None:
    """Draw lips; they thin and pale with the years, part and smile from photo to photo."""
    person, shot, head, px = studio.person, studio.shot, studio.head, studio.unit
    face, ageing = person.face, person.ageing
    y, w = face.mouth_y, face.mouth_width * (1.0 + 0.10 * max(0.0, shot.smile))
    full = face.lip * (1.0 - 0.42 * ageing.thin_lips)
    lift = 0.05 * shot.smile - 0.022 * ageing.sag
    gap = 0.045 * shot.parted
    colour: Colour = mix(face.lip_colour, studio.shadow, 0.28 * ageing.thin_lips)
    seam = [(-w, y - lift), (-w * 0.45, y + 0.012), (0.0, y - 0.004), (w * 0.45, y + 0.012), (w, y - lift)]
    top = [
        (w, y - lift),
        (w * 0.42, y - full * 0.78),
        (w * 0.13, y - full * 0.98),
        (0.0, y - full * 0.80),
        (-w * 0.13, y - full * 0.98),
        (-w * 0.42, y - full * 0.78),
        (-w, y - lift),
    ]
    low = [
        (w, y - lift),
        (w * 0.5, y + gap + full * 0.85),
        (0.0, y + gap + full * 1.22),
        (-w * 0.5, y + gap + full * 0.85),
        (-w, y - lift),
    ]
    line = spline(seam)
    if gap > 0.004:
        inner = np.concatenate([line, line[::-1] + np.array([0.0, 1.3 * gap])])
        studio.canvas.paint(head.at(inner), (236, 228, 220) if gap > 0.012 else (84, 34, 34), 1.0, 0.003 * px)
    lower = np.concatenate([line + np.array([0.0, 0.9 * gap if gap > 0.004 else 0.0]), spline(low)])
    studio.canvas.paint(head.at(np.concatenate([line, spline(top)])), tone(colour, 0.90), 0.95, 0.007 * px)
    studio.canvas.paint(head.at(lower), colour, 0.92, 0.008 * px)
    shine = ellipse(0.0, y + gap + full * 0.55, w * 0.36, full * 0.22)
    studio.soft(shine, mix(colour, (255, 240, 235), 0.6), 0.5, 0.02, clip)
    studio.canvas.paint(
        head.at(stroke(line, 0.022, 0.7)), tone(mix(colour, (60, 20, 24), 0.6), 0.8), 0.8, 0.004 * px
    )
    studio.soft(ellipse(0.0, y + full * 1.4 + 0.05, w * 0.6, 0.03), studio.shadow, 0.42, 0.03, clip)
