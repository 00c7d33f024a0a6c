"""Where a person stands: a background that stays the same in all seven photos."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFilter

from hoego.apps.people.canvas import Colour, mix, tone
from hoego.apps.people.dice import Dice

_WALL: tuple[Colour, ...] = (
    (222, 220, 214), (206, 212, 216), (226, 214, 196), (196, 204, 190), (184, 192, 206), (214, 198, 196),
    (150, 160, 166), (236, 234, 230), (170, 150, 132), (120, 134, 128),
)  # fmt: skip
_BOOKS: tuple[Colour, ...] = (
    (150, 52, 46), (42, 72, 112), (206, 178, 120), (60, 96, 72), (226, 222, 212), (84, 60, 84),
    (40, 42, 48), (196, 120, 60),
)  # fmt: skip
MARGIN = 0.22
"""How far a background reaches past each edge of the picture, as a share of its size."""


def make_backdrop(seed: tuple[int, ...], size: tuple[int, int]) -> Image.Image:
    """Return the background of a person, larger than `size` (width, height) by `MARGIN` on every side."""
    dice = Dice(*seed, 8)
    width, height = (round(side * (1 + 2 * MARGIN)) for side in size)
    wall = mix(dice.pick(_WALL), dice.pick(_WALL), dice.uniform(0.0, 0.5))
    image = _gradient(
        width, height, tone(wall, dice.uniform(1.0, 1.08)), tone(wall, dice.uniform(0.72, 0.96))
    )
    kind = dice.pick(
        ("plain", "door", "shelf", "window", "outdoors", "tiles", "bricks"),
        (3.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0),
    )
    draw = ImageDraw.Draw(image)
    if kind != "plain":
        {
            "door": _door,
            "shelf": _shelf,
            "window": _window,
            "outdoors": _outdoors,
            "tiles": _tiles,
            "bricks": _bricks,
        }[kind](dice, draw, width, height, wall)
    radius = height * (0.03 if kind == "outdoors" else dice.uniform(0.004, 0.012))
    return image.filter(ImageFilter.GaussianBlur(radius))


def _gradient(width: int, height: int, top: Colour, bottom: Colour) -> Image.Image:
    ramp = Image.linear_gradient("L").resize((width, height), Image.Resampling.BILINEAR)
    return Image.composite(
        Image.new("RGB", (width, height), bottom), Image.new("RGB", (width, height), top), ramp
    )


def _door(dice: Dice, draw: ImageDraw.ImageDraw, width: int, height: int, wall: Colour) -> None:
    x, span = dice.uniform(0.05, 0.7) * width, dice.uniform(0.22, 0.4) * width
    colour = dice.pick(((128, 92, 62), (226, 224, 220), (92, 100, 108), (164, 126, 88)))
    draw.rectangle(
        (x, height * 0.1, x + span, height), fill=colour, outline=tone(wall, 0.6), width=max(1, width // 60)
    )
    for top in (0.2, 0.55):
        draw.rectangle(
            (x + span * 0.18, height * top, x + span * 0.82, height * (top + 0.27)),
            outline=tone(colour, 0.75),
            width=max(1, width // 90),
        )


def _shelf(dice: Dice, draw: ImageDraw.ImageDraw, width: int, height: int, wall: Colour) -> None:
    frame = dice.pick(((118, 82, 54), (228, 224, 216), (66, 58, 54)))
    draw.rectangle((0, 0, width, height), fill=tone(frame, 0.55))
    rows = dice.integer(3, 5)
    for row in range(rows):
        y0, y1 = height * row / rows, height * (row + 1) / rows
        x = 0.0
        while x < width:
            thick, tall = dice.uniform(0.02, 0.06) * width, dice.uniform(0.55, 0.92)
            if dice.chance(0.86):
                draw.rectangle(
                    (x, y1 - (y1 - y0) * tall, x + thick, y1),
                    fill=tone(dice.pick(_BOOKS), dice.uniform(0.75, 1.1)),
                )
            x += thick
        draw.rectangle((0, y1 - height * 0.012, width, y1 + height * 0.012), fill=frame)


def _window(dice: Dice, draw: ImageDraw.ImageDraw, width: int, height: int, wall: Colour) -> None:
    x, span = dice.uniform(-0.05, 0.5) * width, dice.uniform(0.35, 0.6) * width
    low = height * dice.uniform(0.45, 0.7)
    draw.rectangle(
        (x, height * 0.05, x + span, low), fill=dice.pick(((214, 230, 244), (196, 216, 226), (236, 238, 226)))
    )
    draw.rectangle(
        (x, low - height * dice.uniform(0.05, 0.16), x + span, low),
        fill=dice.pick(((124, 150, 110), (150, 156, 160), (110, 128, 104))),
    )
    frame, bar = dice.pick(((244, 244, 240), (104, 78, 58))), max(2, width // 45)
    draw.rectangle((x, height * 0.05, x + span, low), outline=frame, width=bar)
    draw.line((x + span / 2, height * 0.05, x + span / 2, low), fill=frame, width=bar)
    curtain = dice.pick(((206, 190, 170), (150, 168, 186), (186, 132, 122), (228, 224, 214)))
    edge = x - width * 0.12
    for k in range(7):
        fold = tone(curtain, 0.86 + 0.2 * (k % 2))
        draw.rectangle((edge + k * width * 0.03, 0, edge + (k + 1) * width * 0.03, height), fill=fold)


def _outdoors(dice: Dice, draw: ImageDraw.ImageDraw, width: int, height: int, wall: Colour) -> None:
    sky = dice.pick(((190, 214, 236), (222, 226, 228), (240, 220, 196)))
    ground = dice.pick(((110, 136, 92), (150, 146, 138), (128, 116, 96)))
    draw.rectangle((0, 0, width, height), fill=sky)
    draw.rectangle((0, height * 0.55, width, height), fill=ground)
    leaves = dice.pick(((86, 120, 70), (112, 140, 82), (172, 126, 66), (104, 112, 120)))
    for _ in range(26):
        x, y, r = (
            dice.uniform(0, 1) * width,
            dice.uniform(0.1, 0.75) * height,
            dice.uniform(0.04, 0.14) * width,
        )
        draw.ellipse((x - r, y - r, x + r, y + r), fill=tone(leaves, dice.uniform(0.65, 1.35)))


def _tiles(dice: Dice, draw: ImageDraw.ImageDraw, width: int, height: int, wall: Colour) -> None:
    step = width * dice.uniform(0.12, 0.22)
    for k in range(int(width / step) + 1):
        draw.line((k * step, 0, k * step, height), fill=tone(wall, 0.78), width=max(1, width // 120))
    for k in range(int(height / step) + 1):
        draw.line((0, k * step, width, k * step), fill=tone(wall, 0.78), width=max(1, width // 120))


def _bricks(dice: Dice, draw: ImageDraw.ImageDraw, width: int, height: int, wall: Colour) -> None:
    brick = dice.pick(((158, 88, 68), (182, 132, 104), (208, 204, 198), (116, 84, 74)))
    tall = height * dice.uniform(0.035, 0.055)
    long = tall * 2.6
    draw.rectangle((0, 0, width, height), fill=mix(brick, (214, 208, 200), 0.6))
    for row in range(int(height / tall) + 1):
        for column in range(-1, int(width / long) + 1):
            x, y = (column + 0.5 * (row % 2)) * long, row * tall
            draw.rectangle(
                (x, y, x + long * 0.94, y + tall * 0.86), fill=tone(brick, dice.uniform(0.85, 1.12))
            )
