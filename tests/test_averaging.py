"""Weight averages against timm, torch and the definition; exact round trips."""

from __future__ import annotations

import copy

import pytest

pytest.importorskip("torch")
import torch
from timm.utils import ModelEmaV3
from torch import nn

from hoego.train.averaging import Ema, Swa, WeightAverage, reestimate_batch_norm

pytestmark = pytest.mark.torch


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())


def wander(model: nn.Module, step: int) -> None:
    g = torch.Generator().manual_seed(step)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn(p.shape, generator=g))
    model.train()
    model(torch.randn(4, 3, 8, 8, generator=g))


def test_ema_is_timms() -> None:
    model = net()
    ours, theirs = Ema(model, 0.9, warmup=False), ModelEmaV3(model, decay=0.9)
    for step in range(5):
        wander(model, step)
        ours.update(model)
        theirs.update(model)
    for (name, a), b in zip(
        ours.module.state_dict().items(), theirs.module.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(a, b, msg=name)


def test_warm_up_is_the_ratio_until_the_decay_is_smaller() -> None:
    ema = Ema(net(), 0.5)
    decays = []
    for _ in range(12):
        decays.append(1 - ema.weight())
        ema.updates += 1
    assert decays == pytest.approx([min(0.5, (1 + n) / (10 + n)) for n in range(12)])


def test_swa_is_the_mean() -> None:
    model = net()
    swa, seen = Swa(model), []
    for step in range(6):
        wander(model, step)
        swa.update(model)
        seen.append(model[0].weight.detach().clone())
    torch.testing.assert_close(swa.module[0].weight, torch.stack(seen).mean(0))


def test_norm_statistics_are_reestimated() -> None:
    model = net()
    batches = [torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(i)) * 2 + 1 for i in range(4)]
    reestimate_batch_norm(model, batches)
    maps = [model[0](b) for b in batches]
    torch.testing.assert_close(model[1].running_mean, torch.stack([m.mean((0, 2, 3)) for m in maps]).mean(0))
    variances = torch.stack([m.transpose(0, 1).flatten(1).var(1) for m in maps])
    torch.testing.assert_close(model[1].running_var, variances.mean(0))


@pytest.mark.parametrize("make", [lambda m: Ema(m, 0.8), Swa])
def test_a_round_trip_goes_on_exactly(make: object) -> None:
    model = net()
    average: WeightAverage = make(model)  # type: ignore[operator]
    for step in range(3):
        wander(model, step)
        average.update(model)
    state = copy.deepcopy(average.state_dict())
    again: WeightAverage = make(net())  # type: ignore[operator]
    again.load_state_dict(state)
    for step in range(3, 6):
        wander(model, step)
        average.update(model)
        again.update(model)
    for a, b in zip(average.module.state_dict().values(), again.module.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_the_average_is_ready_to_predict_and_apart_from_the_model() -> None:
    model = net().train()
    ema = Ema(model, 0.9)
    before = model[0].weight.detach().clone()
    assert not ema.module.training
    assert not any(p.requires_grad for p in ema.module.parameters())
    ema.module[0].weight.fill_(0)
    assert torch.equal(model[0].weight, before)
