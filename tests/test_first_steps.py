"""What somebody meets who tries the commands: slips are named, nothing is dropped in silence, no page is bare."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from test_cli import here, ids, project, run  # noqa: F401

from hoego import files
from hoego.apps.diary.words import Phrases
from hoego.data.audit import AuditFinding, AuditReport, advice_on
from hoego.data.audit.findings import finding
from hoego.errors import DataError, HoegoError, RecordError, SplitError, UsageError
from hoego.evaluate.diagnose import read_curves
from hoego.runs.records import Record, RunStore, differences_of


def failed(*arguments: str) -> HoegoError:
    done = run(*arguments)
    assert isinstance(done.exception, HoegoError), (arguments, done.output, repr(done.exception))
    return done.exception


def shown(*arguments: str) -> str:
    done = run(*arguments)
    assert done.exit_code == 0, (arguments, done.output, repr(done.exception))
    return str(done.stdout)


def test_brackets_of_a_hypothesis_are_shown(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    made = store.create({"epochs": 1}, name="a [bold]b", why="see [/x]", state="interrupted")
    where = ("--runs", str(store.root))
    assert "see [/x]" in shown("show", made.id, *where)
    assert "see [/x]" in shown("runs", "--columns", "id,why", *where)


def test_a_metric_of_the_table_is_shown_and_one_that_is_none_is_named() -> None:
    one = ids()[0]
    assert "balanced_accuracy 0." in shown("score", one, "--metric", "balanced_accuracy")
    only = shown("score", one, "--metric", "accuracy")
    assert "accuracy 0." in only
    assert "macro F1" not in only
    assert "accuracy 0." in shown("score", one)
    assert "macro_f1" in failed("score", one, "--metric", "macrof1").remedy
    for wrong in (":f", "numpy:", ".:f", "numpy:pi", "nowhere_at_all:f"):
        assert isinstance(failed("score", one, "--metric", wrong), UsageError)


@pytest.mark.parametrize(
    "also",
    [
        ("-s", "epochs=5"),
        ("some.toml",),
        ("--fold", "0"),
        ("--profile", "quick"),
        ("--why", "x"),
        ("--tag", "x"),
    ],
)
def test_nothing_can_be_changed_on_the_way(also: tuple[str, ...]) -> None:
    for way in ((), ("--background",)):
        found = failed("train", "--resume", ids()[0], *also, *way)
        assert isinstance(found, UsageError)
        assert "recorded" in found.message


def test_an_ensemble_has_no_training_to_repeat_or_to_go_on_with(tmp_path: Path) -> None:
    shown("ensemble", *ids()[:2])
    made = next(r.id for r in RunStore(Path("runs")).list() if r.kind == "ensemble")
    for command in (
        ("reproduce", made),
        ("train", "--resume", made),
        ("train", "--background", "--resume", made),
    ):
        found = failed(*command)
        assert "ensemble" in found.message
        assert ids()[0] in found.remedy


def test_the_folds_of_two_runs_are_compared(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    one, other = (store.create({"epochs": 1, "fold": 0}, fold=f) for f in (0, "all"))
    assert [(c.key, c.a, c.b) for c in differences_of(one, other).recipe] == [("fold", 0, "all")]


def test_acceptance_is_offered_where_it_helps() -> None:
    def advice(*checks: str) -> str:
        found: tuple[AuditFinding, ...] = tuple(finding(c, 1, "one") for c in checks)
        return advice_on(AuditReport(images=1, subjects=1, findings=found, checked=checks))

    assert "accept" not in advice("unreadable")
    assert "dataset.exclude" in advice("unreadable")
    assert advice("unreadable", "two-labels").endswith('accept = ["two-labels"]')


def test_a_folder_without_photos_leads_to_init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "hoego init" in failed("audit").remedy


def test_the_help_says_where_hoego_toml_is_written() -> None:
    assert "working directory if not given" in " ".join(shown("init", "--help").split())


def test_a_file_is_no_run(tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    assert f"'{file}'" in failed("submit", str(file)).message
    file.write_text("path\n")
    found = failed("submit", str(file))
    assert isinstance(found, RecordError)
    assert "is a file" in found.message
    assert ".parquet" in found.remedy


def test_the_overlay_that_was_written_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ov.csv"
    said = shown("diagnose", ids()[0], "--overlay", str(file))
    assert f"written: {file}" in said
    assert "--overlay FILE" not in said


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ([1.0, 0.9, 1.2, 0.85], "after a rise, the last epoch lowered the held-out loss by 0.350"),
        ([1.0, 0.9, 0.8, 0.7], "the last epoch brought 0.100 of the 0.300"),
        ([1.0 - k / 20 for k in range(10)], "the last 2 epochs brought 0.100 of the 0.450"),
    ],
)
def test_the_last_epochs_in_words(held: list[float], said: str) -> None:
    rows = [{"epoch": k, "held_loss": v, "train_loss": 1 - k / 100} for k, v in enumerate(held)]
    assert said in read_curves(rows).words


def test_an_unnamed_run_is_called_by_its_id_once(tmp_path: Path) -> None:
    from hoego.runs.evaluate_runs import side_titles

    store = RunStore(tmp_path)
    plain, named = store.create({}), store.create({}, name="wide")
    assert side_titles([[plain], [named]]) == (plain.id, f"wide ({named.id})")
    assert side_titles([[plain, named]]) == (f"{plain.id} (2 seeds)",)


@pytest.mark.torch
def test_a_fold_that_is_not_there_names_those_that_are() -> None:
    found = failed("train", "--fold", "7")
    assert isinstance(found, SplitError)
    assert "folds 0 to 2" in found.message
    assert 'kind = "folds"' not in found.remedy


def test_one_gap_is_of_one_kind() -> None:
    said = {lang: (say := Phrases(lang))("gap_count", n=say.n(1, "kind")) for lang in ("en", "ko")}
    assert said == {
        "en": "The records have gaps of 1 kind (below).",
        "ko": "기록의 빈틈이 1가지 있다 (아래).",
    }


@pytest.mark.parametrize("name", ["p.txt", "p"])
def test_predictions_are_not_written_under_another_suffix(name: str, tmp_path: Path) -> None:
    found = failed("predict", ids()[0], "--on", str(tmp_path), "--out", str(tmp_path / name))
    assert isinstance(found, UsageError)
    assert ".parquet" in found.remedy


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("settings zzz", "no setting's name contains 'zzz'"),
        ("idea list", "no ideas yet"),
        pytest.param("queue work", "no run waits", marks=pytest.mark.torch),
    ],
)
def test_what_is_empty_is_said(
    command: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = shown(*command.split())
    assert said in text
    assert len(text.splitlines()) == 1


def test_labels_that_cannot_be_read_are_named_together(project: Path, tmp_path: Path) -> None:  # noqa: F811
    from hoego.data.load import load
    from hoego.recipe import resolve

    table = pl.read_csv(project / "photos.csv")

    def refused(column: str, values: dict[int, Any]) -> str:
        texts = [values.get(i, v) for i, v in enumerate(table[column].cast(pl.String).to_list())]
        table.with_columns(pl.Series(column, texts)).write_csv(project / "bad.csv")
        recipe = resolve({"dataset": {"table": "bad.csv"}}, project=project / "hoego.toml")
        with pytest.raises(DataError) as found:
            load(recipe)
        return found.value.message

    names = table["path"].to_list()
    assert refused("mask", {4: ""}) == f"The label is blank. (image {names[4]!r})"
    blank = refused("mask", dict.fromkeys(range(7), ""))
    assert "(7 images: " in blank
    assert blank.endswith(", …)")
    assert blank.count(".png") == 5
    two = refused("age", {0: "old", 1: "x"})
    assert "are not numbers. (2 images" in two
    assert "'old'" in two
    assert "'x'" in two


def test_the_page_of_a_single_attribute_has_no_empty_section(tmp_path: Path) -> None:
    from hoego.report.run_report import render

    shown("diagnose", ids()[0])
    folder = Path(shutil.copytree(RunStore(Path("runs")).find(ids()[0]).folder, tmp_path / ids()[0]))
    assert "What holds the score back" in render(Record(folder))
    found = files.read_sealed(folder / "diagnosis.json")
    alone = {"oracle": {}, "bottleneck": None, "product_law": None, "boundaries": []}
    files.write_sealed(folder / "diagnosis.json", {**found, **alone})
    assert "What holds the score back" not in render(Record(folder))


def test_runs_that_do_not_fit_are_not_missing(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    where = ("--runs", str(store.root))
    assert "no runs here yet" in shown("runs", *where)
    record = store.create({})
    assert "no run matches; there are 1 here" in shown("runs", "--match", "zzz", *where)
    assert "done" in str(failed("runs", "--state", "don", *where).remedy)
    shown("tag", record.id, "good", *where)
    shown("tag", record.id, "--remove", "good", *where)
    assert list(store.find(record.id).meta.tags) == []
    assert "No tag is named" in failed("tag", record.id, *where).message
