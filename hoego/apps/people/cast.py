"""Who is in the data set: how many people of which gender and age, under which ids, and which labels are wrong."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from itertools import pairwise

from hoego.apps.people.dice import Dice
from hoego.apps.people.shot import MASK_CLASSES, STEMS, mask_class

GROUPS: dict[tuple[str, int], int] = {
    ("male", 0): 549, ("male", 1): 410, ("male", 2): 83,
    ("female", 0): 732, ("female", 1): 817, ("female", 2): 109,
}  # fmt: skip
"""People of the competition's training set by gender and age class (under 30, 30-59, 60)."""

AGE_EDGES = (30, 60)
_YOUNG = (
    (18, 4.0),
    (19, 9.0),
    (20, 9.0),
    (21, 8.0),
    (22, 8.0),
    (23, 8.0),
    (24, 7.0),
    (25, 7.0),
    (26, 5.0),
    (27, 4.0),
    (28, 3.0),
    (29, 2.0),
)
_MIDDLE = tuple((age, 1.6 if age < 40 else 1.8 if age < 48 else 4.0) for age in range(30, 57))
_EXTENSIONS = ((".jpg", 8.0), (".jpeg", 1.0), (".png", 1.0))


@dataclass(frozen=True, kw_only=True)
class CastMember:
    """A person of the data set as the files name it.

    `id`, `written_gender`, `written_age` are in the folder's name and the table; `gender` and `age` are
    true. `stems` maps each written file stem to the stem of the shot that the file holds.
    """

    index: int
    id: str
    gender: str
    age: int
    written_gender: str
    written_age: int
    stems: tuple[tuple[str, str], ...]
    extensions: tuple[str, ...]
    seed: tuple[int, ...]
    error: str

    @property
    def folder(self) -> str:
        """`{id}_{gender}_{race}_{age}`."""
        return f"{self.id}_{self.written_gender}_Asian_{self.written_age}"

    @property
    def files(self) -> list[tuple[str, str]]:
        """(file name, stem of the shot in it) of the seven photos."""
        return [(stem + end, shot) for (stem, shot), end in zip(self.stems, self.extensions, strict=True)]

    def errors(self) -> list[tuple[str, str, str, str]]:
        """Return (file name, attribute, written value, true value) of every label that is wrong."""
        rows = []
        for name, shot in self.files:
            stem = name.rsplit(".", 1)[0]
            if self.error == "mask" and stem != shot:
                rows.append((name, "mask", MASK_CLASSES[mask_class(stem)], MASK_CLASSES[mask_class(shot)]))
            elif self.error == "gender":
                rows.append((name, "gender", self.written_gender, self.gender))
            elif self.error == "age":
                rows.append((name, "age", str(self.written_age), str(self.age)))
        return rows


def age_class(age: int) -> int:
    """Return 0 under 30, 1 from 30 to 59, 2 from 60."""
    return sum(age >= edge for edge in AGE_EDGES)


def allot(n: int) -> dict[tuple[str, int], int]:
    """Allot `n` people to gender and age class: the competition's shares by largest remainder.

    Every class holds at least one person where n >= 6.
    """
    total = sum(GROUPS.values())
    counts = {group: n * share // total for group, share in GROUPS.items()}
    by_rest = sorted(GROUPS, key=lambda group: (-(n * GROUPS[group] % total), group))
    for group in by_rest[: n - sum(counts.values())]:
        counts[group] += 1
    for group in counts:
        if counts[group] == 0 and n >= len(GROUPS):
            counts[max(counts, key=lambda other: counts[other])] -= 1
            counts[group] = 1
    return counts


def _ages(dice: Dice, kind: int, n: int, n_old: int) -> list[int]:
    if kind == 0:
        return [dice.pick([age for age, _ in _YOUNG], [w for _, w in _YOUNG]) for _ in range(n)]
    if kind == 2:
        return [60] * n
    near = min(n, 2 * n_old)
    far = [dice.pick([age for age, _ in _MIDDLE], [w for _, w in _MIDDLE]) for _ in range(n - near)]
    return [57 + (k + dice.integer(0, 2)) % 3 for k in range(near)] + far


def _ids(dice: Dice, n: int, traps: bool) -> list[str]:
    number, ids = 0, []
    for _ in range(n):
        number += dice.pick((1, 1, 1, 1, 1, 2, 2, 3, 5))
        ids.append(f"{number:06d}")
    if traps and n >= 4:
        ids[n // 3] = ids[n // 3 - 1] + "-1"
    return ids


def _share_an_id(members: list[CastMember]) -> None:
    """Give one person of the last half the id of the person before, whose folder has another name."""
    for first, second in pairwise(members[len(members) // 2 :]):
        if (first.written_gender, first.written_age) != (second.written_gender, second.written_age):
            members[second.index] = replace(second, id=first.id)
            return


def _wrong_age(dice: Dice, age: int) -> int:
    kind = age_class(age)
    if kind == 0:
        return dice.integer(30, 36)
    if kind == 2:
        return dice.integer(56, 59)
    return 60 if age >= 50 else dice.integer(25, 29)


def make_cast(
    side: int, n: int, seed: int, error_share: float = 0.0, traps: bool = False
) -> list[CastMember]:
    """Return the people of one side of the data set, in the order of their ids.

    Args:
        side: 0 train, 1 eval; the two sides share nobody.
        n: people.
        seed: the data set's seed.
        error_share: share of the people who get one wrong label: half of them the gender, three tenths
            the photos `normal` and `incorrect_mask` swapped, a fifth an age across an edge.
        traps: give one person the previous id with `-1`, and one the previous id itself.
    """
    dice = Dice(seed, side)
    counts = allot(n)
    people: list[tuple[str, int]] = []
    for (gender, kind), count in counts.items():
        people += [(gender, age) for age in _ages(dice, kind, count, counts[(gender, 2)])]
    people = dice.shuffled(people)
    ids = _ids(dice, n, traps)
    wrong = set(dice.shuffled(range(n))[: round(error_share * n)])
    members = []
    for index, (gender, age) in enumerate(people):
        own = Dice(seed, side, index, 0)
        error = own.pick(("gender", "mask", "age"), (5.0, 3.0, 2.0)) if index in wrong else ""
        swap = {"normal": "incorrect_mask", "incorrect_mask": "normal"} if error == "mask" else {}
        usual = own.pick([end for end, _ in _EXTENSIONS], [w for _, w in _EXTENSIONS])
        members.append(
            CastMember(
                index=index,
                id=ids[index],
                gender=gender,
                age=age,
                written_gender={"male": "female", "female": "male"}[gender] if error == "gender" else gender,
                written_age=_wrong_age(own, age) if error == "age" else age,
                stems=tuple((stem, swap.get(stem, stem)) for stem in STEMS),
                extensions=tuple(
                    own.pick([end for end, _ in _EXTENSIONS]) if own.chance(0.06) else usual for _ in STEMS
                ),
                seed=(seed, side, index),
                error=error,
            )
        )
    if traps and n >= 4:
        _share_an_id(members)
    return members


def eval_name(seed: int, index: int, stem: str) -> str:
    """Return the 40-hex file name of an eval photo; it says nothing about the photo."""
    return (
        hashlib.sha1(f"hoego people {seed} {index} {stem}".encode(), usedforsecurity=False).hexdigest()
        + ".jpg"
    )
