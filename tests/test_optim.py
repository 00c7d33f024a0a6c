"""Optimisers, schedules, sharpness-aware steps and the learning-rate finder against torch, timm and hand counts."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("torch")
import timm
import torch
from timm.optim import create_optimizer_v2
from torch import Tensor, nn

from hoego.errors import NotEstimableError, TrainError
from hoego.recipe.techniques import OptimSettings
from hoego.train.optim import (
    BackboneFreezer,
    Sam,
    build_optimizer,
    find_lr,
    frozen_batch_norm,
    lr_factor,
    parameter_groups,
    set_lr,
)

pytestmark = pytest.mark.torch


def net(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2))


@pytest.mark.parametrize("name", ["adamw", "sgd", "lion", "lamb"])
def test_steps_are_those_of_torch_and_timm(name: str) -> None:
    ours, theirs = net(), net()
    x, y = torch.randn(8, 3, generator=torch.Generator().manual_seed(1)), torch.arange(8) % 2
    settings = OptimSettings(name=name, lr=0.01, weight_decay=0.1)
    optimizer = build_optimizer(ours, settings)
    oracle = create_optimizer_v2(theirs, opt=name, lr=0.01, weight_decay=0.1, momentum=0.9)
    for _ in range(3):
        for model, opt in ((ours, optimizer), (theirs, oracle)):
            opt.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            opt.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_every_parameter_has_one_group_and_its_own_rate() -> None:
    model = net()
    settings = OptimSettings(lr=0.1, weight_decay=0.3, head_lr=5.0)
    groups = parameter_groups(model, settings, model[3].parameters())
    ids = [id(p) for g in groups for p in g["params"]]
    assert sorted(ids) == sorted(id(p) for p in model.parameters())
    found = {(g["weight_decay"], g["lr_scale"]): len(g["params"]) for g in groups}
    assert found == {(0.3, 1.0): 1, (0.3, 5.0): 1, (0.0, 1.0): 3, (0.0, 5.0): 1}
    optimizer = build_optimizer(model, settings, heads=model[3].parameters())
    set_lr(optimizer, 0.02)
    assert sorted({g["lr"] for g in optimizer.param_groups}) == pytest.approx([0.02, 0.1])


def test_layer_wise_decay_is_timms() -> None:
    model = timm.create_model(
        "vit_tiny_patch16_224", depth=2, embed_dim=12, num_heads=2, img_size=32, num_classes=3
    )
    groups = parameter_groups(model, OptimSettings(layer_decay=0.5))
    scale = {id(p): g["lr_scale"] for g in groups for p in g["params"]}
    # Embedding, two blocks, head: 0.5^3, 0.5^2, 0.5^1, 1 (BEiT's rule).
    assert scale[id(model.patch_embed.proj.weight)] == pytest.approx(0.125)
    assert scale[id(model.blocks[0].attn.qkv.weight)] == pytest.approx(0.25)
    assert scale[id(model.blocks[1].attn.qkv.weight)] == pytest.approx(0.5)
    assert scale[id(model.head.weight)] == pytest.approx(1.0)
    assert len(scale) == len(list(model.parameters()))


def test_unknown_optimisers_are_named() -> None:
    with pytest.raises(TrainError, match="'adamx'"):
        build_optimizer(net(), OptimSettings(name="adamx"))
    with pytest.raises(TrainError, match="not for sgd"):
        build_optimizer(net(), OptimSettings(name="sgd", betas=(0.9, 0.99)))


def test_one_cycle_is_torchs() -> None:
    parameter = nn.Parameter(torch.zeros(1))
    sgd = torch.optim.SGD([parameter], lr=1.0, momentum=0.9)
    oracle = torch.optim.lr_scheduler.OneCycleLR(sgd, max_lr=1.0, total_steps=100, pct_start=0.3)
    settings = OptimSettings(schedule="onecycle", warmup=0.3)
    for step in range(100):
        assert lr_factor(step, 100, settings) == pytest.approx(oracle.get_last_lr()[0], abs=1e-9)
        sgd.step()
        oracle.step() if step < 99 else None


def test_cosine_and_steps_by_hand() -> None:
    cosine = OptimSettings(schedule="cosine", warmup=0.1, final=0.2)
    assert [lr_factor(s, 100, cosine) for s in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert lr_factor(10, 100, cosine) == pytest.approx(1.0)
    assert lr_factor(55, 100, cosine) == pytest.approx(0.6)
    assert lr_factor(100, 100, cosine) == pytest.approx(0.2)
    steps = OptimSettings(schedule="step", warmup=0, step_every=0.3, step_factor=0.1)
    assert [lr_factor(s, 100, steps) for s in (0, 29, 30, 59, 60, 90)] == pytest.approx(
        [1, 1, 0.1, 0.1, 0.01, 0.001]
    )
    assert lr_factor(50, 100, OptimSettings(schedule="constant", warmup=0)) == 1.0


@pytest.mark.parametrize("schedule", ["cosine", "onecycle", "step", "constant"])
@pytest.mark.parametrize("total", [1, 2, 3, 1000])
def test_factors_stay_between_0_and_1(schedule: str, total: int) -> None:
    settings = OptimSettings(schedule=schedule, warmup=0.05)  # type: ignore[arg-type]
    factors = [lr_factor(s, total, settings) for s in range(total)]
    assert all(0 <= f <= 1 for f in factors)
    assert max(factors) > 0.9 or total < 20


def test_sam_climbs_along_the_gradient_and_comes_back() -> None:
    w = nn.Parameter(torch.tensor([[3.0, 4.0]]))
    b = nn.Parameter(torch.tensor([12.0]))
    before = w.detach().clone()
    sam = Sam([w, b], rho=0.26)
    w.grad, b.grad = torch.tensor([[3.0, 4.0]]), torch.tensor([12.0])  # norm 13
    sam.ascent_step()
    # e = rho g / |g| (Foret et al. 2021, eq. 2)
    torch.testing.assert_close(w.detach(), before + 0.26 * torch.tensor([[3.0, 4.0]]) / 13)
    torch.testing.assert_close(b.detach(), torch.tensor([12.0 + 0.26 * 12 / 13]))
    sam.descent_step()
    assert torch.equal(w.detach(), before)


def test_adaptive_sam_scales_by_the_weights() -> None:
    w = nn.Parameter(torch.tensor([[2.0, -1.0]]))
    w.grad = torch.tensor([[1.0, 3.0]])
    sam = Sam([w], rho=0.5, adaptive=True)
    sam.ascent_step()
    t = np.array([2.01, 1.01])
    g = np.array([1.0, 3.0])
    expected = np.array([2.0, -1.0]) + 0.5 * t**2 * g / np.linalg.norm(t * g)  # Kwon et al. 2021, eq. 8
    np.testing.assert_allclose(w.detach()[0].numpy(), expected, rtol=1e-6)


def test_the_second_pass_leaves_norm_statistics() -> None:
    model = net().train()
    norm = model[1]
    before = {k: v.clone() for k, v in norm.state_dict().items()}
    with frozen_batch_norm(model):
        model(torch.randn(8, 3) + 5)
    assert all(torch.equal(v, before[k]) for k, v in norm.state_dict().items())
    model(torch.randn(8, 3) + 5)
    assert int(norm.num_batches_tracked) == 1
    assert not torch.equal(norm.running_mean, before["running_mean"])


def train_an_epoch(
    model: nn.Module, freezer: BackboneFreezer, optimizer: torch.optim.Optimizer, epoch: int
) -> None:
    model.train()
    freezer.apply(epoch)
    optimizer.zero_grad()
    model(torch.randn(8, 3)).square().mean().backward()
    optimizer.step()


def test_a_frozen_backbone_thaws() -> None:
    model = net().train()
    heads = list(model[3].parameters())
    freezer = BackboneFreezer(model, heads, OptimSettings(freeze_epochs=2))
    optimizer = build_optimizer(model, OptimSettings(lr=0.1), heads=heads)
    start = {k: v.clone() for k, v in model.state_dict().items()}
    for epoch in range(3):
        train_an_epoch(model, freezer, optimizer, epoch)
        moved = {k for k, v in model.state_dict().items() if not torch.equal(v, start[k])}
        if epoch < 2:
            assert moved == {"3.weight", "3.bias"}
    assert moved >= {"0.weight", "1.running_mean", "3.weight"}


class Layered(nn.Module):
    """A stem, two stages and a head, each named to timm's grouping."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5))
        self.stages = nn.ModuleList(nn.Sequential(nn.Linear(5, 5), nn.BatchNorm1d(5)) for _ in range(2))
        self.head = nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        out: Tensor = self.head(x)
        return out

    def group_matcher(self, coarse: bool = False) -> dict[str, str]:
        return {"stem": r"^stem", "blocks": r"^stages\.(\d+)"}


def test_the_lowest_layers_keep_their_weights_and_statistics_in_all_epochs() -> None:
    model = Layered().train()
    heads = list(model.head.parameters())
    freezer = BackboneFreezer(model, heads, OptimSettings(freeze_layers=2))
    optimizer = build_optimizer(model, OptimSettings(lr=0.1), heads=heads)
    start = {k: v.clone() for k, v in model.state_dict().items()}
    for epoch in range(2):
        train_an_epoch(model, freezer, optimizer, epoch)
    still = {k for k, v in model.state_dict().items() if torch.equal(v, start[k])}
    assert still == {k for k in start if k.startswith(("stem", "stages.0"))}


def test_no_more_layers_are_frozen_than_a_model_names() -> None:
    with pytest.raises(TrainError, match="the model has 4 layers"):
        BackboneFreezer(Layered(), (), OptimSettings(freeze_layers=4))
    with pytest.raises(TrainError, match="does not say what its layers are"):
        BackboneFreezer(net(), (), OptimSettings(freeze_layers=1))


def test_the_rate_finder_reads_a_known_curve() -> None:
    # Loss as a function of the rate: flat, steepest fall at 1e-3, lowest at 1e-2, then up.
    def loss(rate: float) -> float:
        x = math.log10(rate)
        return 2 - math.tanh(3 * (x + 3)) + (max(x + 2, 0) * 4) ** 2

    found = find_lr(loss, low=1e-6, high=10.0, steps=400, smoothing=0.0)
    assert found.diverged
    assert found.steepest == pytest.approx(1e-3, rel=0.05)
    assert found.suggestion == pytest.approx(1e-3, rel=0.1)
    assert [s.lr for s in found.curve] == pytest.approx(list(np.geomspace(1e-6, 10, 400)[: len(found.curve)]))


def test_smoothing_is_bias_corrected() -> None:
    found = find_lr(lambda _: 7.0, steps=20)
    assert [s.smoothed for s in found.curve] == pytest.approx([7.0] * 20)


def test_a_loss_that_is_no_number_gives_no_rate() -> None:
    with pytest.raises(NotEstimableError, match="determines no learning rate"):
        find_lr(lambda rate: float("nan"))


def test_layer_decay_tells_the_layers_of_a_whole_learner_apart() -> None:
    from hoego.recipe import ModelSettings
    from hoego.train import learner as module
    from hoego.train.models import build_network

    network = build_network(ModelSettings(name="resnet10t"), {"a": 2}, (32, 32)).network
    names = [n for n, _ in torch.nn.ModuleDict({"network": network}).named_parameters()]
    own = [n for n in names if n.startswith(module.BODY)]
    assert len(own) == len(list(network.backbone.parameters()))
