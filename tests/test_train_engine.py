"""One fold's training: what is kept, what is chosen, what was seen, and what never touches the held-out side."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import f1_score

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from tiny_training import held_subjects, tiny_dataset, tiny_recipe  # noqa: E402

from hoego.data.dataset import LabelCorrection  # noqa: E402
from hoego.data.schema import Attribute, LabelSchema  # noqa: E402
from hoego.errors import RecipeError, TrainError  # noqa: E402
from hoego.evaluate.score.formulas import macro_f1_score  # noqa: E402
from hoego.predictions import Predictions  # noqa: E402
from hoego.recipe.techniques import AttributeEdit, AugmentSettings  # noqa: E402
from hoego.train.callbacks import Callbacks  # noqa: E402
from hoego.train.checkpoints import load_weights, save_weights  # noqa: E402
from hoego.train.edits import LabelEdits, Relabel  # noqa: E402
from hoego.train.epochs import EpochStore  # noqa: E402
from hoego.train.fold import FoldResult, train_fold, training_rows  # noqa: E402
from hoego.train.fold_task import FoldTask  # noqa: E402
from hoego.train.mirroring import FlipLabels  # noqa: E402
from hoego.train.models import HeadSpec  # noqa: E402
from hoego.train.precision import choose_precision  # noqa: E402
from hoego.train.predict import load_model, predict_photos  # noqa: E402
from hoego.train.selection import BestTracker  # noqa: E402

QUIET = Callbacks(measure_seconds=0, progress=False)
DATASET, CACHE = tiny_dataset()
HELD = held_subjects(DATASET)


def task(folder: Path, *, changes: dict[str, Any] | None = None, **fields: Any) -> FoldTask:
    base = FoldTask(
        recipe=tiny_recipe(**(changes or {})),
        dataset=DATASET,
        cache=CACHE,
        train_mask=~HELD,
        val_mask=HELD,
        folder=folder,
        name="run/fold-0",
    )
    return replace(base, **fields)


def fold(folder: Path, *, changes: dict[str, Any] | None = None, **fields: Any) -> FoldResult:
    return train_fold(task(folder, changes=changes, **fields), QUIET)


def test_macro_f1_is_sklearns_over_the_classes_present() -> None:
    random = np.random.default_rng(0)
    for _ in range(30):
        truth, guess = random.integers(0, 5, 40), random.integers(0, 7, 40)
        present = np.unique(truth)
        expected = f1_score(truth, guess, labels=present, average="macro", zero_division=0)
        assert macro_f1_score(guess, truth, 7) == pytest.approx(expected)


def test_every_criterion_keeps_its_own_best_epoch(tmp_path: Path) -> None:
    """The stored predictions of all epochs say which was best; the checkpoints must be those."""
    result = fold(tmp_path, changes={"epochs": 5, "average": {"ema": 0.8}, "optim": {"lr": 3e-2}})
    part = DATASET.take(HELD)
    store = EpochStore(tmp_path)
    assert store.index()["images"] == part.image_ids.tolist()
    scores: dict[tuple[int, str], float] = {}
    for candidate in store.read():
        guess = candidate.values["age"].argmax(axis=1)
        expected = f1_score(
            part.codes[:, 1], guess, average="macro", zero_division=0, labels=np.unique(part.codes[:, 1])
        )
        scores[candidate.epoch, candidate.weights] = expected
    assert {w for _, w in scores} == {"raw", "ema"}
    assert len(scores) == 10
    best = result.best["age"]
    assert best.value == pytest.approx(max(scores.values()), abs=1e-9)
    assert scores[best.epoch, best.weights] == pytest.approx(best.value)
    about = load_weights(tmp_path / "age.safetensors").metadata
    assert (about["epoch"], about["weights"]) == (best.epoch, best.weights)
    assert result.selected == result.best["macro_f1"]


def test_an_older_checkpoint_that_calls_the_backbone_body_predicts_the_same(tmp_path: Path) -> None:
    fold(tmp_path)
    new = tmp_path / "macro_f1.safetensors"
    kept = load_weights(new)
    renamed = {k.replace("network.backbone.", "network.body."): v for k, v in kept.tensors.items()}
    assert renamed.keys() != kept.tensors.keys()
    save_weights(tmp_path / "old.safetensors", renamed, kept.metadata, kept.provenance)
    _, cache = tiny_dataset()
    ids = tiny_dataset()[0].image_ids
    ours, theirs = (
        predict_photos([load_model(path, "cpu")], cache, ids) for path in (new, tmp_path / "old.safetensors")
    )
    for name, values in ours.values.items():
        np.testing.assert_array_equal(values, theirs.values[name])


def test_checkpoint_predicts_what_the_run_predicted(tmp_path: Path) -> None:
    changes = {"ordinal": {"age": {"kind": "regression"}}, "views": {"n": 2}}
    result = fold(tmp_path, changes=changes)
    model = load_model(tmp_path / "macro_f1.safetensors", "cpu")
    images = np.flatnonzero(HELD)
    cache = replace(CACHE, row=CACHE.row[images])
    again = predict_photos([model], cache, DATASET.image_ids[images])
    assert result.outputs is not None
    for name, values in result.outputs.values.items():
        np.testing.assert_allclose(values, again.values[name], atol=1e-6)
    np.testing.assert_array_equal(model.provenance.sources[0].seen, result.provenance.sources[0].seen)


def test_who_is_seen_and_who_chose(tmp_path: Path) -> None:
    held = np.isin(DATASET.subjects, DATASET.subjects[DATASET.subject_index[HELD]])
    inner = (DATASET.subject_index % 5 == 0) & ~HELD
    by = {
        on: fold(tmp_path / on, changes={"select": {"on": on}}, inner_mask=inner if on == "inner" else None)
        for on in ("held-out", "inner", "last")
    }
    for on, result in by.items():
        (source,) = result.provenance.sources
        np.testing.assert_array_equal(source.seen, ~held)
        np.testing.assert_array_equal(source.selected, held if on == "held-out" else np.zeros_like(held))
    assert by["last"].selected.epoch == 2


def test_inner_slice_reaches_no_gradient(tmp_path: Path) -> None:
    inner = (DATASET.subject_index % 5 == 0) & ~HELD
    rows = training_rows(task(tmp_path, changes={"select": {"on": "inner"}}, inner_mask=inner))
    assert not set(rows.images.tolist()) & set(np.flatnonzero(inner | HELD).tolist())


def test_training_edits_leave_the_held_out_side_alone(tmp_path: Path) -> None:
    edits = LabelEdits({"age": AttributeEdit(drop=((40, 50),), shift={"60": 68})}, {}, {"phone": 0.5})
    rows = training_rows(task(tmp_path, edits=edits))
    ages = DATASET.numbers["age"][rows.images]
    assert not ((ages >= 40) & (ages <= 50)).any()
    assert not HELD[rows.images].any()
    result = fold(tmp_path, edits=edits)
    np.testing.assert_array_equal(result.images, np.flatnonzero(HELD))


def test_image_on_both_sides_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="both sides"):
        fold(tmp_path, train_mask=np.ones_like(HELD))


def test_fine_tuned_model_carries_what_its_checkpoint_saw(tmp_path: Path) -> None:
    other = np.zeros_like(HELD)
    first = fold(tmp_path / "a", train_mask=HELD, val_mask=other)
    checkpoint = tmp_path / "a" / "last.safetensors"
    second = fold(tmp_path / "b", changes={"model": {"checkpoint": str(checkpoint)}})
    (source,) = second.provenance.sources
    assert source.seen.all()
    assert first.provenance.sources[0].seen.sum() < source.seen.sum()
    assert any("starting checkpoint" in sentence for sentence in source.path)


def test_taught_model_has_seen_what_its_teacher_saw(tmp_path: Path) -> None:
    teacher_task = fold(tmp_path / "t", train_mask=HELD, val_mask=~HELD)
    assert teacher_task.outputs is not None
    n = int((~HELD).sum())
    teacher = Predictions(
        images=DATASET.image_ids[~HELD],
        values=teacher_task.outputs.values,
        scale=teacher_task.outputs.scale,
        schema=DATASET.schema,
        fold=np.zeros(n, dtype=np.int16),
        source=np.zeros(n, dtype=np.int32),
        sources=teacher_task.provenance.sources,
        universe=teacher_task.provenance.universe,
        dataset_fingerprint=DATASET.fingerprint,
    )
    taught = fold(tmp_path / "s", soft_targets=teacher)
    assert taught.provenance.sources[0].seen.all()


def test_missing_labels_are_masked_and_no_label_at_all_is_left_out(tmp_path: Path) -> None:
    codes = DATASET.codes.copy()
    codes[::3, 1] = -1
    codes[::6] = -1
    schema = replace(
        DATASET.schema, attributes=tuple(replace(a, missing="allow") for a in DATASET.schema.attributes)
    )
    blank = replace(DATASET, codes=codes, schema=schema, numbers={})
    result = fold(tmp_path, dataset=blank)
    assert np.isfinite(result.best["macro_f1"].value)
    rows = training_rows(task(tmp_path, dataset=blank))
    assert not set(rows.images.tolist()) & set(range(0, len(codes), 6))


def test_loss_that_is_no_number_ends_the_training(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="no longer a number in epoch"):
        fold(tmp_path, changes={"optim": {"name": "sgd", "lr": 1e30}})


def test_unknown_criterion_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="macro_f1"):
        fold(tmp_path, changes={"select": {"by": "macro_f"}})


def test_early_stopping_ends_after_patience_epochs_without_a_better_one() -> None:
    tracker = BestTracker("accuracy", patience=2)
    for epoch, value in enumerate([0.5, 0.7, 0.7, 0.6]):
        tracker.update(epoch, "raw", {"accuracy": value})
        assert tracker.exhausted(epoch) == (epoch == 3)
    assert tracker.best["accuracy"].epoch == 1  # a tie keeps the earlier


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": {"focal": 0.6, "f1": 0.4}, "model": {"head": "composite"}},
        {"loss": "ldam", "heads": {"weighting": "gradnorm"}, "mixing": {"cutmix_vertical": {"share": 1.0}}},
        {"ordinal": {"age": {"kind": "corn"}}, "mixing": {"mixup": {"share": 1.0}}},
        {
            "optim": {"name": "lion", "accumulate": 3, "freeze_epochs": 1, "layer_decay": 0.8},
            "model": {"name": "resnet10t", "options": {}},
        },
        {"average": {"swa": 0.7}, "augment": {"policy": "trivialaugment"}, "precision": "bfloat16"},
    ],
    ids=["blend", "ldam", "corn", "lion", "swa"],
)
def test_techniques_train_together(tmp_path: Path, changes: dict[str, Any]) -> None:
    result = fold(tmp_path, changes=changes)
    assert result.outputs is not None
    for values in result.outputs.values.values():
        assert np.isfinite(values).all()


def test_precision_auto_takes_the_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    cost = {"float32": 0.02, "bfloat16": 0.01}

    def make(name: Any) -> Any:
        def step() -> None:
            clock[0] += cost[name]

        return step

    device = torch.device("cpu")
    assert choose_precision("auto", device, make)[0] == "bfloat16"
    cost["bfloat16"] = 0.0199
    assert choose_precision("auto", device, make)[0] == "float32"
    assert choose_precision("bfloat16", device, make) == ("bfloat16", {})


def test_what_auto_became_is_kept_for_the_next_part(tmp_path: Path) -> None:
    result = fold(tmp_path, changes={"precision": "auto", "epochs": 1})
    assert set(result.runtime.step_ms or {}) == {"float32", "bfloat16"}
    assert type(result.runtime).model_validate_json(result.runtime.model_dump_json()) == result.runtime


SIGNS = LabelSchema(
    (
        Attribute(name="sign", kind="nominal", classes=("left", "right", "stop", "60")),
        Attribute(name="shape", kind="nominal", classes=("o", "v")),
    ),
    "sign",
    ("sign", "shape"),
    ((0, 0), (1, 0), (2, 1), (3, 0)),
)
MIRRORED = AugmentSettings(flip=0.5, mirror={"left": "right", "right": "left", "stop": "stop"})


def test_mirrored_photo_gets_the_class_that_it_shows() -> None:
    mirror = FlipLabels.of(MIRRORED, SIGNS, [HeadSpec("composite", 4), HeadSpec("shape", 2)], seed=0)
    assert mirror is not None
    n = 400
    target = np.arange(n, dtype=np.int32) % 5 - 1
    photos = torch.zeros(n, 2, 2, 3, dtype=torch.uint8)
    photos[:, :, 0] = 9
    flips, after = mirror.draw(target, epoch=1, first=0)
    codes = mirror.codes_of(after, torch.device("cpu"))
    flipped = (mirror.flip(photos, flips)[:, 0, 1, 0] == 9).numpy()
    np.testing.assert_array_equal(flipped, flips)
    assert not flipped[(target == 3) | (target == -1)].any()
    expected = np.where(flipped & (target == 0), 1, np.where(flipped & (target == 1), 0, target))
    np.testing.assert_array_equal(after, expected)
    np.testing.assert_array_equal(codes["composite"].numpy(), expected)
    np.testing.assert_array_equal(codes["shape"].numpy(), np.where(expected < 0, -1, expected == 2))
    assert 0.4 < flipped[(target >= 0) & (target < 3)].mean() < 0.6


def test_mirror_refuses_heads_that_the_class_does_not_determine() -> None:
    dense = replace(SIGNS, combinations=None)
    with pytest.raises(RecipeError, match="shape"):
        FlipLabels.of(MIRRORED, dense, [HeadSpec("shape", 2)], seed=0)
    with pytest.raises(RecipeError, match="'left'"):
        FlipLabels.of(
            AugmentSettings(flip=0.5, mirror={"lefd": "left"}), SIGNS, [HeadSpec("sign", 4)], seed=0
        )


def test_what_a_checkpoint_saw_elsewhere_and_what_a_run_suggested_are_stated(tmp_path: Path) -> None:
    elsewhere, pixels = tiny_dataset(seed=4)
    others = elsewhere.images.with_columns(
        subject=pl.format("of-another-{}", "subject"), content=pl.col("content") + 9000
    )
    stranger = replace(elsewhere, images=others)
    first = fold(tmp_path / "first", dataset=stranger, cache=pixels)
    assert first.provenance.sources[0].external == ()
    corrected = replace(
        DATASET,
        corrections=(
            LabelCorrection(
                image=DATASET.image_ids[~HELD][0],
                attribute="colour",
                value="r",
                reason="suspected",
                source="suspects",
                run="run-a",
            ),
        ),
    )
    edits = LabelEdits(relabels={"colour": Relabel(np.flatnonzero(~HELD)[1:3], ("r", "g"), ("run-a",) * 2)})
    start = {"model": {"checkpoint": str(tmp_path / "first" / "macro_f1.safetensors")}}
    second = fold(tmp_path / "second", changes=start, dataset=corrected, edits=edits)
    stated = second.provenance.sources[0].external
    seen = len(np.unique(stranger.subject_index[~HELD]))
    assert stated == (
        "labels of the training side that the run run-a suggested",
        f"its starting checkpoint has seen {seen} subjects of another data set, and none of them is here under "
        "another name",
    )
