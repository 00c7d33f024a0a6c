"""Further layouts of public data sets, entered into the same table as those of layout_sets.py."""

from __future__ import annotations

from pathlib import Path

from layout_sets import NO_SUBJECT, Right, asks, code, layout, photo, table


@layout
def breast_slides_by_patient_and_magnification(root: Path) -> Right:
    kinds = {"benign": ("adenosis", "fibroadenoma"), "malignant": ("ductal_carcinoma", "lobular_carcinoma")}
    for k in range(96):
        side = ("benign", "malignant")[k % 2]
        kind = kinds[side][k // 2 % 2]
        short = f"SOB_{side[0].upper()}_{kind[0].upper()}"
        patient, size = f"14-{22549 + k // 8 * 131 + k % 4}", ("40X", "100X")[k // 4 % 2]
        name = f"{short}-{patient}-{size[:-1]}-{k:03d}.png"
        photo(root / "histology_slides/breast" / side / "SOB" / kind / f"{short}_{patient}" / size / name)
    return Right(images=96, asks=asks("layout", "subject", "target"))


@layout
def bones_with_a_study_folder_for_the_label(root: Path) -> Right:
    paths, studies = [], []
    for p in range(30):
        part, told = ("XR_ELBOW", "XR_HAND")[p % 2], ("negative", "positive")[p // 2 % 2]
        study = f"MURA-v1.1/train/{part}/patient{p:05d}/study1_{told}/"
        studies.append(f"{study},{int(told == 'positive')}")
        for k in (1, 2):
            photo(root / study / f"image{k}.png")
            paths.append(f"{study}image{k}.png")
    (root / "MURA-v1.1/train_image_paths.csv").write_text("\n".join(paths) + "\n")
    (root / "MURA-v1.1/train_labeled_studies.csv").write_text("\n".join(studies) + "\n")
    return Right(subjects=30, images=60, asks=asks("layout", "subject", "target"))


@layout
def tiles_of_a_challenge(root: Path) -> Right:
    rows = [(code(k, 40), k % 2) for k in range(60)]
    for name, _ in rows:
        photo(root / "train" / f"{name}.png")
    table(root / "train_labels.csv", ("id", "label"), rows)
    table(root / "sample_submission.csv", ("id", "label"), [(code(k, 40), 0) for k in range(900, 910)])
    for k in range(900, 910):
        photo(root / "test" / f"{code(k, 40)}.png")
    return Right(classes=("0", "1"), images=60, asks=NO_SUBJECT)


@layout
def food_with_lists_beside(root: Path) -> Right:
    names = [f"{kind}/{1000 + 37 * k}" for kind in ("apple_pie", "sushi", "waffles") for k in range(20)]
    for name in names:
        photo(root / "images" / f"{name}.jpg")
    (root / "meta").mkdir()
    (root / "meta/train.txt").write_text("\n".join(names[::2]) + "\n")
    (root / "meta/test.txt").write_text("\n".join(names[1::2]) + "\n")
    (root / "meta/classes.txt").write_text("apple_pie\nsushi\nwaffles\n")
    return Right(classes=("apple_pie", "sushi", "waffles"), images=60, asks=asks("subject", "layout"))


@layout
def dog_breeds_by_synset(root: Path) -> Right:
    for k in range(60):
        kind = ("n02085620-Chihuahua", "n02085782-Japanese_spaniel", "n02110958-pug")[k % 3]
        photo(root / "Images" / kind / f"{kind[:9]}_{100 + k * 17}.jpg")
    kinds = ("n02085620-Chihuahua", "n02085782-Japanese_spaniel", "n02110958-pug")
    return Right(classes=kinds, images=60, asks=NO_SUBJECT)


@layout
def skin_lesions_with_patient_and_lesion(root: Path) -> Right:
    rows, kinds = [], ("BCC", "ACK", "NEV", "SEK", "SCC", "MEL")
    for k in range(120):
        patient, lesion = 100 + k // 4, 880 + k // 2
        name = f"PAT_{patient}_{lesion}_{k * 37 % 999}.png"
        photo(root / f"imgs_part_{1 + k % 3}" / name)
        sex = ("FEMALE", "MALE", "")[patient % 3]
        rows.append(
            (f"PAT_{patient}", lesion, patient % 2 == 0, 20 + patient % 60, sex, "NECK", kinds[lesion % 6], name,
             k % 2 == 0)
        )  # fmt: skip
    header = (
        "patient_id",
        "lesion_id",
        "smoke",
        "age",
        "gender",
        "region",
        "diagnostic",
        "img_id",
        "biopsed",
    )
    table(root / "metadata.csv", header, rows)
    return Right(target="diagnostic", classes=kinds, subjects=30, images=120, asks=asks("target"))


@layout
def fundus_table_with_empty_columns(root: Path) -> Right:
    rows = [(f"IDRiD_{k:03d}", k % 5, k % 3, *[""] * 9) for k in range(1, 61)]
    for name, *_ in rows:
        photo(root / "1. Original Images/a. Training Set" / f"{name}.jpg")
    header = ("Image name", "Retinopathy grade", "Risk of macular edema ", *[""] * 9)
    table(root / "2. Groundtruths/a. Training Labels.csv", header, rows)
    return Right(target="Retinopathy_grade", images=60, asks=asks("subject", "target"))


@layout
def brain_slices_whose_names_hold_the_subject(root: Path) -> Right:
    for k in range(120):
        s = k // 8
        kind = ("Mild Dementia", "Non Demented", "Very mild Dementia")[s % 3]
        photo(root / "Data" / kind / f"OAS1_{28 + s:04d}_MR1_mpr-{1 + k % 4}_{100 + k % 8}.jpg")
    return Right(
        classes=("Mild Dementia", "Non Demented", "Very mild Dementia"),
        subjects=15,
        images=120,
        asks=NO_SUBJECT,
    )


@layout
def brain_slices_numbered_by_class(root: Path) -> Right:
    short = {"MildDemented": "mildDem", "NonDemented": "nonDem"}
    for part, count in (("train", 40), ("test", 10)):
        for kind, name in short.items():
            for k in range(count):
                photo(root / "Alzheimer_s Dataset" / part / kind / f"{name}{k}.jpg")
    return Right(classes=("MildDemented", "NonDemented"), images=80, asks=NO_SUBJECT)


@layout
def chest_scans_numbered_in_brackets(root: Path) -> Right:
    for kind, name in (("COVID", "Covid"), ("non-COVID", "Non-Covid")):
        for k in range(1, 31):
            photo(root / kind / f"{name} ({k}).png")
    return Right(classes=("COVID", "non-COVID"), images=60, asks=NO_SUBJECT)


@layout
def skin_tones_by_hash(root: Path) -> Right:
    rows = []
    for k in range(90):
        name, label = code(k, 32), ("psoriasis", "acne", "melanoma")[k % 3]
        photo(root / "images" / f"{name}.jpg")
        three = ("non-neoplastic", "non-neoplastic", "malignant")[k % 3]
        rows.append((name, 1 + k % 6, label, three, "", f"atlas.example/{k}.jpg", f"atlas{k}jpg"))
    header = ("md5hash", "fitzpatrick_scale", "label", "three_partition_label", "qc", "url", "url_alphanum")
    table(root / "fitzpatrick17k.csv", header, rows)
    return Right(
        target="label", classes=("psoriasis", "acne", "melanoma"), images=90, asks=asks("subject", "target")
    )


@layout
def pixels_in_a_column(root: Path) -> Right:
    rows = [(k % 7, " ".join(str((k * j) % 256) for j in range(64)), "Training") for k in range(40)]
    table(root / "fer2013.csv", ("emotion", "pixels", "Usage"), rows)
    return Right(start="fer2013.csv", error="fer2013.csv")


@layout
def one_hot_tables_in_every_part(root: Path) -> Right:
    for part, count in (("train", 40), ("valid", 10), ("test", 10)):
        rows = []
        for k in range(count):
            name = f"{part}_{k}_jpg.rf.{code(k, 32)}.jpg"
            photo(root / part / name)
            rows.append((name, int(k % 3 == 0), int(k % 3 == 1), int(k % 3 == 2)))
        table(root / part / "_classes.csv", ("filename", " cat", " dog", " hen"), rows)
    return Right(
        classes=("cat", "dog", "hen"), images=40, asks=asks("layout", "subject", "target"), says=("valid",)
    )


@layout
def choices_of_a_labelling_tool(root: Path) -> Right:
    rows = []
    for k in range(60):
        name = f"{code(k, 8)}-photo_{k}.jpg"
        photo(root / "upload" / name)
        rows.append(
            (f"/data/upload/7/{name}", 100 + k, ("cat", "dog")[k % 2], 1 + k // 30, 500 + k,
             f"2026-01-0{1 + k % 9}T10:00:{k % 60:02d}.1Z", 3.2 + k)
        )  # fmt: skip
    header = ("image", "id", "choice", "annotator", "annotation_id", "created_at", "lead_time")
    table(root / "project-7.csv", header, rows)
    return Right(target="choice", classes=("cat", "dog"), images=60, asks=asks("subject", "target"))


@layout
def faces_by_identity_with_a_table_of_people(root: Path) -> Right:
    rows = []
    for p in range(2, 32):
        name = f"n{p:06d}"
        rows.append((name, f"Person {p}", 4, 1, "mf"[p % 2]))
        for k in range(4):
            photo(root / "train" / name / f"{k:04d}_0{1 + k % 2}.jpg")
    table(root / "identity_meta.csv", ("Class_ID", "Name", "Sample_Num", "Flag", "Gender"), rows)
    return Right(images=120, subjects=30, target="Gender", asks=asks("layout", "subject", "target"))


@layout
def anomalies_with_masks(root: Path) -> Right:
    for part, kind, n in (
        ("train", "good", 30),
        ("test", "good", 8),
        ("test", "broken", 12),
        ("test", "scratch", 12),
    ):
        for k in range(n):
            photo(root / "bottle" / part / kind / f"{k:03d}.png")
            if kind not in ("good",):
                photo(root / "bottle/ground_truth" / kind / f"{k:03d}_mask.png")
    return Right(error="nothing says what they show")


@layout
def people_seen_by_cameras(root: Path) -> Right:
    for p in range(20):
        for c in range(1, 4):
            photo(root / "bounding_box_train" / f"{p:04d}_c{c}s1_{p * 97 + c:06d}_00.jpg")
    return Right(target="part1", images=60, asks=asks("layout", "subject", "target"))


@layout
def expressions_with_a_list_and_aligned_copies(root: Path) -> Right:
    lines = []
    for part, n in (("train", 42), ("test", 14)):
        for k in range(1, n + 1):
            photo(root / "Image/aligned" / f"{part}_{k:05d}_aligned.jpg")
            photo(root / "Image/original" / f"{part}_{k:05d}.jpg")
            lines.append(f"{part}_{k:05d}.jpg {1 + k % 7}")
    (root / "EmoLabel").mkdir()
    (root / "EmoLabel/list_patition_label.txt").write_text("\n".join(lines) + "\n")
    return Right(target="column_2", images=56, asks=asks("subject", "target", "layout"))
