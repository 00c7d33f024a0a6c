"""Data of other people that once crashed `init`, `audit` and `split`, or were misread without a word."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from case_inputs import CASES
from small_project import Answer, call, must

from hoego.data.dataset import Dataset
from hoego.data.load import load
from hoego.data.proposals.propose import Proposal, propose
from hoego.errors import DataError
from hoego.recipe import resolve
from hoego.split import load as load_split
from hoego.split.plan import Split


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("COLUMNS", "250")


def made(name: str, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    CASES[name](folder)
    return folder


def init(folder: Path, start: str) -> Dataset:
    """Take what `hoego init` proposes, and the audit and the split of it, none of which may end in a traceback."""
    must(folder, "init", start)
    answer = call(folder, "audit")
    assert not answer.traceback
    return load(resolve({}, project=folder / "hoego.toml"))


def split_of(folder: Path, data: Dataset) -> Split:
    must(folder, "split")
    (file,) = (folder / "splits").glob("*.parquet")
    return load_split(file, data)


def subjects_apart(data: Dataset, split: Split) -> bool:
    where = dict(zip(split.images.tolist(), split.fold.tolist(), strict=True))
    folds = np.asarray([where[i] for i in data.image_ids.tolist()])
    return all(len(set(folds[data.subject_index == s])) == 1 for s in range(data.n_subjects))


def certainty(proposal: Proposal, what: str) -> str:
    return next(i.certainty for i in proposal.inferences if i.what == what)


def findings(folder: Path) -> dict[str, dict[str, object]]:
    return {f["check"]: f for f in json.loads(call(folder, "audit", "--json").out)["findings"]}


def said(answer: Answer) -> str:
    assert not answer.traceback
    return answer.out + answer.err


def test_two_eyes_a_patient(tmp_path: Path) -> None:
    folder = made("two-eyes-a-patient", tmp_path)
    data = init(folder, "data")
    assert (data.n_images, data.n_subjects) == (80, 40)
    assert subjects_apart(data, split_of(folder, data))


def test_subject_regex_and_table(tmp_path: Path) -> None:
    folder = made("subject-regex-and-table", tmp_path)
    data = load(resolve({}, project=folder / "hoego.toml"))
    assert (data.n_images, sorted(data.subjects.tolist(), key=int)) == (24, [str(k) for k in range(12)])
    assert subjects_apart(data, split_of(folder, data))


@pytest.mark.parametrize("start", ["data", "data/Data_Entry_2017.csv"])
def test_trailing_comma(start: str, tmp_path: Path) -> None:
    folder = made("trailing-comma", tmp_path)
    told = must(folder, "init", start)
    assert "column 12 has neither a name nor a value and is left out" in told
    data = load(resolve({}, project=folder / "hoego.toml"))
    assert (data.n_images, data.n_subjects) == (90, 30)
    assert not {c for a in data.schema.attributes for c in a.classes} & {"images_001", "images_002"}


def test_gender_is_no_patient(tmp_path: Path) -> None:
    folder = made("gender-is-no-patient", tmp_path)
    data = init(folder, "with-id")
    recipe = resolve({}, project=folder / "hoego.toml")
    assert recipe.dataset.subject == ("Patient ID",)
    assert data.n_subjects == 60
    split = split_of(folder, data)
    where = dict(zip(split.images.tolist(), split.fold.tolist(), strict=True))
    sexes: dict[int, set[str]] = {}
    for image, sex in zip(data.image_ids.tolist(), data.images["Patient Gender"].to_list(), strict=True):
        sexes.setdefault(where[image], set()).add(sex)
    assert all(both == {"M", "F"} for both in sexes.values())


def test_gender_is_no_patient_where_no_column_is(tmp_path: Path) -> None:
    folder = made("gender-is-no-patient", tmp_path)
    found = propose(folder / "without-id")
    assert certainty(found, "subject") != "sure"
    data = load(found.recipe())
    assert data.n_subjects in (60, 180)
    assert "cells of 'Finding Labels' name several labels" in " ".join(i.reason for i in found.inferences)


@pytest.mark.parametrize("start", ["CheXpert-v1.0-small", "CheXpert-v1.0-small/train.csv"])
def test_path_starts_with_the_root(start: str, tmp_path: Path) -> None:
    folder = made("path-starts-with-the-root", tmp_path)
    data = init(folder, start)
    assert (data.n_images, data.n_subjects) == (120, 60)
    assert subjects_apart(data, split_of(folder, data))


def test_list_of_path_and_label(tmp_path: Path) -> None:
    data = init(made("list-of-path-and-label", tmp_path), "data/train.txt")
    assert (data.n_images, data.schema.n_target_classes) == (40, 3)


@pytest.mark.parametrize("name", ["ending-in-another-case", "paths-of-another-machine"])
def test_paths_as_another_machine_writes_them(name: str, tmp_path: Path) -> None:
    folder = made(name, tmp_path)
    data = init(folder, "data")
    assert (data.n_images, data.n_subjects) == (24, 12)
    must(folder / "by-hand", "audit")
    by_hand = load(resolve({}, project=folder / "by-hand" / "hoego.toml"))
    assert (by_hand.n_images, by_hand.n_subjects) == (24, 12)


@pytest.mark.parametrize("start", ["data", "data/chest_xray"])
def test_parts_one_folder_down(start: str, tmp_path: Path) -> None:
    folder = made("parts-one-folder-down", tmp_path)
    told = must(folder, "init", start)
    assert "32 of 64 names hold a subject" in " ".join(told.split())
    data = load(resolve({}, project=folder / "hoego.toml"))
    assert set(data.schema.target_classes) == {"NORMAL", "PNEUMONIA"}
    assert data.n_images == 64, "the test part is kept apart"


def test_person_above_class(tmp_path: Path) -> None:
    data = init(made("person-above-class", tmp_path), "data")
    assert set(data.schema.target_classes) == {"mask", "none", "wrong"}
    assert (data.n_images, data.n_subjects) == (120, 20)


def test_very_many_classes(tmp_path: Path) -> None:
    folder = made("very-many-classes", tmp_path)
    with pytest.raises(
        DataError, match=r"201 values for 280 photos\. Is it the label, or the subject"
    ) as caught:
        propose(folder / "data")
    assert {'target = "Id"', 'subject = ["Id"]'} <= {line.strip() for line in str(caught.value).splitlines()}
    table = (
        '[dataset]\nroot = "data"\nlayout = "table"\ntable = "train.csv"\npath = "Image"\nsize = [32, 32]\n'
    )
    (folder / "hoego.toml").write_text(f'{table}[labels]\ntarget = "Id"\n[labels.attributes.Id]\n')
    assert not call(folder, "audit").traceback
    must(folder, "split")


def test_table_without_header(tmp_path: Path) -> None:
    data = init(made("table-without-header", tmp_path), "data")
    assert (data.n_images, set(data.schema.target_classes)) == (40, {"cat", "dog", "hen"})


def test_heic_passed_over(tmp_path: Path) -> None:
    if importlib.util.find_spec("pillow_heif") is not None:
        pytest.skip("with the extra heic these files are read")
    folder = made("heic-passed-over", tmp_path)
    assert "60 files of a kind that is not read (.heic), all of them in dog" in must(folder, "init", "data")
    assert findings(folder)["passed-over"]["count"] == 60


def test_classes_that_differ_by_case(tmp_path: Path) -> None:
    folder = made("classes-that-differ-by-case", tmp_path)
    found = propose(folder / "data")
    assert certainty(found, "attribute label") == "unsure"
    asked = [i.question for i in found.inferences if i.question]
    assert any("Cat, cat" in q and "DOG, Dog, dog" in q for q in asked)
    data = init(folder, "data")
    assert set(data.schema.target_classes) == {"Cat", "cat", "DOG", "Dog", "dog"}, "they are not merged"
    alike = findings(folder)["classes-alike"]
    assert (alike["severity"], alike["examples"]) == ("warning", ["label: Cat, cat", "label: DOG, Dog, dog"])


def test_one_class_only(tmp_path: Path) -> None:
    folder = made("one-class-only", tmp_path)
    audit = call(folder, "audit")
    assert audit.code == 1
    assert "the target label has one class only" in said(audit)


def test_many_unreadable(tmp_path: Path) -> None:
    folder = made("many-unreadable", tmp_path)
    init(folder, "data")
    found = findings(folder)
    assert found["unreadable"]["count"] == 28
    assert not {"two-labels", "duplicates", "two-subjects", "near-duplicates"} & set(found)
    listed = (folder / "unreadable.toml").read_text(encoding="utf-8")
    bad = [f"{label}/bad{k}.jpg" for label in ("cat", "dog") for k in range(14)]
    assert all(f'"{name}"' in listed for name in bad)


def test_conflict_of_three_copies(tmp_path: Path) -> None:
    folder = made("conflict-of-three-copies", tmp_path)
    init(folder, "data")
    conflict = findings(folder)["two-labels"]
    assert conflict["examples"] == ["cat/00.jpg (cat) and dog/zz.jpg (dog)"]
    assert "1 picture stands" in str(conflict["message"])
