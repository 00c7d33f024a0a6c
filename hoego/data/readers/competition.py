"""Layout `competition`: the mask competition's folders, seven photos of each person.

    train/train.csv                                   id, gender, race, age, path
    train/images/{id}_{gender}_{race}_{age}/          mask1 ... mask5, incorrect_mask, normal (.jpg, .jpeg, .png)
    eval/info.csv, eval/images/                       ImageID, ans

The class is 6*mask + 3*gender + age. An image's id is its path below `train/images`. Where train.csv is missing,
the folders' names say the same. An id that occurs with two folders is one subject: were they two people after all,
a little balance is lost; were they one and taken for two, a score would leak.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from hoego.data.images import is_photo
from hoego.data.readers.photo_files import inside, left_out, subfolders
from hoego.data.readers.raw_table import RawTable
from hoego.data.readers.table_file import defaults
from hoego.data.readers.tables import read_table
from hoego.errors import DataError
from hoego.recipe.sections import DatasetSettings, LabelSettings

FOLDER = re.compile(r"(?P<id>[^_]+)_(?P<gender>[^_]+)_(?P<race>[^_]+)_(?P<age>\d+)")
COLUMNS = ("id", "gender", "race", "age", "path")

_MASK = (("incorrect", re.compile(r"incorrect(_mask)?\d*$")), ("normal", re.compile(r"normal\d*$")),
         ("wear", re.compile(r"mask\d*$")))  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Person:
    """One row of train.csv, or one folder where there is none."""

    id: str
    gender: str | None
    race: str | None
    age: str | None
    folder: str
    row: int | None


def train_folder(root: Path) -> Path | None:
    """Return the folder that holds `images/` and perhaps train.csv: `root/train` or root itself; None where
    neither does.
    """
    for folder in (root / "train", root):
        images = folder / "images"
        if images.is_dir() and any(FOLDER.fullmatch(name) for name in subfolders(images)[:50]):
            return folder
    return None


def read(settings: DatasetSettings, labels: LabelSettings) -> RawTable:
    """Read all training photos of the competition.

    Raises:
        DataError: the layout is another; a person has no photo; a photo's name says no mask state; two rows name
            one folder.
    """
    root = Path(settings.root)
    folder = train_folder(root)
    if folder is None:
        raise DataError(
            "This folder has no train/images/{id}_{gender}_{race}_{age}/ in it.",
            file=root,
            remedy="Set dataset.root to the folder that holds train/, or dataset.layout to another layout.",
        )
    table = folder / "train.csv"
    people, notes = _people(folder, table if table.is_file() else None)
    prefix = folder.relative_to(root).as_posix()
    prefix = "images/" if prefix == "." else f"{prefix}/images/"
    file = table if table.is_file() else folder / "images"
    photos = [(p, name) for p in people for name in _photos(folder / "images", p, file)]
    gone, counts = left_out([f"{p.folder}/{name}" for p, name in photos], settings.exclude)
    kept = [photo for photo, out in zip(photos, gone, strict=True) if not out]
    rows = [
        {
            "image": f"{p.folder}/{name}", "path": f"{prefix}{p.folder}/{name}", "row": p.row, "id": p.id,
            "mask": _mask(name, folder / "images" / p.folder), "gender": p.gender, "age": p.age, "race": p.race,
            "photo": name.rsplit(".", 1)[0],
        }
        for p, name in kept
    ]  # fmt: skip
    schema = dict.fromkeys(
        ("image", "path", "row", "id", "mask", "gender", "age", "race", "photo"), pl.String
    )
    frame = pl.DataFrame(rows, schema={**schema, "row": pl.Int64()})
    return RawTable(
        root=root,
        rows=frame,
        file=file,
        subject_columns=settings.subject or ("id",),
        attribute_columns={n: (a.column or n) for n, a in _labels(labels).attributes.items()},
        labels=_labels(labels),
        notes=notes,
        excluded=counts,
    )


def _labels(labels: LabelSettings) -> LabelSettings:
    """Return mask, gender and age as the competition defines them, unless the settings say otherwise."""
    given = labels.attributes
    attributes = {
        "mask": defaults("mask", given.get("mask"), kind="nominal", classes=("wear", "incorrect", "normal")),
        "gender": defaults("gender", given.get("gender"), kind="nominal", classes=("male", "female")),
        "age": defaults("age", given.get("age"), kind="binned", edges=(30, 60)),
    }
    attributes |= {n: a for n, a in given.items() if n not in attributes}
    composite = labels.composite if labels.composite is not None else ("mask", "gender", "age")
    return labels.model_copy(
        update={"attributes": attributes, "composite": composite, "target": labels.target or "composite"}
    )


def _people(folder: Path, table: Path | None) -> tuple[list[_Person], tuple[str, ...]]:
    on_disk = subfolders(folder / "images")
    if table is None:
        matches = [FOLDER.fullmatch(name) for name in on_disk]
        odd = [name for name, m in zip(on_disk, matches, strict=True) if m is None]
        if odd:
            raise DataError(
                f"The folder {odd[0]!r} is not named {{id}}_{{gender}}_{{race}}_{{age}}.",
                file=folder / "images" / odd[0],
                remedy="Rename or remove it, or write a train.csv.",
            )
        people = [
            _Person(id=m["id"], gender=m["gender"], race=m["race"], age=m["age"], folder=m.group(), row=None)
            for m in matches
            if m
        ]
    else:
        people = _listed(table, folder / "images")
    notes = _repeated(people)
    unlisted = sorted(set(on_disk) - {p.folder for p in people})
    if unlisted:
        notes.append(f"{len(unlisted)} folders are not in train.csv and left out: {', '.join(unlisted[:3])}")
    return people, tuple(notes)


def _listed(table: Path, images: Path) -> list[_Person]:
    read = read_table(table)
    read.require(*COLUMNS)
    people, folders = [], dict[str, int]()
    for k, (person, gender, race, age, path) in enumerate(
        read.frame.select(COLUMNS).cast(pl.String).iter_rows()
    ):
        line = read.line(k)
        for column, value in (("id", person), ("path", path)):
            if value is None:
                raise DataError(
                    f"The {column} is blank.", file=table, row=line, column=column, remedy="Fill it in."
                )
        where = inside(path, images, file=table, row=line, column="path")
        if where in folders:
            raise DataError(
                f"The folder {where!r} is already in row {folders[where]}.",
                file=table,
                row=line,
                column="path",
                remedy="Remove one of the two rows.",
            )
        folders[where] = line
        people.append(_Person(id=person, gender=gender, race=race, age=age, folder=where, row=line))
    return people


def _repeated(people: list[_Person]) -> list[str]:
    twice = [i for i, n in Counter(p.id for p in people).items() if n > 1]
    if not twice:
        return []
    shown = "; ".join(f"{i} ({', '.join(p.folder for p in people if p.id == i)})" for i in sorted(twice)[:5])
    what = "1 id occurs" if len(twice) == 1 else f"{len(twice)} ids occur"
    return [f"{what} with several folders, each taken for one subject: {shown}"]


def _photos(images: Path, person: _Person, file: Path) -> list[str]:
    folder = images / person.folder
    names = (
        sorted(e.name for e in folder.iterdir() if is_photo(e.name) and e.is_file())
        if folder.is_dir()
        else []
    )
    if not names:
        why = "is empty" if folder.is_dir() else "is missing"
        raise DataError(
            f"Subject {person.id!r} has no photo: the folder {person.folder!r} {why}.",
            file=file,
            row=person.row,
            column="path" if person.row else None,
            remedy="Restore its photos, or remove its row.",
        )
    return names


def _mask(name: str, folder: Path) -> str:
    stem = name.rsplit(".", 1)[0].lower()
    for state, regex in _MASK:
        if regex.match(stem):
            return state
    raise DataError(
        f"The photo's name {name!r} says neither mask, incorrect_mask nor normal.",
        file=folder / name,
        remedy="Rename it, or leave it out (dataset.exclude).",
    )
