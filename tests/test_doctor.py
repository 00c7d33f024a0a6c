from __future__ import annotations

import json
from pathlib import Path

import doctor_shapes
import pytest
from doctor_folders import CLEAN, DEFECTIVE, write
from hypothesis import given, settings
from hypothesis import strategies as st

from hoego.doctor import CHECKS, DEFECTS, diagnose_folder
from hoego.doctor.plainyaml import read_yaml
from hoego.errors import DataError

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


@pytest.mark.parametrize("shape", ["BASELINE", "LIGHTNING", "HYDRA"])
def test_whole_folders_are_read_defect_by_defect(tmp_path: Path, shape: str) -> None:
    files = getattr(doctor_shapes, shape)
    report = diagnose_folder(write(tmp_path, files))
    assert {(f.place.file, f.place.line, f.defect) for f in report.findings} == expected(files)


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
