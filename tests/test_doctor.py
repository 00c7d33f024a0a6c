from __future__ import annotations

import json
import tomllib
from pathlib import Path

import doctor_shapes
import pytest
from doctor_folders import CLEAN, DEFECTIVE, ONE_MODEL, write
from hypothesis import given, settings
from hypothesis import strategies as st
from round_trips import round_trip

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
    assert {u.file for u in report.unread} == set(broken)
    assert report.findings == ()


def test_an_empty_folder_and_a_missing_one_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no Python file"):
        diagnose_folder(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        diagnose_folder(tmp_path / "absent")


def test_the_report_is_plain_data_and_a_page(tmp_path: Path) -> None:
    report = diagnose_folder(write(tmp_path, doctor_shapes.BASELINE))
    data = json.loads(json.dumps(report.model_dump(mode="json")))
    round_trip(report)
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
    assert json.loads(json.dumps(conversion.model_dump(mode="json")))["taken"]


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


ANEW = (
    "        network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 18))\n",
    "        network.load_state_dict(start)\n",
    "        network = copy.deepcopy(network)\n",
    "        network.apply(forget)\n",
)


@pytest.mark.parametrize("anew", ANEW)
def test_a_model_that_is_made_anew_in_every_fold_is_no_defect(tmp_path: Path, anew: str) -> None:
    line = "        train_loader = DataLoader("
    report = diagnose_folder(write(tmp_path, {"train.py": ONE_MODEL.replace(line, anew + line)}))
    assert report.findings == ()


SWAPPED = """
import albumentations as A


def transform(settings):
    width, height = {source}
    return A.Compose([A.Resize(width, height), A.Normalize()])
"""


def test_names_of_sides_that_are_swapped_everywhere_are_no_order(tmp_path: Path) -> None:
    text = SWAPPED.format(source='map(int, settings["size"].split(","))')
    assert (
        "size-order"
        not in diagnose_folder(write(tmp_path / "a", {"train.py": text, "infer.py": text})).defects
    )
    photo = SWAPPED.format(source="settings.photo.size")
    assert "size-order" in diagnose_folder(write(tmp_path / "b", {"train.py": photo})).defects


PEOPLE = """
import os

import pandas as pd
from sklearn.model_selection import train_test_split
from torch.utils.data import Dataset, Subset, random_split


class Photos(Dataset):
    def __init__(self, root, rate):
        self.root, self.rate, self.image_paths = root, rate, []
        self.setup()

    def split_dataset(self):
        held = int(len(self) * self.rate)
        return random_split(self, [len(self) - held, held])


class PhotosByPerson(Photos):
    def __init__(self, root, table, rate=0.2):
        self.csv_path, self.indices = table, {}
        super().__init__(root, rate)

    def split_profile(self):
        df = pd.read_csv(self.csv_path)
        train, valid = train_test_split(df, test_size=self.rate, random_state=7, stratify=df["gender"])
        return {"train": set(train.index), "valid": set(valid.index)}

    def setup(self):
        profiles = sorted(os.listdir(self.root))
        for side, persons in self.split_profile().items():
            for person in persons:
                for name in sorted(os.listdir(os.path.join(self.root, profiles[person]))):
                    self.indices.setdefault(side, []).append(len(self.image_paths))
                    self.image_paths.append(os.path.join(self.root, profiles[person], name))

    def split_dataset(self):
        return [Subset(self, rows) for rows in self.indices.values()]


def sides(root, table):
    return PhotosByPerson(root, table).split_dataset()
"""


def test_a_table_of_people_is_split_by_person(tmp_path: Path) -> None:
    report = diagnose_folder(write(tmp_path, {"data.py": PEOPLE}))
    assert "photo-split" not in report.defects
    assert report.questions == ()


LISTS = """
from glob import glob

import pandas as pd

rows = []
for folder in sorted(glob("data/train/images/*")):
    for photo in glob(folder + "/*"):
        rows.append([photo, folder.split("_")[1]])
pd.DataFrame(rows).to_csv("masks.csv")
"""


def test_a_script_that_trains_and_divides_nothing_may_list_as_it_likes(tmp_path: Path) -> None:
    assert diagnose_folder(write(tmp_path / "a", {"masks.py": LISTS})).findings == ()
    divided = (
        LISTS + "\nfrom sklearn.model_selection import train_test_split\n\nparts = train_test_split(rows)\n"
    )
    assert "listing-order" in diagnose_folder(write(tmp_path / "b", {"masks.py": divided})).defects


def test_batches_of_one_have_no_last_one_to_drop(tmp_path: Path) -> None:
    text = (
        "from torch.utils.data import DataLoader\n\n\ndef loader(valid_set):\n"
        "    return DataLoader(valid_set, batch_size={}, drop_last=True)\n"
    )
    assert diagnose_folder(write(tmp_path / "a", {"t.py": text.format(1)})).findings == ()
    assert diagnose_folder(write(tmp_path / "b", {"t.py": text.format(8)})).defects == (
        "validation-drop-last",
    )


def test_settings_of_yaml_keep_their_lines_and_run_nothing(tmp_path: Path) -> None:
    text = (
        "base: &base\n  lr: 1e-3\n  sizes:\n    - 224\n    - 168\nfine:\n  <<: *base\n  epochs: 3\n"
        "steps:\n  - name: flip\n    p: 0.5\n  - name: blur\nnote: |\n  lr: 9\nodd: !!python/name:os.system\n"
    )
    assert list(read_yaml(text)) == [
        ("base.lr", 0.001, 2),
        ("base.sizes", [224, 168], 4),
        ("fine.lr", 0.001, 2),
        ("fine.sizes", [224, 168], 4),
        ("fine.epochs", 3, 8),
        ("steps.0.name", "flip", 10),
        ("steps.0.p", 0.5, 11),
        ("steps.1.name", "blur", 12),
    ]
    bomb = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
        f"{chr(98 + k)}: &{chr(98 + k)} {{{', '.join(f'x{i}: *{chr(97 + k)}' for i in range(9))}}}\n"
        for k in range(8)
    )
    write(
        tmp_path,
        {"train.py": "x = 1\n", "bomb.yaml": bomb, "bad.yaml": "a: [1\nb: }", "loop.yaml": "&a [*a]"},
    )
    report = diagnose_folder(tmp_path)
    assert {u.file for u in report.unread} == {"bad.yaml", "bomb.yaml", "loop.yaml"}
