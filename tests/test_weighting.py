"""Weights between heads: the papers' formulas by hand."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("torch")
import torch

from hoego.errors import TrainError
from hoego.recipe.losses import HeadsSettings
from hoego.train.weighting import GradNormHeadWeights, UncertaintyHeadWeights, build_weighting

pytestmark = pytest.mark.torch
NAMES = ("mask", "age")
LOSSES = {"age": torch.tensor(3.0), "mask": torch.tensor(0.5)}


def test_fixed_weights() -> None:
    weighting = build_weighting(HeadsSettings(weights={"age": 2.0}), NAMES)
    assert weighting(LOSSES).item() == pytest.approx(0.5 + 2 * 3.0)


def test_uncertainty_by_hand_and_at_its_optimum() -> None:
    weighting = UncertaintyHeadWeights(NAMES)
    with torch.no_grad():
        weighting.log_variance.copy_(torch.tensor([0.2, -0.4]))
    expected = math.exp(-0.2) * 0.5 + 0.1 + math.exp(0.4) * 3 - 0.2
    assert weighting(LOSSES).item() == pytest.approx(expected)
    # d/ds (exp(-s) L + s / 2) = 0 at s = log(2 L).
    with torch.no_grad():
        weighting.log_variance.copy_(torch.log(2 * torch.tensor([0.5, 3.0])))
    weighting(LOSSES).backward()
    torch.testing.assert_close(weighting.log_variance.grad, torch.zeros(2), atol=1e-6, rtol=0)


def test_gradnorm_by_hand() -> None:
    # Losses a * |x|^2 / 2 at x of norm 5: gradients of norm 5 a. First losses 12.5 a; x halves, then norms 2.5 a.
    weighting = GradNormHeadWeights(NAMES, alpha=1.0, every=1, lr=0.01)
    x = torch.tensor([3.0, 4.0], requires_grad=True)
    losses = {"mask": x.square().sum() / 2, "age": 4 * x.square().sum() / 2}
    weighting.adapt(losses, x, 0)
    # G = (5, 20), mean 12.5, equal ratios: the goal is 12.5 for both; w moves by -lr * sign(G - goal) * norm.
    raw = torch.tensor([1 + 0.01 * 5, 1 - 0.01 * 20])
    torch.testing.assert_close(weighting.weights, raw * 2 / raw.sum())
    torch.testing.assert_close(weighting.first, torch.tensor([12.5, 50.0]))


def test_gradnorm_helps_the_head_that_lags() -> None:
    weighting = GradNormHeadWeights(NAMES, alpha=1.0, every=1, lr=0.01)
    weighting.first.copy_(torch.tensor([1.0, 1.0]))
    # Equal gradients; mask has fallen to 0.2 of its first loss, age to 0.8.
    new = weighting.updated(torch.tensor([1.0, 1.0]), torch.tensor([0.2, 0.8]))
    assert new[1] > 1 > new[0]
    assert float(new.sum()) == pytest.approx(2)


def test_gradnorm_evens_out_the_gradients() -> None:
    weighting = GradNormHeadWeights(NAMES, alpha=0.0, every=1, lr=0.005)
    x = torch.tensor([0.6, 0.8], requires_grad=True)
    for step in range(200):
        weighting.adapt({"mask": x.sum(), "age": 3 * x.sum()}, x, step)
    assert float(weighting.weights[0] / weighting.weights[1]) == pytest.approx(3, rel=0.05)


def test_gradnorm_keeps_the_graph_for_the_training_step() -> None:
    weighting = GradNormHeadWeights(NAMES, every=1)
    x = torch.tensor([1.0], requires_grad=True)
    losses = {"mask": x.square().sum(), "age": x.exp().sum()}
    weighting.adapt(losses, x, 0)
    weighting(losses).backward()
    assert x.grad is not None


def test_unknown_heads_are_named() -> None:
    with pytest.raises(TrainError, match="'aeg'"):
        build_weighting(HeadsSettings(weights={"aeg": 1.0}), NAMES)
