"""Who a person is: everything that the seven photos share."""

from __future__ import annotations

from dataclasses import dataclass

from hoego.apps.people.canvas import Colour, mix
from hoego.apps.people.dice import Dice, ramp

APPARENT_AGE_SD = 5.5
"""Standard deviation, in years, of how old a person looks around how old the person is."""


@dataclass(frozen=True, kw_only=True)
class Face:
    """Proportions in head units (see `canvas.Frame`) and colours."""

    skin: Colour
    width: float
    jaw: float
    chin: float
    length: float
    eye_gap: float
    eye_width: float
    eye_height: float
    eye_tilt: float
    fold: float  # height of the crease over the eye; 0 for a single lid
    iris: Colour
    lashes: float
    brow_y: float
    brow_width: float
    brow_arch: float
    brow_tilt: float
    nose_width: float
    nose_y: float
    bridge: float
    mouth_y: float
    mouth_width: float
    lip: float
    lip_colour: Colour
    blush: float
    ear: float
    moles: tuple[tuple[float, float, float], ...]
    stubble: float
    beard: str  # "none", "moustache", "goatee", "full"
    bone: float  # 0 soft to 1 angular: cheekbone and brow ridge


@dataclass(frozen=True, kw_only=True)
class Ageing:
    """How far each sign of age has come, 0 none to 1 strong; all grow continuously with the years."""

    apparent: float
    forehead: float
    frown: float
    crow: float
    folds: float
    bags: float
    sag: float
    lids: float
    spots: float
    neck: float
    grey: float
    recede: float
    thin_lips: float
    youth: float


@dataclass(frozen=True, kw_only=True)
class Hair:
    """Cut and colour. `style` names a drawing of `hair.py`."""

    style: str
    colour: Colour
    grey: float
    volume: float
    length: float
    part: float
    strands: int  # seed of the strands


@dataclass(frozen=True, kw_only=True)
class Outfit:
    """Clothes, glasses and jewellery."""

    cut: str
    colour: Colour
    second: Colour
    pattern: str
    pitch: float
    shoulders: float
    neck: float
    glasses: str
    glasses_colour: Colour
    earrings: bool


@dataclass(frozen=True, kw_only=True)
class Person:
    """A person as drawn; `gender` and `age` are the true ones."""

    gender: str
    age: int
    face: Face
    ageing: Ageing
    hair: Hair
    outfit: Outfit
    seed: tuple[int, ...]


_SKIN: tuple[Colour, ...] = (
    (250, 224, 204), (242, 208, 182), (232, 192, 160), (216, 172, 138), (194, 146, 110), (158, 112, 80)
)  # fmt: skip
_SKIN_WEIGHTS = (3.0, 5.0, 5.0, 4.0, 2.0, 1.0)
_CLOTH: tuple[Colour, ...] = (
    (36, 38, 46), (236, 234, 228), (66, 82, 118), (128, 36, 44), (70, 96, 70), (196, 168, 128), (104, 108, 116),
    (52, 66, 88), (170, 96, 62), (148, 178, 200), (214, 172, 184), (112, 84, 128), (226, 190, 84), (60, 120, 128),
)  # fmt: skip
_HAIR: tuple[Colour, ...] = (
    (26, 23, 24),
    (38, 30, 28),
    (54, 38, 30),
    (78, 54, 38),
    (122, 86, 56),
    (104, 50, 38),
)


def _ageing(dice: Dice, age: int, male: bool) -> Ageing:
    apparent = min(78.0, max(15.0, age + dice.bell(0.0, APPARENT_AGE_SD)))

    def sign(low: float, high: float, spread: float = 3.0) -> float:
        return ramp(apparent + dice.bell(0.0, spread), low, high) * dice.uniform(0.7, 1.3)

    onset = dice.bell(44.0, 5.5)
    grey = ramp(apparent, onset - 9.0, onset + 21.0)
    if dice.chance(0.15 if male else 0.3):
        grey *= dice.uniform(0.05, 0.3)
    recede = ramp(apparent, 22.0, 64.0) * (dice.uniform(0.0, 1.0) ** 2 if male else dice.uniform(0.0, 0.22))
    return Ageing(
        apparent=apparent,
        forehead=sign(26.0, 60.0, 4.0),
        frown=sign(30.0, 68.0, 6.0),
        crow=sign(26.0, 58.0),
        folds=sign(23.0, 58.0),
        bags=sign(24.0, 58.0) + dice.uniform(0.0, 0.15),
        sag=sign(36.0, 72.0),
        lids=sign(31.0, 68.0),
        spots=sign(38.0, 70.0, 6.0),
        neck=sign(31.0, 66.0),
        grey=grey,
        recede=recede,
        thin_lips=sign(34.0, 72.0),
        youth=1.0 - ramp(apparent, 16.0, 34.0),
    )


def _skin_and_lips(dice: Dice, male: bool, ageing: Ageing) -> tuple[Colour, Colour]:
    shade = dice.pick(range(len(_SKIN)), _SKIN_WEIGHTS)
    skin = mix(_SKIN[shade], _SKIN[min(shade + 1, len(_SKIN) - 1)], dice.uniform(0.0, 1.0))
    skin = mix(skin, dice.pick(((236, 170, 150), (226, 190, 140))), dice.uniform(0.0, 0.22))
    skin = mix(skin, (186, 142, 108), 0.42 * ramp(ageing.apparent, 26.0, 70.0))
    skin = mix(skin, (206, 150, 112), 0.24) if male else mix(skin, (255, 232, 220), 0.22)
    lip = mix(skin, (176, 82, 84), dice.uniform(0.3, 0.5))
    if not male:
        lip = mix(lip, dice.pick(((196, 52, 72), (206, 92, 98), (170, 58, 62))), dice.uniform(0.1, 0.8))
    return skin, lip


def _face(dice: Dice, male: bool, ageing: Ageing) -> Face:
    skin, lip = _skin_and_lips(dice, male, ageing)
    m = 1.0 if male else 0.0
    beard = "none"
    if male and ageing.apparent > 22.0 and dice.chance(0.16):
        beard = dice.pick(("moustache", "goatee", "full"))
    return Face(
        skin=skin,
        width=dice.bell(0.725 + 0.045 * m, 0.032),
        jaw=dice.bell(0.545 + 0.085 * m, 0.042),
        chin=dice.bell(0.19 + 0.095 * m, 0.03),
        length=dice.bell(1.12 + 0.035 * m, 0.03),
        eye_gap=dice.bell(0.335, 0.021),
        eye_width=dice.bell(0.184 - 0.018 * m, 0.011),
        eye_height=dice.bell(0.088 - 0.020 * m, 0.011),
        eye_tilt=dice.bell(0.10, 0.06),
        fold=dice.uniform(0.03, 0.06) if dice.chance(0.6) else 0.0,
        iris=dice.pick(((42, 28, 22), (62, 40, 28), (84, 58, 38), (34, 26, 26), (70, 66, 50))),
        lashes=dice.uniform(0.05, 0.3) if male else dice.uniform(0.5, 1.0),
        brow_y=dice.bell(-0.250 + 0.055 * m, 0.018),
        brow_width=dice.bell(0.050 + 0.050 * m, 0.010),
        brow_arch=dice.bell(0.050 - 0.022 * m, 0.014),
        brow_tilt=dice.bell(0.0, 0.02),
        nose_width=dice.bell(0.150 + 0.022 * m, 0.016),
        nose_y=dice.bell(0.455 + 0.01 * m, 0.022),
        bridge=dice.uniform(0.25, 1.0),
        mouth_y=dice.bell(0.735, 0.02),
        mouth_width=dice.bell(0.262 + 0.022 * m, 0.022),
        lip=dice.bell(0.098 - 0.022 * m, 0.014),
        lip_colour=lip,
        blush=dice.uniform(0.03, 0.15) if male else dice.uniform(0.2, 0.55),
        ear=dice.uniform(0.85, 1.15),
        moles=tuple(
            (dice.uniform(-0.55, 0.55), dice.uniform(-0.1, 0.95), dice.uniform(0.010, 0.020))
            for _ in range(dice.pick((0, 0, 0, 1, 1, 2)))
        ),
        stubble=dice.uniform(0.04, 0.38) if male else 0.0,
        beard=beard,
        bone=min(1.0, max(0.0, dice.bell(0.35 + 0.25 * m, 0.2))),
    )


def _hair(dice: Dice, male: bool, ageing: Ageing) -> Hair:
    years = ageing.apparent
    if male:
        styles = {
            "crop": 5.0,
            "side": 4.0,
            "fringe": 5.0 * (1.0 - ramp(years, 25.0, 50.0)) + 0.3,
            "swept": 3.0,
            "curtain": 2.0 * (1.0 - ramp(years, 25.0, 50.0)) + 0.1,
            "bob": 0.10,
            "tied": 0.06,
            "perm": 0.15,
        }
    else:
        old = ramp(years, 35.0, 66.0)
        styles = {
            "long": 6.0 * (1.0 - 0.75 * old),
            "longfringe": 3.0 * (1.0 - 0.85 * old),
            "bob": 3.5,
            "bobfringe": 1.6,
            "tied": 2.6,
            "perm": 0.2 + 5.0 * old,
            "pixie": 0.4 + 1.5 * old,
            "crop": 0.1 + 0.3 * old,
        }
    style = dice.pick(tuple(styles), tuple(styles.values()))
    weights = (5.0, 4.0, 3.5, 2.5, 2.0, 1.2) if years < 36 else (6.0, 5.0, 3.0, 1.5, 0.3, 0.3)
    length = {"long": dice.uniform(1.7, 2.5), "longfringe": dice.uniform(1.6, 2.4)}.get(
        style, dice.uniform(0.85, 1.35)
    )
    return Hair(
        style=style,
        colour=mix(dice.pick(_HAIR, weights), (84, 70, 62), dice.uniform(0.0, 0.18)),
        grey=ageing.grey,
        volume=(dice.uniform(0.06, 0.15) if male else dice.uniform(0.09, 0.19))
        * (1.0 - 0.35 * ramp(years, 40.0, 75.0)),
        length=length,
        part=dice.sign() * dice.uniform(0.12, 0.34),
        strands=dice.integer(0, 1 << 30),
    )


def _outfit(dice: Dice, male: bool, ageing: Ageing) -> Outfit:
    late = ramp(ageing.apparent, 28.0, 60.0)
    cuts = {
        "tee": 4.0 - 1.5 * late,
        "shirt": 2.5 + 1.5 * late,
        "hoodie": 3.0 - 2.7 * late,
        "sweater": 2.5,
        "turtle": 1.0,
        "jacket": 1.5 + 1.5 * late,
        "vneck": 1.0 if male else 2.5,
    }
    muted = [1.0 + 2.0 * late if max(c) - min(c) < 45 else 1.0 for c in _CLOTH]
    lean = [1.0 + (1.2 if (c[0] > c[2] + 20) is not male else 0.0) for c in _CLOTH]
    colour = dice.pick(_CLOTH, [a * b for a, b in zip(muted, lean, strict=True)])
    second = dice.pick([other for other in _CLOTH if other != colour])
    return Outfit(
        cut=dice.pick(tuple(cuts), tuple(cuts.values())),
        colour=mix(colour, (128, 128, 128), dice.uniform(0.0, 0.3)),
        second=second,
        pattern=dice.pick(
            ("plain", "stripes", "check", "dots", "print"), (5.0, 1.5, 1.2, 0.8, 1.6 - 1.3 * late)
        ),
        pitch=dice.uniform(0.10, 0.24),
        shoulders=dice.bell(1.60 if male else 1.24, 0.07),
        neck=dice.bell(0.46 if male else 0.325, 0.022),
        glasses=dice.pick(("none", "round", "square", "half"), (7.0, 1.3, 1.3, 0.5 + 1.2 * late)),
        glasses_colour=dice.pick(((24, 24, 28), (70, 46, 34), (150, 126, 84), (96, 100, 110))),
        earrings=(not male) and dice.chance(0.45),
    )


def make_person(gender: str, age: int, seed: tuple[int, ...]) -> Person:
    """Draw a person of a gender ("male", "female") and an age in years from a seed."""
    male = gender == "male"
    ageing = _ageing(Dice(*seed, 1), age, male)
    return Person(
        gender=gender,
        age=age,
        ageing=ageing,
        face=_face(Dice(*seed, 2), male, ageing),
        hair=_hair(Dice(*seed, 3), male, ageing),
        outfit=_outfit(Dice(*seed, 4), male, ageing),
        seed=seed,
    )
