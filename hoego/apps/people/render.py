"""One person, seven photos."""

from __future__ import annotations

from collections.abc import Iterator

from PIL import Image

from hoego.apps.people.age import draw_age
from hoego.apps.people.camera import expose
from hoego.apps.people.canvas import Canvas, Frame
from hoego.apps.people.dice import Dice
from hoego.apps.people.hair import draw_back_hair, draw_tail, draw_top_hair
from hoego.apps.people.head import draw_brows, draw_ears, draw_eyes, draw_face, draw_mouth, draw_nose
from hoego.apps.people.person import Person
from hoego.apps.people.scene import MARGIN, make_backdrop
from hoego.apps.people.shot import Shot, make_shots
from hoego.apps.people.studio import Studio
from hoego.apps.people.wear import draw_body, draw_glasses, draw_mask


def supersampling(size: tuple[int, int]) -> int:
    """Return how many drawn pixels stand behind one pixel of the photo, per side."""
    return 3 if size[1] <= 100 else 2


def photograph(person: Person, size: tuple[int, int]) -> Iterator[tuple[str, Shot, Image.Image]]:
    """Draw a person's seven photos.

    Args:
        person: who.
        size: width and height of a photo, pixels.

    Yields:
        File stem, the shot, and the RGB photo before compression, in the order of `shot.STEMS`.
    """
    factor = supersampling(size)
    large = (size[0] * factor, size[1] * factor)
    backdrop = make_backdrop(person.seed, large)
    for i, (stem, shot) in enumerate(make_shots(person.seed).items()):
        yield stem, shot, _photo(person, shot, backdrop, size, Dice(*person.seed, 20 + i))


def _frames(size: tuple[int, int], shot: Shot) -> tuple[Frame, Frame]:
    width, height = size
    reach = min(float(height), width / 0.75)
    scale = 0.245 * reach * shot.scale
    x = width * (0.5 + shot.shift[0])
    y = height * 0.5 + reach * (-0.06 + shot.shift[1])
    head = Frame(x=x, y=y, scale=scale, yaw=shot.yaw, pitch=shot.pitch, roll=shot.roll)
    body = Frame(x=x, y=y - 0.10 * scale, scale=scale, yaw=0.35 * shot.yaw, pitch=0.0, roll=0.25 * shot.roll)
    return head, body


def _photo(
    person: Person, shot: Shot, backdrop: Image.Image, size: tuple[int, int], dice: Dice
) -> Image.Image:
    factor = supersampling(size)
    width, height = size[0] * factor, size[1] * factor
    left = round((MARGIN - 0.6 * shot.shift[0]) * width)
    top = round((MARGIN - 0.6 * shot.shift[1]) * height)
    shrink = 1.0 / (1.0 + 0.5 * (shot.scale - 1.0))
    box = (left, top, left + width, top + height)
    grow_x, grow_y = 0.5 * width * (shrink - 1.0), 0.5 * height * (shrink - 1.0)
    wide = (box[0] - grow_x, box[1] - grow_y, box[2] + grow_x, box[3] + grow_y)
    wide = (max(0.0, wide[0]), max(0.0, wide[1]), min(backdrop.width, wide[2]), min(backdrop.height, wide[3]))
    canvas = Canvas(backdrop.resize((width, height), Image.Resampling.BILINEAR, box=wide))
    head, body = _frames((width, height), shot)
    studio = Studio(canvas=canvas, head=head, body=body, person=person, shot=shot)
    draw_back_hair(studio)
    draw_body(studio)
    draw_tail(studio)
    draw_ears(studio)
    clip = draw_face(studio)
    draw_nose(studio, clip)
    if shot.mask is None or shot.mask.top > 0.7:
        draw_mouth(studio, clip)
    draw_eyes(studio, clip)
    draw_age(studio, clip)
    draw_brows(studio)
    draw_mask(studio)
    draw_top_hair(studio)
    draw_glasses(studio)
    return expose(canvas.image, canvas.figure, size, _frames(size, shot)[0], shot, dice)
