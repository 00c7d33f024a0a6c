"""Mixing: shares counted, labels in proportion to pixels, formulas by hand."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from hoego.errors import TrainError
from hoego.recipe.techniques import MixingSettings
from hoego.train.mixing import KINDS, Kind, MixPlan, mix, mix_mask, plan_batch, schedule

pytestmark = pytest.mark.torch


def settings_of(**kinds: dict[str, object]) -> MixingSettings:
    return MixingSettings.model_validate(kinds)


def plan_of(
    kind: Kind, settings: MixingSettings, labels: np.ndarray, step: int = 0, size: int = 32
) -> MixPlan:
    plan = plan_batch(
        kind, settings, labels, size=(size, size + 8), counters=(0, 0, step), class_names=("a", "b", "c")
    )
    assert plan is not None
    return plan


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.5, 1 / 3, 1.0])
@pytest.mark.parametrize("steps", [1, 7, 40, 133])
def test_a_share_means_what_it_says(share: float, steps: int) -> None:
    settings = settings_of(mixup={"share": share})
    total = 0
    for epoch in range(20):
        n = sum(kind == "mixup" for kind in schedule(settings, seed=5, epoch=epoch, steps=steps))
        assert abs(n - share * steps) < 1
        total += n
    assert abs(total - 20 * share * steps) < 2.5


def test_several_kinds_share_the_batches() -> None:
    shares = dict(zip(KINDS, (0.2, 0.3, 0.1, 0.25, 0.15), strict=True))
    settings = settings_of(**{k: {"share": s} for k, s in shares.items()})
    for epoch in range(5):
        kinds = schedule(settings, seed=0, epoch=epoch, steps=60)
        assert len(kinds) == 60
        for kind, share in shares.items():
            assert abs(kinds.count(kind) - 60 * share) < 1
    assert kinds.count(None) == 0


def test_a_schedule_is_a_function_of_seed_and_epoch_and_stops_at_its_epoch() -> None:
    settings = settings_of(mixup={"share": 0.5, "off_epoch": 3})
    assert schedule(settings, seed=1, epoch=2, steps=50) == schedule(settings, seed=1, epoch=2, steps=50)
    assert schedule(settings, seed=1, epoch=2, steps=50) != schedule(settings, seed=2, epoch=2, steps=50)
    assert set(schedule(settings, seed=1, epoch=3, steps=50)) == {None}


def test_shares_above_one_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 1"):
        settings_of(mixup={"share": 0.6}, cutmix={"share": 0.6})


def test_mixup_is_the_papers_sum() -> None:
    images = torch.rand(3, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    targets = {"age": torch.eye(3)}
    plan = MixPlan("mixup", np.array([1, 2, 0]), np.array([0.3, 1.0, 0.5], dtype=np.float32))
    mixed, labels = mix(images, targets, plan)
    torch.testing.assert_close(mixed[0], 0.3 * images[0] + 0.7 * images[1])
    torch.testing.assert_close(mixed[1], images[1])
    torch.testing.assert_close(labels["age"][2], torch.tensor([0.5, 0.0, 0.5]))


def test_mixup_weights_are_beta() -> None:
    settings = settings_of(mixup={"share": 1, "alpha": 0.4})
    keep = np.concatenate([plan_of("mixup", settings, np.zeros(128), step).keep for step in range(40)])
    # Beta(a, a): mean 1/2, variance 1 / (4 (2 a + 1)).
    assert keep.mean() == pytest.approx(0.5, abs=0.03)
    assert keep.var() == pytest.approx(1 / (4 * 1.8), rel=0.05)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_labels_are_in_proportion_to_pixels(kind: Kind) -> None:
    labels = np.arange(16) % 3
    plan = plan_of(kind, settings_of(**{kind: {"share": 1}}), labels)
    # Photo i is painted with the number i: the mixed photo shows how many pixels are whose.
    images = torch.arange(16.0)[:, None, None, None].expand(16, 3, 32, 40)
    mixed, targets = mix(images, {"x": torch.eye(16)}, plan)
    for i in range(16):
        pixels = torch.bincount(mixed[i, 0].flatten().long(), minlength=16) / (32 * 40)
        torch.testing.assert_close(targets["x"][i], pixels, atol=1e-6, rtol=0)


def test_the_halves_are_halves() -> None:
    images = torch.arange(8.0)[:, None, None, None].expand(8, 3, 32, 40)
    for kind, axis in (("cutmix_vertical", 2), ("cutmix_horizontal", 1)):
        plan = plan_of(kind, settings_of(**{kind: {"share": 1}}), np.zeros(8))  # type: ignore[arg-type]
        mixed, _ = mix(images, {}, plan)
        assert np.allclose(plan.keep, 0.5)
        for i in range(8):
            first, second = mixed[i].chunk(2, dim=axis)
            assert {float(first.unique()), float(second.unique())} == {float(i), float(plan.partner[i])}


def test_same_class_pairs_stay_within_the_class() -> None:
    labels = np.array([0, 1, 2, 0, 1, 2, 0, 0, 1, -1, -1])
    partners = [
        plan_of("cutmix_same", settings_of(cutmix_same={"share": 1}), labels, s).partner for s in range(20)
    ]
    for partner in partners:
        assert np.array_equal(labels[partner], labels)
        assert partner[9:].tolist() == [9, 10]
    assert len({tuple(p) for p in partners}) > 1


@pytest.mark.parametrize("kind", ["mixup", "cutmix", "cutmix_vertical"])
def test_aimed_mixing_changes_the_listed_classes_alone(kind: Kind) -> None:
    labels = np.array([0, 1, 2] * 5)
    plan = plan_of(kind, settings_of(**{kind: {"share": 1, "classes": ["c"]}}), labels)
    images = torch.rand(15, 3, 32, 40, generator=torch.Generator().manual_seed(0))
    mixed, targets = mix(images, {"x": torch.eye(3)[torch.from_numpy(labels)]}, plan)
    same = (mixed == images).flatten(1).all(1).numpy()
    assert same[labels != 2].all()
    assert (plan.keep[labels != 2] == 1).all()
    assert not same[(labels == 2) & (plan.keep < 0.95) & (plan.partner != np.arange(15))].any()
    torch.testing.assert_close(targets["x"].sum(1), torch.ones(15))


def test_an_unknown_class_is_named() -> None:
    with pytest.raises(TrainError, match="'z'"):
        plan_of("mixup", settings_of(mixup={"share": 1, "classes": ["z"]}), np.zeros(3))


def test_a_mixed_photo_has_a_label_where_both_parts_have() -> None:
    mask = torch.tensor([True, False, True])
    partner = torch.tensor([1, 2, 0])
    assert mix_mask(mask, partner, torch.tensor([0.5, 0.5, 0.5])).tolist() == [False, False, True]
    assert mix_mask(mask, partner, torch.tensor([1.0, 0.0, 1.0])).tolist() == [True, True, True]


def test_a_plain_batch_stays() -> None:
    images, targets = torch.rand(2, 3, 4, 4), {"x": torch.eye(2)}
    assert plan_batch(None, MixingSettings(), np.zeros(2), size=(4, 4), counters=(0, 0, 0)) is None
    mixed, labels = mix(images, targets, None)
    assert mixed is images
    assert labels["x"] is targets["x"]
