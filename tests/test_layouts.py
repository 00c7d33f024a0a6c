"""Layouts: what lies on disk becomes the right rows, whatever the traps; what is wrong is named."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from hoego.data.dataset import Dataset
from hoego.data.load import load, load_unlabelled
from hoego.data.readers import detect_layout, photos_below, read_layout, read_unlabelled
from hoego.data.readers.raw_table import RawTable
from hoego.data.readers.tables import read_table
from hoego.errors import DataError
from hoego.recipe import Recipe

STEMS = ("incorrect_mask", "mask1", "mask2", "mask3", "mask4", "mask5", "normal")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path_factory.mktemp("cache")))


def photo(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng([seed, *path.name.encode(), *path.parent.name.encode()])
    Image.fromarray(pixels.integers(0, 255, (4, 4, 3), dtype=np.uint8)).save(path)


def recipe(root: Path, labels: dict[str, Any] | None = None, **dataset: Any) -> Recipe:
    return Recipe.model_validate({"dataset": {"root": str(root), **dataset}, "labels": labels or {}})


def read(root: Path, labels: dict[str, Any] | None = None, **dataset: Any) -> RawTable:
    r = recipe(root, labels, **dataset)
    return read_layout(r.dataset, r.labels)


def table(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    for line in text.replace(";", ",").splitlines()[1:]:
        if (name := line.split(",")[0].strip('"')).endswith(".png"):
            photo(path.parent / name)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    rows = [
        ("000001", "female", "45"),
        ("000002", "male", "20"),
        ("001498-1", "male", "60"),
        ("003397", "male", "29"),
        ("003397", "female", "30"),
    ]
    train = tmp_path / "train"
    text = "id,gender,race,age,path\n"
    for k, (person, gender, age) in enumerate(rows):
        folder = f"{person}_{gender}_Asian_{age}"
        text += f"{person},{gender},Asian,{age},{folder}\n"
        for i, stem in enumerate(STEMS):
            photo(train / "images" / folder / f"{stem}{('.jpg', '.png', '.JPEG')[(i + k) % 3]}", k)
        (train / "images" / folder / "._mask1.jpg").write_bytes(b"\0\5\x16\7")
    photo(train / "images" / "000001_female_Asian_45" / ".ipynb_checkpoints" / "mask1-checkpoint.jpg")
    (train / "images" / ".ipynb_checkpoints").mkdir()
    (train / "train.csv").write_text(text)
    for name in ("ff00", "aa11"):
        photo(tmp_path / "eval" / "images" / f"{name}.jpg")
    (tmp_path / "eval" / "info.csv").write_text("ImageID,ans\nff00.jpg,0\naa11.jpg,0\n")
    return tmp_path


# --- competition ---


def test_competition_gives_the_class_of_its_formula(people: Path) -> None:
    data = load(recipe(people))
    assert data.schema.target == "composite"
    assert data.schema.composite == ("mask", "gender", "age")
    assert data.n_images == 35
    assert data.image_ids.tolist() == sorted(data.image_ids.tolist())
    where = {i.rsplit(".", 1)[0]: k for k, i in enumerate(data.image_ids.tolist())}
    for name, mask in (("mask3", 0), ("incorrect_mask", 1), ("normal", 2)):
        for folder, gender, age in (
            ("000001_female_Asian_45", 1, 1),
            ("000002_male_Asian_20", 0, 0),
            ("001498-1_male_Asian_60", 0, 2),
            ("003397_male_Asian_29", 0, 0),
            ("003397_female_Asian_30", 1, 1),
        ):
            assert data.target[where[f"{folder}/{name}"]] == 6 * mask + 3 * gender + age
    assert data.subjects.tolist() == ["000001", "000002", "001498-1", "003397"]
    assert any("003397" in note for note in data.joins)
    assert {"race", "photo"} <= set(data.images.columns)
    assert data.numbers["age"][where["001498-1_male_Asian_60/normal"]] == 60


def test_competition_reads_the_same_from_folder_names_alone_and_from_its_train_folder(people: Path) -> None:
    whole = load(recipe(people))
    assert load(recipe(people / "train")).fingerprint == whole.fingerprint
    (people / "train" / "train.csv").unlink()
    bare = load(recipe(people))
    assert bare.fingerprint == whole.fingerprint
    assert np.array_equal(bare.codes, whole.codes)


def test_competition_settings_lie_over_what_the_layout_knows(people: Path) -> None:
    edges = {"attributes": {"age": {"edges": [30, 58]}}, "target": "age"}
    schema = load(recipe(people, edges)).schema
    assert schema.attribute("age").edges == (30, 58)
    assert schema.attribute("gender").classes == ("male", "female")
    assert schema.target == "age"
    resolved = recipe(people, load_labels(people))
    assert load(resolved).schema == load(recipe(people)).schema


def load_labels(people: Path) -> dict[str, Any]:
    return read(people).labels.model_dump(mode="json", exclude_none=True)


def test_competition_names_what_is_wrong(people: Path) -> None:
    listing = people / "train" / "train.csv"
    text = listing.read_text()
    listing.write_text(text + "000009,male,Asian,33,000009_male_Asian_33\n")
    with pytest.raises(DataError, match=r"Subject '000009' has no photo.*missing") as caught:
        read(people)
    assert (caught.value.file, caught.value.row) == (listing, 7)
    (people / "train" / "images" / "000009_male_Asian_33").mkdir()
    with pytest.raises(DataError, match="is empty"):
        read(people)
    listing.write_text(text)
    assert any("000009_male_Asian_33" in note for note in read(people).notes)
    listing.write_text(text + text.splitlines()[1] + "\n")
    with pytest.raises(DataError, match="is already in row 2"):
        read(people)
    listing.write_text(text.replace("000002_male_Asian_20\n", "../../eval/images\n"))
    with pytest.raises(DataError, match="leaves the root") as caught:
        read(people)
    assert (caught.value.row, caught.value.column) == (3, "path")
    listing.write_text(text)
    photo(people / "train" / "images" / "000002_male_Asian_20" / "selfie.jpg")
    with pytest.raises(DataError, match=r"'selfie\.jpg' says neither"):
        read(people)
    assert len(read(people, exclude=["*/selfie.jpg"]).rows) == 35


def test_competition_eval_set_keeps_the_order_of_info(people: Path) -> None:
    for path in (people / "eval", people / "eval" / "info.csv"):
        raw = read_unlabelled(path)
        assert raw.rows["image"].to_list() == ["ff00.jpg", "aa11.jpg"]
        assert raw.rows["path"].to_list() == ["images/ff00.jpg", "images/aa11.jpg"]
    data = load_unlabelled(people / "eval", load(recipe(people)).schema)
    assert (data.labelled, data.image_ids.tolist()) == (False, ["ff00.jpg", "aa11.jpg"])


# --- folders ---


def test_folder_names_spell_attributes_and_a_regex_the_subject(tmp_path: Path) -> None:
    for name in ("Tomato___Late_blight", "Tomato___healthy", "Corn_(maize)___healthy"):
        for k in range(4):
            photo(tmp_path / name / f"plant{k // 2}_shot{k}.jpg")
    data = load(
        recipe(
            tmp_path,
            {"sparse": True},
            pattern="{crop}___{disease}",
            subject_regex=r"([^/]*/plant\d+)_",
        )
    )
    assert data.schema.target_classes == ("Corn_(maize)/healthy", "Tomato/Late_blight", "Tomato/healthy")
    assert data.n_subjects == 6
    with pytest.raises(DataError, match="finds no subject"):
        read(tmp_path, pattern="{crop}___{disease}", subject_regex=r"tree(\d+)")
    photo(tmp_path / "odd" / "x.jpg")
    with pytest.raises(DataError, match=r"folder 'odd' does not follow") as caught:
        read(tmp_path, pattern="{crop}___{disease}")
    assert caught.value.file == tmp_path / "odd" / "x.jpg"


def test_folders_within_class_folders_can_be_the_subjects(tmp_path: Path) -> None:
    for label in ("cat", "dog"):
        for pet in ("a", "b"):
            photo(tmp_path / "all" / label / pet / "1.png")
    raw = read(tmp_path, layout="folders", pattern="{label}/{pet}", subject=["pet"])
    assert raw.rows.select("label", "pet").rows() == [("cat", "a"), ("cat", "b"), ("dog", "a"), ("dog", "b")]
    assert (raw.subject_columns, dict(raw.attribute_columns)) == (("pet",), {"label": "label"})
    wild = read(tmp_path, layout="folders", pattern="{label}/*")
    assert wild.rows["label"].to_list() == ["cat", "cat", "dog", "dog"]
    with pytest.raises(DataError, match="'owner'"):
        read(tmp_path, layout="folders", pattern="{label}/{pet}", subject=["owner"])


def test_listing_is_sorted_and_leaves_leftovers_out(tmp_path: Path) -> None:
    for name in (
        "b/2.png",
        "b/10.png",
        "a/z.JPG",
        "__MACOSX/b/2.png",
        ".ipynb_checkpoints/a.png",
        "b/._2.png",
        "t/x.png",
    ):
        photo(tmp_path / name) if "._" not in name else (tmp_path / name).write_bytes(b"x")
    (tmp_path / "a" / "notes.txt").write_text("x")
    (tmp_path / "b" / "loop").symlink_to(tmp_path)
    assert photos_below(tmp_path, ["t"]) == ["a/z.JPG", "b/10.png", "b/2.png"]
    with pytest.raises(DataError, match="no photo"):
        read(tmp_path / "a", layout="folders", exclude=["*"])


# --- tables ---


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_tables_as_people_save_them(tmp_path: Path, separator: str, start: str) -> None:
    rows = [
        ["path", "who", "age"],
        ["001.png", "007", '" 3\n4"'],
        ["002.png", "008", "5"],
        ["003.png", "", "6"],
    ]
    text = start + "\r\n".join(separator.join(r) for r in rows) + "\r\n\r\n"
    (tmp_path / "t.csv").write_bytes(text.encode())
    got = read_table(tmp_path / "t.csv")
    assert got.frame.columns == ["path", "who", "age"]
    assert got.frame["who"].to_list() == ["007", "008", None]
    assert got.frame["age"].to_list()[0] == "3\n4"
    assert [got.line(k) for k in range(3)] == [2, 4, 5]


def test_parquet_and_csv_give_the_same_data(tmp_path: Path) -> None:
    table(tmp_path / "t.csv", "path,who,kind,age\na.png,7,x,20\nb.png,7,y,40\nc.png,8,x,61\n")
    labels = {"attributes": {"kind": {}, "age": {"edges": [30, 60]}}}
    first = load(recipe(tmp_path, labels, table="t.csv", subject=["who"]))
    pl.read_csv(tmp_path / "t.csv").write_parquet(tmp_path / "t.parquet")
    second = load(recipe(tmp_path, labels, table="t.parquet", subject=["who"]))
    assert first.fingerprint == second.fingerprint
    assert first.labels_version == second.labels_version
    assert first.schema.target_classes[-1] == "y/>=60"


@pytest.mark.parametrize(
    ("text", "message", "row", "column"),
    [
        ("path,kind\n", "no rows", None, None),
        ("", "empty", None, None),
        ("path,kind\na.png,x\na.png,y\n", "more than one row", 3, None),
        ("path,kind\na.png,x\n,y\n", "path is blank", 3, "path"),
        ("path,kind\na.png,x\n../b.png,y\n", "leaves the root", 3, "path"),
        ("path,kind\na.png,x\n/etc/b.png,y\n", "leaves the root", 3, "path"),
        ("path,kind\na.png,x\ngone.jpg,y\n", "no photo 'gone.jpg'", 3, "path"),
        ("path,kind\na.png,x\nb.png,\n", "blank", 3, "kind"),
        ("path,kind\na.png,x\nb.png,y,z\n", "3 cells, the header 2", 3, None),
        ('path,kind\na.png,x\nb.png,"y\nc.png,x\n', "never closed", 3, None),
        ("path,kind,kind\na.png,x,y\n", "Two columns", 1, "kind"),
        ("where,kind\na.png,x\n", "no column 'path'", 1, "path"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(
    tmp_path: Path, text: str, message: str, row: int | None, column: str | None
) -> None:
    table(tmp_path / "t.csv", text)
    with pytest.raises(DataError, match=message) as caught:
        load(recipe(tmp_path, {"attributes": {"kind": {}}}, table="t.csv"))
    assert (caught.value.file, caught.value.row, caught.value.column) == (tmp_path / "t.csv", row, column)


def test_unknown_values_and_numbers_are_named_with_the_nearest_class(tmp_path: Path) -> None:
    table(tmp_path / "t.csv", "path,kind,age\na.png,wear,20\nb.png,waer,30\n")
    with pytest.raises(
        DataError, match=r"'waer' is no.*did you mean 'wear'|'waer' is not(.|\n)*'wear'"
    ) as caught:
        load(recipe(tmp_path, {"attributes": {"kind": {"classes": ["wear", "normal"]}}}, table="t.csv"))
    assert (caught.value.row, caught.value.column) == (3, "kind")
    table(tmp_path / "t.csv", "path,kind,age\na.png,wear,20\nb.png,wear,old\n")
    with pytest.raises(DataError, match="'old' is not a number") as caught:
        load(recipe(tmp_path, {"attributes": {"age": {"edges": [30]}}}, table="t.csv"))
    assert (caught.value.row, caught.value.column) == (3, "age")


def test_blanks_are_masked_where_allowed_and_subjects_never_blank(tmp_path: Path) -> None:
    table(tmp_path / "t.csv", "path,kind,who\na.png,x,1\nb.png,,1\nc.png,y,2\n")
    allowed = {"attributes": {"kind": {"missing": "allow"}}}
    data = load(recipe(tmp_path, allowed, table="t.csv", subject=["who"]))
    assert data.codes[:, 0].tolist() == [0, -1, 1]
    table(tmp_path / "t.csv", "path,kind,who\na.png,x,1\nb.png,x,\n")
    with pytest.raises(DataError, match="no subject") as caught:
        load(recipe(tmp_path, allowed, table="t.csv", subject=["who"]))
    assert (caught.value.row, caught.value.column) == (3, "who")


def test_paths_are_found_as_people_write_them(tmp_path: Path) -> None:
    photo(tmp_path / "images" / "train" / "사진_é.png")
    photo(tmp_path / "images" / "train" / "10_left.jpeg")
    photo(tmp_path / "images" / "b.png")
    decomposed = unicodedata.normalize("NFD", "사진_é.png")
    absolute = tmp_path / "images" / "b.png"
    rows = [f"images/train/{decomposed}", "10_left", str(absolute)]
    (tmp_path / "t.csv").write_text("image,kind\n" + "".join(f"{r},x\n" for r in rows), encoding="utf-8")
    raw = read(tmp_path, {"attributes": {"kind": {}}})
    assert raw.rows["path"].to_list() == [
        "images/train/사진_é.png",
        "images/train/10_left.jpeg",
        "images/b.png",
    ]
    (tmp_path / "t.csv").write_text("image,kind\nimages\\train\\10_left.jpeg,x\n", encoding="utf-8")
    assert read(tmp_path, {"attributes": {"kind": {}}}).rows["path"].to_list() == [
        "images/train/10_left.jpeg"
    ]
    photo(tmp_path / "images" / "other" / "10_left.jpeg")
    (tmp_path / "t.csv").write_text("image,kind\n10_left,x\n", encoding="utf-8")
    with pytest.raises(DataError, match="no photo '10_left'"):
        read(tmp_path, {"attributes": {"kind": {}}})


def test_very_long_paths_work_or_say_so(tmp_path: Path) -> None:
    deep = Path(*["d" * 200] * 5)
    photo(tmp_path / deep / "a.png")
    (tmp_path / "t.csv").write_text(f"path,kind\n{deep}/a.png,x\n")
    assert load(recipe(tmp_path, {"attributes": {"kind": {}}})).n_images == 1
    for long in ("e" * 300, "f/" * 3000 + "a"):
        (tmp_path / "t.csv").write_text(f"path,kind\n{deep}/a.png,x\n{long}.png,x\n")
        with pytest.raises(DataError, match="no photo") as caught:
            load(recipe(tmp_path, {"attributes": {"kind": {}}}))
        assert caught.value.row == 3


def test_ids_subjects_and_columns_of_ones_own(tmp_path: Path) -> None:
    table(
        tmp_path / "t.csv",
        "file,image,row,site,patient\na.png,i2,x,s1,p1\nb.png,i1,y,s1,p2\nc.png,i3,x,s2,p3\n",
    )
    labels = {"attributes": {"row": {}}}
    data = load(recipe(tmp_path, labels, path="file", image="image", subject=["patient", "site"]))
    assert data.image_ids.tolist() == ["i1", "i2", "i3"]
    assert data.n_subjects == 2
    assert data.codes[:, 0].tolist() == [1, 0, 0]
    assert data.images["path"].to_list() == ["b.png", "a.png", "c.png"]


def test_detection(people: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert detect_layout(recipe(people).dataset) == "competition"
    other = tmp_path_factory.mktemp("other")
    photo(other / "cat" / "a.png")
    assert detect_layout(recipe(other).dataset) == "folders"
    table(other / "labels.csv", "filename,kind\na.png,x\n")
    assert detect_layout(recipe(other).dataset) == "table"
    assert detect_layout(recipe(other, pattern="{kind}").dataset) == "folders"
    table(other / "more.csv", "filename,kind\na.png,x\n")
    assert detect_layout(recipe(other).dataset) == "table"
    (other / "labels.csv").rename(other / "first.csv")
    with pytest.raises(DataError, match=r"2 tables \(first\.csv, more\.csv\)"):
        detect_layout(recipe(other).dataset)
    with pytest.raises(DataError, match="no such folder"):
        read(other / "none")


# --- unlabelled ---


def test_unlabelled_tables_and_folders(tmp_path: Path) -> None:
    for name in ("b.png", "a.png", "sub/c.png"):
        photo(tmp_path / name)
    assert read_unlabelled(tmp_path).rows["image"].to_list() == ["a.png", "b.png", "sub/c.png"]
    (tmp_path / "sub" / "test.csv").write_text("path\nb.png\na.png\n")
    raw = read_unlabelled(tmp_path / "sub" / "test.csv", tmp_path)
    assert raw.rows["image"].to_list() == ["b.png", "a.png"]
    assert raw.root == tmp_path
    (tmp_path / "sub" / "own.csv").write_text("foto\nc.png\n")
    assert read_unlabelled(tmp_path / "sub" / "own.csv", tmp_path).root == tmp_path / "sub"
    (tmp_path / "sub" / "far.csv").write_text(f"path\n{tmp_path / 'b.png'}\n{tmp_path / 'sub' / 'c.png'}\n")
    assert read_unlabelled(tmp_path / "sub" / "far.csv").rows["path"].to_list() == ["b.png", "sub/c.png"]
    (tmp_path / "sub" / "two.csv").write_text("who,what\nx,y\n")
    for path, reason in (("sub/two.csv", "No column"), ("none", "no such"), ("a.png", "neither")):
        with pytest.raises(DataError, match=reason):
            read_unlabelled(tmp_path / path)


def test_real_signs_are_read_as_their_page_says() -> None:
    root = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "gtsrb"
    if not root.is_dir():
        pytest.skip("the real photos (../shared/data/gtsrb) are not here")
    raw = read(root, {"attributes": {"class_id": {}, "family": {}, "shape": {}}}, subject=["track"])
    assert raw.rows.height == 39_209
    assert raw.rows["track"].n_unique() == 1_307
    test = read_unlabelled(root / "test.csv")
    assert test.rows.height == 12_630
    assert test.rows["path"].to_list() == pl.read_csv(root / "test.csv")["path"].to_list()


def test_the_dataset_does_not_depend_on_the_order_of_the_table(tmp_path: Path) -> None:
    lines = ["a.png,x,1", "b.png,y,1", "c.png,x,2"]

    def made(order: list[str]) -> Dataset:
        table(tmp_path / "t.csv", "path,kind,who\n" + "\n".join(order) + "\n")
        return load(recipe(tmp_path, {"attributes": {"kind": {}}}, subject=["who"]))

    assert made(lines).fingerprint == made(lines[::-1]).fingerprint
    assert made(lines).labels_version == made(lines[::-1]).labels_version
