"""A subject is known again by any of its names; what cannot be followed is said."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from hoego.data.aliases import SubjectAliases
from hoego.data.dataset import Dataset
from hoego.data.load import load
from hoego.predictions import Provenance, SubjectUniverse
from hoego.recipe import resolve
from hoego.runs.loading import dataset_of
from hoego.runs.records import RunStore

PEOPLE = 6


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path / "cache"))


def data(
    folder: Path, seed: int, columns: dict[str, Sequence[str]], subject: Sequence[str], **settings: Any
) -> Dataset:
    """Twelve photos that no other seed has, two a person, with these columns."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    names = [f"{k:02d}.png" for k in range(2 * PEOPLE)]
    for name in names:
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(folder / name)
    table = {"path": names, **columns, "label": ["a", "b"] * PEOPLE}
    pl.DataFrame(table).write_csv(folder / "t.csv")
    return load(resolve(recipe(folder, subject, **settings)))


def recipe(folder: Path, subject: Sequence[str] = ("who",), **settings: Any) -> dict[str, Any]:
    """Of the photos and the table in a folder."""
    dataset = {"root": str(folder), "layout": "table", "table": "t.csv", "subject": list(subject)}
    named = dataset | settings.pop("dataset", {})
    return {"dataset": named, "labels": {"attributes": {"label": {}}}} | settings


def who(prefix: str = "s") -> list[str]:
    return [f"{prefix}{k // 2}" for k in range(2 * PEOPLE)]


def known(seen: Dataset, here: Dataset, subjects: Sequence[str]) -> set[str]:
    """The subjects of one data set that were seen as `subjects` of another, provenance having been to a file."""
    stored = Provenance.read(Provenance(SubjectUniverse.of(seen)).content()).universe
    bits = np.isin(stored.names, list(subjects))
    assert bits.sum() == len(subjects)
    return set(here.images["subject"].to_numpy()[stored.images_showing(bits, here)].tolist())


def test_by_a_further_column(tmp_path: Path) -> None:
    old = data(tmp_path / "old", 1, {"who": who()}, ["who"])
    columns = {"session": [f"day2-{w}" for w in who()], "who": who()}
    new = data(tmp_path / "new", 2, columns, ["session", "who"])
    assert known(old, new, ["s1", "s4"]) == {"day2-s1", "day2-s4"}
    assert known(new, old, ["day2-s1", "day2-s4"]) == {"s1", "s4"}
    turned = data(tmp_path / "turned", 3, columns, ["who", "session"])
    assert known(new, turned, ["day2-s3"]) == {"s3"}


def test_by_a_name_that_was_joined_by_hand(tmp_path: Path) -> None:
    old = data(tmp_path / "old", 1, {"who": who()}, ["who"])
    second = [w if k % 2 else f"cam2-{w}" for k, w in enumerate(who())]
    joins = [[f"s{k}", f"cam2-s{k}"] for k in range(PEOPLE)]
    new = data(tmp_path / "new", 2, {"who": second}, ["who"], split={"join": joins})
    assert known(old, new, ["s0", "s5"]) == {"cam2-s0", "cam2-s5"}
    assert known(new, old, ["cam2-s2"]) == {"s2"}


def test_by_a_column_that_has_another_name_elsewhere(tmp_path: Path) -> None:
    old = data(tmp_path / "old", 1, {"patient": who()}, ["patient"])
    new = data(tmp_path / "new", 2, {"visit": [f"v-{w}" for w in who()], "who": who()}, ["visit", "who"])
    assert known(old, new, ["s1"]) == {"v-s1"}
    assert known(new, old, ["v-s1"]) == {"s1"}


def test_values_of_two_known_columns_are_not_confused(tmp_path: Path) -> None:
    columns = {"patient": who(""), "room": [str((int(w) + 1) % PEOPLE + 100) for w in who("")]}
    one = data(tmp_path / "one", 1, columns, ["patient", "room"])
    columns["room"] = [str(int(r) - 100) for r in columns["room"]]
    other = data(tmp_path / "other", 2, columns, ["patient", "room"])
    assert known(other, one, ["2"]) == {"2"}, "the room 2 is not the patient 2"


def test_another_namespace_is_another_person(tmp_path: Path) -> None:
    old = data(tmp_path / "old", 1, {"who": who()}, ["who"])
    columns = {"session": [f"day2-{w}" for w in who()], "who": who()}
    new = data(tmp_path / "new", 2, columns, ["session", "who"], dataset={"namespace": "clinic-b"})
    assert known(old, new, ["s1"]) == set()


def test_a_union_keeps_every_name(tmp_path: Path) -> None:
    old = data(tmp_path / "old", 1, {"who": who()}, ["who"])
    columns = {"session": [f"day2-{w}" for w in who()], "who": who()}
    new = data(tmp_path / "new", 2, columns, ["session", "who"])
    tuned = SubjectUniverse.of(new).union(SubjectUniverse.of(old))
    assert set(new.images["subject"].to_numpy()[tuned.images_showing(tuned.names == "s1", new)]) == {
        "day2-s1"
    }
    plain = data(tmp_path / "plain", 3, {"id": who("t")}, ["id"])
    both = SubjectUniverse.of(plain).union(SubjectUniverse.of(new))
    bits = np.isin(both.names, ["day2-s1"])
    assert set(old.images["subject"].to_numpy()[both.images_showing(bits, old)]) == {"s1"}
    again = SubjectUniverse.of(new).union(SubjectUniverse.of(plain))
    assert set(
        old.images["subject"].to_numpy()[again.images_showing(np.isin(again.names, ["day2-s1"]), old)]
    ) == {"s1"}
    assert not again.images_showing(np.isin(again.names, ["t1"]), old).any()


def test_a_union_keeps_the_columns_apart(tmp_path: Path) -> None:
    first = data(tmp_path / "first", 1, {"id": who("t")}, ["id"])
    then = data(tmp_path / "then", 2, {"who": who()}, ["who"])
    here = data(tmp_path / "here", 3, {"id": [f"v-{w}" for w in who()], "who": who()}, ["id", "who"])
    both = SubjectUniverse.of(first).union(SubjectUniverse.of(then))
    assert set(here.images["subject"].to_numpy()[both.images_showing(both.names == "s1", here)]) == {"v-s1"}
    assert not both.images_showing(both.names == "t1", here).any()


def test_a_photo_is_joined_by_its_id_as_it_is_written(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "김.png")
    folder = tmp_path / "d"
    data(folder, 1, {"who": who()}, ["who"])
    (folder / "00.png").rename(folder / decomposed)
    table = pl.read_csv(folder / "t.csv").with_columns(path=pl.col("path").replace("00.png", decomposed))
    table.write_csv(folder / "t.csv")
    image = next(i for i in load(resolve(recipe(folder))).image_ids.tolist() if not i.isascii())
    assert load(resolve(recipe(folder, split={"join": [[image, "s3"]]}))).n_subjects == PEOPLE - 1


def test_one_name_for_each_subject_costs_nothing(tmp_path: Path) -> None:
    assert data(tmp_path / "old", 1, {"who": who()}, ["who"]).aliases.digest == SubjectAliases("who").digest


def test_a_name_in_two_encodings_is_one_person(tmp_path: Path) -> None:
    names = [f"김철수{k // 2}" for k in range(2 * PEOPLE)]
    mixed = [unicodedata.normalize("NFD" if k % 2 else "NFC", n) for k, n in enumerate(names)]
    dataset = data(tmp_path / "mixed", 1, {"who": mixed}, ["who"])
    assert dataset.subjects.tolist() == sorted(set(names))
    joined = data(
        tmp_path / "joined",
        2,
        {"who": mixed},
        ["who"],
        split={"join": [[mixed[1], unicodedata.normalize("NFD", names[2])]]},
    )
    assert joined.n_subjects == PEOPLE - 1


def test_blanks_around_a_name_are_no_part_of_it(tmp_path: Path) -> None:
    dataset = data(tmp_path / "d", 1, {"who": who()}, ["who"])
    padded = [w + " " * (k % 2) for k, w in enumerate(who())]
    table = pl.read_csv(tmp_path / "d" / "t.csv").with_columns(who=pl.Series(padded))
    table.write_parquet(tmp_path / "d" / "t.parquet")
    again = load(resolve(recipe(tmp_path / "d", dataset={"table": "t.parquet"})))
    assert again.fingerprint == dataset.fingerprint


def test_a_join_that_is_learnt_later_reaches_old_runs(tmp_path: Path) -> None:
    old = data(
        tmp_path / "photos", 1, {"who": who(), "patient": [f"p{k // 4}" for k in range(2 * PEOPLE)]}, ["who"]
    )
    record = RunStore(tmp_path / "runs").create(resolve(recipe(tmp_path / "photos")).to_dict())
    project = tmp_path / "hoego.toml"
    seen = np.isin(old.subjects, ["s0"])

    def found() -> set[str]:
        dataset = dataset_of(record)
        assert dataset is not None
        assert dataset.fingerprint == old.fingerprint, "old predictions are still of it"
        return set(
            dataset.subjects[
                dataset.subject_index[SubjectUniverse.of(old).images_showing(seen, dataset)]
            ].tolist()
        )

    project.write_text('[dataset]\nsubject = ["who"]\n')
    assert found() == {"s0"}
    project.write_text('[split]\njoin = [["s0", "s3"]]\n')
    assert found() == {"s0", "s3"}
    project.write_text('[dataset]\nsubject = ["patient", "who"]\n')
    assert found() == {"s0", "s1"}
