"""The waist: provenance row by row, honesty, and what a leak looks like."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hoego.data.dataset import Dataset
from hoego.data.schema import Attribute, LabelSchema
from hoego.errors import DataError, LeakError, MismatchError, RecordError
from hoego.predictions import (
    Predictions,
    RowProvenance,
    SubjectUniverse,
    concat,
    fitted_source,
    honesty,
    join_rows,
    require_honest,
    student_source,
)

SCHEMA = LabelSchema(
    (
        Attribute(name="mask", kind="nominal", classes=("wear", "not")),
        Attribute(name="age", kind="binned", classes=("young", "old"), edges=(30,)),
    ),
    "composite",
    ("mask", "age"),
)


def make_dataset(n_subjects: int = 6, per_subject: int = 2, **changes: object) -> Dataset:
    n = n_subjects * per_subject
    subject = np.repeat(np.arange(n_subjects), per_subject)
    images = pl.DataFrame(
        {
            "image": [f"img{i:03d}" for i in range(n)],
            "path": [f"img{i:03d}.png" for i in range(n)],
            "subject": [f"s{s}" for s in subject],
            "content": np.arange(100, 100 + n, dtype=np.uint64),
        }
    )
    codes = np.stack([np.arange(n) % 2, subject % 2], axis=1).astype(np.int16)
    dataset = Dataset(root=Path("."), schema=SCHEMA, images=images, codes=codes)
    return replace(dataset, **changes)  # type: ignore[arg-type]


def fold_predictions(
    dataset: Dataset, k: int, *, n_folds: int = 3, name: str = "run", **source: object
) -> Predictions:
    held = dataset.subject_index % n_folds == k
    rng = np.random.default_rng(k)
    rows = int(held.sum())
    return Predictions(
        images=dataset.image_ids[held],
        values={a: rng.normal(size=(rows, 2)).astype(np.float32) for a in ("mask", "age")},
        scale={"mask": "logits", "age": "logits"},
        schema=SCHEMA,
        fold=np.full(rows, k, dtype=np.int16),
        source=np.zeros(rows, dtype=np.int32),
        sources=(RowProvenance.from_training(f"{name} fold {k}", dataset, ~held, **source),),  # type: ignore[arg-type]
        universe=SubjectUniverse.of(dataset),
        dataset_fingerprint=dataset.fingerprint,
        split_fingerprint="split",
        split_kind="folds",
        name=name,
        lineage=(name,),
    )


def out_of_fold(dataset: Dataset, name: str = "run") -> Predictions:
    return concat([fold_predictions(dataset, k, name=name) for k in range(3)])


def test_out_of_fold_rows_are_honest_and_averaging_two_runs_keeps_them_so() -> None:
    dataset = make_dataset()
    a, b = out_of_fold(dataset, "a"), out_of_fold(dataset, "b")
    assert honesty(a, dataset).label == "out-of-fold"
    b = b.align(a.images)
    universe, source, sources = join_rows([a, b], "mean")
    mean = replace(a, universe=universe, source=source, sources=sources, name="mean")
    assert len(sources) == 3
    assert honesty(mean, dataset).label == "out-of-fold"


def test_in_sample_rows_are_refused_with_names_and_path() -> None:
    dataset = make_dataset()
    good = fold_predictions(dataset, 0)
    everything = RowProvenance.from_training("greedy", dataset, np.ones(dataset.n_images, dtype=bool))
    leaked = replace(good, sources=(everything,))
    with pytest.raises(LeakError, match=r"s0.*greedy trained on 6 of 6 subjects"):
        require_honest(leaked, dataset)
    assert require_honest(leaked, dataset, allow_in_sample=True).label == "in-sample"


def test_a_run_that_a_later_join_makes_in_sample_is_told_why() -> None:
    dataset = make_dataset()
    run = fold_predictions(dataset, 0)
    require_honest(run, dataset)
    with pytest.raises(LeakError) as refused:
        require_honest(run, replace(dataset, merged_subjects=(("s0", "s1"),)))
    assert "joined subjects since this was trained" in refused.value.remedy


def test_a_naive_source_is_marked_and_a_trained_photo_in_it_is_in_sample() -> None:
    dataset = make_dataset()
    trained = np.arange(dataset.n_images) % 2 == 0
    rows = fold_predictions(dataset, 0)
    source = RowProvenance.from_training("naive", dataset, trained, naive=True)
    held = np.flatnonzero(~trained)[: rows.n_images]
    naive = replace(rows, images=dataset.image_ids[held], sources=(source,))
    assert honesty(naive, dataset).label == "naive"
    assert not honesty(naive, dataset).honest
    with pytest.raises(LeakError):
        require_honest(replace(naive, images=dataset.image_ids[trained][: rows.n_images]), dataset)


def test_a_combiner_fitted_on_other_folds_is_cross_fitted_and_on_the_scored_fold_a_leak() -> None:
    dataset = make_dataset()
    run = out_of_fold(dataset)
    universe = run.universe
    subjects = [dataset.subject_index[dataset.positions(run.images[run.fold == k])] for k in range(3)]

    def combined(fit_folds: dict[int, list[int]]) -> Predictions:
        sources = []
        for k, others in fit_folds.items():
            bits = universe.no_subjects()
            for j in others:
                bits[subjects[j]] = True
            fitted_on = [run.sources[j] for j in others]
            sources.append(fitted_source(run.sources[k], fitted_on, bits, universe, by="stacking"))
        return replace(run, sources=tuple(sources), source=run.fold.astype(np.int32))

    honest = combined({0: [1, 2], 1: [0, 2], 2: [0, 1]})
    assert honesty(honest, dataset).label == "cross-fitted"
    with pytest.raises(LeakError, match="stacking was fitted on the labels"):
        require_honest(combined({0: [0, 1], 1: [0, 2], 2: [0, 1]}), dataset)


def test_a_student_has_seen_what_its_teacher_saw() -> None:
    dataset = make_dataset()
    student = fold_predictions(dataset, 0)
    teacher = RowProvenance.from_training("teacher", dataset, np.ones(dataset.n_images, dtype=bool))
    taught = student_source(student.sources[0], [teacher], student.universe, by="pseudo-labels")
    with pytest.raises(LeakError, match="pseudo-labels: teacher trained on"):
        require_honest(replace(student, sources=(taught,)), dataset)


def test_a_student_has_seen_the_photos_that_a_naive_teacher_saw_through_others() -> None:
    dataset = make_dataset()
    student = fold_predictions(dataset, 0)
    even = np.arange(dataset.n_images) % 2 == 0
    teacher = RowProvenance.from_training(
        "teacher", dataset, even & (dataset.subject_index % 3 > 0), naive=True
    )
    through = replace(teacher, seen_through=~teacher.seen)
    taught = student_source(student.sources[0], [through], student.universe, by="its teacher")
    with pytest.raises(LeakError, match="its teacher"):
        require_honest(replace(student, sources=(taught,)), dataset)


def test_a_selected_row_says_so() -> None:
    dataset = make_dataset()
    held = dataset.subject_index % 3 == 0
    run = fold_predictions(dataset, 0, selection_mask=held)
    assert honesty(run, dataset).label == "selected"


def test_a_renamed_subject_is_found_by_its_photos() -> None:
    dataset = make_dataset()
    run = fold_predictions(dataset, 0)
    everything = RowProvenance.from_training("pretraining", dataset, np.ones(dataset.n_images, dtype=bool))
    renamed = replace(dataset, images=dataset.images.with_columns(("x" + pl.col("subject")).alias("subject")))
    moved = replace(run, sources=(everything,), dataset_fingerprint=renamed.fingerprint)
    with pytest.raises(LeakError):
        require_honest(moved, renamed)


def test_another_data_set_is_refused_and_the_difference_named() -> None:
    dataset = make_dataset()
    other = dataset.take(np.arange(dataset.n_images) != 3)
    with pytest.raises(MismatchError, match="1 predicted images are not in it"):
        honesty(fold_predictions(dataset, 1), other)


def test_rows_are_found_by_name_never_by_position() -> None:
    dataset = make_dataset()
    run = out_of_fold(dataset)
    order = np.random.default_rng(1).permutation(run.n_images)
    back = run.take(order).align(run.images)
    for name in run.values:
        np.testing.assert_array_equal(back.values[name], run.values[name])
    np.testing.assert_array_equal(back.source, run.source)
    shuffled = honesty(run.take(order), dataset)
    np.testing.assert_array_equal(shuffled.in_sample, honesty(run, dataset).in_sample[order])


def test_write_and_read_give_the_same_and_a_changed_file_is_refused(tmp_path: Path) -> None:
    dataset = make_dataset()
    run = out_of_fold(dataset)
    run.write(tmp_path / "p.parquet")
    back = Predictions.read(tmp_path / "p.parquet")
    assert back.sources[1].path == run.sources[1].path
    np.testing.assert_array_equal(back.sources[2].seen, run.sources[2].seen)
    np.testing.assert_array_equal(back.values["age"], run.values["age"])
    assert back.schema == run.schema
    meta = pl.read_parquet_metadata(tmp_path / "p.parquet")
    table = pl.read_parquet(tmp_path / "p.parquet").with_columns(pl.col("image").reverse())
    table.write_parquet(tmp_path / "q.parquet", metadata={"hoego": meta["hoego"]})
    with pytest.raises(RecordError, match="changed after"):
        Predictions.read(tmp_path / "q.parquet")
    table.write_parquet(tmp_path / "r.parquet")
    with pytest.raises(RecordError, match="no provenance"):
        Predictions.read(tmp_path / "r.parquet")
    table.clear().write_parquet(tmp_path / "e.parquet", metadata={"hoego": meta["hoego"]})
    with pytest.raises(RecordError, match="no rows"):
        Predictions.read(tmp_path / "e.parquet")


def test_the_composite_is_the_product_and_the_attribute_the_marginal() -> None:
    dataset = make_dataset()
    run = fold_predictions(dataset, 0)
    joint = run.probabilities("composite")
    expected = run.probabilities("mask")[:, [0, 0, 1, 1]] * run.probabilities("age")[:, [0, 1, 0, 1]]
    np.testing.assert_allclose(joint, expected, atol=1e-12)
    alone = run.with_values({"composite": joint}, "probabilities")
    np.testing.assert_allclose(alone.probabilities("age"), run.probabilities("age"), atol=1e-6)


def test_what_is_no_probability_or_not_finite_is_refused() -> None:
    run = fold_predictions(make_dataset(), 0)
    with pytest.raises(DataError, match="sum to 1"):
        run.with_values({"mask": run.values["mask"]}, "probabilities")
    bad = run.values["mask"].copy()
    bad[1, 0] = np.nan
    with pytest.raises(DataError, match="img001"):
        run.with_values({"mask": bad, "age": run.values["age"]}, "logits")
    with pytest.raises(DataError, match="twice"):
        replace(run, images=np.asarray(["a"] * run.n_images))
