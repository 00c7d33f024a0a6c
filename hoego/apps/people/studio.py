"""What every drawing function is handed: the canvas, where the head is, who sits there, and the shot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from hoego.apps.people.canvas import Canvas, Colour, Frame, Points, mirror, spline, tone
from hoego.apps.people.person import Person
from hoego.apps.people.shot import Shot


@dataclass(frozen=True, kw_only=True)
class Studio:
    """One sitting: a person before the camera."""

    canvas: Canvas
    head: Frame
    body: Frame
    person: Person
    shot: Shot

    @property
    def unit(self) -> float:
        """Pixels per head unit."""
        return self.head.scale

    @property
    def shadow(self) -> Colour:
        """The skin's colour in shadow."""
        red, green, blue = self.person.face.skin
        return tone((red, round(green * 0.86), round(blue * 0.80)), 0.66)

    def soft(
        self,
        outline: ArrayLike,
        colour: Colour,
        alpha: float,
        blur: float,
        clip: Image.Image | None = None,
        z: float | None = None,
    ) -> None:
        """Paint one head-coordinate outline; `blur` in head units."""
        self.canvas.paint(self.head.at(outline, z), colour, alpha, blur * self.unit, clip)


def face_outline(person: Person) -> Points:
    """Outline of the face from crown to chin in head units, closed."""
    face, ageing = person.face, person.ageing
    width, sag = face.width, ageing.sag
    jaw = face.jaw + 0.055 * sag + 0.02 * ageing.youth
    half = [
        (0.0, -1.05),
        (0.42, -0.98),
        (width * 0.93, -0.62),
        (width, -0.15),
        (width * 0.985 - 0.02 * sag, 0.22),
        (0.5 * (width + jaw) + 0.025, 0.52),
        (jaw, 0.78 + 0.03 * sag),
        (face.chin + 0.165, 0.99 + 0.02 * sag),
        (face.chin * 0.62, face.length + 0.005),
        (0.0, face.length + 0.02),
    ]
    return spline(mirror(half), closed=True, steps=5)


def both(points: ArrayLike) -> tuple[Points, Points]:
    """Return points given for the picture's right side, and their mirror image."""
    right = np.asarray(points, dtype=np.float64)
    return right, right * np.array([-1.0, 1.0])
