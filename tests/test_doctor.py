from __future__ import annotations

import json
import tomllib
from pathlib import Path

import doctor_shapes
import pytest
from doctor_folders import CLEAN, DEFECTIVE, write
from hypothesis import given, settings
from hypothesis import strategies as st

from hoego.apps.doctor import CHECKS, DEFECTS, against, diagnose_folder, to_recipe
from hoego.apps.doctor.yaml_lines import read_yaml
from hoego.errors import DataError
from hoego.recipe import resolve

CASES = [(defect, n) for defect, folders in DEFECTIVE.items() for n in range(len(folders))]


def marked(files: dict[str, str]) -> set[tuple[str, int]]:
    return {
        (name, number)
        for name, text in files.items()
        for number, line in enumerate(text.splitlines(), start=1)
        if "# HERE" in line
    }


def test_a_clean_folder_raises_no_alarm(tmp_path: Path) -> None:
    report = diagnose_folder(write(tmp_path, CLEAN))
    assert report.findings == ()
    assert report.questions == ()
    assert report.unread == ()


@pytest.mark.parametrize(("defect", "n"), CASES)
def test_each_defect_is_found_at_its_line_and_nothing_else_is(tmp_path: Path, defect: str, n: int) -> None:
    files = DEFECTIVE[defect][n]
    report = diagnose_folder(write(tmp_path, files))
    assert report.defects == (defect,)
    assert {(f.place.file, f.place.line) for f in report.findings} == marked(files)


def test_every_defect_of_the_table_has_a_check_and_a_folder() -> None:
    assert {d.id for d in DEFECTS} == set(CHECKS) == set(DEFECTIVE)


def expected(files: dict[str, str]) -> set[tuple[str, int, str]]:
    return {
        (name, number, defect)
        for name, text in files.items()
        for number, line in enumerate(text.splitlines(), start=1)
        if "# HERE" in line
        for defect in line.split("# HERE")[1].split()
    }


@pytest.mark.parametrize("shape", ["BASELINE", "LIGHTNING", "HYDRA", "FORK", "TRAINER", "LEVEL1"])
def test_whole_folders_are_read_defect_by_defect(tmp_path: Path, shape: str) -> None:
    files = getattr(doctor_shapes, shape)
    report = diagnose_folder(write(tmp_path, files))
    assert {(f.place.file, f.place.line, f.defect) for f in report.findings} == expected(files)


@pytest.mark.parametrize("shape", ["CLEAN_LIGHTNING", "CLEAN_NOTEBOOK", "CLEAN_SCRIPT"])
def test_clean_folders_of_other_shapes_raise_no_alarm(tmp_path: Path, shape: str) -> None:
    report = diagnose_folder(write(tmp_path, getattr(doctor_shapes, shape)))
    assert (report.findings, report.questions, report.unread) == ((), (), ())


def test_a_notebook_is_read_by_cell(tmp_path: Path) -> None:
    report = diagnose_folder(write(tmp_path, doctor_shapes.NOTEBOOK))
    cells = {str(number): text for number, text in enumerate(doctor_shapes.NOTEBOOK_CELLS, start=2)}
    assert {(str(f.place.cell), f.place.line, f.defect) for f in report.findings} == expected(cells)


def test_nothing_is_executed(tmp_path: Path) -> None:
    trap = "import pathlib\npathlib.Path(__file__).with_name('ran').write_text('ran')\nraise SystemExit(3)\n"
    write(tmp_path, {**CLEAN, "trap.py": trap, "setup.py": trap, "conftest.py": trap})
    diagnose_folder(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_broken_files_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    broken = {"old.py": "print 'python 2'\n", "half.ipynb": '{"cells": [', "config.json": "[1, 2"}
    write(tmp_path, {**CLEAN, **broken})
    report = diagnose_folder(tmp_path)
    assert {file for file, _ in report.unread} == set(broken)
    assert report.findings == ()


def test_an_empty_folder_and_a_missing_one_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no Python file"):
        diagnose_folder(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        diagnose_folder(tmp_path / "absent")


def test_the_report_is_plain_data_and_a_page(tmp_path: Path) -> None:
    report = diagnose_folder(write(tmp_path, doctor_shapes.BASELINE))
    data = json.loads(json.dumps(report.to_dict()))
    assert data["defects"][0] == "photo-split"
    for finding in data["findings"]:
        assert {"defect", "severity", "file", "line", "evidence", "why", "remedy"} <= set(finding)
        assert finding["evidence"] in doctor_shapes.BASELINE[finding["file"]]
    page = report.to_markdown()
    assert all(f"`{f.place}`" in page for f in report.findings)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_yaml_agrees_with_what_was_written(data: st.DataObject) -> None:
    scalar = st.one_of(
        st.integers(-1000, 1000),
        st.booleans(),
        st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True).filter(
            lambda t: t not in ("true", "false", "null", "yes", "no")
        ),
        st.lists(st.integers(0, 9), max_size=3),
    )
    key = st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True)
    tree = data.draw(
        st.dictionaries(
            key,
            st.one_of(scalar, st.dictionaries(key, scalar, min_size=1, max_size=3)),
            min_size=1,
            max_size=4,
        )
    )
    lines: list[str] = []
    flat: dict[str, object] = {}
    for name, value in tree.items():
        inner = value.items() if isinstance(value, dict) else [(None, value)]
        lines += [f"{name}:  # a section"] if isinstance(value, dict) else []
        for sub, leaf in inner:
            spelled = json.dumps(leaf) if not isinstance(leaf, str) else leaf
            lines.append(f"{name}: {spelled}" if sub is None else f"  {sub}: {spelled}")
            flat[name if sub is None else f"{name}.{sub}"] = leaf
    assert {k: v for k, v, _ in read_yaml("\n".join(lines))} == flat


def test_flags_become_a_recipe_that_hoego_accepts(tmp_path: Path) -> None:
    conversion = to_recipe(write(tmp_path, doctor_shapes.BASELINE))
    assert conversion.recipe["epochs"] == 1
    assert conversion.recipe["dataset"] == {"size": [128, 96], "root": "/opt/ml/input/data"}
    assert conversion.recipe["optim"] == {
        "name": "sgd",
        "lr": 1e-3,
        "weight_decay": 5e-4,
        "schedule": "constant",
    }
    assert conversion.recipe["split"] == {"ratio": 0.2}
    assert {one.name for one in conversion.left} >= {"model", "valid_batch_size", "log_interval", "model_dir"}
    assert resolve(conversion.recipe).batch_size == 64


def test_what_ran_goes_before_what_is_only_a_default(tmp_path: Path) -> None:
    write(tmp_path, {**CLEAN, "run.sh": "python train.py --lr 3e-4 \\\n  --batch_size 32 --resize 224 168\n"})
    assert to_recipe(tmp_path).recipe["optim"]["lr"] == 3e-4
    assert to_recipe(tmp_path).recipe["batch_size"] == 32
    assert to_recipe(tmp_path).recipe["dataset"]["size"] == [224, 168]
    write(tmp_path, {"model/exp/config.json": '{"lr": 0.01, "criterion": "focal", "model": "resnet34"}'})
    recipe = to_recipe(tmp_path).recipe
    assert recipe["optim"]["lr"] == 0.01
    assert recipe["loss"] == "focal"
    assert recipe["model"]["name"] == "resnet34"
    assert recipe["batch_size"] == 32


@pytest.mark.parametrize("shape", ["BASELINE", "NOTEBOOK", "LIGHTNING", "HYDRA"])
def test_a_conversion_written_as_toml_reads_back_the_same(tmp_path: Path, shape: str) -> None:
    conversion = to_recipe(write(tmp_path, getattr(doctor_shapes, shape)))
    assert tomllib.loads(conversion.to_toml()) == conversion.recipe
    assert json.loads(json.dumps(conversion.to_dict()))["taken"]


def test_an_inverted_probability_is_converted_to_what_it_did(tmp_path: Path) -> None:
    cells = tuple(
        cell.replace("cutmix_prob = 0.5", "cutmix_prob = 0.2") for cell in doctor_shapes.NOTEBOOK_CELLS
    )
    write(tmp_path, {"mask.ipynb": doctor_shapes.notebook(*cells)})
    assert to_recipe(tmp_path).recipe["mixing"]["cutmix"]["share"] == 0.8


def test_a_value_out_of_range_is_left_and_not_guessed(tmp_path: Path) -> None:
    write(tmp_path, {**CLEAN, "config.json": '{"epochs": 0, "val_ratio": 20, "criterion": "my_loss"}'})
    conversion = to_recipe(tmp_path)
    assert {"epochs", "val_ratio", "criterion"} <= {one.name for one in conversion.left}
    assert conversion.recipe["split"]["ratio"] == 0.2
    resolve(conversion.recipe)


def test_against_lists_where_a_folder_chooses_differently(tmp_path: Path) -> None:
    write(tmp_path, CLEAN)
    ours = {"epochs": 5, "batch_size": 128, "optim": {"lr": 1e-3}, "mixing": {"mixup": {"share": 0.5}}}
    found = against(tmp_path, ours)
    assert ("batch_size", 64, 128) in [(d.key, d.folder, d.recipe) for d in found.differs]
    assert {"epochs", "optim.lr"} <= set(found.same)
    assert ("mixing.mixup.share", 0.5) in found.unstated
    assert against(tmp_path, to_recipe(tmp_path).recipe).differs == ()


def test_the_page_lists_the_table() -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "howto" / "doctor.md").read_text(encoding="utf-8")
    for defect in DEFECTS:
        assert f"| `{defect.id}` | {defect.severity} | {defect.title} | {defect.source} |" in page
