"""One name in two encodings is one subject and one class; ids and paths stay as the disk has them."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hoego.data.load import load, load_unlabelled
from hoego.data.spelling import plain_name
from hoego.errors import DataError
from hoego.recipe import Recipe, build
from hoego.runs.teachers import _persons

NAME = "김철수"
APART = unicodedata.normalize("NFD", NAME)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path_factory.mktemp("cache")))


def photo(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng([*str(path).encode()]).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def recipe(root: Path, labels: dict[str, Any] | None = None, **dataset: Any) -> Recipe:
    return build({"dataset": {"root": str(root), **dataset}, "labels": labels or {}})


def table(root: Path, suffix: str = "csv", **columns: list[str]) -> Recipe:
    """A table of photos that are there, in a recipe whose subject is `who` and whose attribute is `kind`."""
    names = [f"{k}.png" for k in range(len(columns["who"]))]
    for name in names:
        photo(root / name)
    frame = pl.DataFrame({"path": names, "kind": ["x", "y"] * (len(names) // 2), **columns})
    frame.write_csv(root / "t.csv") if suffix == "csv" else frame.write_parquet(root / "t.parquet")
    return recipe(root, {"attributes": {"kind": {}}}, layout="table", table=f"t.{suffix}", subject=["who"])


def test_composed_and_without_what_is_not_seen_at_the_ends() -> None:
    written = [APART, f"{NAME} ", f"\u00a0{NAME}\u200b", f"\ufeff{NAME}\u3000", "a b", "S3", " \u200b", None]
    assert plain_name(pl.Series(written)).to_list() == [NAME] * 4 + ["a b", "S3", "", None]
    assert plain_name(pl.Series("who", [], dtype=pl.String)).name == "who"


@given(st.text())
def test_a_plain_name_stays(text: str) -> None:
    once = plain_name(pl.Series([text], dtype=pl.String))
    assert plain_name(once).to_list() == once.to_list()


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_one_person_in_two_spellings_is_one_subject(tmp_path: Path, suffix: str) -> None:
    who = [NAME, APART, "s003", "s003 ", "s003\u00a0", "\u200bs003"]
    data = load(table(tmp_path, suffix, who=who))
    assert data.subjects.tolist() == ["s003", NAME]
    assert data.images["path"].to_list() == [f"{k}.png" for k in range(6)]


def test_a_subject_of_unseen_marks_alone_is_blank(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no subject") as caught:
        load(table(tmp_path, who=["a", "\u200b\ufeff"]))
    assert (caught.value.row, caught.value.column) == (3, "who")


def test_a_class_in_two_spellings_is_one_class(tmp_path: Path) -> None:
    kinds = [NAME, APART, f"{APART} ", "other"]
    asked = table(tmp_path, who=["a", "b", "c", "d"], kind=kinds)
    for classes in ([], [NAME, "other"], [APART, "other"], [APART, NAME, "other"]):
        data = load(asked.model_copy(update={"labels": build(labels(classes)).labels}))
        assert sorted(data.schema.attribute("kind").classes) == sorted([NAME, "other"])
        assert len(set(data.codes[:3, 0].tolist())) == 1
        assert data.codes[0, 0] != data.codes[3, 0]
    with pytest.raises(DataError, match="distinct classes"):
        load(asked.model_copy(update={"labels": build(labels([NAME, NAME, "other"])).labels}))


def labels(classes: list[str]) -> dict[str, Any]:
    return {"labels": {"attributes": {"kind": {"classes": classes}}}}


def test_folders_say_composed_names_and_keep_their_paths(tmp_path: Path) -> None:
    for folder in (f"종_{APART}/{APART}", f"종_다른/{NAME}", f"종_{APART}/{NAME}"):
        photo(tmp_path / unicodedata.normalize("NFD", folder.split("/")[0]) / folder.split("/")[1] / "a.png")
    kinds = {"attributes": {"kind": {"classes": [NAME, "다른"]}}}
    data = load(recipe(tmp_path, kinds, layout="folders", pattern="종_{kind}/{who}", subject=["who"]))
    assert data.subjects.tolist() == [NAME]
    assert sorted(data.codes[:, 0].tolist()) == [0, 0, 1]
    first = unicodedata.normalize("NFD", f"종_{NAME}")
    assert set(data.image_ids.tolist()) >= {f"{first}/{NAME}/a.png", f"{first}/{APART}/a.png"}
    assert data.images["path"].to_list() == data.image_ids.tolist()


def test_expressions_over_paths_see_whole_letters(tmp_path: Path) -> None:
    for person in ("Jose", unicodedata.normalize("NFD", "José")):
        photo(tmp_path / "a" / f"{person}-1.png")
        photo(tmp_path / "b" / f"{person}-2.png")
    asked = recipe(tmp_path, layout="folders", subject_regex=r"/(\w+)")
    assert load(asked).subjects.tolist() == ["Jose", "José"]
    asked = recipe(tmp_path, layout="folders", subject_regex=r"(.+)-", exclude=["*/José*"])
    assert load(asked).subjects.tolist() == ["a/Jose", "b/Jose"]


def test_a_person_of_the_unlabelled_table_is_known_in_either_spelling(tmp_path: Path) -> None:
    asked = table(tmp_path, who=["s1", NAME, "s2", NAME])
    for k in range(4):
        photo(tmp_path / "new" / f"{k}.png")
    names = [f"new/{k}.png" for k in range(4)]
    pl.DataFrame({"path": names, "who": [APART, " s1\u00a0", "\u200b", None]}).write_parquet(
        tmp_path / "new.parquet"
    )
    data = load(asked)
    others = load_unlabelled(tmp_path / "new.parquet", data.schema)
    persons, named = _persons(asked, data, tmp_path / "new.parquet", others)
    assert named
    assert persons[4] == persons[1] == persons[3]
    assert persons[5] == persons[0]
    assert len(set(persons.tolist())) == 5, "blank names are nobody's"
