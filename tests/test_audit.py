"""Every check of the audit finds what was planted, and is quiet where nothing is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageEnhance

from hoego.audit import CHECKS, audit
from hoego.audit.similar import close_pairs, confirmed, hashes
from hoego.dataset.load import load
from hoego.errors import UsageError
from hoego.recipe import Recipe, resolve


def picture(seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    rough = Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8))
    return rough.resize((48, 48), Image.Resampling.BICUBIC)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve subjects with three photos each, three classes."""
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path / "cache"))
    rows = []
    for s in range(12):
        for k in range(3):
            name = f"{s:02d}_{k}.png"
            picture(100 * s + k).save(tmp_path / name)
            rows.append((name, f"s{s:02d}", "abc"[s % 3], "xy"[k % 2]))
    write(tmp_path, rows)
    return tmp_path


def write(folder: Path, rows: list[tuple[str, ...]]) -> None:
    pl.DataFrame(rows, schema=["path", "subject", "label", "pose"], orient="row").write_csv(folder / "t.csv")


def rows_of(folder: Path) -> list[tuple[str, ...]]:
    return pl.read_csv(folder / "t.csv").rows()


def recipe_of(folder: Path, *overrides: str) -> Recipe:
    data = {
        "dataset": {"root": str(folder), "layout": "table", "table": "t.csv", "subject": ["subject"]},
        "labels": {"target": "label", "attributes": {"label": {}, "pose": {}}},
    }
    return resolve(data, overrides=overrides)


def found(folder: Path, *overrides: str) -> dict[str, int]:
    recipe = recipe_of(folder, *overrides)
    return {f.check: f.count for f in audit(load(recipe), recipe).findings}


def test_clean_data_have_no_error_and_no_warning(project: Path) -> None:
    recipe = recipe_of(project)
    report = audit(load(recipe), recipe)
    assert {f.check for f in report.findings} == {"constant-in-subject"}
    assert report.exit_code == 0


def test_a_truncated_photo_is_an_error_that_can_be_accepted_by_name(project: Path) -> None:
    whole = (project / "03_1.png").read_bytes()
    (project / "03_1.png").write_bytes(whole[: len(whole) // 2])
    recipe = recipe_of(project)
    report = audit(load(recipe), recipe)
    bad = next(f for f in report.findings if f.check == "unreadable")
    assert (bad.severity, bad.count, report.exit_code) == ("error", 1, 1)
    assert "03_1.png" in " ".join((bad.message, *bad.examples))
    accepted = recipe_of(project, 'audit.accept=["unreadable"]')
    assert audit(load(accepted), accepted).exit_code == 0
    wrong = recipe_of(project, 'audit.accept=["unreadible"]')
    with pytest.raises(UsageError, match="unreadable"):
        audit(load(wrong), wrong)


def test_a_copied_photo_is_found_under_two_subjects_and_two_labels(project: Path) -> None:
    (project / "copy.png").write_bytes((project / "00_0.png").read_bytes())
    write(project, [*rows_of(project), ("copy.png", "s01", "b", "x")])
    counts = found(project)
    assert (counts["duplicates"], counts["two-labels"], counts["two-subjects"]) == (1, 1, 1)


def test_a_re_encoded_photo_of_another_subject_looks_alike(project: Path) -> None:
    changed = ImageEnhance.Brightness(Image.open(project / "00_0.png")).enhance(1.1)
    changed.save(project / "other.jpg", quality=80)
    write(project, [*rows_of(project), ("other.jpg", "s01", "b", "x")])
    assert found(project)["near-duplicates"] == 1


def test_suffixes_rare_classes_single_photos_and_blank_photos(project: Path) -> None:
    Image.new("RGB", (48, 48), (9, 9, 9)).save(project / "blank.png")
    write(project, [*rows_of(project), ("blank.png", "s00-1", "d", "x")])
    counts = found(project, "split.kind=folds")
    assert counts["suffixed-subjects"] == 1
    assert counts["too-rare"] >= 1
    assert counts["single-photo"] == 1
    assert counts["constant-photos"] == 1
    assert counts["imbalance"] >= 1


def test_an_attribute_that_another_determines_is_named(project: Path) -> None:
    rows = [(p, s, label, {"a": "u", "b": "u", "c": "v"}[label]) for p, s, label, _ in rows_of(project)]
    write(project, rows)
    recipe = recipe_of(project)
    follows = next(f for f in audit(load(recipe), recipe).findings if f.check == "dependent")
    assert follows.examples == ("pose follows from label",)


def test_a_test_photo_that_was_trained_on_is_an_error(project: Path) -> None:
    (project / "test").mkdir()
    (project / "test" / "a.png").write_bytes((project / "05_0.png").read_bytes())
    picture(9999).save(project / "test" / "b.png")
    recipe = recipe_of(project, "dataset.unlabelled=test", 'dataset.exclude=["test/*"]')
    report = audit(load(recipe), recipe)
    assert next(f for f in report.findings if f.check == "eval-in-train").count == 1
    assert report.exit_code == 1


def test_without_a_subject_column_it_says_that_independence_is_not_shown(project: Path) -> None:
    recipe = recipe_of(project, "dataset.subject=[]")
    assert "no-subject" in {f.check for f in audit(load(recipe), recipe).findings}


def test_banded_search_finds_every_pair_of_the_plain_search() -> None:
    rng = np.random.default_rng(0)
    base = rng.integers(0, 2**63, 150, dtype=np.uint64)
    flips = np.zeros(150, dtype=np.uint64)
    for i in range(1, 150):
        for bit in rng.choice(64, rng.integers(0, 9), replace=False).tolist():
            flips[i] |= np.uint64(1 << bit)
    codes = np.concatenate([base, base ^ flips])
    owner = np.arange(300, dtype=np.int32)
    near = np.bitwise_count(codes[:, None] ^ codes[None]) <= 6
    plain = {(a, b) for a, b in np.argwhere(near).tolist() if a < b}
    assert {tuple(p) for p in close_pairs(codes, owner, 6).tolist()} == plain
    assert len(plain) > 50


def test_confirmation_needs_the_fine_detail_too() -> None:
    rng = np.random.default_rng(0)
    smooth = np.add.outer(np.linspace(0, 200, 32), np.linspace(0, 50, 32)).astype(np.float32)
    luma = np.stack(
        [smooth + rng.normal(0, 3, (32, 32)), smooth + rng.normal(0, 3, (32, 32)), smooth]
    ).astype(np.float32)
    luma[2] = luma[0] * 1.1 + 5
    assert confirmed(luma, np.asarray([[0, 1], [0, 2]])).tolist() == [False, True]
    assert len(hashes(luma)) == 3


def test_every_finding_has_its_remedy_in_the_table(project: Path) -> None:
    recipe = recipe_of(project)
    report = audit(load(recipe), recipe)
    assert report.checked == tuple(CHECKS)
    assert all(c.help and c.remedy and c.severity in ("error", "warning", "info") for c in CHECKS.values())
    assert replace(report, findings=()).exit_code == 0
