"""Predictions from outside: read by name, refused where they cannot be held out, and never taken for honest ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scored_people import logits, people

from hoego.data.dataset import Dataset
from hoego.errors import DataError, LeakError, MismatchError, RecordError
from hoego.evaluate.compare import compare
from hoego.evaluate.ensemble import EnsembleOptions, ensemble
from hoego.evaluate.score import ScoreOptions, score
from hoego.predictions import (
    Predictions,
    SubjectUniverse,
    concat,
    fitted_source,
    honesty,
    softmax,
    student_source,
)
from hoego.predictions.provenance import RowProvenance
from hoego.results.honesty import HonestyLevel
from hoego.results.provenance import PackedSource
from hoego.split import Split
from hoego.split.make_split import make_split

FAST = ScoreOptions(resamples=100)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return people(40)


@pytest.fixture(scope="module")
def split(dataset: Dataset) -> Split:
    return make_split(dataset, folds=5)


def said(dataset: Dataset, attribute: str = "mask") -> np.ndarray:
    """Logits [N, C] of every photo, mostly right."""
    truth = dataset.classes_of(attribute)
    return logits(truth, dataset.schema.n_classes(attribute), 0.1, dataset.subject_index, seed=3)


def outside(dataset: Dataset, split: Split, name: str = "theirs") -> Predictions:
    p = softmax(said(dataset))
    return Predictions.from_probabilities(p, dataset.image_ids, dataset, split, "mask").named(name)


def ours(dataset: Dataset, split: Split, name: str = "ours") -> Predictions:
    """What Hoego itself would have made on the same split."""
    made = outside(dataset, split, name)
    sources = tuple(
        RowProvenance.from_training(f"{name} fold {k}", dataset, split.train_mask(k))
        for k in split.fold_numbers
    )
    return replace(made, sources=sources, scale={"mask": "probabilities"})


# What comes in


def test_probabilities_logits_and_frames_in_any_order_give_the_same_score(
    dataset: Dataset, split: Split
) -> None:
    z, order = said(dataset), np.random.default_rng(0).permutation(dataset.n_images)
    by_row = Predictions.from_logits(z[order], dataset.image_ids[order], dataset, split, "mask")
    p = softmax(z)[order]
    frame = pl.DataFrame(
        {"normal": p[:, 2], "path": [f"x/{i}.png" for i in dataset.image_ids[order]], "wear": p[:, 0]}
    )
    frame = frame.with_columns(incorrect=pl.Series(p[:, 1]), label=pl.lit("wear"))
    by_name = Predictions.from_frame(frame, dataset, split, "mask")
    scores = [score(x, dataset, FAST) for x in (outside(dataset, split), by_row, by_name)]
    assert len({s.primary.value for s in scores}) == 1
    assert {str(s.honesty) for s in scores} == {"declared"}
    assert [s.rankable for s in scores] == [False] * 3
    assert any("somebody's word" in n for n in scores[0].notes)


def test_classes_are_called_by_name_prefix_or_for_the_composite_by_number(
    dataset: Dataset, split: Split
) -> None:
    n = dataset.schema.n_classes("composite")
    p = np.full((dataset.n_images, n), 1 / n)
    numbered = pl.DataFrame({"id": dataset.image_ids, **{str(k): p[:, k] for k in range(n)}})
    assert Predictions.from_frame(numbered, dataset, split).attributes == ("mask", "gender", "age")
    q = softmax(said(dataset))
    prefixed = {"image": dataset.image_ids} | {
        f"p:{c}": q[:, k] for k, c in enumerate(dataset.schema.classes("mask"))
    }
    np.testing.assert_allclose(
        Predictions.from_frame(prefixed, dataset, split, "mask").probabilities("mask"), q, 1e-5
    )
    codes = {"image": dataset.image_ids} | {str(k): q[:, k] for k in range(3)}
    with pytest.raises(DataError, match="'wear', 'incorrect', 'normal'"):
        Predictions.from_frame(codes, dataset, split, "mask")


def test_the_index_of_a_pandas_frame_names_the_photos(dataset: Dataset, split: Split) -> None:
    pandas = pytest.importorskip("pandas")
    p = softmax(said(dataset))
    frame = pandas.DataFrame(p, index=dataset.image_ids, columns=list(dataset.schema.classes("mask")))
    assert score(Predictions.from_frame(frame, dataset, split, "mask"), dataset, FAST).honesty == "declared"
    with pytest.raises(DataError, match=r"mean no photo.*'0' \(row 0"):
        Predictions.from_frame(frame.reset_index(drop=True), dataset, split, "mask")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop("wear"), "'wear'"),
        (lambda f: f.with_columns(unknown=pl.lit(0.1)), "'unknown' is not a class"),
        (lambda f: f.drop("image"), "No column names the photos"),
        (lambda f: f.with_columns(wear=pl.lit("much")), "Row 0.*'much', no number"),
        (lambda f: f.with_columns(image=pl.lit("img000000")), "occurs twice.*row 0.*row 1"),
        (lambda f: f.with_columns(pl.col("wear") * 2), "do not sum to 1: row"),
        (lambda f: pl.concat([f, f[:1].with_columns(image=pl.lit("nobody"))]), "mean no photo.*'nobody'"),
    ],
)
def test_what_is_wrong_with_a_frame_is_named(
    dataset: Dataset, split: Split, change: Any, message: str
) -> None:
    p = softmax(said(dataset))
    classes = dataset.schema.classes("mask")
    frame = pl.DataFrame({"image": dataset.image_ids, **{c: p[:, k] for k, c in enumerate(classes)}})
    with pytest.raises(DataError, match=message):
        Predictions.from_frame(change(frame), dataset, split, "mask")


def test_logits_for_probabilities_and_the_reverse_are_refused(dataset: Dataset, split: Split) -> None:
    z = said(dataset)
    with pytest.raises(DataError, match="do not sum to 1"):
        Predictions.from_probabilities(z, dataset.image_ids, dataset, split, "mask")
    with pytest.raises(DataError, match="are probabilities"):
        Predictions.from_logits(softmax(z), dataset.image_ids, dataset, split, "mask")
    with pytest.raises(DataError, match=r"shape \(280, 2\), not \(280, 3\)"):
        Predictions.from_logits(z[:, :2], dataset.image_ids, dataset, split, "mask")


def test_the_mark_outlives_a_file_and_old_files_have_none(
    dataset: Dataset, split: Split, tmp_path: Path
) -> None:
    made = outside(dataset, split)
    made.write(tmp_path / "p.parquet")
    assert {s.outside for s in Predictions.read(tmp_path / "p.parquet").sources} == {"declared"}
    content = made.sources[0].packed().model_dump(mode="json")
    old = PackedSource.model_validate({k: v for k, v in content.items() if k != "outside"})
    assert RowProvenance.unpacked(old, made.universe.n_subjects).outside == ""
    with pytest.raises(RecordError, match="does not know"):
        RowProvenance.unpacked(old.with_(outside="sworn"), made.universe.n_subjects)


# Ways to pass an in-sample prediction from outside for an honest one


def test_cheat_1_photos_that_the_fold_was_trained_on(dataset: Dataset, split: Split) -> None:
    p = softmax(said(dataset))
    with pytest.raises(LeakError, match=r"outside fold 0 .* trained on: 'img"):
        Predictions.from_probabilities(p, dataset.image_ids, dataset, split, "mask", 0)


def test_cheat_2_the_training_side_of_a_holdout(dataset: Dataset) -> None:
    p = softmax(said(dataset))
    with pytest.raises(LeakError, match="which its model was trained on"):
        Predictions.from_probabilities(p, dataset.image_ids, dataset, make_split(dataset, "holdout"), "mask")


def test_cheat_3_leaving_out_the_hard_photos(dataset: Dataset, split: Split) -> None:
    easy = said(dataset).argmax(axis=1) == dataset.classes_of("mask")
    p = softmax(said(dataset))[easy]
    with pytest.raises(MismatchError, match="held-out photos have no row: 'img"):
        Predictions.from_probabilities(p, dataset.image_ids[easy], dataset, split, "mask")


def test_cheat_4_a_fold_column_of_another_split(dataset: Dataset, split: Split) -> None:
    p = softmax(said(dataset))
    frame = {"image": dataset.image_ids, "fold": (split.fold + 1) % 5}
    frame |= {c: p[:, k] for k, c in enumerate(dataset.schema.classes("mask"))}
    with pytest.raises(LeakError, match=r"280 of 280 rows say another fold .* row 0"):
        Predictions.from_frame(frame, dataset, split, "mask")


def test_cheat_5_the_split_of_another_data_set(dataset: Dataset, split: Split) -> None:
    other = people(40, subject_shown=False)
    with pytest.raises(MismatchError, match="another data set"):
        Predictions.from_probabilities(softmax(said(dataset)), dataset.image_ids, other, split, "mask")


def test_cheat_6_taking_the_mark_out_of_the_file(dataset: Dataset, split: Split, tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    outside(dataset, split).write(path)
    meta = json.loads(pl.read_parquet_metadata(path)["hoego"])
    for source in meta["provenance"]["sources"]:
        source["outside"] = ""
    pl.read_parquet(path).write_parquet(path, metadata={"hoego": json.dumps(meta)})
    with pytest.raises(RecordError, match="changed after"):
        Predictions.read(path)


def test_cheat_7_hiding_in_an_ensemble_of_honest_runs(dataset: Dataset, split: Split) -> None:
    # An ensemble works on the target, so the target of these is what was predicted.
    alone = replace(dataset.schema, target="mask")
    truth = replace(dataset, schema=alone)
    members = [ours(dataset, split, "a"), ours(dataset, split, "b"), outside(dataset, split)]
    members = [replace(m, schema=alone) for m in members]
    for method in ("mean", "stack"):
        made = ensemble(members, truth, EnsembleOptions(method=method, resamples=50))
        assert HonestyLevel.DECLARED in made.score.honesty.levels
        assert not made.score.rankable


def test_cheat_8_a_student_of_an_outside_teacher(dataset: Dataset, split: Split) -> None:
    honest, theirs = ours(dataset, split), outside(dataset, split)
    sources = tuple(
        student_source(s, [t], honest.universe, by="distilled from theirs")
        for s, t in zip(honest.sources, theirs.sources, strict=True)
    )
    assert honesty(replace(honest, sources=sources), dataset).label == "declared"


def test_cheat_9_a_combiner_fitted_on_outside_rows(dataset: Dataset, split: Split) -> None:
    honest, theirs = ours(dataset, split), outside(dataset, split)
    nobody = honest.universe.no_subjects()
    fitted = fitted_source(honest.sources[0], theirs.sources[:1], nobody, honest.universe, by="a temperature")
    assert fitted.outside == "declared"


def test_cheat_10_another_name_order_or_scale(dataset: Dataset, split: Split) -> None:
    made = outside(dataset, split).named("hoego")
    turned = made.align(made.images[::-1].copy())
    scaled = turned.with_values({"mask": turned.probabilities("mask") ** 1.0}, "probabilities")
    assert honesty(scaled.take(scaled.fold == 2), dataset).label == "declared"


def test_cheat_11_a_few_outside_rows_among_honest_ones(dataset: Dataset, split: Split) -> None:
    honest, theirs = ours(dataset, split), outside(dataset, split)
    mixed = concat([honest.take(honest.fold > 0), theirs.take(theirs.fold == 0)])
    found = score(mixed, dataset, FAST)
    assert (str(found.honesty), found.rankable) == ("declared", False)


def test_cheat_12_a_photo_level_split(dataset: Dataset) -> None:
    naive = make_split(dataset, "naive")
    held = naive.val_mask(0)
    p = softmax(said(dataset))[held]
    made = Predictions.from_probabilities(p, dataset.image_ids[held], dataset, naive, "mask")
    assert score(made, dataset, FAST).honesty == "naive"
    with pytest.raises(MismatchError, match=r"split|naive"):
        compare([made, ours(dataset, make_split(dataset), "ours")], dataset)


def test_cheat_13_two_names_of_one_subject(dataset: Dataset, split: Split) -> None:
    a, b = (dataset.subjects[dataset.subject_index[split.fold == k]][0] for k in (0, 1))
    today = replace(dataset, merged_subjects=((str(a), str(b)),))
    with pytest.raises(LeakError, match=f"{a}|{b}"):
        score(outside(dataset, split), today, FAST)


def test_cheat_14_setting_them_beside_ours_without_a_word(dataset: Dataset, split: Split) -> None:
    found = compare([outside(dataset, split), ours(dataset, split)], dataset)
    assert [s.honesty for s in found.sides] == ["declared", "out-of-fold"]
    assert any("trained outside Hoego: theirs (declared)" in n for n in found.notes)


def test_cheat_15_a_universe_without_the_seen_subjects(dataset: Dataset, split: Split) -> None:
    """Provenance speaks of all subjects of the data set, so that a copy of a photo is found under another name."""
    made = outside(dataset, split)
    assert made.universe.digest == SubjectUniverse.of(dataset).digest
    for k, source in enumerate(made.sources):
        seen = set(made.universe.names[source.seen].tolist())
        held = set(dataset.subjects[dataset.subject_index[split.val_mask(k)]].tolist())
        assert seen | held == set(dataset.subjects.tolist())
        assert not seen & held
