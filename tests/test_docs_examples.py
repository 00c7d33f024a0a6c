"""The Python examples of the pages run: each page is one program, with the objects that its reader has."""

from __future__ import annotations

import doctest
import re
from pathlib import Path
from typing import Any

import doctor_folders
import numpy as np
import pytest
from scored_people import people, predict

import hoego
from hoego.runs.records import RunStore

DOCS = Path(__file__).resolve().parents[1] / "docs"


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)


def with_runs() -> dict[str, Any]:
    dataset = people(60)
    runs = {name: predict(dataset, seed=i, name=name) for i, name in enumerate(("a", "b"))}
    seeds = {f"{side}{k}": predict(dataset, seed=k, name=f"{side}{k}") for side in "ab" for k in (1, 2, 3)}
    predicted = np.stack([r.target_probabilities().argmax(axis=1) for r in runs.values()])
    return {
        "dataset": dataset,
        "predictions": runs["a"],
        "images": dataset.image_ids,
        "predicted": predicted,
        **runs,
        **seeds,
    }


def with_a_folder() -> dict[str, Any]:
    doctor_folders.write(Path("baseline"), doctor_folders.CLEAN)
    return {}


def with_a_record() -> dict[str, Any]:
    record = RunStore("runs").create(recipe={"epochs": 1})
    record.append_epoch(0, {"epoch": 0, "loss": 1.0})
    record.update(score={"macro_f1": {"value": 0.7, "low": 0.6, "high": 0.8}, "honesty": "out-of-fold"})
    return {"RUN": record.id}


def with_features() -> dict[str, Any]:
    sklearn = pytest.importorskip("sklearn")
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    dataset = people(40)
    given = (LogisticRegression, GridSearchCV, cross_val_predict, make_pipeline, StandardScaler)
    return {
        "hoego": hoego,
        "sklearn": sklearn,
        "dataset": dataset,
        "X": np.random.default_rng(0).normal(size=(dataset.n_images, 3)),
        **{f.__name__: f for f in given},
    }


@pytest.mark.parametrize(
    ("page", "given"),
    [
        ("howto/split.md", with_runs),
        ("howto/compare.md", with_runs),
        ("howto/doctor.md", with_a_folder),
        ("howto/people.md", dict),
        ("howto/records.md", with_a_record),
        ("explanation/scores.md", with_runs),
        ("howto/any-trainer.md", with_features),
    ],
)
def test_the_examples_of_a_page_run(
    page: str, given: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "page", **given()}
    assert blocks(page)
    for code in blocks(page):
        exec(compile(code.replace('"k7f3q"', "RUN"), page, "exec"), names)


@pytest.mark.torch
def test_the_sessions_of_the_models_page_run() -> None:
    pytest.importorskip("torch")
    assert doctest.testfile(str(DOCS / "reference" / "models.md"), module_relative=False).failed == 0


def test_no_page_with_examples_is_left_out() -> None:
    tested = {"howto/split.md", "howto/compare.md", "howto/doctor.md", "howto/people.md", "howto/records.md"}
    tested |= {"howto/python.md"}  # tests/test_api.py, with photos
    tested |= {"explanation/scores.md", "reference/models.md", "howto/any-trainer.md"}
    tested |= {
        "scale.md"
    }  # webdataset is not in the environment of the tests; tests/test_pack.py reads the shards
    found = {
        str(p.relative_to(DOCS))
        for p in DOCS.glob("**/*.md")
        if "_build" not in p.parts and blocks(str(p.relative_to(DOCS)))
    }
    assert found == tested
