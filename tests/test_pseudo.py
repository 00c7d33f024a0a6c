"""Pseudo-labels: what the photos of the unlabelled set teach, how they are drawn, and who may hear of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from PIL import Image  # noqa: E402
from tiny_training import SIZE, held_subjects, random_teacher, tiny_dataset, tiny_recipe, with_unlabelled  # noqa: E402

from hoego.data.load import load  # noqa: E402
from hoego.data.schema import COMPOSITE  # noqa: E402
from hoego.errors import DataError, HoegoError, LeakError, MismatchError, RecipeError, RecordError  # noqa: E402
from hoego.predictions import Predictions, RowProvenance, SubjectUniverse, require_honest  # noqa: E402
from hoego.recipe import Recipe, build  # noqa: E402
from hoego.runs.predict import predict_run  # noqa: E402
from hoego.runs.records import RunStore  # noqa: E402
from hoego.runs.soft_targets import UNNAMED, most_confident, predicted_classes  # noqa: E402
from hoego.runs.teachers import load_distillation  # noqa: E402
from hoego.runs.train import TrainOptions, resume, train  # noqa: E402
from hoego.train.callbacks import Callbacks  # noqa: E402
from hoego.train.fold import train_fold, training_rows  # noqa: E402
from hoego.train.fold_task import FoldTask  # noqa: E402
from hoego.train.mixing import MixPlan  # noqa: E402
from hoego.train.models import HeadSpec  # noqa: E402
from hoego.train.objective import LossBatch, Objective, TrainingTargets, make_targets  # noqa: E402
from hoego.train.pseudo import PseudoRows, TeacherTargets, epoch_batches, n_steps  # noqa: E402

QUIET = Callbacks(progress=False, measure_seconds=0)
NEW = 12
DATASET, CACHE = tiny_dataset()
HELD = held_subjects(DATASET)


WHOLE, PHOTOS = with_unlabelled()
PSEUDO = np.arange(WHOLE.n_images) >= DATASET.n_images


HONEST = RowProvenance.from_training("honest", DATASET, ~HELD)
TEACHER = random_teacher(WHOLE.image_ids[PSEUDO], HONEST)


def task(folder: Path, recipe: Recipe, **changes: Any) -> FoldTask:
    held = np.concatenate([HELD, np.zeros(40, dtype=bool)])
    made = FoldTask(
        recipe=recipe,
        dataset=WHOLE,
        cache=PHOTOS,
        train_mask=~held,
        val_mask=held,
        folder=folder,
        name="tiny",
        soft_targets=TEACHER,
        pseudo_mask=PSEUDO,
    )
    return replace(made, **changes)


# What they teach


def objective(
    changes: dict[str, Any], pseudo: np.ndarray, mass: list[float]
) -> tuple[Objective, TrainingTargets]:
    """Three photos of which the last has the label distribution `pseudo`, by the losses of a recipe."""
    recipe = tiny_recipe(**changes)
    rows = np.asarray([0, 3])
    labels = training_rows(task(Path("/nowhere"), recipe, soft_targets=None, pseudo_mask=None)).labels
    labels = type(labels)(
        np.concatenate([DATASET.codes[rows], [[-1, -1]]]).astype(np.int16),
        {"age": np.asarray([20.0, 70.0, np.nan])},
        np.ones(3, dtype=bool),
        np.asarray(mass, dtype=np.float32),
    )
    heads = (HeadSpec("colour", 3),)
    given = PseudoRows({"colour": pseudo.astype(np.float32)}, np.zeros(1, dtype=np.int32))
    made = Objective(recipe, DATASET.schema, heads, labels)
    return made, make_targets(
        heads, DATASET.schema, labels, torch.device("cpu"), TeacherTargets(pseudo_labels=given)
    )


def test_a_soft_pseudo_label_is_the_cross_entropy_with_the_teachers_probabilities() -> None:
    p = np.asarray([[0.7, 0.2, 0.1]])
    made, targets = objective({}, p, [1.0, 1.0, 0.5])
    logits = torch.randn(3, 3, generator=torch.Generator().manual_seed(1))
    found = made({"colour": logits}, targets, LossBatch(torch.arange(3)))["colour"]
    logs = logits.log_softmax(1)
    codes = DATASET.codes[[0, 3], 0].tolist()
    each = [-logs[0, codes[0]], -logs[1, codes[1]], -(torch.tensor(p[0]) * logs[2]).sum()]
    torch.testing.assert_close(found, (each[0] + each[1] + 0.5 * each[2]).float() / 2.5)


def test_mixed_with_a_labelled_photo_both_labels_count_by_their_shares() -> None:
    p = np.asarray([[0.7, 0.2, 0.1]])
    made, targets = objective({}, p, [1.0, 1.0, 1.0])
    logits = torch.randn(3, 3, generator=torch.Generator().manual_seed(1))
    plan = MixPlan("mixup", np.asarray([2, 1, 0]), np.asarray([0.75, 1.0, 0.4], dtype=np.float32))
    found = made({"colour": logits}, targets, LossBatch(torch.arange(3)).mixed(plan))["colour"]
    one = torch.eye(3)[torch.tensor(DATASET.codes[[0, 3], 0].astype(int))]
    soft = torch.stack([one[0], one[1], torch.tensor(p[0]).float()])
    mixed = torch.stack([0.75 * soft[0] + 0.25 * soft[2], soft[1], 0.4 * soft[2] + 0.6 * soft[0]])
    torch.testing.assert_close(found, -(mixed * logits.log_softmax(1)).sum(1).mean())


def test_a_labelled_photo_hears_its_label_and_its_teacher_and_one_without_a_teacher_its_label_alone() -> None:
    recipe = tiny_recipe(distill={"weight": 0.25, "temperature": 1.0})
    teacher = random_teacher(DATASET.image_ids[:2], HONEST)
    rows = training_rows(
        task(
            Path("/nowhere"),
            recipe,
            soft_targets=teacher,
            pseudo_mask=None,
            train_mask=np.arange(WHOLE.n_images) < 3,
        )
    )
    heads = (HeadSpec("colour", 3),)
    made = Objective(recipe, DATASET.schema, heads, rows.labels)
    targets = make_targets(heads, DATASET.schema, rows.labels, torch.device("cpu"), rows.teacher_targets)
    logits = torch.randn(3, 3, generator=torch.Generator().manual_seed(2))
    found = made({"colour": logits}, targets, LossBatch(torch.arange(3)))["colour"]
    logs, p = logits.log_softmax(1), torch.tensor(teacher.probabilities("colour")).float()
    hard = torch.stack([-logs[i, int(DATASET.codes[i, 0])] for i in range(3)])
    kl = (p * (p.log() - logs[:2])).sum(1)
    torch.testing.assert_close(found, (0.75 * hard[:2].sum() + 0.25 * kl.sum() + hard[2]) / 3)


@pytest.mark.parametrize("hard", [False, True])
def test_the_rows_are_the_teachers_and_stand_last(tmp_path: Path, hard: bool) -> None:
    settings = {"labels": "hard" if hard else "soft", "weight": 0.5}
    rows = training_rows(task(tmp_path, tiny_recipe(distill={"pseudo": settings})))
    pseudo = rows.teacher_targets.pseudo_labels
    assert pseudo is not None
    assert rows.images[-40:].tolist() == np.flatnonzero(PSEUDO).tolist()
    assert (rows.target[-40:] == -1).all()
    assert not rows.teacher_targets.soft_targets
    np.testing.assert_array_equal(rows.labels.weight, np.r_[np.ones(len(rows.images) - 40), np.full(40, 0.5)])
    for name in ("colour", "age", COMPOSITE):
        p = TEACHER.probabilities(name)
        expected = np.eye(p.shape[1])[p.argmax(1)] if hard else p
        np.testing.assert_allclose(pseudo.targets[name], expected, atol=1e-6)


# How they are drawn


def drawn(
    settings: dict[str, Any], *, n: int = 90, p: int = 30, batch: int = 16, epochs: int = 4
) -> list[Any]:
    recipe = tiny_recipe(
        batch_size=batch, epochs=epochs, distill={"pseudo": settings}, sampling={"strength": 1.0}
    )
    by = np.concatenate([np.arange(n) % 3, np.full(p, -1)]).astype(np.int32)
    pseudo = PseudoRows({}, (np.arange(p) % 10 == 0).astype(np.int32))
    made = [epoch_batches(by, np.arange(n + p, dtype=np.int32), pseudo, recipe, e) for e in range(epochs)]
    assert {len(b) for b in made} == {n_steps(n + p, pseudo, recipe)}
    return made


def test_without_a_share_an_epoch_is_one_pass_over_both() -> None:
    for batches in drawn({}, batch=20):
        assert sorted(np.concatenate(batches).tolist()) == list(range(120))


def test_with_a_share_every_batch_has_it_and_the_passes_go_on_over_the_epochs() -> None:
    epochs = drawn({"share": 0.25})
    assert all((b >= 90).sum() == 4 and len(b) == 16 for batches in epochs for b in batches)
    labelled = np.bincount(np.concatenate([b[b < 90] for b in epochs[0]]), minlength=90)
    assert set(labelled.tolist()) <= {0, 1, 2}
    seen = np.bincount(np.concatenate([b[b >= 90] - 90 for e in epochs for b in e]), minlength=30)
    assert seen.max() - seen.min() <= 1


def test_balance_draws_the_teachers_classes_equally() -> None:
    for strength, expected in ((0.0, 3), (1.0, 15)):
        (batches,) = drawn({"balance": strength}, batch=20, epochs=1)
        rows = np.concatenate(batches)
        taught = rows[rows >= 90] - 90
        assert abs(int((taught % 10 == 0).sum()) - expected) <= 1
        assert len(taught) == 30


def test_a_batch_of_one_photo_cannot_be_shared() -> None:
    with pytest.raises(RecipeError, match="at least two"):
        drawn({"share": 0.5}, batch=1)


def test_labelled_photos_are_drawn_as_they_would_be_without_any() -> None:
    recipe = tiny_recipe(batch_size=12, sampling={"strength": 1.0}, distill={"pseudo": {"share": 0.25}})
    alone = tiny_recipe(batch_size=9, sampling={"strength": 1.0})
    by, subjects = (np.arange(81) % 4 == 0).astype(np.int32), np.arange(81, dtype=np.int32)
    pseudo = PseudoRows({}, np.zeros(7, dtype=np.int32))
    both = epoch_batches(
        np.r_[by, np.full(7, -1, np.int32)], np.arange(88, dtype=np.int32), pseudo, recipe, 1
    )
    for a, b in zip(both, epoch_batches(by, subjects, None, alone, 1), strict=True):
        np.testing.assert_array_equal(a[:9], b)


def test_the_surest_of_each_class_are_kept() -> None:
    classes, sure = np.asarray([0, 1, 0, 0, 1, 2]), np.asarray([0.5, 0.9, 0.8, 0.8, 0.4, 0.1])
    assert most_confident(classes, sure, 1).tolist() == [False, True, True, False, False, True]
    assert most_confident(classes, sure, 2).tolist() == [False, True, True, True, True, True]
    assert most_confident(classes[:0], sure[:0], 2).tolist() == []


def test_the_verdict_is_of_the_target_or_of_what_there_is() -> None:
    classes, sure, names = predicted_classes(TEACHER)
    p = TEACHER.probabilities(COMPOSITE)
    np.testing.assert_array_equal(classes, p.argmax(1))
    assert names == tuple(WHOLE.schema.target_classes)
    part = replace(TEACHER, values={"age": TEACHER.values["age"]}, scale={"age": "logits"})
    classes, alone, names = predicted_classes(part)
    assert names == ("young", "middle", "old")
    np.testing.assert_allclose(alone, TEACHER.probabilities("age").max(1))
    assert (sure <= alone + 1e-9).all()


# It trains


TECHNIQUES: list[dict[str, Any]] = [
    {
        "distill": {"pseudo": {"labels": "hard", "share": 0.3, "balance": 1.0}},
        "loss": {"focal": 0.6, "f1": 0.4},
    },
    {"mixing": {"mixup": {"share": 0.5}, "cutmix_same": {"share": 0.5}}, "sampling": {"kind": "progressive"}},
    {
        "sampling": {"strength": 1.0, "per_subject": True},
        "distill": {"pseudo": {"share": 0.5}},
        "loss": "ldam",
    },
    *[
        {"ordinal": {"age": {"kind": kind}}, "mixing": {"cutmix": {"share": 0.5}}}
        for kind in ("coral", "corn", "distribution", "regression")
    ],
    {"train_edits": {"age": {"drop": [[18, 21]], "shift": {"60": 58}}}, "source_weights": {"phone": 0.5}},
]


@pytest.mark.parametrize("case", TECHNIQUES, ids=lambda c: "-".join(c))
def test_it_trains_with(case: dict[str, Any], tmp_path: Path) -> None:
    from hoego.train.edits import LabelEdits

    recipe = tiny_recipe(**{"epochs": 2, **case})
    edits = LabelEdits(attributes=recipe.train_edits, source_weights=recipe.source_weights)
    figures: list[dict[str, Any]] = []
    hooks = Callbacks(on_epoch=figures.append, measure_seconds=0, progress=False)
    result = train_fold(task(tmp_path, recipe, edits=edits), hooks)
    assert all(np.isfinite(f["train_loss"]) for f in figures)
    assert result.outputs is not None
    assert len(result.images) == HELD.sum()


def test_pseudo_labels_alone_can_teach(tmp_path: Path) -> None:
    """Labels of one colour alone: what the others look like is learnt from the teacher, who knows."""
    truth = tiny_dataset(seed=9)[0].codes[:40]
    sure = {n: np.eye(3, dtype=np.float32)[truth[:, k]] for k, n in enumerate(WHOLE.schema.names)}
    teacher = replace(TEACHER, values=sure, scale=dict.fromkeys(sure, "probabilities"))
    one = np.concatenate([(DATASET.codes[:, 0] == 0) & ~HELD, np.ones(40, dtype=bool)])
    recipe = tiny_recipe(epochs=12, distill={"pseudo": {"share": 0.5}})
    score = {}
    for name, changes in {"taught": {}, "alone": {"soft_targets": None, "pseudo_mask": None}}.items():
        trained = one if name == "taught" else one & ~PSEUDO
        result = train_fold(
            task(tmp_path / name, recipe, **{"soft_targets": teacher, "train_mask": trained, **changes}),
            Callbacks(measure_seconds=0, progress=False),
        )
        score[name] = result.best["colour"].value
    assert score["taught"] > 0.9 > 0.6 > score["alone"]


# Who may hear of them


def test_a_teacher_that_saw_the_held_out_subjects_makes_scoring_a_leak(tmp_path: Path) -> None:
    everyone = RowProvenance.from_training("refit of somebody", DATASET, np.ones_like(HELD))
    for source, leaks in ((everyone, True), (HONEST, False)):
        folder = tmp_path / source.name.replace(" ", "")
        made = task(folder, tiny_recipe(epochs=1), soft_targets=replace(TEACHER, sources=(source,)))
        result = train_fold(made, Callbacks(measure_seconds=0, progress=False))
        assert result.outputs is not None
        n = len(result.images)
        run = Predictions(
            images=WHOLE.image_ids[result.images],
            values=result.outputs.values,
            scale=result.outputs.scale,
            schema=WHOLE.schema,
            fold=np.zeros(n, dtype=np.int16),
            source=np.zeros(n, dtype=np.int32),
            sources=result.provenance.sources,
            universe=result.provenance.universe,
            dataset_fingerprint=DATASET.fingerprint,
        )
        if leaks:
            with pytest.raises(LeakError, match="its teacher: refit of somebody trained on 24 of 24"):
                require_honest(run, DATASET)
        else:
            assert not require_honest(run, DATASET).in_sample.any()


def test_the_engine_takes_no_photo_of_a_held_out_subject(tmp_path: Path) -> None:
    content = WHOLE.images["content"].to_numpy().copy()
    content[-1] = DATASET.contents[np.flatnonzero(HELD)[0]]
    same = replace(WHOLE, images=WHOLE.images.with_columns(content=pl.Series(content)))
    with pytest.raises(LeakError, match="1 pseudo-labelled photos show a held-out subject"):
        training_rows(task(tmp_path, tiny_recipe(), dataset=same))


# From a recipe to a record


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """The tiny data set as files; and twelve photos without labels, the first two byte by byte labelled ones."""
    root = tmp_path / "photos"
    (root / "new").mkdir(parents=True)
    for name, pixels in zip(DATASET.images["path"].to_list(), CACHE.array, strict=True):
        Image.fromarray(pixels).save(root / name)
    colours = DATASET.schema.attribute("colour").classes
    table = DATASET.images.select("path", who="subject").with_columns(
        colour=pl.Series([colours[c] for c in DATASET.codes[:, 0]]), age=pl.Series(DATASET.numbers["age"])
    )
    table.write_csv(root / "train.csv")
    other, unseen = tiny_dataset(seed=5)
    names = [f"new/{n}" for n in other.images["path"].to_list()[: 5 * NEW : 5]]
    for name, pixels in zip(names, unseen.array[::5], strict=False):
        Image.fromarray(pixels).save(root / name)
    for k in range(2):
        (root / names[k]).write_bytes((root / DATASET.images["path"][7 * k]).read_bytes())
    pl.DataFrame({"path": names}).write_csv(root / "test.csv")
    return root


def asked(photos: Path, **changes: Any) -> Recipe:
    data: dict[str, Any] = {
        "name": "tiny",
        "dataset": {
            "root": str(photos), "layout": "table", "table": "train.csv", "subject": ["who"], "size": [SIZE, SIZE],
            "unlabelled": "test.csv",
        },
        "labels": {"attributes": {"colour": {}, "age": {"edges": [30, 60], "classes": ["young", "middle", "old"]}}},
        "split": {"kind": "folds", "folds": 3},
        "fold": "all",
        "select": {"on": "last"},
        "model": {"name": "hoego_small32", "options": {"width": 0.125, "norm": False}},
        "epochs": 1,
        "batch_size": 16,
        "precision": "float32",
        "device": "cpu",
        "threads": 1,
        "score": {"resamples": 200},
    }  # fmt: skip
    for key, value in changes.items():
        data[key] = (
            {**data[key], **value} if isinstance(value, dict) and isinstance(data.get(key), dict) else value
        )
    return build(data)


def file_of(photos: Path, path: Path, trained: np.ndarray | None = None, **changes: Any) -> Path:
    """A teacher's Predictions file of the unlabelled photos; it has seen the subjects of the photos `trained`."""
    dataset = load(asked(photos))
    images = np.asarray(pl.read_csv(photos / "test.csv")["path"].to_list())
    source = RowProvenance.from_training(
        "old run", dataset, np.ones(dataset.n_images, bool) if trained is None else trained
    )
    random = np.random.default_rng(3)
    values = {n: random.normal(size=(len(images), 3)).astype(np.float32) for n in dataset.schema.names}
    made = Predictions(
        images=images,
        values=values,
        scale=dict.fromkeys(values, "logits"),
        schema=dataset.schema,
        fold=np.full(len(images), -1, dtype=np.int16),
        source=np.zeros(len(images), dtype=np.int32),
        sources=(source,),
        universe=SubjectUniverse.of(dataset),
        dataset_fingerprint="unlabelled",
        name="old run",
    )
    replace(made, **changes).write(path)
    return path


def test_every_fold_hears_the_model_of_its_own_fold_and_all_is_out_of_fold(
    photos: Path, tmp_path: Path
) -> None:
    options = TrainOptions(folder=tmp_path, audit=False)
    teacher = train(asked(photos, refit=True), options, QUIET)
    student = train(asked(photos, refit=True, distill={"teacher": teacher.run}), options, QUIET)
    assert student.score is not None
    assert student.score.honesty == "out-of-fold"
    assert any(UNNAMED in note for note in student.score.notes)
    found = Predictions.read(student.folder / "predictions.parquet")
    assert len(found.sources) == 3
    for k, source in enumerate(found.sources):
        assert any(f"its teacher: {teacher.run}/fold-{k}" in p for p in source.path)
        assert sum(n.startswith("unlabelled:") for n in found.universe.names[source.seen]) == NEW - 2
    told = RunStore(tmp_path / "runs").find(student.run).meta.training.pseudo
    assert set(told) == {"fold-0", "fold-1", "fold-2", "refit"}
    for report in told.values():
        assert report["joined"] == sum(report["classes"].values()) == NEW - 2
        assert {why: n for why, n in report["left_out"].items() if n} == {"identical to a labelled photo": 2}
    assert any("fold-0: 10 pseudo-labelled photos join" in note for note in student.notes)
    made = predict_run(RunStore(tmp_path / "runs").find(student.run), photos / "test.csv")
    assert made.sources[0].seen.sum() == 24 + NEW - 2


def test_a_teacher_that_saw_everybody_is_refused_before_anything_is_trained(
    photos: Path, tmp_path: Path
) -> None:
    file = file_of(photos, tmp_path / "t.parquet")
    with pytest.raises(LeakError, match="has seen held-out subjects: old run trained on 24 of 24") as caught:
        train(
            asked(photos, distill={"teacher": str(file)}), TrainOptions(folder=tmp_path, audit=False), QUIET
        )
    assert "same split" in caught.value.remedy
    (record,) = RunStore(tmp_path / "runs").list()
    assert record.state == "failed"
    assert not (record.folder / "fold-0" / "epochs").exists()


def test_out_of_fold_predictions_of_the_training_photos_cannot_teach_and_a_holdouts_own_say_nothing(
    photos: Path, tmp_path: Path
) -> None:
    """What an out-of-fold row says of a training photo was learnt, among others, from the held-out subjects."""
    options = TrainOptions(folder=tmp_path, audit=False)
    teacher = train(asked(photos), options, QUIET)
    student = {"distill": {"teacher": teacher.run, "pseudo": {"labels": "none"}}}
    with pytest.raises(LeakError, match=rf"{teacher.run}/fold-1 trained on"):
        train(asked(photos, **student), options, QUIET)
    alone = train(asked(photos, fold=0), options, QUIET)
    student["distill"]["teacher"] = alone.run
    with pytest.raises(MismatchError, match="does not predict the photos of the training side"):
        train(asked(photos, **student, fold=0), options, QUIET)


def test_of_several_files_each_fold_hears_those_that_have_not_seen_its_subjects(
    photos: Path, tmp_path: Path
) -> None:
    from hoego.runs.project import open_project

    project = open_project(asked(photos), tmp_path)
    folds = [project.split.val_mask(k) for k in range(3)]
    files = [str(file_of(photos, tmp_path / f"{k}.parquet", ~held)) for k, held in enumerate(folds)]
    recipe = asked(photos, distill={"teacher": files})
    record = RunStore(tmp_path / "runs").create(recipe.to_dict(), name="student")
    teaching = load_distillation(recipe, project.dataset, record)
    for held in folds:
        lesson = teaching.for_fold(recipe, np.concatenate([held, np.zeros(NEW - 2, dtype=bool)]))
        assert lesson.soft_targets is not None
        (source,) = lesson.soft_targets.sources
        assert not source.seen[np.unique(project.dataset.subject_index[held])].any()
    lesson = teaching.for_fold(recipe, np.zeros(teaching.dataset.n_images, dtype=bool))
    assert lesson.soft_targets is not None
    assert lesson.soft_targets.sources[0].seen.all()  # the refit hears all three


def test_a_photo_of_a_held_out_subject_is_left_out_by_the_name_in_its_table(
    photos: Path, tmp_path: Path
) -> None:
    names = pl.read_csv(photos / "test.csv")["path"].to_list()
    who = ["s00", "visitor", "s01", "s02", "visitor", None, *["another"] * (NEW - 6)]
    pl.DataFrame({"path": names, "who": who}).write_csv(photos / "test.csv")
    dataset = load(asked(photos))
    recipe = asked(
        photos, distill={"teacher": str(file_of(photos, tmp_path / "t.parquet", np.zeros(120, dtype=bool)))}
    )
    record = RunStore(tmp_path / "runs").create(recipe.to_dict(), name="student")
    teaching = load_distillation(recipe, dataset, record)
    subject = dict(teaching.dataset.images[120:].select("image", "subject").iter_rows())
    assert [subject[n] for n in names[2:4]] == ["s01", "s02"]
    # The second photo is byte by byte one of s01: "visitor" is s01, and so is the other photo of the visitor.
    assert subject[names[4]] == DATASET.images["subject"][7] == "s01"
    held = np.isin(teaching.dataset.images["subject"].to_numpy().astype(str), ["s01"])
    held[120:] = False
    lesson = teaching.for_fold(recipe, held)
    assert lesson.report["left_out"]["of a held-out subject"] == 2
    assert lesson.pseudo_mask is not None
    assert not set(teaching.dataset.image_ids[lesson.pseudo_mask]) & {names[2], names[4]}
    assert lesson.soft_targets is not None
    assert UNNAMED not in lesson.soft_targets.sources[0].external


def test_threshold_and_per_class_choose_by_the_teachers_own_probability(photos: Path, tmp_path: Path) -> None:
    dataset = load(asked(photos))
    file = file_of(photos, tmp_path / "t.parquet", np.zeros(120, dtype=bool))
    given = Predictions.read(file)
    own = given.take(~np.isin(given.images, pl.read_csv(photos / "test.csv")["path"].to_list()[:2]))
    sure = own.probabilities(COMPOSITE).max(axis=1)
    for threshold, per_class in ((0.3, 0), (0.0, 1), (0.3, 1)):
        recipe = asked(
            photos, distill={"teacher": str(file), "pseudo": {"threshold": threshold, "per_class": per_class}}
        )
        record = RunStore(tmp_path / "runs").create(recipe.to_dict(), name="student")
        lesson = load_distillation(recipe, dataset, record).for_fold(recipe, np.zeros(130, dtype=bool))
        keep = sure >= threshold
        classes = own.probabilities(COMPOSITE).argmax(axis=1)[keep]
        expected = len(np.unique(classes)) if per_class else int(keep.sum())
        assert lesson.report["joined"] == expected
        left = lesson.report["left_out"]
        assert left["below distill.pseudo.threshold"] == int((~keep).sum())
        assert expected + sum(left.values()) == NEW


def test_none_leaves_them_out_and_an_id_that_is_a_labelled_photos_too_is_said(
    photos: Path, tmp_path: Path
) -> None:
    names = pl.read_csv(photos / "test.csv")["path"].to_list()
    clash = DATASET.images["path"][50]
    (photos / "elsewhere").mkdir()
    (photos / "elsewhere" / clash).write_bytes((photos / names[5]).read_bytes())
    (photos / "elsewhere" / "q.png").write_bytes((photos / names[6]).read_bytes())
    file = file_of(photos, tmp_path / "t.parquet", np.zeros(120, dtype=bool))
    given = Predictions.read(file).take(np.asarray([5, 6]))
    replace(given, images=np.asarray([clash, "q.png"])).write(file)
    recipe = asked(photos, dataset={"unlabelled": "elsewhere"}, distill={"teacher": str(file)})
    record = RunStore(tmp_path / "runs").create(recipe.to_dict(), name="student")
    lesson = load_distillation(recipe, load(recipe), record).for_fold(recipe, np.zeros(121, dtype=bool))
    assert lesson.report["left_out"]["of the same id as a labelled photo"] == 1
    assert lesson.soft_targets is not None
    assert lesson.soft_targets.images.tolist() == ["q.png"]  # and the labelled photo of that id hears nothing
    none = asked(photos, distill={"teacher": str(file), "pseudo": {"labels": "none"}})
    teaching = load_distillation(none, load(none), record)
    assert teaching.dataset.n_images == 120


def bad(photos: Path, file: Path, kind: str) -> None:
    file_of(photos, file, np.zeros(120, dtype=bool))
    given = Predictions.read(file)
    if kind == "schema":
        renamed = tuple(
            replace(a, name="shade" if a.name == "colour" else a.name) for a in given.schema.attributes
        )
        schema = replace(given.schema, attributes=renamed, composite=("shade", "age"))
        values = {"shade" if n == "colour" else n: v for n, v in given.values.items()}
        replace(given, schema=schema, values=values, scale=dict.fromkeys(values, "logits")).write(file)
    elif kind == "ids":
        replace(given, images=np.asarray(["gone.png", *given.images[1:].tolist()])).write(file)
    elif kind == "nan":
        table = pl.read_parquet(file)
        values = table["age"].to_numpy().copy()
        values[3, 1] = np.nan
        column = pl.Series("age", values, dtype=pl.Array(pl.Float32, 3))
        meta = pl.read_parquet_metadata(file)["hoego"]
        table.with_columns(column).write_parquet(file, metadata={"hoego": meta})
    elif kind == "silent":
        elsewhere = np.asarray([f"gone/{i}" for i in given.images.tolist()])
        replace(given, images=elsewhere, fold=np.zeros(NEW, dtype=np.int16)).write(file)


@pytest.mark.parametrize(
    ("kind", "error", "said"),
    [
        ("schema", MismatchError, r"other labels \(shade, age"),
        ("ids", MismatchError, r"1 photos that are not in the data set nor in test.csv, such as 'gone.png'"),
        ("nan", DataError, "cannot be a teacher: .* not finite for 1 images"),
        ("silent", MismatchError, "does not predict any image of this data set"),
    ],
)
def test_a_bad_teacher_is_refused_with_the_remedy(
    photos: Path, tmp_path: Path, kind: str, error: type[HoegoError], said: str
) -> None:
    bad(photos, tmp_path / "t.parquet", kind)
    recipe = asked(photos, distill={"teacher": str(tmp_path / "t.parquet")})
    record = RunStore(tmp_path / "runs").create(recipe.to_dict(), name="student")
    with pytest.raises(error, match=said) as caught:
        load_distillation(recipe, load(recipe), record)
    assert caught.value.remedy


def test_a_run_that_is_not_done_cannot_teach(photos: Path, tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    teacher = store.create(asked(photos).to_dict(), name="teacher")
    recipe = asked(photos, distill={"teacher": teacher.id})
    record = store.create(recipe.to_dict(), name="student")
    with pytest.raises(RecordError, match="has no model to predict with"):
        load_distillation(recipe, load(recipe), record)


def test_a_stopped_run_goes_on_to_the_same_numbers_and_notices_another_teacher(
    photos: Path, tmp_path: Path
) -> None:
    held = {"split": {"kind": "holdout", "ratio": 0.25}, "fold": 0, "epochs": 2}
    from hoego.runs.project import open_project

    project = open_project(asked(photos, **held), tmp_path / "a")
    file = file_of(photos, tmp_path / "t.parquet", ~project.split.val_mask(0))
    recipe = asked(photos, **held, distill={"teacher": str(file), "pseudo": {"share": 0.25, "balance": 1.0}},
                   mixing={"mixup": {"share": 0.5}})  # fmt: skip
    whole = train(recipe, TrainOptions(folder=tmp_path / "a", audit=False), QUIET)
    asks = iter(range(1000))
    stop = Callbacks(should_stop=lambda: "now" if next(asks) == 5 else "", progress=False, measure_seconds=0)
    part = train(recipe, TrainOptions(folder=tmp_path / "b", audit=False), stop)
    assert part.state == "interrupted"
    record = RunStore(tmp_path / "b" / "runs").find(part.run)
    kept = file.read_bytes()
    file_of(photos, file, np.zeros(120, dtype=bool))
    with pytest.raises(MismatchError, match="has changed since the run"):
        resume(record, QUIET)
    file.write_bytes(kept)
    resume(record, QUIET)
    a, b = (Predictions.read(folder / "predictions.parquet") for folder in (whole.folder, record.folder))
    for name, values in a.values.items():
        np.testing.assert_array_equal(values, b.values[name])
    assert json.dumps(record.meta.training.pseudo) == json.dumps(
        RunStore(tmp_path / "a" / "runs").find(whole.run).meta.training.pseudo
    )
