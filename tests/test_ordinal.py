"""Ordinal heads against formulas worked by hand, scipy and torch's distributions."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("torch")
import torch
from scipy import stats

from hoego.errors import TrainError
from hoego.recipe.losses import ORDINAL, OrdinalSettings
from hoego.train.ordinal import (
    CoralHead,
    CornHead,
    LabelDistributionHead,
    MeanVarianceHead,
    OrdinalHead,
    OrdinalScale,
    RegressionHead,
    build_ordinal,
    scale_of,
)

pytestmark = pytest.mark.torch
AGE = OrdinalScale(n_classes=3, edges=(30.0, 60.0), low=18.0, high=60.0, mean=40.0, std=12.0)
KINDS = [kind for kind in ORDINAL if kind != "classes"]


def head_of(kind: str, scale: OrdinalScale = AGE) -> OrdinalHead:
    head = build_ordinal(OrdinalSettings(kind=kind), scale)  # type: ignore[arg-type]
    assert head is not None
    return head


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_coral_by_hand() -> None:
    head = CoralHead(AGE)
    with torch.no_grad():
        head.bias.copy_(torch.tensor([1.0, -1.0]))
    outputs = torch.tensor([[0.5]])
    # y = 1 of 3: above the first threshold, not above the second.
    expected = -math.log(sigmoid(1.5)) - math.log(1 - sigmoid(-0.5))
    assert head.loss(outputs, torch.tensor([1])).item() == pytest.approx(expected, rel=1e-6)
    p = [1 - sigmoid(1.5), sigmoid(1.5) - sigmoid(-0.5), sigmoid(-0.5)]
    np.testing.assert_allclose(head.class_probabilities(outputs)[0].detach().numpy(), p, rtol=1e-6)


def test_corn_by_hand() -> None:
    head = CornHead(AGE)
    outputs = torch.tensor([[0.4, -0.3], [1.0, 2.0]])
    # Photo of class 0 takes part in the first task alone; photo of class 1 in both: three terms.
    terms = [-math.log(1 - sigmoid(0.4)), -math.log(sigmoid(1.0)), -math.log(1 - sigmoid(2.0))]
    loss = head.loss(outputs, torch.tensor([0, 1]))
    assert loss.item() == pytest.approx(sum(terms) / 3, rel=1e-6)
    first, both = sigmoid(0.4), sigmoid(0.4) * sigmoid(-0.3)
    expected = [1 - first, first - both, both]
    np.testing.assert_allclose(head.class_probabilities(outputs)[0].numpy(), expected, rtol=1e-6)


def test_a_label_distribution_is_a_gaussian_cut_to_the_grid() -> None:
    head = LabelDistributionHead(AGE, step=1.0, sigma=2.0)
    grid = np.arange(18, 61)
    assert head.n_outputs == len(grid)
    density = stats.norm.pdf(grid, 27.0, 2.0)
    density /= density.sum()
    np.testing.assert_allclose(head.target(torch.tensor([27.0]))[0].numpy(), density, rtol=1e-4, atol=1e-9)
    uniform = torch.zeros(1, len(grid))
    expected = stats.entropy(density, np.full(len(grid), 1 / len(grid)))
    assert head.loss(uniform, torch.tensor([0]), torch.tensor([27.0])).item() == pytest.approx(
        expected, rel=1e-5
    )
    # 12 ages below 30, 30 from 30 to 59, one of 60.
    np.testing.assert_allclose(
        head.class_probabilities(uniform)[0].numpy(), np.array([12, 30, 1]) / 43, rtol=1e-5
    )


def test_mean_variance_by_hand() -> None:
    head = MeanVarianceHead(
        OrdinalScale(n_classes=2, edges=(1.5,), low=0.0, high=2.0, mean=1.0),
        mean_weight=0.2,
        variance_weight=0.05,
    )
    p = np.array([0.2, 0.5, 0.3])
    mean, variance = 1.1, 0.2 * 1.1**2 + 0.5 * 0.1**2 + 0.3 * 0.9**2
    expected = -math.log(0.3) + 0.2 * (mean - 2) ** 2 / 2 + 0.05 * variance
    outputs = torch.tensor(np.log(p), dtype=torch.float32)[None]
    assert head.loss(outputs, torch.tensor([1]), torch.tensor([2.0])).item() == pytest.approx(
        expected, rel=1e-5
    )
    np.testing.assert_allclose(head.class_probabilities(outputs)[0].numpy(), [0.7, 0.3], rtol=1e-5)


def test_regression_is_squared_error_and_a_gaussians_mass_between_edges() -> None:
    head = RegressionHead(AGE)
    with torch.no_grad():
        head.log_spread.fill_(math.log(0.5))
    outputs = torch.tensor([[1.25]], requires_grad=True)  # 40 + 1.25 * 12 = 55
    loss = head.loss(outputs, torch.tensor([2]), torch.tensor([61.0]))
    assert loss.item() == pytest.approx((1.25 - 1.75) ** 2, rel=1e-6)
    loss.backward()
    assert float(outputs.grad) == pytest.approx(2 * (1.25 - 1.75), rel=1e-6)  # type: ignore[arg-type]
    # d/ds [r^2 exp(-2 s) / 2 + s] = 1 - r^2 / spread^2 = 1 - 0.25 / 0.25
    assert float(head.log_spread.grad) == pytest.approx(0, abs=1e-6)  # type: ignore[arg-type]
    below = stats.norm.cdf([30, 60], 55, 6)
    expected = [below[0], below[1] - below[0], 1 - below[1]]
    np.testing.assert_allclose(head.class_probabilities(outputs)[0].detach().numpy(), expected, atol=1e-6)


def test_the_class_of_a_regression_is_read_off_the_edges() -> None:
    head = RegressionHead(AGE)
    with torch.no_grad():
        head.log_spread.fill_(math.log(0.05))
    numbers = torch.tensor([[17.0], [29.9], [30.1], [59.9], [60.1], [75.0]])
    classes = head.class_probabilities((numbers - 40) / 12).argmax(1)
    assert classes.tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("kind", KINDS)
def test_every_head_learns_and_gives_probabilities(kind: str) -> None:
    torch.manual_seed(0)
    numbers = torch.linspace(18, 60, 43)
    codes = torch.bucketize(numbers, torch.tensor([30.0, 60.0]), right=True)
    head = head_of(kind)
    net = torch.nn.Sequential(torch.nn.Linear(1, 32), torch.nn.Tanh(), torch.nn.Linear(32, head.n_outputs))
    x = ((numbers - 40) / 12)[:, None]
    optimizer = torch.optim.Adam([*net.parameters(), *head.parameters()], lr=0.05)
    for _ in range(120):
        optimizer.zero_grad()
        head.loss(net(x), codes, numbers).backward()
        optimizer.step()
    p = head.class_probabilities(net(x)).detach()
    torch.testing.assert_close(p.sum(1), torch.ones(43))
    assert bool((p >= 0).all())
    wrong = (p.argmax(1) != codes) & ~((numbers - 30).abs() <= 1.5) & ~((numbers - 60).abs() <= 2.5)
    assert not wrong.any()


@pytest.mark.parametrize("kind", KINDS)
def test_masks_weights_and_mixing(kind: str) -> None:
    g = torch.Generator().manual_seed(1)
    numbers = torch.tensor([20.0, 35.0, 59.0, 60.0, 28.0, 45.0])
    codes = torch.tensor([0, 1, 1, 2, 0, 1])
    head = head_of(kind)
    outputs = torch.randn(6, head.n_outputs, generator=g)
    keep = torch.tensor([True, True, False, True, False, True])
    expected = head.loss(outputs[keep], codes[keep], numbers[keep])
    torch.testing.assert_close(head.loss(outputs, codes, numbers, mask=keep), expected)
    torch.testing.assert_close(head.loss(outputs, torch.where(keep, codes, -1), numbers), expected)
    torch.testing.assert_close(head.loss(outputs, codes, numbers, weight=keep * 3.0), expected)
    assert head.loss(outputs, torch.full((6,), -1), numbers).item() == 0
    partner = torch.tensor([1, 0, 3, 2, 5, 4])
    torch.testing.assert_close(
        head.mixed_loss(outputs, codes, numbers, partner, torch.zeros(6)),
        head.loss(outputs, codes[partner], numbers[partner]),
    )
    weight = torch.tensor([2.0, 0.0, 1.0, 1.0, 0.0, 3.0])
    torch.testing.assert_close(
        head.mixed_loss(outputs, codes, numbers, partner, torch.ones(6), weight=weight),
        head.loss(outputs, codes, numbers, weight=weight),
    )


def test_an_ordinal_attribute_without_a_number_uses_its_codes() -> None:
    for kind in KINDS:
        head = head_of(kind, scale_of(4, (), [0.0, 1.0, 2.0, 3.0]))
        p = head.class_probabilities(torch.zeros(2, head.n_outputs))
        assert p.shape == (2, 4)
        assert math.isfinite(head.loss(torch.zeros(2, head.n_outputs), torch.tensor([3, 0])).item())


def test_scale_ignores_missing_numbers() -> None:
    scale = scale_of(3, (30, 60), [20.0, float("nan"), 40.0])
    assert (scale.low, scale.high, scale.mean, scale.std) == (20, 40, 30, 10)
    with pytest.raises(TrainError, match="No training photo"):
        scale_of(3, (30, 60), [float("nan")])


def test_a_grid_that_misses_a_class_is_refused() -> None:
    with pytest.raises(TrainError, match=r"no point in the classes \[2\]"):
        LabelDistributionHead(OrdinalScale(n_classes=3, edges=(30.0, 60.0), low=18.0, high=55.0))


def test_classes_need_no_head() -> None:
    assert build_ordinal(OrdinalSettings(), AGE) is None
