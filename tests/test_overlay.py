"""The overlay: corrections with reasons, checked row by row, never written into the data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hoego.data.dataset import LabelCorrection
from hoego.data.overlay import append_overlay, read_overlay, write_overlay
from hoego.data.schema import Attribute, LabelSchema
from hoego.errors import DataError

SCHEMA = LabelSchema(
    (
        Attribute(name="gender", kind="nominal", classes=("male", "female")),
        Attribute(name="age", kind="binned", classes=("<30", "30-59", ">=60"), edges=(30, 60)),
        Attribute(name="mask", kind="nominal", classes=("wear", "normal"), missing="allow"),
    ),
    "composite",
    ("gender", "age", "mask"),
)
IMAGES = ["1/mask1.jpg", "1/normal.jpg", "둘/normal.jpg"]


def read(path: Path, *rows: str) -> tuple[LabelCorrection, ...]:
    path.write_text(
        "image,attribute,value,reason,source\n" + "".join(f"{r}\n" for r in rows), encoding="utf-8"
    )
    return read_overlay(path, SCHEMA, IMAGES)


def test_corrections_are_read_as_written(tmp_path: Path) -> None:
    got = read(
        tmp_path / "o.csv",
        '1/mask1.jpg,gender,female,"a face, plainly",Kim',
        "둘/normal.jpg,age,58,birth certificate,parents",
        "1/normal.jpg,age,>=60,wrinkles,Lee",
        "1/normal.jpg,mask,,cannot be told,Lee",
        "둘/normal.jpg,age,58,again,another team",
    )
    assert [(c.image, c.attribute, c.value) for c in got] == [
        ("1/mask1.jpg", "gender", "female"),
        ("둘/normal.jpg", "age", "58"),
        ("1/normal.jpg", "age", ">=60"),
        ("1/normal.jpg", "mask", ""),
    ]
    assert got[0].reason == "a face, plainly"
    assert read(tmp_path / "o.csv") == ()


@pytest.mark.parametrize(
    ("row", "message", "column"),
    [
        ("1/mask1.jpg,gender,female,,Kim", "no reason", "reason"),
        ("1/mask1.jpg,gender,female,seen,", "no source", "source"),
        ("1/mask9.jpg,gender,female,seen,Kim", r"no image '1/mask9\.jpg'(.|\n)*mask1", "image"),
        ("1/mask1.jpg,gendr,female,seen,Kim", r"no attribute 'gendr'(.|\n)*gender", "attribute"),
        ("1/mask1.jpg,gender,femal,seen,Kim", r"'femal' is not a class(.|\n)*female", "value"),
        ("1/mask1.jpg,age,old,seen,Kim", "neither a class nor a number", "value"),
        ("1/mask1.jpg,age,inf,seen,Kim", "neither a class nor a number", "value"),
        ("1/mask1.jpg,gender,,seen,Kim", "blank", "value"),
        ("1/normal.jpg,gender,female,seen,Kim", "'male' in row 2", "value"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, row: str, message: str, column: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path / "o.csv", "1/normal.jpg,gender,male,seen,Kim", row)
    assert (caught.value.file, caught.value.row, caught.value.column) == (tmp_path / "o.csv", 3, column)


def test_the_run_that_suggested_a_correction_is_a_field_also_of_old_overlays(tmp_path: Path) -> None:
    old, plain = read(
        tmp_path / "old.csv",
        "1/mask1.jpg,gender,female,suspected,suspects of 20260101-000000-aaaaa",
        "1/normal.jpg,gender,female,seen,Kim",
    )
    assert (old.source, old.run) == ("suspects", "20260101-000000-aaaaa")
    assert (plain.source, plain.run) == ("Kim", "")
    write_overlay(tmp_path / "new.csv", [replace(old, source="me"), plain])
    assert [c.run for c in read_overlay(tmp_path / "new.csv", SCHEMA, IMAGES)] == [old.run, ""]


def test_a_missing_column_or_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "o.csv").write_text("image,attribute,value,why,source\n1/mask1.jpg,gender,male,a,b\n")
    with pytest.raises(DataError, match="'reason'"):
        read_overlay(tmp_path / "o.csv", SCHEMA, IMAGES)
    with pytest.raises(DataError, match="no such table"):
        read_overlay(tmp_path / "none.csv", SCHEMA, IMAGES)


def test_writing_and_appending_survive_reading_and_refuse_halves(tmp_path: Path) -> None:
    path = tmp_path / "new" / "o.csv"
    first = LabelCorrection(
        image="1/mask1.jpg", attribute="gender", value="female", reason='says "I am"', source="Kim, Lee"
    )
    second = LabelCorrection(
        image="둘/normal.jpg", attribute="age", value="61", reason="line\nbreak", source="Lee"
    )
    write_overlay(path, [first])
    assert append_overlay(path, [second], SCHEMA, IMAGES) == (first, second)
    before = path.read_bytes()
    for bad in (
        LabelCorrection(image="1/mask1.jpg", attribute="gender", value="male", reason="no", source="Park"),
        LabelCorrection(image="1/mask1.jpg", attribute="age", value="30", reason="", source="Park"),
    ):
        with pytest.raises(DataError):
            append_overlay(path, [bad], SCHEMA, IMAGES)
        assert path.read_bytes() == before
    assert read_overlay(path, SCHEMA, IMAGES) == (first, second)
    assert [p.name for p in path.parent.iterdir()] == ["o.csv"]
