"""`hoego init`: what it proposes loads as it is, on layouts of many sorts, and says how sure it is."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hoego.data.dataset import Dataset
from hoego.data.load import load
from hoego.data.proposals.column_words import words
from hoego.data.proposals.guess_columns import cut, guess_columns
from hoego.data.proposals.propose import Proposal, propose, write_proposal
from hoego.errors import DataError, UsageError
from hoego.recipe import resolve


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path_factory.mktemp("cache")))


def photo(path: Path, size: tuple[int, int] = (8, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(list(str(path).encode()))
    Image.fromarray(rng.integers(0, 255, (*size, 3), dtype=np.uint8)).save(path)


def table(path: Path, header: str, rows: Sequence[Sequence[object]], separator: str = ",") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file, delimiter=separator).writerows([header.split(","), *rows])


def loaded(proposal: Proposal, folder: Path) -> Dataset:
    """What the written file gives, through the door that every command uses."""
    path = write_proposal(proposal, folder / "hoego.toml")
    recipe = resolve(project=path)
    for section, values in proposal.settings.items():
        for key, value in values.items():
            if not isinstance(value, dict):
                kept = getattr(getattr(recipe, section), key)
                assert (list(kept) if isinstance(kept, tuple) else kept) == value
    return load(recipe)


def sure(proposal: Proposal, what: str) -> str:
    return next(i.certainty for i in proposal.inferences if i.what == what)


def test_a_table_of_path_group_and_three_attributes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = []
    for k in range(120):
        photo(tmp_path / "photos" / f"{k:04}.png", (64, 96))
        group, damage = k // 6, ("low", "medium", "high")[rng.integers(3)]
        rows.append(
            (f"photos/{k:04}.png", group, ("oak", "birch")[group % 2], damage, round(rng.normal(20, 5), 1))
        )
    table(tmp_path / "list.csv", "path,group,species,damage,height_cm", rows)
    proposal = propose(tmp_path / "list.csv")
    data = loaded(proposal, tmp_path)
    assert (data.n_images, data.n_subjects, data.subject_shown) == (120, 20, True)
    assert [a.kind for a in data.schema.attributes] == ["nominal", "ordinal", "binned"]
    assert data.schema.attribute("damage").classes == ("low", "medium", "high")
    assert data.schema.target == "composite"
    assert np.bincount(data.codes[:, 2]).min() > 20
    assert sure(proposal, "subject") == "likely"
    assert proposal.settings["split"] == {"kind": "folds", "folds": 5}
    assert proposal.settings["dataset"]["size"] == [64, 96]  # small and all alike: their own
    assert propose(tmp_path).settings == proposal.settings


def test_class_folders_with_a_test_part(tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        for label in ("cat", "dog"):
            for k in range(3):
                photo(tmp_path / part / label / f"{part}{k}.jpg")
    proposal = propose(tmp_path)
    data = loaded(proposal, tmp_path / "elsewhere")
    assert data.n_images == 12
    assert data.schema.target_classes == ("cat", "dog")
    assert proposal.settings["dataset"]["unlabelled"] == "test"
    assert not data.subject_shown
    assert sure(proposal, "subject") == "unsure"
    assert "each photo counts" in next(i.reason for i in proposal.inferences if i.what == "subject")


def test_file_names_that_repeat_the_class_are_no_subjects(tmp_path: Path) -> None:
    for k in range(12):
        for shot in range(4):
            photo(tmp_path / f"flower{k}" / f"flower{k}_{shot:03}.jpg")
    settings = propose(tmp_path).settings
    assert "subject_regex" not in settings["dataset"]
    assert len(settings["labels"]["attributes"]["label"]["classes"]) == 12


def test_of_several_tables_the_one_with_the_labels_is_taken(tmp_path: Path) -> None:
    rows = [(f"{k:03}", "ab"[k % 2], 1 - k % 2, k % 2) for k in range(24)]
    for row in rows:
        photo(tmp_path / "train_images" / f"{row[0]}.jpg")
    for k in range(6):
        photo(tmp_path / "test_images" / f"t{k}.jpg")
    table(tmp_path / "train.csv", "image_id,kind,healthy,rust", rows)
    table(tmp_path / "test.csv", "image_id", [(f"t{k}",) for k in range(6)])
    table(tmp_path / "sample_submission.csv", "image_id,kind", [(f"t{k}", "a") for k in range(6)])
    for k in range(60):
        (tmp_path / f"{k}.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    proposal = propose(tmp_path)
    assert proposal.settings["dataset"]["table"] == "train.csv"
    assert proposal.settings["dataset"]["unlabelled"] == "test.csv"
    assert loaded(proposal, tmp_path).schema.target == "kind"


def test_class_folders_that_spell_two_attributes_and_names_that_hold_the_subject(tmp_path: Path) -> None:
    for label in ("Tomato___blight", "Tomato___healthy", "Corn___healthy"):
        for k in range(24):
            photo(tmp_path / "all" / label / f"plant{label[0]}{label[-1]}{k // 4:02}_{k}.jpg")
    data = loaded(propose(tmp_path), tmp_path)
    assert data.schema.composite == ("first", "second")
    assert len(data.schema.target_classes) == 3
    assert data.n_subjects == 18


def test_a_folder_per_subject_in_each_class_folder(tmp_path: Path) -> None:
    for label in ("a", "b"):
        for k in range(5):
            for shot in range(2):
                photo(tmp_path / label / f"{label}{k}" / f"{shot}.png")
    data = loaded(propose(tmp_path), tmp_path)
    assert (data.n_subjects, data.schema.target_classes) == (10, ("a", "b"))


def test_a_flat_folder_with_a_table_of_names_without_ending(tmp_path: Path) -> None:
    rows = [(f"{k}_left", f"p{k // 3}", k // 3 % 3) for k in range(30)]
    for name, _, _ in rows:
        photo(tmp_path / "images" / f"{name}.jpeg")
    table(tmp_path / "labels.csv", "image,patientId,level", rows, ";")
    data = loaded(propose(tmp_path), tmp_path)
    assert (data.n_subjects, data.schema.target) == (10, "level")
    assert data.schema.attribute("level").kind == "ordinal"
    assert data.images["path"][0].startswith("images/")


def test_a_target_by_name_blanks_and_columns_that_say_the_same(tmp_path: Path) -> None:
    rows = [
        (
            f"I{k:04}.png",
            f"L{k // 2:03}",
            k // 2 % 3,
            ("nv", "mel", "bkl")[k // 2 % 3],
            "" if k % 9 else 5 * (k % 17),
            k,
        )
        for k in range(60)
    ]
    for row in rows:
        photo(tmp_path / str(row[0]))
    table(tmp_path / "meta.csv", "file,lesion_id,code,dx,age,frame", rows)
    proposal = propose(tmp_path)
    data = loaded(proposal, tmp_path)
    assert data.schema.target == "dx"
    assert data.schema.attribute("age").missing == "allow"
    assert (data.codes[:, data.schema.position("age")] == -1).sum() == sum(r[4] == "" for r in rows)
    others = {i.what: i.reason for i in proposal.inferences if i.what.startswith("column ")}
    assert others.keys() == {"column code", "column frame"}
    assert "same as dx" in others["column code"]


def test_the_competition(tmp_path: Path) -> None:
    for person in ("000001_female_Asian_45", "000002_male_Asian_60"):
        for stem in ("mask1", "incorrect_mask", "normal"):
            photo(tmp_path / "train" / "images" / person / f"{stem}.jpg", (512, 384))
    photo(tmp_path / "eval" / "images" / "ab.jpg")
    table(tmp_path / "eval" / "info.csv", "ImageID,ans", [("ab.jpg", 0)])
    proposal = propose(tmp_path)
    data = loaded(proposal, tmp_path)
    assert (data.n_subjects, data.schema.composite) == (2, ("mask", "gender", "age"))
    assert "size" not in proposal.settings["dataset"]  # larger photos: each training chooses
    assert proposal.settings["dataset"]["unlabelled"] == "eval"


def test_real_signs() -> None:
    root = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "gtsrb"
    if not root.is_dir():
        pytest.skip("the real photos (../shared/data/gtsrb) are not here")
    proposal = propose(root)
    settings = proposal.settings
    assert settings["dataset"] == {
        "layout": "table", "table": "train.csv", "path": "path", "subject": ["track"], "unlabelled": "test.csv",
        "size": [32, 32],
    }  # fmt: skip
    assert settings["labels"]["target"] == "class_id"
    assert set(settings["labels"]["attributes"]) == {"class_id", "family", "shape"}
    assert settings["split"]["kind"] == "holdout"


def test_names_that_toml_and_the_command_line_do_not_take(tmp_path: Path) -> None:
    rows = [
        (f"사진/{k}.png", k // 4, ('마"스크', "코\\스크")[k % 2], ("y", "n")[k // 2 % 2]) for k in range(40)
    ]
    for row in rows:
        photo(tmp_path / str(row[0]))
    table(tmp_path / "목록.csv", "경로,person,마스크 상태,path", [(*r[:3], r[3]) for r in rows])
    proposal = propose(tmp_path)
    data = loaded(proposal, tmp_path)
    assert data.schema.names == ("마스크_상태", "path_")
    assert set(data.schema.attribute("마스크_상태").classes) == {'마"스크', "코\\스크"}


def test_what_cannot_be_proposed_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        propose(tmp_path / "none")
    with pytest.raises(DataError, match="neither a photo nor a table"):
        propose(tmp_path)
    for k in range(3):
        photo(tmp_path / f"{k}.png")
    with pytest.raises(DataError, match="nothing says what they show"):
        propose(tmp_path)
    table(tmp_path / "t.csv", "path,frame", [(f"{k}.png", k) for k in range(3)])
    with pytest.raises(DataError, match="No column looks like a label") as caught:
        propose(tmp_path)
    assert "frame (" in caught.value.remedy


def test_a_problem_in_the_data_is_said_and_the_file_is_still_proposed(tmp_path: Path) -> None:
    for k in range(19):
        photo(tmp_path / f"{k}.png")
    table(tmp_path / "t.csv", "path,person,label", [(f"{k}.png", k // 2, "ab"[k % 2]) for k in range(20)])
    proposal = propose(tmp_path)
    problem = next(i for i in proposal.inferences if i.certainty == "problem")
    assert "19.png" in problem.reason
    assert "row 21" in problem.reason
    text = proposal.text(tmp_path)
    assert "# PROBLEM: " in text
    assert tomllib.loads(text)["labels"]["target"] == "label"


def test_an_existing_file_is_replaced_only_by_force(tmp_path: Path) -> None:
    for label in ("a", "b"):
        for k in range(2):
            photo(tmp_path / label / f"{k}.png")
    (tmp_path / "hoego.toml").write_text("# mine\n")
    proposal = propose(tmp_path)
    with pytest.raises(UsageError, match="exists"):
        write_proposal(proposal, tmp_path / "hoego.toml")
    assert (tmp_path / "hoego.toml").read_text() == "# mine\n"
    write_proposal(proposal, tmp_path / "hoego.toml", force=True)
    assert "[dataset]" in (tmp_path / "hoego.toml").read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "hoego.toml"]


def test_a_composite_that_single_subjects_hold_is_not_the_target(tmp_path: Path) -> None:
    rows = []
    for k in range(60):
        photo(tmp_path / f"{k}.png")
        g = k // 5
        rows.append((f"{k}.png", f"g{g}", "abc"[g % 3], "wxyz"[g % 4], "kl"[k % 2]))
    table(tmp_path / "t.csv", "path,group,one,two,three", rows)
    proposal = propose(tmp_path)
    assert proposal.settings["labels"]["target"] == "one"
    assert sure(proposal, "target") == "unsure"
    assert loaded(proposal, tmp_path).schema.target == "one"


def test_words_and_edges() -> None:
    import polars as pl

    assert words("patientID") == ["patient", "id"]
    assert cut(np.arange(18, 61).astype(float), True) == (30, 60)
    assert cut(np.array([1.0, 1.0, 1.0]), False) == ()
    low, high = cut(np.random.default_rng(0).normal(0.002, 0.0005, 999), False)
    assert 0.0012 < low < high < 0.0028
    frame = pl.DataFrame(
        {"bird": [f"b{k // 4:02}" for k in range(80)], "song": ["x", "y"] * 40, "notes": ["-"] * 80}
    )
    guess = guess_columns(frame, [])
    assert (guess.subject.column, guess.subject.certainty) == ("bird", "unsure")
    assert [a.name for a in guess.attributes] == ["song"]
