"""Training-only edits: what they do, and that they cannot reach the held-out side."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoego.data.schema import Attribute, LabelSchema
from hoego.errors import DataError, RecipeError
from hoego.recipe.techniques import AttributeEdit
from hoego.train.edits import LabelEdits, Relabel, apply_edits, training_labels

SCHEMA = LabelSchema(
    (
        Attribute(name="gender", kind="nominal", classes=("male", "female")),
        Attribute(name="age", kind="binned", classes=("<30", "30-59", ">=60"), edges=(30, 60)),
    ),
    target="composite",
    composite=("gender", "age"),
)
AGES = np.array([26, 27, 29, 30, 57, 58, 59, 60, np.nan])
CODES = np.stack([np.arange(9) % 2, SCHEMA.attribute("age").bin(AGES)], axis=1).astype(np.int16)


def edited(**age: object) -> object:
    return apply_edits(SCHEMA, CODES, {"age": AGES}, LabelEdits({"age": AttributeEdit(**age)}))  # type: ignore[arg-type]


def test_ranges_are_left_out_with_both_ends() -> None:
    out = edited(drop=((27, 29), (57, 59)))
    assert out.keep.tolist() == [True, False, False, True, False, False, False, True, True]  # type: ignore[attr-defined]
    assert np.array_equal(out.codes, CODES)  # type: ignore[attr-defined]


def test_a_shifted_edge_changes_codes_alone() -> None:
    out = edited(shift={"60": 58})
    assert out.codes[:, 1].tolist() == [0, 0, 0, 1, 1, 2, 2, 2, -1]  # type: ignore[attr-defined]
    assert out.keep.all()  # type: ignore[attr-defined]
    np.testing.assert_array_equal(out.numbers["age"], AGES)  # type: ignore[attr-defined]
    assert CODES[:, 1].tolist() == [0, 0, 0, 1, 1, 1, 1, 2, -1]


def test_relabels_come_before_drops_and_shifts() -> None:
    edits = LabelEdits(
        {"age": AttributeEdit(drop=((27, 29),), shift={"60": 58})},
        {"age": Relabel(np.array([0, 1]), ("28", "58.5")), "gender": Relabel(np.array([0]), ("female",))},
    )
    out = apply_edits(SCHEMA, CODES, {"age": AGES}, edits)
    assert out.keep.tolist()[:3] == [False, True, False]
    assert out.codes[1, 1] == 2
    assert out.codes[0, 0] == 1


def test_sources_are_weighed() -> None:
    sources = np.array(["own"] * 5 + ["web"] * 4)
    out = apply_edits(SCHEMA, CODES, {"age": AGES}, LabelEdits(source_weights={"web": 0.25}), sources=sources)
    assert out.weight.tolist() == [1.0] * 5 + [0.25] * 4


@settings(max_examples=60, deadline=None)
@given(
    trained=st.lists(st.booleans(), min_size=9, max_size=9),
    low=st.floats(0, 80),
    width=st.floats(0, 40),
    edge=st.floats(31, 90),
    rows=st.lists(st.integers(0, 8), max_size=5),
)
def test_the_held_out_side_cannot_be_touched(
    trained: list[bool], low: float, width: float, edge: float, rows: list[int]
) -> None:
    mask = np.array(trained)
    edits = LabelEdits(
        {"age": AttributeEdit(drop=((low, low + width),), shift={"60": edge})},
        {"age": Relabel(np.array(rows, dtype=np.int64), ("75",) * len(rows))},
        {"web": 3.0},
    )
    out = training_labels(
        SCHEMA, (CODES, {"age": AGES}), mask | (np.arange(9) == 0), edits, sources=np.array(["web"] * 9)
    )
    held = ~(mask | (np.arange(9) == 0))
    np.testing.assert_array_equal(out.codes[held], CODES[held])
    np.testing.assert_array_equal(out.numbers["age"][held], AGES[held])
    assert not out.keep[held].any()
    assert not out.weight[held].any()
    for row in set(rows) - set(np.flatnonzero(held).tolist()):
        assert out.numbers["age"][row] == 75


@pytest.mark.parametrize(
    ("edits", "text"),
    [
        (LabelEdits({"aeg": AttributeEdit(shift={"60": 58})}), "'aeg'"),
        (LabelEdits({"gender": AttributeEdit(drop=((1, 2),))}), "no number"),
        (LabelEdits({"age": AttributeEdit(shift={"65": 58})}), "no edge '65'"),
        (LabelEdits({"age": AttributeEdit(shift={"60": 20})}), "do not ascend"),
        (LabelEdits({"age": AttributeEdit(drop=((59, 57),))}), "empty"),
        (LabelEdits(relabels={"age": Relabel(np.array([0]), ("old",))}), "needs a number"),
        (LabelEdits(source_weights={"web": 0.5}), "have a source"),
    ],
)
def test_impossible_edits_say_why(edits: LabelEdits, text: str) -> None:
    with pytest.raises(RecipeError, match=text):
        apply_edits(SCHEMA, CODES, {"age": AGES}, edits)


def test_an_unknown_class_in_a_training_overlay_is_named() -> None:
    with pytest.raises(DataError, match="'femal'"):
        apply_edits(
            SCHEMA, CODES, {"age": AGES}, LabelEdits(relabels={"gender": Relabel(np.array([0]), ("femal",))})
        )
