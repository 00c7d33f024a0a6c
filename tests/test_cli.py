"""The command: one JSON object on stdout, one paragraph per error, exit codes, every result object printed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image
from test_diagnose import ACCURACY, SCHEMA, people, predict
from typer.testing import CliRunner

from hoego import files
from hoego.cli.main import app
from hoego.data.dataset import Dataset
from hoego.data.load import load
from hoego.evaluate.score import ScoreOptions, score
from hoego.predictions import RowProvenance, SubjectUniverse
from hoego.recipe import resolve
from hoego.runs.records import RunStore


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of tiny photos of 30 people and three finished runs of made-up predictions."""
    return write_project(tmp_path_factory.mktemp("project"), 30, 3)


def write_project(root: Path, n_people: int, n_runs: int) -> Path:
    """Write photos, table, hoego.toml and finished runs into an empty folder."""
    made = people(n_people)
    rows = []
    for i, image in enumerate(made.image_ids.tolist()):
        name = image.replace("/", "_") + ".png"
        Image.new("RGB", (4, 4), (i % 256, i // 256, 7)).save(root / name)
        codes = made.codes[i]
        names = [a.classes[c] for a, c in zip(SCHEMA.attributes[:2], codes[:2], strict=True)]
        rows.append((name, str(made.subjects[made.subject_index[i]]), *names, made.numbers["age"][i]))
    table = pl.DataFrame(rows, schema=["path", "person", "mask", "gender", "age"], orient="row")
    table.write_csv(root / "photos.csv")
    (root / "hoego.toml").write_text(
        '[dataset]\nlayout = "table"\ntable = "photos.csv"\nsubject = ["person"]\nsize = [8, 8]\n'
        '[labels]\ntarget = "composite"\ncomposite = ["mask", "gender", "age"]\n'
        '[labels.attributes.mask]\nclasses = ["wear", "incorrect", "normal"]\n'
        '[labels.attributes.gender]\nclasses = ["male", "female"]\n[labels.attributes.age]\nedges = [30, 60]\n'
        '[split]\nkind = "folds"\nfolds = 3\n'
    )
    recipe = resolve({}, project=root / "hoego.toml")
    dataset = load(recipe)
    store = RunStore(root / "runs")
    for seed in range(n_runs):
        save_run(store, recipe.to_dict(), dataset, seed)
    return root


def save_run(store: RunStore, recipe: dict[str, Any], dataset: Dataset, seed: int) -> None:
    record = store.create(recipe, name=f"made {seed}", fingerprints={"split": "s"})
    run = predict(dataset, seed, {**ACCURACY, "age": 0.6 + 0.1 * seed})
    fold = (dataset.subject_index % 3).astype(np.int16)
    sources = tuple(RowProvenance.from_training(f"{record.id} {k}", dataset, fold != k) for k in range(3))
    run = replace(
        run, sources=sources, universe=SubjectUniverse.of(dataset), name=record.id, lineage=(record.id,)
    )
    run.write(record.folder / "predictions.parquet")
    facts = score(run, dataset, ScoreOptions(resamples=100)).model_dump(mode="json")
    files.write_json(record.folder / "score.json", facts)
    record.update(
        score={k: facts[k] for k in ("macro_f1", "accuracy", "honesty", "n_images", "n_subjects", "notes")}
    )
    record.set_state("done")


@pytest.fixture(autouse=True)
def here(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setenv("HOEGO_CACHE", str(project / "cache"))


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=True)


def as_json(*arguments: str) -> Any:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output + repr(done.exception)
    return json.loads(done.stdout)


def ids() -> list[str]:
    made = [r for r in RunStore(Path("runs")).list() if r.kind == "run"]
    return [r.id for r in sorted(made, key=lambda r: r.meta.name)]


def test_audit_and_split_print_what_the_issue_asks_for() -> None:
    found = as_json("audit")
    assert {"check", "severity", "count"} <= set(found["findings"][0])
    split = as_json("split")
    assert split["fingerprint"]
    assert {"images", "subjects"} <= set(split["sides"][0])
    assert split["worst_class_deviation"] >= 0


def test_a_run_is_scored_again_as_its_recipe_says() -> None:
    record = RunStore(Path("runs")).find(ids()[0])
    before = record.recipe
    record.save_recipe({**before, "score": {**before["score"], "resamples": 150, "level": 0.9}})
    found = as_json("score", record.id)
    record.save_recipe(before)
    assert (found["resamples"], found["macro_f1"]["level"]) == (150, 0.9)


def test_compare_prints_difference_p_value_detectable_scope_and_verdict() -> None:
    found = as_json("compare", ids()[2], ids()[0])
    assert {"value", "low", "high"} <= set(found["difference"])
    assert {"p_value", "detectable", "scope", "verdict"} <= set(found)
    assert "made 2" in found["sentence"]


def test_diagnose_prints_bottleneck_oracle_and_product_law() -> None:
    found = as_json("diagnose", ids()[0])
    assert found["bottleneck"] == "age"
    assert {"score", "gain", "low", "high"} <= set(found["oracle"]["age"])
    assert {"expected", "observed"} <= set(found["product_law"])
    assert {"value", "low", "high"} <= set(found["product_law"]["gap"])
    assert "optimism" in found


@pytest.mark.parametrize("method", ["mean", "greedy"])
def test_ensemble_prints_its_members_and_is_kept(method: str) -> None:
    found = as_json("ensemble", *ids(), "--method", method)
    assert {"score", "best_member", "gain", "members", "honesty"} <= set(found)
    assert {"value", "low", "high"} <= set(found["gain"])
    assert {"run", "weight", "marginal"} <= set(found["members"][0])
    assert found["honesty"] == ("cross-fitted" if method == "greedy" else "out-of-fold")
    assert as_json("show", found["run"])["state"] == "done"


def test_compose_takes_the_best_source_of_each_attribute() -> None:
    a, b, c = ids()
    found = as_json("compose", "--of", f"mask={a}", "--of", f"gender={b}", "--of", f"age={c}")
    assert found["parts"] == {"mask": a, "gender": b, "age": c}
    assert found["score"]["honesty"] == "out-of-fold"


def test_compose_chooses_among_runs_and_says_what_each_part_chose() -> None:
    a, b, c = ids()
    named = as_json(
        "compose", "--of", f"mask={a}", "--of", f"gender={a}", "--of", f"age={a}", "--of", f"age={c}"
    )
    assert named["parts"] == {"mask": a, "gender": a, "age": c}
    assert [x["by_part"] for x in named["choices"] if x["attribute"] == "age"] == [[c, c, c]]
    free = as_json("compose", a, b, c, "--of", f"age={b}")
    assert free["parts"]["age"] == b
    assert free["score"]["honesty"] == "cross-fitted"
    assert "for new images" in run("compose", a, b).stdout


def test_a_decision_rule_is_tried_on_one_run_and_its_page_is_drawn() -> None:
    found = as_json("ensemble", ids()[0], "--decide", "prior")
    assert {"kept", "gain", "p_value", "offsets"} <= set(found["decision"])
    assert found["members"][0]["marginal"] is None
    several = as_json("ensemble", *ids(), "--decide", "thresholds")
    path = Path(as_json("report", several["run"])["report"])
    assert "members side by side" in path.read_text(encoding="utf-8")


def test_a_design_ranking_and_a_report_come_from_the_same_runs() -> None:
    assert len(as_json("design", *ids()[:2])["ranking"]) >= 2
    path = Path(as_json("report", ids()[0])["report"])
    assert "macro F1" in path.read_text(encoding="utf-8")


def test_suspects_are_written_as_an_overlay_that_marks_the_run_s_own_re_score(tmp_path: Path) -> None:
    run_id = ids()[0]
    as_json("diagnose", run_id, "--overlay", str(tmp_path / "suspects.csv"))
    table = pl.read_csv(tmp_path / "suspects.csv")
    assert set(table["source"]) == {"suspects"}
    assert set(table["run"]) == {run_id}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("show", "nothing"), 1, "nothing"),
        (("compare", "only-one"), 2, "two runs"),
        (("train", "missing.toml"), 1, "missing.toml"),
        pytest.param(("train", "--set", "epoch=3"), 1, "epochs", marks=pytest.mark.torch),
        pytest.param(("train", "--fold", "first"), 2, "--fold", marks=pytest.mark.torch),
        (("compose", "--of", "mask"), 2, "ATTRIBUTE=RUN"),
        (("ensemble", "nothing"), 1, "nothing"),
    ],
)
def test_an_error_is_the_user_s_with_its_exit_code(arguments: tuple[str, ...], code: int, said: str) -> None:
    done = run(*arguments)
    assert done.exception is not None
    assert getattr(done.exception, "exit_code", done.exit_code) == code
    assert said in str(done.exception)


def test_tables_for_people_are_printed_without_json() -> None:
    a, b = ids()[:2]
    plain = [
        "runs",
        f"show {a}",
        f"compare {a} {b}",
        f"diagnose {a}",
        "settings mixup",
        "submit",
        "idea list",
    ]
    for line in [*plain, "queue status"]:
        arguments = line.split()
        done = run(*arguments)
        assert done.exit_code == 0, (arguments, done.output, repr(done.exception))
        assert done.stdout.strip(), arguments


@pytest.mark.parametrize("options", [(), ("--csv",), ("--json",)])
def test_a_score_brings_its_honesty_along(options: tuple[str, ...]) -> None:
    found = run("runs", "--columns", "id,macro_f1", "--sort=-macro_f1", *options)
    assert found.exit_code == 0
    assert "honesty" in found.output
    assert "out-of-fold" in found.output
