"""The fold: one type, one parser, and a recipe whose fold counts wherever none is given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image
from pydantic import TypeAdapter
from typer.testing import CliRunner

from hoego.cli.main import app
from hoego.errors import RecipeError, SplitError, UsageError
from hoego.recipe import Fold, build, fold_of, parse_fold
from hoego.runs.queue import status
from hoego.runs.queue.timing import units
from hoego.runs.records import RunStore
from hoego.runs.required_runs import StudyRunner

RECIPE = "gtsrb-ensemble"


@pytest.mark.parametrize("fold", [0, 7, "all"])
def test_a_fold_survives_text_json_and_a_recipe(fold: Fold) -> None:
    assert parse_fold(str(fold)) == fold
    assert parse_fold(fold) == fold
    adapter: TypeAdapter[Fold] = TypeAdapter(Fold)
    assert adapter.validate_json(adapter.dump_json(fold)) == fold
    assert build(json.loads(json.dumps(build({"fold": fold}).to_dict()))).fold == fold


@pytest.mark.parametrize("text", ["-1", "1.0", "ALL", "two", "²", " ", True, -1])
def test_what_is_no_fold_is_refused_by_name(text: Any) -> None:
    with pytest.raises(UsageError, match="number from 0"):
        parse_fold(text)


@pytest.mark.parametrize("value", [-1, "some", 1.5])
def test_a_recipe_takes_no_other_fold(value: Any) -> None:
    with pytest.raises(RecipeError, match="fold"):
        build({"fold": value})


def test_the_chosen_fold_counts_before_the_recipe_s() -> None:
    assert parse_fold("") is None
    assert fold_of({"fold": "all"}) == "all"
    assert fold_of({"fold": "all"}, 2) == 2
    assert fold_of({}) == 0
    recipe = build({"fold": "all", "epochs": 4, "split": {"kind": "folds", "folds": 3}})
    assert StudyRunner(folder=Path()).fold_of(recipe) == "all"
    assert StudyRunner(folder=Path(), fold=0).fold_of(recipe) == 0
    assert (units(recipe.to_dict()), units(recipe.to_dict(), 1)) == (12, 4)


@pytest.fixture
def signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten tracks of two photos in the layout of the traffic signs, in a project of their own."""
    rows = []
    for track in range(10):
        for frame in range(2):
            name = f"{track}_{frame}.png"
            Image.new("RGB", (32, 32), (20 * track, 100 * frame, 50)).save(tmp_path / name)
            kind = track % 2
            rows.append(
                (name, f"t{track}", str(kind), ("limit", "danger")[kind], ("circle", "triangle")[kind])
            )
    columns = ["path", "track", "class_id", "family", "shape"]
    pl.DataFrame(rows, schema=columns, orient="row").write_csv(tmp_path / "train.csv")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_queue_add_queues_all_folds_of_a_recipe_that_says_so(signs: Path) -> None:
    def add(*more: str) -> Any:
        given = ["queue", "add", str(RECIPE), "--set", f"dataset.root={signs}", "--json", *more]
        done = CliRunner().invoke(app, given)
        assert done.exit_code == 0, done.output + repr(done.exception)
        return json.loads(done.stdout)["id"]

    store = RunStore(signs / "runs")
    every, one = store.find(add()), store.find(add("--fold", "1"))
    assert (every.fold, every.recipe["fold"]) == ("all", "all")
    assert (one.fold, one.recipe["fold"]) == (1, 1), "the recipe that is recorded is the one that runs"
    epochs = every.recipe["epochs"]
    assert [units(r.recipe, r.fold) for r in (every, one)] == [5 * epochs, epochs]
    assert {row.run for row in status(store).waiting} == {every.id, one.id}
    refused = CliRunner().invoke(
        app, ["queue", "add", str(RECIPE), "--set", f"dataset.root={signs}", "--fold", "9"]
    )
    assert refused.exit_code == SplitError.exit_code
    assert len(store.list()) == 2


def test_ablate_trains_the_folds_of_its_recipe(signs: Path) -> None:
    given = [
        "ablate",
        str(RECIPE),
        "--set",
        f"dataset.root={signs}",
        "--vary",
        "loss=ce,focal",
        "--seeds",
        "1",
    ]
    done = CliRunner().invoke(app, [*given, "--queue", "--json"])
    assert done.exit_code == 0, done.output + repr(done.exception)
    records = RunStore(signs / "runs").list()
    assert [r.fold for r in records] == ["all"] * 3
    again = CliRunner().invoke(app, [*given, "--queue", "--json"])
    assert again.exit_code == 0
    assert len(RunStore(signs / "runs").list()) == 3, "the waiting runs are found again"
