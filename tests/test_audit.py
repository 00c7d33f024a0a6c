"""Every check of the audit finds what was planted, and is quiet where nothing is wrong."""

from __future__ import annotations

import json
import tomllib
import unicodedata
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageEnhance
from round_trips import round_trip

from hoego.data.audit import BESIDE_SCORE, CHECKS, AuditFinding, audit
from hoego.data.audit.measures import cramers_v, crossed, determines
from hoego.data.audit.similar import close_pairs, confirmed, hashes
from hoego.data.audit.table_checks import suffixed
from hoego.data.load import load
from hoego.errors import DataError, UsageError
from hoego.recipe import Recipe, resolve
from hoego.runs.project import require_clean, write_unreadable


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
    assert {f.check for f in report.findings} == {"constant-in-subject", "few-subjects"}
    assert {f.severity for f in report.findings} == {"info"}
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


def test_a_target_of_one_class_is_an_error_that_cannot_be_accepted(project: Path) -> None:
    write(project, [(p, s, "yes", pose) for p, s, _, pose in rows_of(project)])
    recipe = recipe_of(project, 'audit.accept=["one-class"]')
    report = audit(load(recipe), recipe)
    one = next(f for f in report.findings if f.check == "one-class")
    assert (one.severity, report.exit_code) == ("error", 1)
    assert "'yes'" in one.message
    with pytest.raises(DataError, match="one-class"):
        require_clean(report)


def test_classes_that_differ_by_case_or_by_the_writing_of_a_number_are_listed(project: Path) -> None:
    spelled = ("Cat", "cat", "dog", "Dog ", "DOG", "cat ")
    write(project, [(p, s, spelled[k % 6], str(k % 3)) for k, (p, s, *_) in enumerate(rows_of(project))])
    assert finding_of(project, "classes-alike").examples == ("label: Cat, cat", "label: DOG, Dog, dog")
    numbers = ("1", "1.0", "2")
    write(project, [(p, s, "ab"[k % 2], numbers[k % 3]) for k, (p, s, *_) in enumerate(rows_of(project))])
    assert finding_of(project, "classes-alike").examples == ("pose: 1, 1.0",)


def test_every_unreadable_photo_is_listed_and_counts_in_no_other_check(project: Path) -> None:
    rows = rows_of(project)
    for k in range(14):
        for stem, content in (("empty", b""), ("page", b"<html>not found</html>")):
            (project / f"{stem}[{k}].png").write_bytes(content)
            rows.append((f"{stem}[{k}].png", f"s{k % 12:02d}", "abc"[k % 3], "x"))
    write(project, rows)
    recipe = recipe_of(project)
    report = audit(load(recipe), recipe)
    bad = next(f for f in report.findings if f.check == "unreadable")
    assert (bad.count, len(bad.examples)) == (28, 28)
    assert not {f.check for f in report.findings} & {"two-labels", "duplicates", "two-subjects"}
    listed = write_unreadable(report, project)
    assert listed is not None
    exclude = tomllib.loads(listed.read_text())["exclude"]
    assert len(exclude) == 28
    clean = recipe_of(project, f"dataset.exclude={json.dumps(exclude)}")
    assert load(clean).n_images == 36
    assert audit(load(clean), clean).exit_code == 0


def test_a_conflict_shows_two_different_labels(project: Path) -> None:
    for copy in ("zz.png", "yy.png"):
        (project / copy).write_bytes((project / "00_0.png").read_bytes())
    write(project, [*rows_of(project), ("yy.png", "s00", "a", "x"), ("zz.png", "s00", "b", "x")])
    found = finding_of(project, "two-labels")
    assert found.message == "1 picture stands under more than one label"
    assert found.examples == ("00_0.png (a/x) and zz.png (b/x)",)


def test_files_that_are_not_read_are_counted_by_kind_and_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "data"
    for label in ("cat", "dog"):
        (root / label).mkdir(parents=True)
        for k in range(6):
            picture(50 * (label == "dog") + k).save(root / label / f"{k}.png")
    for k in range(9):
        (root / "dog" / f"{k}.CR2").write_bytes(b"II*")
    recipe = resolve({"dataset": {"root": str(root)}})
    report = audit(load(recipe), recipe)
    over = next(f for f in report.findings if f.check == "passed-over")
    assert (over.count, over.severity) == (9, "warning")
    assert "9 files of a kind that is not read (.cr2), all of them in dog" in over.message


@pytest.mark.parametrize(
    ("boxes", "fact"),
    [
        ({"a": "0,0,40,40", "b": "10,10,14,14", "c": "10,10,20,20"}, "size of the box goes with label"),
        ({"a": ",,,", "b": "10,10,30,30", "c": "10,10,30,30"}, "absence of a box goes with label"),
        ({"a": "0,0,20,20", "b": "20,0,40,20", "c": "10,0,30,20"}, "place of the box across goes with label"),
    ],
)
def test_boxes_that_know_the_label_are_a_shortcut(project: Path, boxes: dict[str, str], fact: str) -> None:
    lines = [f"{p},{boxes[label]}" for p, _, label, _ in rows_of(project)]
    (project / "c.csv").write_text("\n".join(["image,x0,y0,x1,y1", *lines]))
    found = finding_of(project, "crop-shortcut", f'dataset.crop.file="{project / "c.csv"}"')
    assert fact in found.message
    assert found.check in BESIDE_SCORE


def test_boxes_that_do_not_know_the_label_are_none(project: Path) -> None:
    rng = np.random.default_rng(0)
    lines = []
    for p, *_ in rows_of(project):
        x, y, side = rng.integers(0, 12, 3)
        lines.append(f"{p},{x},{y},{x + 20 + side},{y + 20 + side}")
    (project / "c.csv").write_text("\n".join(["image,x0,y0,x1,y1", *lines]))
    assert "crop-shortcut" not in found(project, f'dataset.crop.file="{project / "c.csv"}"')


def test_the_proportion_of_the_sides_is_a_shortcut(project: Path) -> None:
    for k, (p, _, label, _) in enumerate(rows_of(project)):
        picture(k).resize((40 + k, 2 * (40 + k) if label == "a" else 40 + k)).save(project / p)
    assert "proportion of the sides goes with label" in finding_of(project, "shortcut").message


def test_two_subjects_for_many_photos_are_rather_a_class(project: Path) -> None:
    write(project, [(p, "MF"[k % 2], label, pose) for k, (p, _, label, pose) in enumerate(rows_of(project))])
    found = finding_of(project, "subjects-like-classes")
    assert (found.severity, found.message) == ("warning", "2 subjects for 36 photos")


def test_several_labels_in_a_cell_are_pointed_out(project: Path) -> None:
    write(
        project,
        [(p, s, ("x", "x|y", "z")[k % 3], pose) for k, (p, s, _, pose) in enumerate(rows_of(project))],
    )
    assert finding_of(project, "several-labels").examples == ("label: x|y",)


def test_an_attribute_that_another_determines_is_named(project: Path) -> None:
    rows = [(p, s, label, {"a": "u", "b": "u", "c": "v"}[label]) for p, s, label, _ in rows_of(project)]
    write(project, rows)
    recipe = recipe_of(project)
    follows = next(f for f in audit(load(recipe), recipe).findings if f.check == "dependent")
    assert follows.examples == ("pose follows from label",)


def test_a_test_photo_that_was_trained_on_is_named(project: Path) -> None:
    (project / "test").mkdir()
    (project / "test" / "a.png").write_bytes((project / "05_0.png").read_bytes())
    picture(9999).save(project / "test" / "b.png")
    Image.open(project / "07_1.png").save(project / "test" / "c.jpg", quality=85)
    recipe = recipe_of(project, "dataset.unlabelled=test", 'dataset.exclude=["test/*"]')
    report = audit(load(recipe), recipe)
    seen = next(f for f in report.findings if f.check == "eval-in-train")
    assert seen.count == 2
    assert [e.split("/")[-1] for e in seen.examples] == ["a.png = 05_0.png", "c.jpg is nearly 07_1.png"]
    assert report.exit_code == 0, "the held-out score stays honest: a warning"


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
    assert confirmed(luma.__getitem__, np.asarray([[0, 1], [0, 2]])).tolist() == [False, True]
    assert len(hashes(luma)) == 3


def test_every_finding_has_its_remedy_in_the_table(project: Path) -> None:
    recipe = recipe_of(project)
    report = audit(load(recipe), recipe)
    assert report.checked == tuple(CHECKS)
    assert all(c.help and c.remedy and c.severity in ("error", "warning", "info") for c in CHECKS.values())
    assert report.with_(findings=()).exit_code == 0
    round_trip(report)


def finding_of(folder: Path, check: str, *overrides: str) -> AuditFinding:
    recipe = recipe_of(folder, *overrides)
    return next(f for f in audit(load(recipe), recipe).findings if f.check == check)


def test_unreadable_photos_do_not_hide_what_is_wrong_with_the_others(project: Path) -> None:
    (project / "02_0.png").write_bytes(b"")
    (project / "03_1.png").write_bytes(b"not a photo")
    (project / "copy.png").write_bytes((project / "04_0.png").read_bytes())
    Image.open(project / "11_2.png").save(project / "zz.jpg", quality=85)
    write(project, [*rows_of(project), ("copy.png", "s04", "b", "x"), ("zz.jpg", "s01", "b", "x")])
    bad = finding_of(project, "unreadable")
    assert bad.count == 2
    assert sorted(e.split(":")[0] for e in bad.examples) == ["02_0.png", "03_1.png"]
    alike = finding_of(project, "near-duplicates")
    assert alike.count == 1, "rows and pixels stay aligned past copies and unreadable photos"
    assert "s01 and s11" in alike.examples[0]


def test_a_file_format_that_goes_with_a_class_is_a_shortcut(project: Path) -> None:
    rows = []
    for path, subject, label, pose in rows_of(project):
        if label == "a":
            Image.open(project / path).save(project / path.replace(".png", ".jpg"), quality=95)
            path = path.replace(".png", ".jpg")
        rows.append((path, subject, label, pose))
    assert "shortcut" not in found(project)
    write(project, rows)
    assert "the file format goes with label" in finding_of(project, "shortcut").message


def test_odd_photos_are_counted_by_what_is_odd(project: Path) -> None:
    Image.open(project / "00_0.png").resize((9, 9)).save(project / "00_0.png")
    Image.open(project / "01_0.png").resize((300, 48)).save(project / "01_0.png")
    Image.open(project / "02_0.png").convert("CMYK").save(project / "02_0.jpg", quality=95)
    rows = [(p.replace("02_0.png", "02_0.jpg"), *rest) for p, *rest in rows_of(project)]
    write(project, rows)
    odd = finding_of(project, "odd-photos")
    assert odd.count == 3
    for said in ("1 smaller than 16 pixels", "1 much longer", "1 of colour mode CMYK"):
        assert said in odd.message


def test_a_subject_that_disagrees_with_itself_is_named(project: Path) -> None:
    rows = []
    for s in range(30):
        for k in range(3):
            name = f"{s:02d}_{k}.png"
            picture(100 * s + k).save(project / name)
            rows.append((name, f"s{s:02d}", "ab"[s % 2], "xy"[k % 2]))
    rows[3] = (rows[3][0], "s01", "a", "x")
    write(project, rows)
    wrong = finding_of(project, "subject-disagrees")
    assert (wrong.count, wrong.examples) == (1, ("label: s01",))
    assert "label (but for 1 subject)" in finding_of(project, "constant-in-subject").message
    assert "few-subjects" not in found(project)


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (["001498", "001498-1", "002000"], [("001498", "001498-1")]),
        (["p1", "P1", "q"], [("P1", "p1")]),
        (["7", "007", "8"], [("007", "7")]),
        (["anna", "anna (2)", "ben", "ben copy"], [("anna", "anna (2)"), ("ben", "ben copy")]),
        ([*(f"x{i}" for i in range(20)), "y-1", "y-2"], [("y-1", "y-2")]),
        ([f"c{c:02d}_t{t:05d}" for c in range(3) for t in range(20)], []),
        ([f"site{c}-{t:02d}" for c in range(3) for t in range(20)], []),
        ([f"{i:06d}" for i in range(50)], []),
        (["a", "ab", "b", "copycat"], []),
        (
            ["김철수", unicodedata.normalize("NFD", "김철수"), "박"],
            [(unicodedata.normalize("NFD", "김철수"), "김철수")],
        ),
        (["Ｓ００３", "s3", "s4"], [("s3", "Ｓ００３")]),
        (["Weiß", "WEISS", "b"], [("WEISS", "Weiß")]),
        (["anna", "an\u200bna", "b"], [("anna", "an\u200bna")]),
    ],
)
def test_ids_that_may_be_one_subject(names: list[str], pairs: list[tuple[str, str]]) -> None:
    assert suffixed(names) == pairs


def test_more_folds_than_subjects_is_an_error_before_training(project: Path) -> None:
    assert finding_of(project, "too-few-subjects", "split.kind=folds", "split.folds=13").severity == "error"
    assert "too-few-subjects" not in found(project, "split.kind=folds", "split.folds=12")


def test_a_subject_with_most_photos_is_said(project: Path) -> None:
    rows = [(p, "s00" if int(p[:2]) < 4 else s, label, pose) for p, s, label, pose in rows_of(project)]
    write(project, rows)
    assert finding_of(project, "dominant-subject").examples == ("s00",)


def test_indexed_search_equals_the_search_of_all_pairs() -> None:
    """Past 4,096 hashes the bands are used; crowded bands and equal hashes are where such an index goes wrong."""
    rng = np.random.default_rng(3)
    seeds = rng.integers(0, 2**63, 300, dtype=np.uint64)
    codes = seeds[rng.integers(0, 300, 5000)]
    for _ in range(6):
        codes ^= np.where(
            rng.random(5000) < 0.6, np.uint64(1) << rng.integers(0, 64, 5000, dtype=np.uint64), np.uint64(0)
        )
    codes[:2500] &= np.uint64(0xFFFFFFFF0000FFFF)
    owner = rng.integers(0, 800, 5000)
    for distance in (0, 3, 6):
        plain = set()
        for a in range(5000):
            near = np.flatnonzero(np.bitwise_count(codes[a + 1 :] ^ codes[a]) <= distance) + a + 1
            plain |= {(a, b) for b in near[owner[near] != owner[a]].tolist()}
        assert {tuple(p) for p in close_pairs(codes, owner, distance).tolist()} == plain
        assert plain


def test_association_against_scipy() -> None:
    from scipy.stats.contingency import association

    rng = np.random.default_rng(0)
    a = rng.integers(0, 4, 50_000).astype(np.int32)
    b = np.where(rng.random(50_000) < 0.5, a % 3, rng.integers(0, 3, 50_000)).astype(np.int32)
    assert cramers_v(a, b) == pytest.approx(association(crossed(a, b), method="cramer"), abs=1e-3)
    assert cramers_v(a, rng.integers(0, 3, 50_000).astype(np.int32)) < 0.02
    assert determines(a, (a // 2).astype(np.int32))
    assert not determines((a // 2).astype(np.int32), a)
    assert not determines(np.arange(50, dtype=np.int32), (np.arange(50) % 2).astype(np.int32)), (
        "every value once"
    )
