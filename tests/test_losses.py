"""Losses against torch, timm, scikit-learn and the papers' formulas worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("torch")
import torch
import torch.nn.functional as F
from sklearn.metrics import f1_score
from timm.loss import AsymmetricLossSingleLabel

from hoego.errors import RecipeError, TrainError
from hoego.recipe.losses import LOSS_NAMES, LOSSES, LossOptions
from hoego.recipe.sections import ModelSettings
from hoego.train.losses import CosineLinear, LdamLoss, Loss, build_loss, distillation, sum_of_others
from hoego.train.models import build_network

pytestmark = pytest.mark.torch
COUNTS = torch.tensor([500.0, 100.0, 20.0, 4.0])


def built(spec: object, **options: object) -> Loss:
    return build_loss(spec, n_classes=4, class_counts=COUNTS, options=LossOptions(**options))  # type: ignore[arg-type]


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(3)
    return 3 * torch.randn(12, 4, generator=g), torch.randint(0, 4, (12,), generator=g)


def test_the_table_and_the_code_agree() -> None:
    assert set(LOSS_NAMES) == {row.name for row in LOSSES}
    for row in LOSSES:
        assert isinstance(built(row.name), Loss)
        if row.options is not None:
            assert type(getattr(LossOptions(), row.name)) is row.options
    assert set(LossOptions.model_fields) == {row.name for row in LOSSES if row.options is not None}


def test_cross_entropy_and_smoothing_are_torchs(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, y = batch
    torch.testing.assert_close(built("ce")(logits, y), F.cross_entropy(logits, y))
    smooth = built("smooth", smooth={"eps": 0.15})(logits, y)
    torch.testing.assert_close(smooth, F.cross_entropy(logits, y, label_smoothing=0.15))


def test_focal_by_hand(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    # Lin et al. 2017, figure 1: at p = 0.9 and gamma = 2 the loss is 100 times below cross-entropy.
    logits = torch.tensor([[math.log(0.9), math.log(0.1)]])
    focal = build_loss("focal", n_classes=2)(logits, torch.tensor([0]))
    assert float(focal) == pytest.approx(-math.log(0.9) / 100, rel=1e-5)
    logits, y = batch
    torch.testing.assert_close(built("focal", focal={"gamma": 0.0})(logits, y), F.cross_entropy(logits, y))


def test_class_balanced_weights_are_cuis() -> None:
    # (1 - b) / (1 - b^n) at b = 0.9 for n = 1, 2, 3: 1, 1/1.9, 1/2.71; scaled to sum to 3.
    loss = build_loss(
        "class_balanced",
        n_classes=3,
        class_counts=torch.tensor([1.0, 2.0, 3.0]),
        options=LossOptions(class_balanced={"beta": 0.9}),  # type: ignore[arg-type]
    )
    raw = np.array([1, 1 / 1.9, 1 / 2.71])
    expected = raw * 3 / raw.sum() * math.log(3)
    rows = loss(torch.zeros(3, 3), torch.arange(3), reduction="none")
    np.testing.assert_allclose(rows.numpy(), expected, rtol=1e-6)


def test_ldam_lowers_the_true_logit_by_its_margin(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, y = batch
    # n^(-1/4) of 500, 100, 20, 4, scaled so that the rarest class has 0.5 (Cao et al. 2019, eq. 13).
    margins = np.array([500, 100, 20, 4.0]) ** -0.25 / 4**-0.25 * 0.5
    lowered = logits.clone()
    lowered[torch.arange(12), y] -= torch.tensor(margins, dtype=torch.float32)[y]
    loss = built("ldam")
    loss.set_epoch(0, 10)
    torch.testing.assert_close(loss(logits, y), F.cross_entropy(lowered, y))
    loss.set_epoch(8, 10)  # from 0.8 of the epochs on, weighted by the inverse effective number
    per_class = (1 - 0.9999) / (1 - 0.9999 ** COUNTS.double())
    per_class = (per_class / per_class.sum() * 4).float()
    expected = (per_class[y] * F.cross_entropy(lowered, y, reduction="none")).mean()
    torch.testing.assert_close(loss(logits, y), expected)


def test_ldam_stays_exact_where_one_class_dominates() -> None:
    loss = LdamLoss(torch.tensor([16.0, 1.0]), scale=30.0)
    logits = torch.tensor([[25.0, -5.0]])
    margin = 30 * 0.5 * 16**-0.25
    expected = math.log1p(math.exp(-30 + margin))
    assert float(loss(logits, torch.tensor([0]))) == pytest.approx(expected, rel=1e-4)
    others = sum_of_others(torch.tensor([[0.0, -40.0, -41.0]]))
    np.testing.assert_allclose(others[0].numpy(), [math.exp(-40) + math.exp(-41), 1, 1], rtol=1e-6)


def test_logit_adjustment_adds_the_log_prior(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, y = batch
    prior = torch.tensor([500, 100, 20, 4]) / 624
    expected = F.cross_entropy(logits + 1.5 * prior.log(), y)
    torch.testing.assert_close(built("logit_adjusted", logit_adjusted={"tau": 1.5})(logits, y), expected)


def test_f1_of_certain_predictions_is_scikit_learns() -> None:
    g = np.random.default_rng(0)
    y, guess = g.integers(0, 3, 40), g.integers(0, 4, 40)
    logits = torch.from_numpy(np.where(np.eye(4)[guess] > 0, 0.0, -1e4)).float()
    expected = f1_score(y, guess, average="macro", labels=[0, 1, 2])
    assert float(built("f1")(logits, torch.from_numpy(y))) == pytest.approx(1 - expected, abs=1e-6)


def test_f1_of_doubtful_predictions_by_hand() -> None:
    # Class 0: TP 0.8, sum of p 1.2, one photo; class 1: TP 0.6, sum of p 0.8, one photo.
    logits = torch.tensor([[0.8, 0.2], [0.4, 0.6]]).log()
    loss = build_loss("f1", n_classes=2)(logits, torch.tensor([0, 1]))
    assert float(loss) == pytest.approx(1 - (1.6 / 2.2 + 1.2 / 1.8) / 2, rel=1e-6)


def test_symmetric_by_hand() -> None:
    # p = (0.7, 0.3), label 0: CE = -ln 0.7; RCE = -(0.7 * 0 + 0.3 * A) = 0.3 * 4 (Wang et al. 2019, eq. 7, A = -4).
    logits = torch.tensor([[0.7, 0.3]]).log()
    loss = build_loss("sce", n_classes=2)(logits, torch.tensor([0]))
    assert float(loss) == pytest.approx(-0.1 * math.log(0.7) + 1.2, rel=1e-5)


def test_asymmetric_is_its_authors_in_timm(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, y = batch
    for pos, neg, eps in [(0, 4, 0.1), (1, 3, 0.2), (2, 2, 0.0)]:
        expected = AsymmetricLossSingleLabel(gamma_pos=pos, gamma_neg=neg, eps=eps)(logits, y)
        ours = built("asl", asl={"gamma_pos": pos, "gamma_neg": neg, "eps": eps})(logits, y)
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-6)


def test_a_blend_is_the_weighted_sum(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, y = batch
    blend = built({"focal": 0.6, "f1": 0.4})(logits, y)
    torch.testing.assert_close(blend, 0.6 * built("focal")(logits, y) + 0.4 * built("f1")(logits, y))


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_one_hot_targets_equal_classes(name: str, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, y = batch
    torch.testing.assert_close(built(name)(logits, y), built(name)(logits, F.one_hot(y, 4).float()))


@pytest.mark.parametrize("name", ["ce", "smooth", "focal", "class_balanced", "ldam", "logit_adjusted"])
def test_a_mixed_target_is_the_mixture_of_losses(name: str, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, a = batch
    b = (a + 1) % 4
    soft = 0.3 * F.one_hot(a, 4) + 0.7 * F.one_hot(b, 4)
    loss = built(name)
    torch.testing.assert_close(loss(logits, soft), 0.3 * loss(logits, a) + 0.7 * loss(logits, b))


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_masked_photos_do_not_count(name: str, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, y = batch
    keep = torch.arange(12) % 3 > 0
    loss = built(name)
    expected = loss(logits[keep], y[keep])
    torch.testing.assert_close(loss(logits, y, mask=keep), expected)
    torch.testing.assert_close(loss(logits, torch.where(keep, y, -1)), expected)
    torch.testing.assert_close(loss(logits, y, weight=keep.float() * 2), expected)
    logits = logits.clone().requires_grad_()
    nothing = loss(logits, torch.full((12,), -1))
    nothing.backward()
    assert nothing.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_gradients_are_those_of_differences(name: str, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits = batch[0][:5].clone().requires_grad_()
    soft = torch.softmax(batch[0][5:10], 1)
    loss = built(name)
    (gradient,) = torch.autograd.grad(loss(logits, soft), logits)
    step = 0.01
    for i, j in [(0, 0), (2, 3), (4, 1)]:
        up, down = logits.detach().clone(), logits.detach().clone()
        up[i, j] += step
        down[i, j] -= step
        slope = (loss(up, soft) - loss(down, soft)) / (2 * step)
        assert float(gradient[i, j]) == pytest.approx(float(slope), abs=1e-3)


def test_weights_make_a_weighted_mean(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, y = batch
    w = torch.arange(12).float()
    expected = (w * F.cross_entropy(logits, y, reduction="none")).sum() / w.sum()
    torch.testing.assert_close(built("ce")(logits, y, weight=w), expected)


def test_refusals_name_the_loss(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, y = batch
    with pytest.raises(RecipeError, match="'fokal'"):
        build_loss("fokal", n_classes=4)
    with pytest.raises(TrainError, match="'ldam'"):
        build_loss("ldam", n_classes=4)
    with pytest.raises(TrainError, match="'f1' has no value per photo"):
        built({"ce": 0.5, "f1": 0.5})(logits, y, reduction="none")
    with pytest.raises(TrainError, match="does not fit"):
        built("ce")(logits, torch.zeros(12, 3))


def test_distillation_is_torchs_kl_of_softened_logits(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    student, _ = batch
    teacher = student.flip(0) * 0.5
    expected = F.kl_div((student / 3).log_softmax(1), (teacher / 3).softmax(1), reduction="batchmean") * 9
    torch.testing.assert_close(distillation(student, teacher.softmax(1), temperature=3.0), expected)


def test_a_cosine_heads_logits_are_bounded_by_its_scale() -> None:
    head = CosineLinear(8, 4, scale=30.0)
    features = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
    expected = 30 * F.cosine_similarity(features[:, None], head.weight[None], dim=2)
    torch.testing.assert_close(head(features), expected)
    settings = ModelSettings(name="hoego_small32", cosine=30.0)
    network = build_network(settings, {"mask": 3, "age": 4}, (32, 32)).network.eval()
    logits = network(torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert max(float(v.detach().abs().max()) for v in logits.values()) <= 30
