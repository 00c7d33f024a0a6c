"""Synthetic people: layout, determinism, counts, errors, traps, and what the photos must and must not share."""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hoego.apps.people import PeopleSettings, write_people
from hoego.apps.people.cast import GROUPS, age_class, allot, make_cast
from hoego.apps.people.person import make_person
from hoego.apps.people.render import photograph
from hoego.apps.people.shot import STEMS
from hoego.errors import UsageError

SETTINGS = PeopleSettings(n_train=12, n_eval=4, size=(48, 64), seed=7, error_share=0.5, traps=True)
GOLDEN = "aff08b57fcaf4288017e249da664cec0818d046e21f00e9d1a44f426f143c555"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def photos(root: Path) -> list[Path]:
    found = root.rglob("*")
    return sorted(
        p
        for p in found
        if p.suffix in {".jpg", ".jpeg", ".png"} and not p.name.startswith("._") and ".ipynb" not in str(p)
    )


def digest(root: Path) -> str:
    """Hash of every photo's name and decoded pixels, and of every table."""
    total = hashlib.sha256()
    for path in photos(root):
        with Image.open(path) as image:
            total.update(path.relative_to(root).as_posix().encode())
            total.update(np.asarray(image.convert("RGB")).tobytes())
    for path in sorted(root.rglob("*.csv")):
        total.update(path.read_bytes())
    return total.hexdigest()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("people") / "data"
    write_people(out, SETTINGS, processes=1, progress=False)
    return out


def test_pixels_and_tables_are_the_golden_ones(root: Path) -> None:
    assert digest(root) == GOLDEN


def test_two_processes_draw_the_same(root: Path, tmp_path: Path) -> None:
    write_people(tmp_path / "data", SETTINGS, processes=2, progress=False)
    assert digest(tmp_path / "data") == digest(root)


def test_another_seed_draws_other_people(root: Path) -> None:
    first = next(photograph(make_person("male", 30, (7, 0, 0)), (48, 64)))[2]
    other = next(photograph(make_person("male", 30, (8, 0, 0)), (48, 64)))[2]
    assert np.abs(np.asarray(first, dtype=int) - np.asarray(other, dtype=int)).mean() > 10


def test_train_layout(root: Path) -> None:
    table = rows(root / "train" / "train.csv")
    assert list(table[0]) == ["id", "gender", "race", "age", "path"]
    assert len(table) == SETTINGS.n_train
    folders = {p.name for p in (root / "train" / "images").iterdir() if not p.name.startswith(".")}
    assert folders == {row["path"] for row in table}
    for row in table:
        assert row["path"] == f"{row['id']}_{row['gender']}_{row['race']}_{row['age']}"
        assert re.fullmatch(r"\d{6}(-1)?", row["id"])
        held = photos(root / "train" / "images" / row["path"])
        assert sorted(p.stem for p in held) == sorted(STEMS)
    extensions = {p.suffix for p in photos(root / "train")}
    assert extensions == {".jpg", ".jpeg", ".png"}


def test_eval_truth_lies_outside_and_agrees_with_its_parts(root: Path) -> None:
    info, truth = rows(root / "eval" / "info.csv"), rows(root / "eval_truth.csv")
    assert list(info[0]) == ["ImageID", "ans"]
    assert list(truth[0]) == ["ImageID", "ans", "mask", "gender", "age", "person"]
    assert {row["ans"] for row in info} == {"0"}
    assert [row["ImageID"] for row in info] == [row["ImageID"] for row in truth]
    assert {p.name for p in (root / "eval" / "images").iterdir()} == {row["ImageID"] for row in info}
    assert all(re.fullmatch(r"[0-9a-f]{40}\.jpg", row["ImageID"]) for row in info)
    assert {p.name for p in (root / "eval").iterdir()} == {"images", "info.csv"}
    for row in truth:
        assert int(row["ans"]) == 6 * int(row["mask"]) + 3 * int(row["gender"]) + int(row["age"])
    assert set(Counter(row["person"] for row in truth).values()) == {7}
    persons = [row["person"] for row in truth]
    assert any(a != b for a, b in pairwise(persons[:8])), "names must not gather a person's photos"


def test_every_photo_decodes_at_the_size_asked_for(root: Path) -> None:
    found = photos(root)
    assert len(found) == 7 * (SETTINGS.n_train + SETTINGS.n_eval)
    for path in found:
        with Image.open(path) as image:
            image.load()
            assert (image.size, image.mode) == (SETTINGS.size, "RGB")


def test_planted_errors_are_listed_and_nothing_else_is_wrong(root: Path) -> None:
    listed = {
        (row["image"], row["attribute"], row["written"], row["true"])
        for row in rows(root / "planted_errors.csv")
    }
    cast = make_cast(0, SETTINGS.n_train, SETTINGS.seed, SETTINGS.error_share, traps=True)
    expected = set()
    for member in cast:
        for name, shot in member.files:
            image = f"{member.folder}/{name}"
            assert (root / "train" / "images" / image).is_file()
            if member.written_gender != member.gender:
                expected.add((image, "gender", member.written_gender, member.gender))
            if member.written_age != member.age:
                expected.add((image, "age", str(member.written_age), str(member.age)))
                assert age_class(member.written_age) != age_class(member.age)
            stem = name.split(".")[0]
            if stem != shot:
                assert {stem, shot} == {"normal", "incorrect_mask"}
                expected.add((image, "mask", stem.removesuffix("_mask"), shot.removesuffix("_mask")))
    assert listed == expected
    assert sum(bool(member.error) for member in cast) == 6


def test_a_swapped_file_holds_the_other_shot(tmp_path: Path) -> None:
    settings = PeopleSettings(n_train=10, n_eval=0, size=(48, 64), seed=1, error_share=1.0)
    write_people(tmp_path / "data", settings, processes=1, progress=False)
    member = next(member for member in make_cast(0, 10, 1, 1.0) if member.error == "mask")
    drawn = {
        stem: np.asarray(image, dtype=int)
        for stem, _, image in photograph(make_person(member.gender, member.age, member.seed), (48, 64))
    }
    path = next((tmp_path / "data" / "train" / "images" / member.folder).glob("normal.*"))
    written = np.asarray(Image.open(path).convert("RGB"), dtype=int)
    distance = {stem: np.abs(written - drawn[stem]).mean() for stem in STEMS}
    assert min(distance, key=lambda stem: distance[stem]) == "incorrect_mask"
    assert not (tmp_path / "data" / "eval").exists()


def test_traps(root: Path, tmp_path: Path) -> None:
    images = root / "train" / "images"
    ids = [row["id"] for row in rows(root / "train" / "train.csv")]
    assert sum(name.endswith("-1") for name in ids) == 1
    assert sorted(Counter(ids).values())[-2:] == [1, 2]
    assert next(name.removesuffix("-1") for name in ids if name.endswith("-1")) in ids
    assert (images / ".ipynb_checkpoints").is_dir()
    assert len(list(images.glob("*/.ipynb_checkpoints/*-checkpoint.*"))) == 1
    assert len(list(images.glob("*/._*"))) == 10
    write_people(
        tmp_path / "clean", PeopleSettings(n_train=6, n_eval=0, size=(24, 32)), processes=1, progress=False
    )
    assert not list((tmp_path / "clean").rglob(".*"))
    plain = [row["id"] for row in rows(tmp_path / "clean" / "train" / "train.csv")]
    assert plain == sorted(set(plain))


@pytest.mark.parametrize("n", [1, 6, 7, 40, 450, 2700, 9001])
def test_counts_follow_the_competition(n: int) -> None:
    counts = allot(n)
    assert sum(counts.values()) == n
    if n >= 6:
        assert min(counts.values()) >= 1
    if n == 2700:
        assert counts == GROUPS
    if n >= 40:
        assert all(abs(counts[group] - n * share / 2700) <= 1 for group, share in GROUPS.items())


def test_ages_crowd_below_the_edge() -> None:
    ages = Counter(member.age for member in make_cast(0, 2700, 3))
    assert max(ages) == 60
    assert ages[57] + ages[58] + ages[59] == 2 * ages[60] == 384
    assert min(ages) >= 18


def test_sides_share_nobody_and_errors_move_no_pixel() -> None:
    train, evaluation = make_cast(0, 50, 3), make_cast(1, 50, 3)
    assert not {member.seed for member in train} & {member.seed for member in evaluation}
    marred = make_cast(0, 50, 3, error_share=1.0, traps=True)
    assert [(m.gender, m.age, m.seed) for m in marred] == [(m.gender, m.age, m.seed) for m in train]


def test_seven_photos_share_a_person_and_differ_strongly() -> None:
    for seed in range(6):
        person = make_person(("male", "female")[seed % 2], 25 + 6 * seed, (5, 0, seed))
        drawn = [np.asarray(image, dtype=np.float64) for _, _, image in photograph(person, (48, 64))]
        for i in range(7):
            for j in range(i):
                assert np.abs(drawn[i] - drawn[j]).mean() > 8.0


def test_58_and_60_look_alike_but_20_and_60_do_not() -> None:
    """With one seed, only the years differ: the picture changes continuously with the age."""

    def normal(age: int, seed: int) -> np.ndarray:
        return np.asarray(
            list(photograph(make_person("female", age, (9, 0, seed)), (48, 64)))[-1][2], dtype=np.float64
        )

    near = np.median([np.abs(normal(58, seed) - normal(60, seed)).mean() for seed in range(5)])
    far = np.median([np.abs(normal(20, seed) - normal(60, seed)).mean() for seed in range(5)])
    assert far > 2.0 * near


@pytest.mark.parametrize("size", [(33, 91), (120, 40), (25, 24)])
def test_any_size(size: tuple[int, int]) -> None:
    image = next(photograph(make_person("male", 60, (1, 0, 1)), size))[2]
    assert image.size == size
    assert np.asarray(image).std() > 10


def test_refusals_write_nothing(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept.txt").write_text("kept")
    with pytest.raises(UsageError, match="not empty"):
        write_people(tmp_path / "full", PeopleSettings(n_train=1, n_eval=0, size=(24, 32)))
    assert [p.name for p in tmp_path.rglob("*")] == ["full", "kept.txt"]
    for bad in (
        {"n_train": 0},
        {"n_eval": -1},
        {"size": (8, 8)},
        {"error_share": 1.5},
        {"seed": -1},
        {"quality": 0},
    ):
        with pytest.raises(UsageError):
            PeopleSettings(**bad)  # type: ignore[arg-type]


def test_an_interrupted_writing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hoego.apps.people.write._save", fail)
    with pytest.raises(KeyboardInterrupt):
        write_people(
            tmp_path / "out", PeopleSettings(n_train=1, n_eval=0, size=(24, 32)), processes=1, progress=False
        )
    assert list(tmp_path.iterdir()) == []


def test_summary_counts_what_was_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = write_people(
        tmp_path / "d", PeopleSettings(n_train=6, n_eval=1, size=(24, 32), seed=2), processes=1
    )
    assert summary.train_photos == 42
    assert sum(summary.counts.values()) == 6
    assert summary.model_dump(mode="json")["size"] == [24, 32]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "49 of 49 photos drawn" in captured.err
