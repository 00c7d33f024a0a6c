"""Small folders in the shapes in which public data sets are published: names of columns and files, and value shapes.

Every photo is drawn noise and every row invented. A builder writes a set and says what is right of it.
"""

from __future__ import annotations

import csv
import hashlib
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image


@dataclass(frozen=True, kw_only=True)
class Right:
    """What is right of a layout.

    Args:
        target: the attribute to predict.
        classes: its classes; None where they are many.
        subjects: number of subjects; None where no subject can be known.
        images: photos of the labelled part.
        asks: what may be left open, with a question: layout, subject, target.
        start: the folder or table that is given, below the set's folder.
        error: words of the error, where nothing can be proposed.
        says: words that must stand somewhere in what is said.
    """

    target: str = "label"
    classes: tuple[str, ...] | None = None
    subjects: int | None = None
    images: int = 0
    asks: frozenset[str] = frozenset()
    start: str = "."
    error: str = ""
    says: tuple[str, ...] = ()


Build = Callable[[Path], Right]
SETS: dict[str, Build] = {}


def layout(build: Build) -> Build:
    return SETS.setdefault(build.__name__, build)


def photo(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(list(str(path).encode()))
    Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(path, format="PNG")


def table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows([header, *rows])


def code(k: int, n: int = 12) -> str:
    return hashlib.md5(str(k).encode()).hexdigest()[:n]


def asks(*names: str) -> frozenset[str]:
    return frozenset(names)


NO_SUBJECT = asks("subject")


# ------------------------------------------------------------------ tables


@layout
def nih_chest_xray(root: Path) -> Right:
    rows = []
    names = (
        "No Finding",
        "Cardiomegaly",
        "Cardiomegaly|Emphysema",
        "Effusion|Infiltration",
        "Hernia",
        "Effusion",
    )
    for p in range(1, 31):
        for f in range(3):
            name = f"{p:08d}_{f:03d}.png"
            photo(root / f"images_{1 + p % 3:03d}" / "images" / name)
            found = names[0] if f == 0 else names[(p + f) % 6]
            rows.append((name, found, f, p, 20 + p % 50, "MF"[p % 2], ("PA", "AP")[f % 2], 2682, 2749))
    header = (
        "Image Index", "Finding Labels", "Follow-up #", "Patient ID", "Patient Age", "Patient Gender",
        "View Position", "OriginalImageWidth", "OriginalImageHeight",
    )  # fmt: skip
    table(root / "Data_Entry_2017.csv", header, rows)
    return Right(
        target="Cardiomegaly", classes=("no", "yes"), subjects=30, images=90, asks=asks("target"),
        says=("several labels",),
    )  # fmt: skip


@layout
def chexpert(root: Path) -> Right:
    rows, values = [], ("1.0", "0.0", "-1.0", "")
    top = root / "CheXpert-v1.0-small"
    for p in range(1, 41):
        for study in (1, 2):
            for k, view in enumerate(("view1_frontal", "view2_lateral")):
                path = f"{top.name}/train/patient{p:05d}/study{study}/{view}.jpg"
                photo(root / path)
                said = [values[(p + j * study) % 4] for j in range(5)]
                side = ("Frontal", "Lateral")[k]
                rows.append((path, ("Male", "Female")[p % 2], 20 + p, side, ("AP", "")[k], *said))
    header = (
        "Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", "No Finding", "Cardiomegaly", "Edema", "Pneumonia",
        "Support Devices",
    )  # fmt: skip
    table(top / "train.csv", header, rows)
    return Right(
        target="No_Finding", classes=("no", "yes"), subjects=40, images=160, asks=asks("target"), start=top.name,
        says=("-1", "blank"),
    )  # fmt: skip


@layout
def isic_2020(root: Path) -> Right:
    rows, rng = [], random.Random(0)
    for k in range(120):
        name, bad = f"ISIC_{15000 + 37 * k:07d}", k % 9 == 0
        photo(root / "train" / f"{name}.jpg")
        site = ("torso", "lower extremity", "head/neck", "")[k % 4]
        rows.append(
            (name, f"IP_{k // 4 * 7919 % 9999999:07d}", rng.choice(("male", "female")), 5.0 * rng.randrange(4, 17),
             site, "melanoma" if bad else ("nevus", "unknown")[k % 2], ("benign", "malignant")[bad], int(bad))
        )  # fmt: skip
    header = (
        "image_name", "patient_id", "sex", "age_approx", "anatom_site_general_challenge", "diagnosis",
        "benign_malignant", "target",
    )  # fmt: skip
    table(root / "train.csv", header, rows)
    return Right(target="benign_malignant", subjects=30, images=120, asks=asks("target"))


@layout
def isic_2019_one_hot(root: Path) -> Right:
    rows, header = [], ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")
    for k in range(90):
        name = f"ISIC_{k * 211 % 9999:07d}"
        photo(root / "ISIC_2019_Training_Input" / f"{name}.jpg")
        rows.append((name, *(float(j == k % 8) for j in range(8)), 0.0))
    table(root / "ISIC_2019_Training_GroundTruth.csv", ("image", *header), rows)
    return Right(classes=header[:8], images=90, asks=NO_SUBJECT)


@layout
def ham10000(root: Path) -> Right:
    rows, dx = [], ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
    for k in range(140):
        lesion, name = k // 2, f"ISIC_{24306 + k:07d}"
        photo(root / f"HAM10000_images_part_{1 + k % 2}" / f"{name}.jpg")
        rows.append(
            (f"HAM_{lesion * 313 % 99999:07d}", name, dx[lesion % 7], ("histo", "follow_up", "consensus")[lesion % 3],
             5.0 * (6 + lesion % 9), ("male", "female")[lesion % 2], ("back", "face", "trunk", "foot")[lesion % 4])
        )  # fmt: skip
    header = ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization")
    table(root / "HAM10000_metadata.csv", header, rows)
    return Right(target="dx", classes=dx, subjects=70, images=140)


@layout
def aptos(root: Path) -> Right:
    rows = [(code(k), k % 5) for k in range(60)]
    for name, _ in rows:
        photo(root / "train_images" / f"{name}.png")
    for k in range(100, 110):
        photo(root / "test_images" / f"{code(k)}.png")
    table(root / "train.csv", ("id_code", "diagnosis"), rows)
    table(root / "test.csv", ("id_code",), [(code(k),) for k in range(100, 110)])
    table(root / "sample_submission.csv", ("id_code", "diagnosis"), [(code(k), 0) for k in range(100, 110)])
    return Right(target="diagnosis", classes=tuple("01234"), images=60, asks=NO_SUBJECT)


@layout
def retinopathy_two_eyes(root: Path) -> Right:
    rows = [
        (f"{p}_{side}", (p * 3 + k) % 5) for p in range(10, 45) for k, side in enumerate(("left", "right"))
    ]
    for name, _ in rows:
        photo(root / "train" / f"{name}.jpeg")
    table(root / "trainLabels.csv", ("image", "level"), rows)
    return Right(target="level", classes=tuple("01234"), subjects=35, images=70)


@layout
def cassava(root: Path) -> Right:
    rows = [(f"{k * 7919 % 10**9}.jpg", k % 5) for k in range(1, 61)]
    for name, _ in rows:
        photo(root / "train_images" / name)
    table(root / "train.csv", ("image_id", "label"), rows)
    (root / "label_num_to_disease_map.json").write_text('{"0": "blight", "4": "healthy"}')
    return Right(classes=tuple("01234"), images=60, asks=NO_SUBJECT)


@layout
def iwildcam(root: Path) -> Right:
    rows = []
    for k in range(150):
        name = f"{code(k, 8)}-21bc-11ea-a13a-137349068a90.jpg"
        photo(root / "train" / name)
        burst = k // 3
        rows.append(
            (burst % 6 * 7, f"2013-06-0{1 + burst % 8} 05:44:19", name, 3, 1 + k % 3, burst // 3, code(burst, 16),
             1024, 1280)
        )  # fmt: skip
    header = (
        "category_id", "datetime", "file_name", "seq_num_frames", "frame_num", "location", "seq_id", "height", "width",
    )  # fmt: skip
    table(root / "train.csv", header, rows)
    return Right(target="category_id", subjects=17, images=150, asks=asks("target"))


@layout
def state_farm(root: Path) -> Right:
    rows = []
    for k in range(120):
        driver, kind = f"p{2 + k // 10:03d}", f"c{k % 10}"
        photo(root / "imgs" / "train" / kind / f"img_{k * 31 % 99999}.jpg")
        rows.append((driver, kind, f"img_{k * 31 % 99999}.jpg"))
    for k in range(10):
        photo(root / "imgs" / "test" / f"img_{500000 + k}.jpg")
    table(root / "driver_imgs_list.csv", ("subject", "classname", "img"), rows)
    return Right(target="classname", classes=tuple(f"c{k}" for k in range(10)), subjects=12, images=120)


@layout
def whale(root: Path) -> Right:
    rows = [(f"{code(k, 8)}.jpg", "new_whale" if k >= 100 else f"w_{code(k // 2, 7)}") for k in range(120)]
    for name, _ in rows:
        photo(root / "train" / name)
    table(root / "train.csv", ("Image", "Id"), rows)
    return Right(error="'Id' has 51 values for 120 photos. Is it the label, or the subject?")


@layout
def happywhale(root: Path) -> Right:
    rows = [
        (f"{code(k, 14)}.jpg", ("beluga", "killer_whale", "minke_whale")[k // 4 % 3], code(k // 4))
        for k in range(96)
    ]
    for name, *_ in rows:
        photo(root / "train_images" / name)
    table(root / "train.csv", ("image", "species", "individual_id"), rows)
    return Right(target="species", images=96, asks=asks("subject", "target"))


@layout
def petfinder_pawpularity(root: Path) -> Right:
    rng = random.Random(1)
    rows = [(code(k, 32), *(rng.randrange(2) for _ in range(12)), rng.randrange(1, 101)) for k in range(80)]
    for row in rows:
        photo(root / "train" / f"{row[0]}.jpg")
    header = (
        "Id", "Subject Focus", "Eyes", "Face", "Near", "Action", "Accessory", "Group", "Collage", "Human", "Occlusion",
        "Info", "Blur", "Pawpularity",
    )  # fmt: skip
    table(root / "train.csv", header, rows)
    return Right(target="Pawpularity", images=80, asks=asks("subject", "target"))


@layout
def petfinder_adoption(root: Path) -> Right:
    rows = []
    for k in range(30):
        for shot in range(1, 4):
            photo(root / "train_images" / f"{code(k, 9)}-{shot}.jpg")
        rows.append((k % 2 + 1, "Nibble", k % 40, 299, code(k // 2, 32), code(k, 9), k % 5))
    header = ("Type", "Name", "Age", "Breed1", "RescuerID", "PetID", "AdoptionSpeed")
    table(root / "train" / "train.csv", header, rows)
    return Right(error="begins the names of 90 photos, several to a row")


@layout
def fairface(root: Path) -> Right:
    rows = []
    for k in range(1, 91):
        photo(root / "train" / f"{k}.jpg")
        ages = ("0-2", "3-9", "10-19", "20-29", "30-39", "more than 70")
        row = (
            f"train/{k}.jpg",
            ages[k % 6],
            ("Male", "Female")[k % 2],
            ("White", "Black", "Indian")[k % 3],
            k % 4 == 0,
        )
        rows.append(row)
    for k in range(1, 13):
        photo(root / "val" / f"{k}.jpg")
    header = ("file", "age", "gender", "race", "service_test")
    table(root / "fairface_label_train.csv", header, rows)
    table(
        root / "fairface_label_val.csv",
        header,
        [(f"val/{k}.jpg", "3-9", "Male", "White", False) for k in range(1, 13)],
    )
    return Right(
        target="race", images=90, asks=asks("subject", "target"), says=("fairface_label_val.csv (12 rows)",)
    )


@layout
def celeba(root: Path) -> Right:
    rng, names = random.Random(2), ("5_o_Clock_Shadow", "Bald", "Eyeglasses", "Male", "Smiling", "Young")
    rows = [(f"{k:06d}.jpg", *(rng.choice((-1, 1)) for _ in names)) for k in range(1, 81)]
    for name, *_ in rows:
        photo(root / "img_align_celeba" / "img_align_celeba" / name)
    table(root / "list_attr_celeba.csv", ("image_id", *names), rows)
    parts = [(f"{k:06d}.jpg", k % 3) for k in range(1, 81)]
    table(root / "list_eval_partition.csv", ("image_id", "partition"), parts)
    return Right(target="Male", images=80, classes=("no", "yes"), asks=asks("subject", "target"))


@layout
def plant_pathology_one_hot(root: Path) -> Right:
    kinds = ("healthy", "multiple_diseases", "rust", "scab")
    rows = [(f"Train_{k}", *(int(j == k % 4) for j in range(4))) for k in range(60)]
    for name, *_ in rows:
        photo(root / "images" / f"{name}.jpg")
    table(root / "train.csv", ("image_id", *kinds), rows)
    return Right(classes=kinds, images=60, asks=NO_SUBJECT)


@layout
def plant_pathology_several_words(root: Path) -> Right:
    kinds = ("scab", "rust", "healthy", "complex", "scab frog_eye_leaf_spot", "frog_eye_leaf_spot")
    rows = [(f"{code(k, 16)}.jpg", kinds[k % 6]) for k in range(90)]
    for name, _ in rows:
        photo(root / "train_images" / name)
    table(root / "train.csv", ("image", "labels"), rows)
    return Right(target="scab", classes=("no", "yes"), images=90, asks=asks("subject", "target"))


@layout
def rsna_stages(root: Path) -> Right:
    rows = []
    for p in range(40):
        for k, view in enumerate(("CC", "MLO")):
            name = f"{10000 + p * 17}_{p * 991 + k}.png"
            photo(root / "train_images" / name)
            rows.append(
                (
                    1 + p % 2,
                    10000 + p * 17,
                    p * 991 + k,
                    name,
                    "LR"[k],
                    view,
                    40 + p % 30,
                    int(p % 5 == 0),
                    p % 3,
                )
            )
    header = ("site_id", "patient_id", "image_id", "file", "laterality", "view", "age", "cancer", "BIRADS")
    table(root / "train.csv", header, rows)
    return Right(target="cancer", subjects=40, images=80, asks=asks("target"))


@layout
def odir_two_photos_a_row(root: Path) -> Right:
    rows = []
    for p in range(40):
        for side in ("left", "right"):
            photo(root / "preprocessed_images" / f"{p}_{side}.jpg")
        rows.append(
            (p, 40 + p % 30, ("Female", "Male")[p % 2], f"{p}_left.jpg", f"{p}_right.jpg", "NDGC"[p % 4])
        )
    header = ("ID", "Patient Age", "Patient Sex", "Left-Fundus", "Right-Fundus", "label")
    table(root / "full_df.csv", header, rows)
    return Right(classes=("C", "D", "G", "N"), images=40, asks=NO_SUBJECT, says=("'Right-Fundus'",))


@layout
def table_beside_the_photos(root: Path) -> Right:
    rows = [(f"{k}.png", f"s{k // 4}", "ab"[k // 4 % 2]) for k in range(60)]
    for name, *_ in rows:
        photo(root / "photos" / name)
    table(root / "annotations.csv", ("file", "subject", "label"), rows)
    return Right(classes=("a", "b"), subjects=15, images=60, start="photos")


@layout
def semicolons_and_a_foreign_table(root: Path) -> Right:
    lines = ["Datei;Tier;Befund"]
    for k in range(60):
        photo(root / "Bilder" / f"B{k:03d}.png")
        lines.append(f"B{k:03d};T{k // 3:02d};{('krank', 'gesund')[k // 3 % 2]}")
    (root / "Liste.csv").write_text("\n".join(lines))
    (root / "Zeiten.xlsx").write_bytes(b"PK")
    return Right(
        target="Befund",
        classes=("gesund", "krank"),
        images=60,
        asks=asks("subject", "target"),
        says=("(.xlsx)",),
    )


@layout
def hugging_face_jsonl(root: Path) -> Right:
    lines = []
    for k in range(40):
        photo(root / "train" / f"{k:04d}.png")
        lines.append(f'{{"file_name": "{k:04d}.png", "label": {k % 2}, "patient_id": "P{k // 2:03d}"}}')
    (root / "train" / "metadata.jsonl").write_text("\n".join(lines))
    return Right(classes=("0", "1"), subjects=20, images=40)


@layout
def paths_without_header(root: Path) -> Right:
    lines = []
    for k in range(60):
        photo(root / "images" / f"n0{k % 3}" / f"x{k}.jpg")
        lines.append(f"images/n0{k % 3}/x{k}.jpg {k % 3}")
    (root / "train_list.txt").write_text("\n".join(lines))
    return Right(
        target="column_2",
        classes=("0", "1", "2"),
        images=60,
        asks=asks("subject", "target"),
        says=("no header",),
    )


# ------------------------------------------------------------------ folders


@layout
def plant_village(root: Path) -> Right:
    for label in ("Tomato___Late_blight", "Tomato___healthy", "Corn___Common_rust", "Corn___healthy"):
        for k in range(12):
            photo(
                root
                / "plantvillage dataset"
                / "color"
                / label
                / f"{code(k + 100 * len(label))}___RS_{label[:3]} {k * 37 + 11}.JPG"
            )
    return Right(target="composite", images=48, asks=asks("subject", "target"))


@layout
def kermany_oct(root: Path) -> Right:
    for part, n in (("train", 12), ("val", 2), ("test", 3)):
        for label in ("CNV", "DME", "DRUSEN", "NORMAL"):
            for k in range(n):
                for shot in range(1, 4):
                    patient = 1000 + 50 * k + (7000 if part == "test" else 0)
                    photo(root / "OCT2017" / part / label / f"{label}-{patient}-{shot}.jpeg")
    return Right(classes=("CNV", "DME", "DRUSEN", "NORMAL"), subjects=48, images=4 * 42)


@layout
def kermany_pneumonia(root: Path) -> Right:
    n = 0
    for part, count in (("train", 14), ("val", 2), ("test", 5)):
        for k in range(count):
            for _ in range(2):
                photo(
                    root
                    / "chest_xray"
                    / part
                    / "PNEUMONIA"
                    / f"person{k}_{('bacteria', 'virus')[k % 2]}_{n}.jpeg"
                )
                photo(root / "chest_xray" / part / "NORMAL" / f"IM-{115 + n:04d}-0001.jpeg")
                n += 1
    return Right(classes=("NORMAL", "PNEUMONIA"), images=64, asks=NO_SUBJECT)


@layout
def lfw(root: Path) -> Right:
    for k in range(60):
        name = f"{('Ann', 'Bob', 'Cy')[k % 3]}_{code(k, 5).title()}"
        for shot in range(1, 2 + (k % 5 == 0) * 3 + (k % 2)):
            photo(root / "lfw" / name / f"{name}_{shot:04d}.jpg")
    return Right(images=126, asks=asks("layout", "subject", "target"))


@layout
def orl_faces(root: Path) -> Right:
    for person in range(1, 41):
        for k in range(1, 6):
            photo(root / f"s{person}" / f"{k}.pgm")
    return Right(images=200, asks=asks("layout", "subject", "target"))


@layout
def utkface(root: Path) -> Right:
    rng = random.Random(3)
    for k in range(80):
        name = f"{rng.randrange(1, 100)}_{k % 2}_{k % 5}_2017010{k % 9}1747{k:05d}.jpg.chip.jpg"
        photo(root / "UTKFace" / name)
    return Right(images=80, asks=asks("layout", "subject", "target"))


@layout
def dogs_against_cats(root: Path) -> Right:
    for k in range(30):
        photo(root / "train" / f"cat.{k}.jpg")
        photo(root / "train" / f"dog.{k}.jpg")
    return Right(classes=("cat", "dog"), images=60, asks=asks("layout", "subject", "target"))


@layout
def oxford_pets(root: Path) -> Right:
    for breed in ("Abyssinian", "great_pyrenees", "pug", "Sphynx"):
        for k in range(1, 16):
            photo(root / "images" / f"{breed}_{k}.jpg")
    return Right(
        classes=("Abyssinian", "Sphynx", "great_pyrenees", "pug"),
        images=60,
        asks=asks("layout", "subject", "target"),
    )


@layout
def intel_scenes(root: Path) -> Right:
    kinds = ("buildings", "forest", "glacier", "mountain", "sea", "street")
    for part in ("seg_train", "seg_test"):
        for kind in kinds:
            for k in range(5):
                photo(root / part / part / kind / f"{part[4:]}{k}.jpg")
    for k in range(8):
        photo(root / "seg_pred" / "seg_pred" / f"{k}.jpg")
    return Right(classes=kinds, images=30, asks=NO_SUBJECT)


@layout
def malaria_cells(root: Path) -> Right:
    for label in ("Parasitized", "Uninfected"):
        for slide in range(15):
            for k in range(4):
                who = f"C{slide + 30 * (label == 'Uninfected')}P{slide + 61}ThinF"
                name = f"{who}_IMG_2015{slide:04d}_1440{k:02d}_cell_{k * 9}.png"
                photo(root / "cell_images" / label / name)
    return Right(classes=("Parasitized", "Uninfected"), subjects=30, images=120, asks=asks("subject"))


@layout
def covid_radiography_with_masks(root: Path) -> Right:
    for label in ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia"):
        for k in range(1, 9):
            photo(root / label / "images" / f"{label}-{k}.png")
            photo(root / label / "masks" / f"{label}-{k}.png")
        (root / f"{label}.metadata.xlsx").write_bytes(b"PK")
    return Right(
        classes=("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia"),
        images=32,
        asks=NO_SUBJECT,
        says=("masks",),
    )


@layout
def pacs_domains(root: Path) -> Right:
    for domain in ("art_painting", "cartoon", "photo", "sketch"):
        for label in ("dog", "elephant", "giraffe", "guitar", "horse"):
            for k in range(4):
                photo(root / domain / label / f"pic_{k:03d}.jpg")
    return Right(images=80, asks=asks("layout", "subject", "target"))


@layout
def person_above_class(root: Path) -> Right:
    for person in range(20):
        for kind in ("mask", "none", "wrong"):
            for k in range(2):
                photo(root / f"person{person:02d}" / kind / f"{k}.jpg")
    return Right(classes=("mask", "none", "wrong"), subjects=20, images=120)


@layout
def class_above_patient(root: Path) -> Right:
    for label in ("benign", "malignant"):
        for case in range(12):
            for k in range(3):
                photo(root / label / f"case_{case + 50 * (label == 'benign'):03d}" / f"{k}.png")
    return Right(classes=("benign", "malignant"), subjects=24, images=72)


@layout
def gtsrb_tracks(root: Path) -> Right:
    for label in range(6):
        for track in range(5):
            for k in range(4):
                photo(root / "Final_Training" / "Images" / f"{label:05d}" / f"{track:05d}_{k:05d}.ppm")
        (root / "Final_Training" / "Images" / f"{label:05d}" / f"GT-{label:05d}.csv").write_text(
            "Filename;Width;Height;ClassId\n"
            + "".join(f"{t:05d}_{k:05d}.ppm;8;8;{label}\n" for t in range(5) for k in range(4))
        )
    return Right(subjects=30, images=120, asks=asks("layout", "subject", "target"))


@layout
def cub_birds(root: Path) -> Right:
    lines, n = [], 0
    for k, bird in enumerate(("Black_footed_Albatross", "Laysan_Albatross", "Sooty_Albatross"), start=1):
        for shot in range(12):
            n += 1
            name = f"{k:03d}.{bird}/{bird}_{shot:04d}_{n}.jpg"
            photo(root / "images" / name)
            lines.append(f"{n} {name}")
    (root / "images.txt").write_text("\n".join(lines))
    (root / "image_class_labels.txt").write_text(
        "\n".join(f"{i} {1 + (i - 1) // 12}" for i in range(1, n + 1))
    )
    return Right(images=36, asks=asks("layout", "subject"))


@layout
def imagenet_synsets(root: Path) -> Right:
    for k in range(12):
        for shot in range(5):
            photo(root / "train" / f"n0{1440764 + k}" / f"n0{1440764 + k}_{shot * 101}.JPEG")
    for k in range(10):
        photo(root / "val" / f"ILSVRC2012_val_{k:08d}.JPEG")
    return Right(images=60, asks=asks("layout", "subject", "target"))


@layout
def cancer_tiles_by_patient_and_class(root: Path) -> Right:
    for patient in range(15):
        for label in "01":
            for k in range(3):
                name = f"{8860 + patient}_idx5_x{50 * k + 1}_y1251_class{label}.png"
                photo(root / str(8860 + patient) / label / name)
    return Right(classes=("0", "1"), subjects=15, images=90)


@layout
def brain_scans_by_patient_and_scan(root: Path) -> Right:
    for i, label in enumerate(("MildDemented", "NonDemented")):
        for patient in range(10):
            for scan in (1, 2):
                for k in range(3):
                    photo(
                        root / "Data" / label / f"OAS1_{100 * i + patient:04d}_MR1_mpr-{scan}_{100 + k}.jpg"
                    )
    return Right(classes=("MildDemented", "NonDemented"), subjects=20, images=120, asks=asks("subject"))


@layout
def tissue_of_four_levels(root: Path) -> Right:
    for kind in ("adenosis", "ductal_carcinoma"):
        for patient in range(12):
            who = f"SOB_{kind[0].upper()}_M-14-{2000 + 7 * patient}"
            for zoom in ("40X", "100X"):
                for k in range(2):
                    photo(root / "breast" / "SOB" / kind / who / zoom / f"{who}-{zoom[:-1]}-00{k}.png")
    return Right(images=96, subjects=24, asks=asks("layout", "subject", "target"))


@layout
def faces_in_numbered_classes_and_two_tables(root: Path) -> Right:
    for part, n in (("train", 63), ("test", 14)):
        rows = [(f"{part}_{k:05d}_aligned.jpg", 1 + k % 7) for k in range(n)]
        for name, label in rows:
            photo(root / "DATASET" / part / str(label) / name)
        table(root / f"{part}_labels.csv", ("image", "label"), rows)
    return Right(
        classes=tuple("1234567"),
        images=63,
        asks=NO_SUBJECT,
        says=("test_labels.csv (14 rows)", "14 photos of the test"),
    )


@layout
def boxes_in_several_rows_a_photo(root: Path) -> Right:
    rows = []
    for k in range(50):
        photo(root / "train" / f"{code(k, 32)}.png")
        rows += [
            (code(k, 32), ("No finding", "Cardiomegaly")[k % 2], f"R{8 + r}", 1, 2, 3, 4) for r in range(3)
        ]
    table(root / "train.csv", ("image_id", "class_name", "rad_id", "x_min", "y_min", "x_max", "y_max"), rows)
    return Right(error="names 50 photos in 150 rows: a row is one photo")


@layout
def cows_by_name(root: Path) -> Right:
    rows = []
    for k in range(80):
        photo(root / "img" / f"{k}.jpg")
        rows.append(
            (
                k,
                f"img/{k}.jpg",
                ("train", "val", "test")[k % 3],
                f"cow{k // 4}",
                ("lame", "sound")[k // 4 % 2],
            )
        )
    table(root / "meta.csv", ("", "path", "split", "cow", "status"), rows)
    return Right(target="status", classes=("lame", "sound"), subjects=20, images=80, asks=asks("subject"))


@layout
def parts_with_the_same_file_names(root: Path) -> Right:
    kinds = {"train": ("adenocarcinoma_left_T2", "normal"), "valid": ("adenocarcinoma_left_T2", "normal")}
    for part, names in {**kinds, "test": ("adenocarcinoma", "normal")}.items():
        for name in names:
            for k in range(12):
                photo(root / "Data" / part / name / f"0000{k:02d} ({k}).png")
    return Right(classes=("adenocarcinoma_left_T2", "normal"), images=48, asks=NO_SUBJECT)


@layout
def mnist_digits(root: Path) -> Right:
    for part in ("training", "testing"):
        for digit in range(10):
            for k in range(3):
                photo(root / part / str(digit) / f"{k * 17 + digit}.png")
    return Right(classes=tuple("0123456789"), images=30, asks=asks("subject"))


@layout
def brain_tumours(root: Path) -> Right:
    for label, stem in (("yes", "Y"), ("no", "N")):
        for k in range(20):
            photo(root / "brain_tumor_dataset" / label / f"{stem}{k}.jpg")
    return Right(classes=("no", "yes"), images=40, asks=NO_SUBJECT)


@layout
def flowers_with_matlab_labels(root: Path) -> Right:
    for k in range(1, 31):
        photo(root / "jpg" / f"image_{k:05d}.jpg")
    (root / "imagelabels.mat").write_bytes(b"MATLAB 5.0 MAT-file")
    return Right(error="(.mat)")


@layout
def phones_with_heic(root: Path) -> Right:
    for k in range(10):
        photo(root / "cat" / f"IMG_{k}.jpg")
        photo(root / "dog" / f"IMG_{k + 50}.jpg")
        (root / "dog" / f"IMG_{k + 90}.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    return Right(classes=("cat", "dog"), images=20, asks=NO_SUBJECT, says=("10 files", "(.heic)", "dog"))
