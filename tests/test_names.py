"""Names of subjects and photos survive every file, whatever characters they hold, and stand for one subject each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hoego.data.aliases import SubjectAliases
from hoego.data.load import load
from hoego.data.spelling import pack_names, unpack_names
from hoego.errors import DataError, RecordError
from hoego.predictions.provenance import RowProvenance, SubjectUniverse
from hoego.recipe import build

NAMES = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), unique=True, max_size=8
)


def universe(names: list[str]) -> SubjectUniverse:
    ordered = np.asarray(sorted(names), dtype=np.str_)
    owner = np.arange(len(names), dtype=np.int32)
    return SubjectUniverse(ordered, owner, owner.astype(np.uint64))


@given(NAMES, NAMES)
def test_two_lists_of_names_have_two_encodings(one: list[str], two: list[str]) -> None:
    assert unpack_names(pack_names(one)) == (one if one != [""] else [])
    assert (pack_names(one) == pack_names(two)) == (one == two or {*one, *two} == {""})


@given(NAMES.filter(lambda names: names not in ([], [""])))
def test_a_universe_reads_back_the_subjects_that_it_wrote(names: list[str]) -> None:
    whole = universe(names)
    back = SubjectUniverse.unpacked(whole.packed())
    assert back.names.tolist() == whole.names.tolist()
    assert back.digest == whole.digest


@settings(max_examples=50)
@given(NAMES.filter(lambda names: len(names) > 1), st.data())
def test_the_seen_subjects_stay_the_seen_subjects(names: list[str], data: st.DataObject) -> None:
    whole = universe(names)
    seen = np.asarray(data.draw(st.lists(st.booleans(), min_size=len(names), max_size=len(names))))
    source = RowProvenance(
        name="run", seen=seen, seen_through=whole.no_subjects(), selected=whole.no_subjects()
    )
    back = SubjectUniverse.unpacked(whole.packed())
    again = RowProvenance.unpacked(source.packed(), back.n_subjects)
    assert set(back.names[again.seen].tolist()) == set(whole.names[seen].tolist())


def test_a_file_in_which_line_breaks_made_two_subjects_of_one_is_refused() -> None:
    content = universe(["a\nb", "c"]).packed().with_(names=universe(["a", "b", "c"]).packed().names)
    with pytest.raises(RecordError, match="3 subjects and has photos of 2"):
        SubjectUniverse.unpacked(content)


def test_an_equals_sign_in_the_name_of_a_column_is_no_part_of_the_value() -> None:
    rows = pl.DataFrame({"id": ["1", "2"], "a=b": ["c", "d"]})
    there = pl.DataFrame({"id": ["9"], "a": ["b=c"]})
    mine = SubjectAliases.of(rows, ["id", "a=b"], ["1", "2"])
    theirs = SubjectAliases.of(there, ["id", "a"], ["9"])
    assert mine.columns == {"id", "a=b"}
    assert mine.shared(np.asarray(["1"]), theirs, np.asarray(["9"])) == set()


def test_a_nul_character_is_refused_with_its_row(tmp_path: Path) -> None:
    for k in range(2):
        Image.fromarray(np.full((4, 4, 3), 90 * k, dtype=np.uint8)).save(tmp_path / f"{k}.png")
    rows = pl.DataFrame({"path": ["0.png", "1.png"], "who": ["p", "p\0"], "kind": ["x", "y"]})
    rows.write_parquet(tmp_path / "t.parquet")
    recipe = build(
        {
            "dataset": {"root": str(tmp_path), "layout": "table", "table": "t.parquet", "subject": ["who"]},
            "labels": {"attributes": {"kind": {}}},
        }
    )
    with pytest.raises(DataError, match="NUL character") as caught:
        load(recipe)
    assert (caught.value.row, caught.value.column) == (3, "who")
