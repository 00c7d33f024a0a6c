"""Tables as other programs and other machines left them: every photo is found, or the error names file and row."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hoego.data.dataset import Dataset
from hoego.data.load import load
from hoego.data.readers.tables import read_table
from hoego.errors import DataError
from hoego.recipe import Recipe
from hoego.split import make


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path_factory.mktemp("cache")))


def photo(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(list(str(path).encode())).integers(0, 255, (6, 6, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, format="PNG")


def rows_of_pairs(names: Sequence[str], called: str = "{}") -> str:
    """A table of path, person (two photos each) and label."""
    lines = [f"{called.format(name)},s{k // 2},{'yn'[k // 2 % 2]}" for k, name in enumerate(names)]
    return "\n".join(["path,person,label", *lines]) + "\n"


def opened(root: Path, **dataset: Any) -> Dataset:
    settings: dict[str, Any] = {"root": str(root), "layout": "table", "table": "labels.csv", **dataset}
    return load(Recipe.model_validate({"dataset": settings, "labels": {"target": "label"}}))


def test_a_regular_expression_names_the_subjects_of_a_table(tmp_path: Path) -> None:
    lines = ["path,label"]
    for n in range(24):
        name = f"{n // 2}_{('left', 'right')[n % 2]}.png"
        photo(tmp_path / name)
        lines.append(f"{name},{'yn'[n // 2 % 2]}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    data = opened(tmp_path, subject_regex=r"^(\d+)_")
    assert set(data.subjects.tolist()) == {str(k) for k in range(12)}
    split = make(data, Recipe.model_validate({"split": {"kind": "folds", "folds": 3}}).split)
    assert split.guarantees.subjects_on_two_sides == 0


def test_a_regular_expression_and_a_column_are_joined(tmp_path: Path) -> None:
    names = [f"a{k // 4}_{k}.png" for k in range(8)]
    for name in names:
        photo(tmp_path / name)
    (tmp_path / "labels.csv").write_text(rows_of_pairs(names))
    assert opened(tmp_path, subject=["person"]).n_subjects == 4
    assert opened(tmp_path, subject=["person"], subject_regex="^(a[0-9])").n_subjects == 2


def test_endings_in_another_case_are_found(tmp_path: Path) -> None:
    names = [f"IMG_{k}" for k in range(24)]
    for name in names:
        photo(tmp_path / "images" / f"{name}.JPG")
    (tmp_path / "labels.csv").write_text(rows_of_pairs(names, "images/{}.jpg"))
    data = opened(tmp_path, subject=["person"])
    assert (data.n_images, data.n_subjects) == (24, 12)
    assert data.images["path"][0] == "images/IMG_0.JPG"


@pytest.mark.parametrize("called", ["/kaggle/input/comp/images/{}", r"C:\Users\me\comp\images\{}"])
def test_paths_of_another_machine_are_found_by_their_end(tmp_path: Path, called: str) -> None:
    names = [f"p{k}.jpg" for k in range(24)]
    for name in names:
        photo(tmp_path / "images" / name)
    (tmp_path / "labels.csv").write_text(rows_of_pairs(names, called))
    data = opened(tmp_path, subject=["person"])
    assert (data.n_images, data.n_subjects) == (24, 12)


def test_paths_that_begin_with_the_name_of_the_root_are_found(tmp_path: Path) -> None:
    root = tmp_path / "set-v1"
    names = [f"train/patient{k // 2}/view{k % 2}.jpg" for k in range(8)]
    for name in names:
        photo(root / name)
    (root / "labels.csv").write_text(rows_of_pairs(names, "set-v1/{}"))
    assert opened(root).images["path"].to_list() == sorted(names)


@pytest.mark.parametrize("text", ["../secret.png", r"..\secret.png", "/etc/../secret.png"])
def test_no_path_leaves_the_root(tmp_path: Path, text: str) -> None:
    photo(tmp_path / "secret.png")
    photo(tmp_path / "root" / "a.png")
    (tmp_path / "root" / "labels.csv").write_text(f"path,label\na.png,y\n{text},n\n")
    with pytest.raises(DataError) as caught:
        opened(tmp_path / "root")
    assert (caught.value.row, caught.value.column) == (3, "path")


def test_a_name_that_fits_several_photos_is_refused(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        photo(tmp_path / folder / "a.png")
    (tmp_path / "labels.csv").write_text("path,label\n/far/a.png,y\n/far/a.png,n\n")
    with pytest.raises(DataError, match=r"labels\.csv, row 2"):
        opened(tmp_path)


def test_a_list_of_path_and_label_with_blanks_between(tmp_path: Path) -> None:
    lines = []
    for n in range(40):
        name = f"n0144{n % 3}/my photo {n}.JPEG" if n % 2 else f"n0144{n % 3}/n{n}.JPEG"
        photo(tmp_path / "train" / name)
        lines.append(f"{name} {n % 3}\n")
    (tmp_path / "train.txt").write_text("".join(lines))
    frame = read_table(tmp_path / "train.txt")
    assert (frame.frame.height, frame.frame.columns, frame.line(0)) == (40, ["column_1", "column_2"], 1)
    data = load(
        Recipe.model_validate(
            {
                "dataset": {
                    "root": str(tmp_path),
                    "layout": "table",
                    "table": "train.txt",
                    "path": "column_1",
                },
                "labels": {"target": "column_2"},
            }
        )
    )
    assert (data.n_images, data.schema.target_classes) == (40, ("0", "1", "2"))


def test_a_table_without_a_header_keeps_its_first_photo(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("".join(f"p{n}.jpg,{'cdh'[n % 3]}\n" for n in range(40)))
    table = read_table(tmp_path / "labels.csv")
    assert table.frame.height == 40
    assert table.frame.row(0) == ("p0.jpg", "c")
    assert (table.line(0), table.line(39)) == (1, 40)
    assert "no header: its first line names the photo 'p0.jpg'" in table.notes[0]


def test_a_last_column_without_name_and_value_is_left_out_and_said(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("path,label,\na.png,y,\nb.png,n,\n")
    table = read_table(tmp_path / "t.csv")
    assert table.frame.columns == ["path", "label"]
    assert "column 3 has neither a name nor a value" in table.notes[0]
    (tmp_path / "t.csv").write_text("path,label,\na.png,y,\nb.png,n,7\n")
    with pytest.raises(DataError, match=r"t\.csv, row 1: Column 3 has no name"):
        read_table(tmp_path / "t.csv")


def test_json_lines_and_utf16(tmp_path: Path) -> None:
    lines = ['{"file_name": "a.png", "label": 1, "boxes": [1, 2]}', '{"file_name": "b.png", "label": 2}']
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines))
    table = read_table(tmp_path / "metadata.jsonl")
    assert table.frame.rows() == [("a.png", "1"), ("b.png", "2")]
    assert (table.line(1), len(table.notes)) == (2, 1)
    (tmp_path / "t.csv").write_bytes("path\tlabel\na.png\t마스크\n".encode("utf-16"))
    assert read_table(tmp_path / "t.csv").frame.row(0) == ("a.png", "마스크")


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_cell_of_a_million_characters_is_named_by_its_row(tmp_path: Path, quote: str) -> None:
    names = [f"{k}.png" for k in range(6)]
    for name in names:
        photo(tmp_path / name)
    lines = rows_of_pairs(names).splitlines()
    lines[4] = f"{quote}{'x' * 1_000_000}{quote},s01,b"
    lines.insert(6, "")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"labels\.csv, row 5") as caught:
        opened(tmp_path)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.parquet", b"PAR1 this is none PAR1"),
        ("a.jsonl", b'{"a": [[[[\n'),
        ("a.csv", b"path,label\na,b\x00\n"),
        ("a.csv", b"path,label\n\xff\xfe\xff,b\n"),
        ("a.csv", b'path,label\na,"b\nc,d\ne,f\n'),
        ("a.csv", b"path,label\na,b,c,d\n"),
    ],
)
def test_a_damaged_table_is_an_error_that_names_the_file(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_table(tmp_path / name)
    assert caught.value.file == tmp_path / name
    assert caught.value.remedy


def test_a_link_to_itself_is_passed_over(tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    os.symlink("loop.png", tmp_path / "loop.png")
    (tmp_path / "labels.csv").write_text("path,label\na.png,y\nnope.png,n\n")
    with pytest.raises(DataError, match=r"row 3.*There is no photo 'nope\.png'"):
        opened(tmp_path)
