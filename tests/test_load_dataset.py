"""A data set read from a frame is the one that is read from the same table in a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

import hoego
from hoego.data.load import read_dataset
from hoego.errors import DataError, RecipeError, SplitError, UsageError


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve photos of six people in a folder with a table."""
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(12):
        Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(folder / f"{i:02d}.png")
    table(folder).write_csv(folder / "photos.csv")
    return folder


def table(folder: Path) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "path": [f"{i:02d}.png" for i in range(12)],
            "person": [f"p{i // 2}" for i in range(12)],
            "age": [20.0 + 9 * (i // 2) for i in range(12)],
            "mask": ["worn", "none"] * 6,
        }
    )


KEYWORDS: dict[str, Any] = {
    "subject": "person",
    "target": "composite",
    "attributes": {"mask": {}, "age": {"edges": [30, 60]}},
}


def as_pandas(frame: pl.DataFrame) -> Any:
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(frame.to_dict(as_series=False))


@pytest.mark.parametrize(
    "given", [lambda f: f, as_pandas, lambda f: f.to_dict(as_series=False), pl.LazyFrame]
)
def test_a_frame_gives_the_data_set_of_the_file(photos: Path, given: Callable[..., Any]) -> None:
    from_file = hoego.load_dataset(photos / "photos.csv", **KEYWORDS)
    frame = given(table(photos)) if given is not pl.LazyFrame else table(photos).lazy()
    from_frame = hoego.load_dataset(frame, root=photos, **KEYWORDS)
    assert from_frame.fingerprint == from_file.fingerprint
    assert from_frame.labels_version == from_file.labels_version
    assert from_frame.contents.tolist() == from_file.contents.tolist()


def test_a_frame_that_was_saved_is_read_again_as_it_was(photos: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    dataset = hoego.load_dataset(table(photos), root=photos, **KEYWORDS)
    assert dataset.origin is not None
    settings = dataset.origin.saved(tmp_path, "photos")
    again = read_dataset(replace(dataset.origin, dataset=settings, frame=None))
    assert again.fingerprint == dataset.fingerprint
    assert again.labels_version == dataset.labels_version
    assert dataset.origin.saved(tmp_path, "photos") == settings
    assert len(list((tmp_path / "tables").iterdir())) == 1


def test_absolute_paths_need_no_root(photos: Path) -> None:
    frame = table(photos).with_columns(path=pl.lit(f"{photos}/") + pl.col("path"))
    assert hoego.load_dataset(frame, **KEYWORDS).root == photos


def test_missing_values_of_pandas_are_blank(photos: Path) -> None:
    frame = as_pandas(table(photos))
    frame.loc[3, "mask"] = None
    with pytest.raises(DataError, match=r"data frame, row 3, column 'mask': The label is blank"):
        hoego.load_dataset(frame, root=photos, **KEYWORDS)
    how = {"mask": {"missing": "allow"}, "age": {"edges": [30, 60]}}
    dataset = hoego.load_dataset(frame, root=photos, subject="person", target="mask", attributes=how)
    assert dataset.codes[3, 0] == -1


def test_a_named_index_is_a_column(photos: Path) -> None:
    frame = as_pandas(table(photos)).set_index("path")
    assert hoego.load_dataset(frame, root=photos, **KEYWORDS).n_images == 12


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda p: hoego.load_dataset(3), UsageError, "not int"),
        (lambda p: hoego.load_dataset(table(p), root=p, subjet="person"), RecipeError, "subject|valid names"),
        (lambda p: hoego.load_dataset(table(p), root=p, size=(8, 8)), RecipeError, "setting of the recipe"),
        (lambda p: hoego.load_dataset(table(p), root=p, subject="persn", target="mask"), DataError, "person"),
        (lambda p: hoego.load_dataset(table(p)[:0], root=p, target="mask"), DataError, "no rows"),
        (lambda p: hoego.load_dataset(table(p), root=p / "no", target="mask"), DataError, "no such folder"),
        (
            lambda p: hoego.load_dataset(p / "photos.csv", root=p.parent / "cache", target="mask"),
            DataError,
            "row 2",
        ),
        (lambda p: hoego.load_dataset(table(p), target="mask"), DataError, "Give root="),
        (lambda p: hoego.load_dataset(p / "hoego.toml", subject="person"), UsageError, "by itself"),
    ],
)
def test_what_cannot_be_read_names_the_remedy(
    photos: Path, call: Callable[[Path], Any], error: type[Exception], message: str
) -> None:
    (photos.parent / "cache").mkdir(exist_ok=True)
    with pytest.raises(error, match=message):
        call(photos)


def test_a_project_file_reads_what_the_commands_read(photos: Path) -> None:
    (photos / "hoego.toml").write_text(
        '[dataset]\ntable = "photos.csv"\nsubject = ["person"]\n[labels]\ntarget = "mask"\n', encoding="utf-8"
    )
    dataset = hoego.load_dataset(photos / "hoego.toml")
    plain = hoego.load_dataset(photos / "photos.csv", subject="person", target="mask")
    assert dataset.fingerprint == plain.fingerprint


def test_folds_are_pairs_of_rows_that_share_no_subject(photos: Path) -> None:
    dataset = hoego.load_dataset(table(photos), root=photos, **KEYWORDS)
    split = hoego.make_split(dataset, folds=3, seed=1)
    assert len(split.folds()) == 3
    for k, (train, test) in enumerate(split.folds()):
        assert sorted([*train, *test]) == list(range(12))
        assert not set(dataset.subject_index[train]) & set(dataset.subject_index[test])
        assert [test.tolist(), train.tolist()] == [side.tolist() for side in split.indices(k)][::-1]
    with pytest.raises(SplitError, match="folds = 1"):
        hoego.make_split(dataset, folds=1)
    with pytest.raises(SplitError, match="no fold 3"):
        split.indices(3)


def test_they_show_themselves_without_a_score(photos: Path) -> None:
    dataset = hoego.load_dataset(table(photos), root=photos, **KEYWORDS)
    split = hoego.make_split(dataset, folds=3)
    assert "12 images of 6 subjects" in repr(dataset)
    assert "folds" in repr(split)
    for shown in (dataset._repr_html_(), split._repr_html_()):
        assert shown.startswith("<div")
        assert shown.count("<table>") == shown.count("</table>") >= 1
    assert "subjects on two sides" in split._repr_html_()
