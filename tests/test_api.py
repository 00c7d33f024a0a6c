"""`import hoego`: the names, how quickly they come, and the way from a data frame to a compared pair of runs."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

import hoego
from hoego.errors import HoegoError, MismatchError, RecipeError, RecordError, UsageError

ROOT = Path(__file__).resolve().parents[1]
XRAY = ROOT.parent / "shared" / "data" / "xray"
NAMES = [
    "AuditReport", "Comparison", "Dataset", "Diagnosis", "Ensemble", "HoegoError", "LeakError", "Predictions",
    "Recipe", "Run", "Runs", "Score", "Split", "SubjectHoldout", "SubjectKFold", "__version__", "audit", "compare",
    "diagnose", "ensemble", "load_dataset", "load_recipe", "make_split", "predict", "report", "runs", "score",
    "torch_dataset", "train", "watch",
]  # fmt: skip
TINY: dict[str, Any] = {
    "dataset.size": [16, 16],
    "model": {"name": "hoego_small32", "options": {"width": 0.125, "norm": False}},
    "epochs": 2,
    "batch_size": 16,
    "precision": "float32",
    "device": "cpu",
    "threads": 1,
    "score.resamples": 200,
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def test_the_names_are_these() -> None:
    assert sorted(hoego.__all__) == NAMES
    assert set(NAMES) <= set(dir(hoego))
    for name in NAMES:
        assert getattr(hoego, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = hoego.trian  # type: ignore[attr-defined]


def test_at_least_two_fifths_of_the_functions_have_an_example() -> None:
    """`test_examples_in_docstrings_run` runs them."""
    functions = [f for f in (getattr(hoego, name) for name in hoego.__all__) if inspect.isfunction(f)]
    shown = [f.__name__ for f in functions if ">>> " in (inspect.getdoc(f) or "")]
    assert len(functions) > 10
    assert len(shown) >= 0.4 * len(functions), shown


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse((ROOT / "hoego" / "__init__.py").read_text(encoding="utf-8"))
    [block] = [n for n in tree.body if isinstance(n, ast.If)]
    seen = {a.name: n.module for n in block.body if isinstance(n, ast.ImportFrom) for a in n.names}
    assert seen == hoego._HOME
    assert sorted([*seen, "__version__"]) == NAMES


def test_importing_it_loads_nothing_heavy() -> None:
    code = (
        "import sys, time; t = time.perf_counter(); import hoego; s = time.perf_counter() - t;"
        "assert not {'torch', 'numpy', 'polars', 'pydantic', 'rich'} & set(sys.modules); dir(hoego)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["train", "runs", "report"])
def test_a_function_keeps_its_name_beside_the_room_of_that_name(name: str) -> None:
    code = (
        f"import hoego, importlib, types; importlib.import_module('hoego.{name}');"
        f"assert isinstance(hoego.{name}, types.FunctionType); from hoego import {name} as f; assert f is hoego.{name};"
        f"importlib.reload(importlib.import_module('hoego.{name}')); assert callable(hoego.{name})"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_name_says_what_it_is() -> None:
    for name in NAMES:
        if name != "__version__":
            assert inspect.getdoc(getattr(hoego, name)), name


def drawn(folder: Path, patients: int = 20, each: int = 3) -> pl.DataFrame:
    """Photos of patients whose finding shows in the brightness."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(patients * each):
        finding = ("normal", "virus")[i // each % 2]
        level = 90 if finding == "normal" else 150
        Image.fromarray(rng.integers(level - 60, level + 60, (16, 16, 3)).astype(np.uint8)).save(
            folder / f"{i:03d}.png"
        )
        rows.append((f"{i:03d}.png", f"p{i // each:02d}", finding))
    return pl.DataFrame(rows, schema=["path", "patient", "finding"], orient="row")


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    drawn(tmp_path).write_csv(tmp_path / "photos.csv")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pair(photos: Path) -> tuple[Any, Any]:
    dataset = hoego.load_dataset(
        pl.read_csv(photos / "photos.csv"), root=photos, subject="patient", target="finding"
    )
    return dataset, hoego.make_split(dataset, folds=3)


@pytest.fixture
def run(photos: Path) -> Any:
    pytest.importorskip("torch")
    dataset, split = pair(photos)
    return hoego.train(dataset, split, TINY, fold="all", name="tiny", why="a first look", progress=False)


def quickstart(text: str) -> str:
    found = re.search(r"<!-- python quickstart.*?```python\n(.*?)```", text, re.DOTALL)
    assert found
    assert found.group(1).count("\n") <= 12
    return found.group(1)


def run_quickstart(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The README's lines, with a training of a second, in a folder that holds photos.csv."""
    from hoego.api import training

    plain = training.load_recipe

    def quick(recipe: Any, overrides: Any = None) -> Any:
        return plain(plain(recipe, overrides), TINY)

    monkeypatch.setattr(training, "load_recipe", quick)
    monkeypatch.chdir(folder)
    lines = quickstart((ROOT / "README.md").read_text(encoding="utf-8"))
    place: dict[str, Any] = {}
    exec(lines, place)
    return place


@pytest.mark.torch
def test_the_ten_lines_of_the_readme_run(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    place = run_quickstart(photos, monkeypatch)
    assert isinstance(place["mixed"].score, hoego.Score)
    assert place["mixed"].score.n_images == 60
    printed = capsys.readouterr().out
    assert "plain" in printed
    assert re.search(r"honesty \S+.*; macro f1 0\.\d+ \(95 % interval .*; images 60; subjects \d+", printed)
    assert place["mixed"].recipe.mixing.mixup.share == 0.5


@pytest.mark.torch
@pytest.mark.real
def test_the_ten_lines_run_on_real_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    if not XRAY.exists():
        pytest.skip("needs ../shared/data/xray")
    table = pl.read_csv(XRAY / "train.csv")
    few = table["patient"].unique(maintain_order=True)[:60]
    rows = table.filter(pl.col("patient").is_in(few.implode()))
    rows.with_columns(path=pl.lit(f"{XRAY}/") + pl.col("path")).write_csv(tmp_path / "photos.csv")
    place = run_quickstart(tmp_path, monkeypatch)
    score = place["mixed"].score
    assert isinstance(score, hoego.Score)
    assert score.n_subjects == 60
    assert score.honest


@pytest.mark.torch
def test_commands_read_a_record_made_in_python(run: Any, photos: Path) -> None:
    from hoego.runs.loading import dataset_of, rescore

    assert dataset_of(run.record).fingerprint == run.dataset.fingerprint
    again = rescore(photos / "runs", run.id, score_options(run))
    assert again.primary.value == run.score.primary.value
    bin_folder = Path(sys.executable).parent
    for command in ("score", "report", "show", "reproduce"):
        done = subprocess.run(
            [sys.executable, "-m", "hoego", command, run.id],
            cwd=photos,
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": str(bin_folder), "OMP_NUM_THREADS": "1", **cache_of()},
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert "bit for bit" in done.stdout


def score_options(run: Any) -> Any:
    from hoego.evaluate.score import ScoreOptions

    return ScoreOptions(resamples=run.recipe.score.resamples)


def cache_of() -> dict[str, str]:
    import os

    return {k: os.environ[k] for k in ("HOEGO_CACHE", "PYTHONPATH", "HOME") if k in os.environ}


@pytest.mark.torch
def test_a_run_is_an_object_that_every_function_takes(run: Any, photos: Path) -> None:
    assert run.state == "done"
    assert run.name == "tiny"
    assert run.record.meta.why == "a first look"
    assert run.predictions.n_images == 60
    assert len(run.epochs(0)) == 2
    assert hoego.score(run, resamples=200).primary.value == run.score.primary.value
    assert hoego.score(run.id, resamples=200) == hoego.score(run.predictions, run.dataset, resamples=200)
    assert hoego.diagnose(run).score == pytest.approx(run.score.primary.value)
    assert hoego.ensemble([run], decide="prior").predictions.n_images == 60
    assert hoego.report(run) == run.record.folder / "report.html"
    assert hoego.predict(run, "photos.csv").n_images == 60
    with pytest.raises(hoego.LeakError):
        hoego.score(hoego.predict(run, run.dataset), run.dataset)
    found = hoego.runs()
    assert [r.id for r in found] == [r.id for r in found.ranked()] == [run.id]
    assert found.find("last").id == run.id
    assert found.table()["id"].to_list() == [run.id]
    assert found.list(state="failed") == []


@pytest.mark.torch
def test_what_is_shown_in_a_notebook(run: Any) -> None:
    assert "honesty" in run._repr_html_()
    assert "honesty" in repr(run)
    shown = run.predictions._repr_html_() + repr(run.predictions)
    assert "macro" not in shown
    assert "60 images" in shown
    assert "<table" in hoego.runs()._repr_html_()


@pytest.mark.torch
def test_a_naive_run_is_listed_and_never_ranked(photos: Path) -> None:
    pytest.importorskip("torch")
    dataset, _ = pair(photos)
    naive = hoego.train(dataset, hoego.make_split(dataset, "naive"), TINY, progress=False)
    assert [r.id for r in hoego.runs()] == [naive.id]
    assert hoego.runs().ranked() == []


@pytest.mark.parametrize(
    ("recipe", "error", "message"),
    [
        ({"epoch": 3}, RecipeError, "did you mean 'epochs'"),
        ({"split.folds": 3}, RecipeError, "sets split"),
        ({"dataset": {"subject": ["x"]}}, RecipeError, "dataset.subject"),
        ("no-such-recipe", RecipeError, "no-such-recipe"),
    ],
)
def test_a_recipe_that_cannot_be_meant_is_refused(
    photos: Path, recipe: Any, error: type[HoegoError], message: str
) -> None:
    dataset, split = pair(photos)
    with pytest.raises(error, match=message):
        hoego.train(dataset, split, recipe)
    assert not (photos / "runs").exists()


def test_objects_that_do_not_fit_are_refused(photos: Path) -> None:
    dataset, split = pair(photos)
    part = hoego.load_dataset(
        pl.read_csv("photos.csv")[:30], root=photos, subject="patient", target="finding"
    )
    with pytest.raises(MismatchError, match="is of data set"):
        hoego.train(part, split)
    taken = dataset.take(np.arange(30))
    with pytest.raises(UsageError, match="taken out of another"):
        hoego.train(taken, hoego.make_split(taken, folds=2))
    with pytest.raises(UsageError, match="takes a Dataset and a Split"):
        hoego.train("photos.csv", split)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="two sides"):
        hoego.compare("one")
    with pytest.raises(RecordError, match="no run"):
        hoego.score("nobody")


def test_the_audit_takes_the_data_set_alone(photos: Path) -> None:
    dataset, _ = pair(photos)
    found = hoego.audit(dataset)
    assert isinstance(found, hoego.AuditReport)
    assert found.exit_code in (0, 1)


@pytest.mark.torch
def test_the_page_on_python_runs(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    from hoego.api import training

    plain = training.load_recipe
    monkeypatch.setattr(training, "load_recipe", lambda r, o=None: plain(plain(r, o), TINY))
    place: dict[str, Any] = {}
    for code in re.findall(
        r"```python\n(.*?)```", (ROOT / "docs/howto/python.md").read_text("utf-8"), re.DOTALL
    ):
        exec(code, place)
    assert place["fewer"].n_subjects == 19
    assert len(place["predicted"]) == 60
    assert place["table"].height == 2
