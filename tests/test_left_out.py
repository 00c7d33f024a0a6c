"""Photos that are left out after a run has predicted them are counted beside every later score."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from scored_people import people, predict

from hoego import files
from hoego.data.audit import audit
from hoego.data.dataset import Dataset
from hoego.data.load import load
from hoego.evaluate.ensemble import EnsembleOptions, ensemble
from hoego.evaluate.score import ScoreOptions, score
from hoego.predictions import Predictions, RowProvenance, SubjectUniverse, concat
from hoego.recipe import Recipe, build
from hoego.runs.loading import dataset_of
from hoego.runs.recorded_data import keep_first_data
from hoego.runs.records import Record, RunStore

FAST = ScoreOptions(resamples=50)
WRONG = ("s0/0.png", "s0/1.png", "s3/0.png")


def test_rows_put_together_again_leave_nothing_out_and_say_nothing() -> None:
    data = people(30)
    run = predict(data)
    halves = [run.take(run.fold < 2), run.take(run.fold >= 2)]
    assert "photos left out" in score(halves[0], data, FAST).stated
    assert "photos left out" not in score(concat(halves), data, FAST).stated
    shuffled = run.take(np.random.default_rng(0).permutation(run.n_images))
    assert "photos left out" not in score(shuffled, data, FAST).stated


def test_it_is_said_of_whichever_member_is_cut() -> None:
    data = people(30)
    a, b = predict(data, name="a"), predict(data, name="b", seed=1)
    kept = b.target_probabilities().argmax(axis=1) == data.target
    notes = [
        {n for n in ensemble(pair, data, EnsembleOptions(resamples=50)).score.notes if "left out" in n}
        for pair in ((a.take(kept), b.take(kept)), (b.take(kept), a.take(kept)))
    ]
    assert notes[0] == notes[1]
    assert any("that b predicted are left out" in n and "(100.0 %)" in n for n in notes[0])


def photos(root: Path) -> None:
    for k in range(12):
        path = root / f"s{k // 2}" / f"{k % 2}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(k).integers(0, 255, (4, 4, 3), dtype=np.uint8)).save(path)
    names = [f"s{k // 2}/{k % 2}.png" for k in range(12)]
    rows = {"path": names, "who": [n[:2] for n in names], "kind": ["x", "y"] * 6}
    pl.DataFrame(rows).write_csv(root / "t.csv")


def recipe_of(root: Path, *exclude: str) -> Recipe:
    dataset = {"root": str(root), "layout": "table", "table": "t.csv", "subject": ["who"]}
    return build({"dataset": {**dataset, "exclude": list(exclude)}, "labels": {"attributes": {"kind": {}}}})


def predicted(data: Dataset, name: str) -> Predictions:
    """What a run says that has the photos in WRONG wrong."""
    right = np.array([image not in WRONG for image in data.image_ids])
    answers = np.where(right, data.target, 1 - data.target)
    fold = (data.subject_index % 2).astype(np.int16)
    return Predictions(
        images=data.image_ids,
        values={"kind": (4.0 * np.eye(2)[answers]).astype(np.float32)},
        scale={"kind": "logits"},
        schema=data.schema,
        fold=fold,
        source=fold.astype(np.int32),
        sources=tuple(RowProvenance.from_training(f"{name}/fold-{k}", data, fold != k) for k in range(2)),
        universe=SubjectUniverse.of(data),
        dataset_fingerprint=data.fingerprint,
        split_fingerprint="s",
        split_kind="folds",
        name=name,
        lineage=(name,),
    )


def a_run(root: Path, recipe: Recipe) -> Record:
    data = load(recipe)
    prints = {"dataset": data.fingerprint, "labels": data.labels_version}
    record = RunStore(root / "runs").create(recipe.to_dict(), state="running", fingerprints=prints)
    keep_first_data(record, data)
    predicted(data, record.id).write(record.folder / "predictions.parquet")
    record.set_state("done")
    return record


def notes_of(record: Record) -> tuple[str, ...]:
    data = dataset_of(record)
    assert data is not None
    found = score(Predictions.read(record.folder / "predictions.parquet"), data, FAST)
    assert ("photos left out" in found.stated) == any("left out" in n for n in found.notes)
    return tuple(n for n in found.notes if "left out" in n)


@pytest.mark.parametrize("how", ["exclude", "table", "deleted"])
def test_the_next_run_says_what_an_earlier_one_had_predicted_of_the_photos_that_are_gone(
    tmp_path: Path, how: str
) -> None:
    photos(tmp_path)
    first = a_run(tmp_path, recipe_of(tmp_path))
    assert notes_of(first) == ()
    exclude = WRONG if how == "exclude" else ()
    if how != "exclude":
        rows = pl.read_csv(tmp_path / "t.csv")
        rows.filter(~pl.col("path").is_in(WRONG)).write_csv(tmp_path / "t.csv")
    if how == "deleted":
        for name in WRONG:
            (tmp_path / name).unlink()
    second = a_run(tmp_path, recipe_of(tmp_path, *exclude))
    said = (
        f"3 of 12 photos that {first.id} predicted are left out (1 whole subject): it had 3 of them wrong "
        "(100.0 %), 25.0 % of all",
    )
    assert notes_of(second) == said
    kept = second.left_out
    assert kept is not None
    assert kept.by_setting == {f"dataset.exclude {name!r}": 1 for name in exclude}


def test_what_is_left_out_before_any_run_is_counted_in_the_record_and_no_warning(tmp_path: Path) -> None:
    photos(tmp_path)
    record = a_run(tmp_path, recipe_of(tmp_path, "s0/*", "s3/0.png"))
    assert notes_of(record) == ()
    assert record.left_out is not None
    assert record.left_out.by_setting == {"dataset.exclude 's0/*'": 2, "dataset.exclude 's3/0.png'": 1}


def test_photos_that_have_other_names_now_are_not_left_out(tmp_path: Path) -> None:
    photos(tmp_path)
    a_run(tmp_path, recipe_of(tmp_path))
    (tmp_path / "s0").rename(tmp_path / "t0")
    text = (tmp_path / "t.csv").read_text()
    (tmp_path / "t.csv").write_text(text.replace("s0/", "t0/"))
    assert notes_of(a_run(tmp_path, recipe_of(tmp_path))) == ()


def test_runs_of_other_photos_say_nothing(tmp_path: Path) -> None:
    photos(tmp_path / "one")
    photos(tmp_path / "two")
    for k in range(12):
        path = tmp_path / "two" / f"s{k // 2}" / f"{k % 2}.png"
        Image.new("RGB", (4, 4), (k, 200, 9)).save(path.with_name(f"n{k}.png"))
        path.unlink()
    rows = {
        "path": [f"s{k // 2}/n{k}.png" for k in range(12)],
        "who": list("aabbccddeeff"),
        "kind": ["x", "y"] * 6,
    }
    pl.DataFrame(rows).write_csv(tmp_path / "two" / "t.csv")
    a_run(tmp_path, recipe_of(tmp_path / "one"))
    assert notes_of(a_run(tmp_path, recipe_of(tmp_path / "two"))) == ()


def test_an_older_record_without_subjects_is_read(tmp_path: Path) -> None:
    photos(tmp_path)
    first = a_run(tmp_path, recipe_of(tmp_path))
    path = first.folder / "labels.parquet"
    pl.read_parquet(path).drop("subject", "content").write_parquet(path)
    said = notes_of(a_run(tmp_path, recipe_of(tmp_path, *WRONG)))
    assert said == (
        f"3 of 12 photos that {first.id} predicted are left out: it had 3 of them wrong (100.0 %), 25.0 % of all",
    )


def test_a_binary_choice_of_rows_survives_writing(tmp_path: Path) -> None:
    data = people(20)
    run = predict(data).take(np.arange(data.n_images) % 3 > 0)
    run.write(tmp_path / "p.parquet")
    back = Predictions.read(tmp_path / "p.parquet")
    assert [*back.whole] == ["run"]
    assert np.array_equal(back.whole["run"].images, run.whole["run"].images)
    assert np.array_equal(back.whole["run"].predicted, run.whole["run"].predicted)
    assert replace(back, whole={}).whole == {}


def test_subjects_that_a_few_suffixes_tell_apart_are_warned_of_beside_the_score(tmp_path: Path) -> None:
    photos(tmp_path)
    table = pl.read_csv(tmp_path / "t.csv")
    names = {f"s{k}": f"p{k // 2}_{'ab'[k % 2]}" for k in range(6)}
    table.with_columns(pl.col("who").replace(names)).write_csv(tmp_path / "t.csv")
    recipe = recipe_of(tmp_path)
    record = a_run(tmp_path, recipe)
    files.write_sealed(record.folder / "audit.json", audit(load(recipe), recipe, photos=False))
    data = dataset_of(record)
    assert data is not None
    found = score(Predictions.read(record.folder / "predictions.parquet"), data, FAST)
    assert "audit warned" in found.stated
    (said,) = (note for note in found.notes if "suffix" in note)
    assert said.startswith("3 subject ids differ")
    assert "it may be on both sides" in said
