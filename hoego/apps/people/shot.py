"""What changes from photo to photo: pose, expression, light, camera, and the mask that is worn."""

from __future__ import annotations

from dataclasses import dataclass

from hoego.apps.people.canvas import Colour, mix
from hoego.apps.people.dice import Dice

STEMS = ("mask1", "mask2", "mask3", "mask4", "mask5", "incorrect_mask", "normal")
"""File stems of a person's seven photos, in the order of the competition."""

MASK_CLASSES = ("wear", "incorrect", "normal")


def mask_class(stem: str) -> int:
    """Return 0 wear, 1 incorrect, 2 normal."""
    return 2 if stem == "normal" else 1 if stem == "incorrect_mask" else 0


@dataclass(frozen=True, kw_only=True)
class Mask:
    """A face mask: its make and how it sits. `top` is the height of its upper edge, head units."""

    style: str  # "pleated", "boat", "moulded", "cloth", "valve"
    colour: Colour
    second: Colour
    top: float
    bottom: float
    tilt: float


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One photo's circumstances; shifts and scale relative to the standard portrait, angles in radians."""

    shift: tuple[float, float]
    scale: float
    yaw: float
    pitch: float
    roll: float
    smile: float
    parted: float
    lids: float
    gaze: tuple[float, float]
    brows: float
    light: tuple[float, float]
    hardness: float
    warmth: float
    exposure: float
    backdrop: float
    contrast: float
    saturation: float
    blur: float
    noise: float
    quality: int
    mask: Mask | None


_MASKS: tuple[tuple[str, Colour, Colour, float], ...] = (
    ("pleated", (176, 208, 226), (236, 240, 242), 3.0),
    ("pleated", (238, 240, 240), (250, 250, 250), 2.0),
    ("boat", (244, 244, 242), (228, 228, 228), 4.0),
    ("boat", (40, 41, 46), (64, 64, 70), 2.0),
    ("boat", (208, 186, 172), (190, 168, 154), 1.0),
    ("moulded", (48, 50, 56), (74, 76, 82), 2.0),
    ("moulded", (126, 130, 138), (150, 154, 160), 1.0),
    ("cloth", (62, 80, 118), (224, 222, 214), 1.0),
    ("cloth", (142, 54, 62), (236, 220, 206), 1.0),
    ("cloth", (108, 132, 104), (232, 230, 214), 1.0),
    ("cloth", (226, 176, 184), (250, 240, 240), 0.7),
    ("valve", (240, 240, 238), (118, 122, 128), 0.8),
)


def _mask(dice: Dice, make: tuple[str, Colour, Colour, float], kind: int) -> Mask:
    if kind == 0:
        top, bottom = dice.bell(0.20, 0.035), dice.bell(1.20, 0.02)
    elif dice.chance(0.62):
        top, bottom = dice.bell(0.545, 0.025), dice.bell(1.25, 0.02)
    else:
        top, bottom = dice.bell(0.93, 0.025), dice.bell(1.42, 0.03)
    colour = mix(make[1], dice.pick(((255, 255, 255), (120, 120, 120))), dice.uniform(0.0, 0.08))
    return Mask(
        style=make[0], colour=colour, second=make[2], top=top, bottom=bottom, tilt=dice.bell(0.0, 0.025)
    )


def make_shots(seed: tuple[int, ...]) -> dict[str, Shot]:
    """Return the seven shots of the person of a seed, by file stem."""
    wardrobe = Dice(*seed, 5)
    weights = [make[3] for make in _MASKS]
    makes: list[tuple[str, Colour, Colour, float]] = []
    while len(makes) < 6:
        make = wardrobe.pick(_MASKS, weights)
        if make not in makes[:5]:
            makes.append(make)
    session = _session(Dice(*seed, 9))
    return {stem: _shot(Dice(*seed, 10 + i), stem, makes[min(i, 5)], session) for i, stem in enumerate(STEMS)}


@dataclass(frozen=True, kw_only=True)
class _Session:
    """Light and camera that the seven photos of one sitting have in common."""

    light: tuple[float, float]
    hardness: float
    warmth: float
    exposure: float
    backdrop: float
    contrast: float
    saturation: float
    noise: float
    quality: int


def _session(dice: Dice) -> _Session:
    return _Session(
        light=(dice.uniform(-0.8, 0.8), dice.uniform(-0.7, 0.1)),
        hardness=dice.uniform(0.10, 0.28),
        warmth=dice.bell(0.0, 0.028),
        exposure=dice.bell(1.0, 0.07),
        backdrop=dice.bell(1.0, 0.08),
        contrast=dice.bell(1.0, 0.06),
        saturation=dice.bell(1.0, 0.08),
        noise=dice.uniform(0.6, 3.4),
        quality=dice.integer(70, 92),
    )


def _shot(dice: Dice, stem: str, make: tuple[str, Colour, Colour, float], session: _Session) -> Shot:
    kind = mask_class(stem)
    return Shot(
        shift=(dice.bell(0.0, 0.045), dice.bell(0.0, 0.028)),
        scale=dice.bell(1.0, 0.065),
        yaw=dice.bell(0.0, 0.13),
        pitch=dice.bell(0.0, 0.06),
        roll=dice.bell(0.0, 0.05),
        smile=dice.uniform(-0.2, 1.0),
        parted=max(0.0, dice.uniform(-0.6, 0.6)),
        lids=dice.uniform(0.8, 1.05),
        gaze=(dice.bell(0.0, 0.18), dice.bell(0.0, 0.08)),
        brows=dice.bell(0.0, 0.012),
        light=(session.light[0] + dice.bell(0.0, 0.3), session.light[1] + dice.bell(0.0, 0.2)),
        hardness=session.hardness * dice.uniform(0.8, 1.2),
        warmth=session.warmth + dice.bell(0.0, 0.012),
        exposure=session.exposure * dice.bell(1.0, 0.04),
        backdrop=session.backdrop * dice.bell(1.0, 0.035),
        contrast=session.contrast * dice.bell(1.0, 0.03),
        saturation=session.saturation * dice.bell(1.0, 0.03),
        blur=max(0.0, dice.uniform(-0.6, 0.7)),
        noise=session.noise * dice.uniform(0.8, 1.2),
        quality=session.quality + dice.integer(-8, 3),
        mask=None if kind == 2 else _mask(dice, make, kind),
    )
