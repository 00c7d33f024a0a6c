"""Inputs of other people's data that once went wrong, rebuilt small: every photo is drawn and every table invented."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

Make = Callable[[Path], None]
CASES: dict[str, Make] = {}


def case(make: Make) -> Make:
    """Enter a function that writes the case of its name into a folder."""
    return CASES.setdefault(make.__name__.replace("_", "-"), make)


# ---------------------------------------------------------------- photos, tables, settings


def photo(seed: int, mark: int = 0, size: tuple[int, int] = (40, 40)) -> Image.Image:
    """Soft noise of its own (no two seeds look alike) with a square whose size and colour tell the class."""
    width, height = size
    rng = np.random.default_rng([seed, width, height])
    coarse = rng.integers(0, 256, (max(2, height // 5), max(2, width // 5), 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize(size, Image.Resampling.BILINEAR)
    side = min(4 + 3 * (mark % 8), width // 2, height // 2)
    colour = tuple(int(v) for v in np.random.default_rng(1000 + mark).integers(0, 256, 3))
    image.paste(colour, (width // 4, height // 4, width // 4 + side, height // 4 + side))
    return image


def save(path: Path, seed: int, mark: int = 0, size: tuple[int, int] = (40, 40)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    jpeg = path.suffix.lower() in (".jpg", ".jpeg")
    photo(seed, mark, size).save(path, **({"format": "JPEG", "quality": 90} if jpeg else {}))


def write(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows([header, *rows])


def settings(
    folder: Path, *, root: str, target: str = "label", size: int = 32, more: str = "", end: str = ""
) -> None:
    """A hoego.toml by hand: a table `labels.csv` with path, person and label. `more` belongs to [dataset]."""
    write(
        folder / "hoego.toml",
        f'[dataset]\nroot = "{root}"\nlayout = "table"\ntable = "labels.csv"\npath = "path"\n'
        f'subject = ["person"]\nsize = [{size}, {size}]\n{more}\n[labels]\ntarget = "{target}"\n{end}',
    )


# ---------------------------------------------------------------- reading data


@case
def two_eyes_a_patient(out: Path) -> None:
    rows = []
    for patient in range(10, 50):
        for eye, side in enumerate(("left", "right")):
            level = (patient + eye) % 5 if patient % 3 == 0 else patient % 5
            save(out / f"data/train/{patient}_{side}.jpeg", 2 * patient + eye, level)
            rows.append((f"{patient}_{side}", level))
    table(out / "data/trainLabels.csv", ("image", "level"), rows)


@case
def subject_regex_and_table(out: Path) -> None:
    rows = []
    for n in range(24):
        name = f"{n // 2}_{('left', 'right')[n % 2]}.jpg"
        save(out / "data" / name, n, n // 2 % 2)
        rows.append((name, "yn"[n // 2 % 2]))
    table(out / "data/labels.csv", ("path", "label"), rows)
    settings(out, root="data")
    text = (out / "hoego.toml").read_text()
    write(out / "hoego.toml", text.replace('subject = ["person"]', 'subject_regex = "^(\\\\d+)_"'))


FINDINGS = (
    "No Finding",
    "Cardiomegaly",
    "Cardiomegaly|Emphysema",
    "Effusion",
    "Hernia",
    "Infiltration|Nodule",
)
XRAY = [
    "Image Index",
    "Finding Labels",
    "Follow-up #",
    "Patient ID",
    "Patient Age",
    "Patient Gender",
    "View Position",
]


def xray_rows(patients: int) -> Iterable[tuple[int, list[object]]]:
    """Three photos a patient: a number for the photo, and the row of the table."""
    for patient in range(1, patients + 1):
        for follow in range(3):
            finding = FINDINGS[(2 * patient + follow) % 6] if follow else FINDINGS[0]
            row = [f"{patient:08d}_{follow:03d}.png", finding, follow, patient, 20 + patient % 50]
            yield 3 * patient + follow, [*row, "MF"[patient % 2], ("PA", "AP")[follow % 2]]


@case
def trailing_comma(out: Path) -> None:
    lines = [",".join([*XRAY, "OriginalImage[Width", "Height]", "OriginalImagePixelSpacing[x", "y]", ""])]
    for n, row in xray_rows(30):
        patient = row[3]
        save(
            out / f"data/images_{1 + int(str(patient)) % 2:03d}/images/{row[0]}",
            n,
            FINDINGS.index(str(row[1])),
        )
        lines.append(",".join(map(str, [*row, 2682, 2749, 0.143, 0.143, ""])))
    write(out / "data/Data_Entry_2017.csv", "\n".join(lines) + "\n")


@case
def gender_is_no_patient(out: Path) -> None:
    rows = []
    for n, row in xray_rows(60):
        for folder in ("with-id", "without-id"):
            save(out / folder / "images" / str(row[0]), n, FINDINGS.index(str(row[1])))
        rows.append(row)
    table(out / "with-id/Data_Entry_2017.csv", XRAY, rows)
    keep = [0, 1, 4, 5]
    table(out / "without-id/data.csv", [XRAY[k] for k in keep], [[row[k] for k in keep] for row in rows])


@case
def path_starts_with_the_root(out: Path) -> None:
    root, values, rows = "CheXpert-v1.0-small", ("1.0", "0.0", "-1.0", ""), []
    for patient in range(1, 61):
        for study in (1, 2):
            path = f"{root}/train/patient{patient:05d}/study{study}/view1_frontal.jpg"
            save(out / path, 2 * patient + study, (patient + study) % 4)
            findings = [values[(patient + k * study) % 4] for k in (1, 2, 3)]
            rows.append((path, ("Male", "Female")[patient % 2], 20 + patient % 20, "Frontal", *findings))
    header = ("Path", "Sex", "Age", "Frontal/Lateral", "Cardiomegaly", "Edema", "Pleural Effusion")
    table(out / root / "train.csv", header, rows)


@case
def list_of_path_and_label(out: Path) -> None:
    lines = []
    for n in range(40):
        path = f"n0144{n % 3}/n{n}.JPEG"
        save(out / "data/train" / path, n, n % 3)
        lines.append(f"{path} {n % 3}\n")
    write(out / "data/train.txt", "".join(lines))


def yes_no_rows(out: Path, name: str, said: str) -> None:
    """24 photos of 12 people in data/images; the table calls them otherwise than they are called."""
    rows = []
    for n in range(24):
        save(out / "data/images" / name.format(n), n, n % 2)
        rows.append((said.format(n), f"s{n // 2}", "yn"[n % 2]))
    table(out / "data/labels.csv", ("path", "person", "label"), rows)
    settings(out / "by-hand", root="../data")


@case
def ending_in_another_case(out: Path) -> None:
    yes_no_rows(out, "IMG_{}.JPG", "images/IMG_{}.jpg")


@case
def paths_of_another_machine(out: Path) -> None:
    yes_no_rows(out, "p{}.jpg", "/kaggle/input/comp/images/p{}.jpg")


@case
def parts_one_folder_down(out: Path) -> None:
    n = 0
    for part, count in (("train", 14), ("val", 2), ("test", 5)):
        folder = out / "data/chest_xray" / part
        for k in range(count):
            person = k + 100 * (part == "test")
            for _shot in range(2):
                save(folder / f"PNEUMONIA/person{person}_{('bacteria', 'virus')[k % 2]}_{n}.jpeg", n, 1)
                n += 1
            for name in ("IM-{:04d}-0001", "NORMAL2-IM-{:04d}-0001-0002"):
                save(folder / f"NORMAL/{name.format(115 + n)}.jpeg", n, 0)
                n += 1


@case
def person_above_class(out: Path) -> None:
    for n in range(120):
        save(out / f"data/person{n // 6:02d}/{('mask', 'wrong', 'none')[n % 3]}/{n % 6}.jpg", n, n % 3)


@case
def very_many_classes(out: Path) -> None:
    rows = []
    for n in range(280):
        whale = n % 200 if n < 240 else -1
        name = f"{n * 7919 % 16777216:08x}.jpg"
        save(out / "data/train" / name, n, max(whale, 0), (24, 16))
        rows.append((name, "new_whale" if whale < 0 else f"w_{whale * 31337 % 9999999:07x}"))
    table(out / "data/train.csv", ("Image", "Id"), rows)


# ---------------------------------------------------------------- wrong or silent results


@case
def table_without_header(out: Path) -> None:
    rows = [(f"p{n}.jpg", ("cat", "dog", "hen")[n % 3]) for n in range(40)]
    for n, (name, _label) in enumerate(rows):
        save(out / "data/imgs" / name, n, n % 3)
    write(out / "data/labels.csv", "".join(f"{name},{label}\n" for name, label in rows))


@case
def classes_that_differ_by_case(out: Path) -> None:
    rows, labels = [], ("Cat", "cat", "dog", "Dog ", "DOG", "cat ")
    for n in range(60):
        save(out / f"data/p{n}.jpg", n, n % 2)
        rows.append((f"p{n}.jpg", f"P{n // 2}", labels[n % 6]))
    table(out / "data/labels.csv", ("path", "person", "label"), rows)


@case
def one_class_only(out: Path) -> None:
    rows = []
    for n in range(20):
        save(out / f"data/p{n}.jpg", n)
        rows.append((f"p{n}.jpg", f"P{n // 2}", "yes"))
    table(out / "data/labels.csv", ("path", "person", "label"), rows)
    settings(out, root="data")


@case
def many_unreadable(out: Path) -> None:
    for c, label in enumerate(("cat", "dog")):
        for k in range(40):
            save(out / f"data/{label}/{k}.jpg", 40 * c + k, c)
        for k in range(14):
            write(out / f"data/{label}/bad{k}.jpg", b"<!DOCTYPE html>" if k % 2 else b"")


@case
def heic_passed_over(out: Path) -> None:
    for c, label in enumerate(("cat", "dog")):
        for k in range(20):
            save(out / f"data/{label}/IMG_{k}.JPG", 20 * c + k, c)
    for k in range(60):
        write(out / f"data/dog/IMG_{100 + k}.HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")


@case
def conflict_of_three_copies(out: Path) -> None:
    for c, label in enumerate(("cat", "dog")):
        for k in range(20):
            save(out / f"data/{label}/{k:02d}.jpg", 20 * c + k, c)
    shutil.copy(out / "data/cat/00.jpg", out / "data/cat/00_copy.jpg")
    shutil.copy(out / "data/cat/00.jpg", out / "data/dog/zz.jpg")
