"""Several labels for a photo: read by a stated policy, split by subject, scored each by itself and over all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import f1_score, roc_auc_score

from hoego.data.dataset import Dataset
from hoego.data.load import load
from hoego.errors import DataError
from hoego.evaluate.score import score
from hoego.predictions import Predictions, RowProvenance, SubjectUniverse
from hoego.recipe import Recipe
from hoego.split import make


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path_factory.mktemp("cache")))


def written(root: Path, header: str, cells: list[str]) -> None:
    """A table of photos with two photos a person and the given cells."""
    lines = [f"path,person,{header}"]
    for k, text in enumerate(cells):
        pixels = np.random.default_rng(k).integers(0, 255, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"{k:03}.png")
        lines.append(f"{k:03}.png,s{k // 2:03},{text}")
    (root / "t.csv").write_text("\n".join(lines))


def opened(root: Path, **labels: Any) -> Dataset:
    dataset = {"root": str(root), "layout": "table", "table": "t.csv", "subject": ["person"]}
    return load(Recipe.model_validate({"dataset": dataset, "labels": labels}))


CELLS = ["1,0", "0,1", "-1,1.0", ",0.0", "1,-1", "0,"]


@pytest.mark.parametrize(
    ("policy", "codes"),
    [
        ({}, [[1, 0], [0, 1], [-1, 1], [-1, 0], [1, -1], [0, -1]]),
        ({"uncertain": "yes"}, [[1, 0], [0, 1], [1, 1], [-1, 0], [1, 1], [0, -1]]),
        ({"uncertain": "no", "blank": "no"}, [[1, 0], [0, 1], [0, 1], [0, 0], [1, 0], [0, 0]]),
    ],
)
def test_columns_of_1_0_minus_1_and_blank_follow_the_stated_policy(
    tmp_path: Path, policy: dict[str, str], codes: list[list[int]]
) -> None:
    written(tmp_path, "Edema,Pleural Effusion", CELLS)
    data = opened(tmp_path, multi={"columns": ["Edema", "Pleural Effusion"], **policy})
    assert data.schema.names == ("Edema", "Pleural_Effusion")
    assert data.schema.composite == ()
    assert {a.classes for a in data.schema.attributes} == {("no", "yes")}
    assert data.codes.tolist() == codes


def test_cells_that_name_several_labels_become_one_attribute_each(tmp_path: Path) -> None:
    written(tmp_path, "found", ["Edema|Mass", "No Finding", "Mass", "", "Edema | Edema", "Mass|No Finding"])
    data = opened(tmp_path, multi={"columns": ["found"], "separator": "|", "none": ["No Finding"]})
    assert data.schema.names == ("Edema", "Mass")
    assert data.codes.tolist() == [[1, 1], [0, 0], [0, 1], [-1, -1], [1, 0], [0, 1]]


def test_a_label_that_is_not_listed_and_a_cell_that_is_no_number_are_named(tmp_path: Path) -> None:
    written(tmp_path, "found,Edema", ["Mass,1", "Moss,2"])
    with pytest.raises(
        DataError, match=r"t\.csv, row 3, column 'found': 'Moss' is not in labels\.multi\.labels"
    ):
        opened(tmp_path, multi={"columns": ["found"], "separator": "|", "labels": ["Mass", "Edema"]})
    with pytest.raises(DataError, match=r"t\.csv, row 3, column 'Edema': '2' is none of 1, 0, -1 and blank"):
        opened(tmp_path, multi={"columns": ["Edema"]})


def test_one_hot_columns_are_one_attribute_and_two_ones_are_named(tmp_path: Path) -> None:
    written(tmp_path, "a,b,c", ["1,0,0", "0.0,1.0,0.0", "0,0,1"])
    data = opened(tmp_path, target="kind", attributes={"kind": {"one_hot": ["a", "b", "c"]}})
    assert data.schema.target_classes == ("a", "b", "c")
    assert data.target.tolist() == [0, 1, 2]
    written(tmp_path, "a,b,c", ["1,0,0", "0,1,1"])
    with pytest.raises(DataError, match=r"t\.csv, row 3.*'001\.png' has 2 classes of 'kind' \(b, c\)"):
        opened(tmp_path, target="kind", attributes={"kind": {"one_hot": ["a", "b", "c"]}})


@pytest.fixture
def labelled(tmp_path: Path) -> Dataset:
    rng = np.random.default_rng(0)
    cells = [",".join(rng.choice(["1", "0", "0", "", "-1"], 3)) for _ in range(120)]
    written(tmp_path, "x,y,z", cells)
    return opened(tmp_path, target="x", multi={"columns": ["x", "y", "z"]})


def predictions_of(data: Dataset, values: dict[str, np.ndarray]) -> Predictions:
    fold = (data.subject_index % 2).astype(np.int16)
    return Predictions(
        images=data.image_ids,
        values=values,
        scale=dict.fromkeys(values, "probabilities"),
        schema=data.schema,
        fold=fold,
        source=fold.astype(np.int32),
        sources=tuple(RowProvenance.from_training(f"fold {k}", data, fold != k) for k in range(2)),
        universe=SubjectUniverse.of(data),
        dataset_fingerprint=data.fingerprint,
        split_fingerprint="s",
        split_kind="folds",
        name="m",
        lineage=("m",),
    )


def test_subjects_stay_together_and_masked_photos_are_split_as_well(labelled: Dataset) -> None:
    split = make(labelled, Recipe.model_validate({"split": {"kind": "folds", "folds": 3}}).split)
    assert split.guarantees.subjects_on_two_sides == 0
    assert (split.fold >= 0).all()


def test_macro_f1_and_macro_auroc_over_labels_are_those_of_scikit_learn(labelled: Dataset) -> None:
    rng = np.random.default_rng(1)
    values = {}
    for a, name in enumerate(("x", "y", "z")):
        yes = np.clip(0.5 * rng.random(labelled.n_images) + 0.4 * (labelled.codes[:, a] == 1), 0.01, 0.99)
        values[name] = np.stack([1 - yes, yes], axis=1)
    found = score(predictions_of(labelled, values), labelled)
    f1, areas = [], []
    for a, name in enumerate(("x", "y", "z")):
        known = labelled.codes[:, a] >= 0
        truth, yes = labelled.codes[known, a], values[name][known, 1]
        f1.append(f1_score(truth, yes > 0.5))
        areas.append(roc_auc_score(truth, yes))
        assert found.attributes[name].n_missing == (~known).sum()
    assert found.over_labels is not None
    assert found.over_labels.labels == ("x", "y", "z")
    assert found.over_labels.macro_f1.value == pytest.approx(np.mean(f1))
    assert found.over_labels.macro_auroc.value == pytest.approx(np.mean(areas))
    assert any(note.startswith("over the 3 labels") for note in found.notes)
