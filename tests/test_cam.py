"""Heat maps on networks whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
import timm
import torch
from tiny_training import held_subjects, tiny_dataset, tiny_recipe
from torch import Tensor, nn

from hoego.data.pixels import PixelCache
from hoego.data.preprocess import Preprocess
from hoego.errors import TrainError
from hoego.predictions import Predictions
from hoego.runs.heat_maps import cam_of_mistakes
from hoego.train.callbacks import Callbacks
from hoego.train.cam import attention_map, captured_attention, grad_cam, last_map, rollout
from hoego.train.fold import train_fold
from hoego.train.fold_task import FoldTask
from hoego.train.heat_maps import cam_maps, overlay
from hoego.train.predict import load_model

pytestmark = pytest.mark.torch


class RedOrBlue(nn.Module):
    """Class 0 is scored by red, class 1 by blue: one map each, pooled."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Conv2d(3, 2, 1, bias=False)
        self.maps.weight.data = torch.tensor([[1.0, 0, 0], [0, 0, 1.0]])[:, :, None, None]

    def forward(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.maps(x).mean((2, 3))
        return pooled


def red_left_blue_right() -> Tensor:
    image = torch.zeros(1, 3, 8, 8)
    image[0, 0, 2:4, 1:3] = 0.5
    image[0, 2, 5, 6] = 2.0
    return image


def test_grad_cam_shows_what_speaks_for_each_class() -> None:
    images = red_left_blue_right().expand(2, -1, -1, -1)
    heat = grad_cam(RedOrBlue(), images, torch.tensor([0, 1]))
    assert heat.shape == (2, 8, 8)
    torch.testing.assert_close(heat[0], images[0, 0] / 0.5)
    torch.testing.assert_close(heat[1], images[1, 2] / 2)


def test_what_speaks_against_a_class_is_cut() -> None:
    model = RedOrBlue()
    model.maps.weight.data[0] *= -1
    head = nn.Sequential(model, nn.Linear(2, 2, bias=False))
    head[1].weight.data = torch.eye(2)
    assert not grad_cam(head, red_left_blue_right(), torch.tensor([0]), layer=model.maps).any()


def test_grad_cam_of_a_linear_head_is_cam() -> None:
    # With average pooling and a linear head Grad-CAM is CAM, relu(sum_k w_ck A_k) (Selvaraju et al. 2017, app. A).
    model = timm.create_model("resnet10t", num_classes=5).eval()
    model.fc.weight.data.abs_()
    x = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    features = model.forward_features(x)
    cam = torch.einsum("ck,bkhw->bchw", model.fc.weight, features)[
        torch.arange(2), torch.tensor([3, 1])
    ].relu()
    cam = nn.functional.interpolate(cam[:, None], size=(96, 96), mode="bilinear")[:, 0]
    expected = cam / cam.amax((1, 2), keepdim=True)
    heat = grad_cam(model, x, torch.tensor([3, 1]), layer=model.layer4)
    torch.testing.assert_close(heat, expected.detach(), atol=1e-4, rtol=0)
    assert all(p.grad is None for p in model.parameters())


def test_frozen_models_and_other_outputs_have_a_map_too() -> None:
    model = RedOrBlue().requires_grad_(False)

    class Wrapped(nn.Module):
        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"mask": model(x)}

        maps = model.maps

    image, blue = red_left_blue_right(), torch.tensor([1])
    heat = grad_cam(Wrapped(), image, blue, layer=model.maps, logits_of=lambda o: o["mask"])
    assert int(heat.flatten().argmax()) == 5 * 8 + 6


def test_the_map_is_large_enough_to_show_a_place() -> None:
    model = timm.create_model("resnet10t", num_classes=5).eval()
    small = torch.zeros(1, 3, 32, 32)
    shapes = []
    last_map(model, small).register_forward_hook(lambda _m, _i, out: shapes.append(out.shape))
    model(small)
    assert shapes[0][2] * shapes[0][3] == 64  # 32 px: the last stages have 4, 2 and 1 places a side


def test_rollout_by_hand() -> None:
    one = torch.tensor([[[[0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]]])
    two = torch.tensor([[[[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]]])
    # Layer one: the class token reads patch 1; layer two: patch 2; half of each stays: row (1/4, 1/4, 1/2).
    heat = rollout([one, two])
    np.testing.assert_allclose(heat[0].numpy(), [0.25, 0.5])
    np.testing.assert_allclose(rollout([one, two], prefix=0).sum().item(), 1.0)


def test_heads_are_averaged() -> None:
    a = torch.eye(3).expand(1, 2, 3, 3).clone()
    a[0, 1, 0] = torch.tensor([0.0, 0.0, 1.0])
    np.testing.assert_allclose(rollout([a])[0].numpy(), [0.0, 0.25])


def test_a_vision_transformers_attention_is_its_own() -> None:
    torch.manual_seed(0)
    model = timm.create_model(
        "vit_tiny_patch16_224", depth=2, embed_dim=24, num_heads=3, img_size=(32, 48), num_classes=3
    ).eval()
    x = torch.randn(2, 3, 32, 48)
    fused = model.blocks[0].attn.fused_attn
    with captured_attention(model) as seen, torch.no_grad():
        model(x)
    assert [tuple(a.shape) for a in seen] == [(2, 3, 7, 7)] * 2
    torch.testing.assert_close(seen[0].sum(-1), torch.ones(2, 3, 7))
    tokens = model.norm_pre(model._pos_embed(model.patch_embed(x)))
    block = model.blocks[0]
    q, k, _ = block.attn.qkv(block.norm1(tokens)).reshape(2, 7, 3, 3, 8).permute(2, 0, 3, 1, 4)
    expected = (q @ k.transpose(-1, -2) / 8**0.5).softmax(-1)
    torch.testing.assert_close(seen[0], expected.detach(), atol=1e-5, rtol=0)
    heat = attention_map(model, x)
    assert heat.shape == (2, 32, 48)
    assert float(heat.amax()) == 1.0
    assert model.blocks[0].attn.fused_attn == fused


def test_networks_without_a_map_say_so() -> None:
    with pytest.raises(TrainError, match="roll-out"):
        last_map(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), torch.zeros(1, 3, 2, 2))
    with pytest.raises(TrainError, match="Grad-CAM"):
        attention_map(RedOrBlue(), torch.zeros(1, 3, 8, 8))


def test_a_trained_networks_heat_covers_what_it_was_trained_to_see(tmp_path: Path) -> None:
    dataset, _ = tiny_dataset()
    random = np.random.default_rng(0)
    # Only the upper left quarter tells the colour; the rest is grey noise.
    photos = np.repeat(random.integers(0, 120, (dataset.n_images, 16, 16, 1)), 3, axis=3)
    for i, colour in enumerate(dataset.codes[:, 0]):
        photos[i, :8, :8, colour] += 120
    cache = PixelCache(
        array=photos.astype(np.uint8),
        row=np.arange(len(photos)),
        preprocess=Preprocess(size=(16, 16)),
        folder=tmp_path,
    )
    held = held_subjects(dataset)
    recipe = tiny_recipe(
        model={"head": "single", "attribute": "colour"}, epochs=5, select={"on": "last"}, augment={"flip": 0}
    )
    train_fold(
        FoldTask(
            recipe=recipe,
            dataset=dataset,
            cache=cache,
            train_mask=~held,
            val_mask=held,
            folder=tmp_path,
            name="tiny",
        ),
        Callbacks(measure_seconds=0, progress=False),
    )
    heat = cam_maps(load_model(tmp_path / "last.safetensors"), cache.rows(np.flatnonzero(held)))
    assert heat.shape == (held.sum(), 16, 16)
    quarter = heat[:, :8, :8].sum() / heat.sum()
    assert quarter > 0.6  # a quarter of the area
    picture = overlay(cache.rows([0])[0], heat[0])
    assert picture.size == (160, 160)


def test_the_heat_of_mistakes_is_kept_by_content(tmp_path: Path) -> None:
    dataset, cache = tiny_dataset()
    held = held_subjects(dataset)
    recipe = tiny_recipe(epochs=1, select={"on": "last"}, optim={"lr": 1e-6})
    quiet = Callbacks(measure_seconds=0, progress=False)
    result = train_fold(
        FoldTask(
            recipe=recipe,
            dataset=dataset,
            cache=cache,
            train_mask=~held,
            val_mask=held,
            folder=tmp_path / "fold-0",
            name="tiny",
        ),
        quiet,
    )
    assert result.outputs is not None
    n = int(held.sum())
    predictions = Predictions(
        images=dataset.image_ids[result.images],
        values=result.outputs.values,
        scale=result.outputs.scale,
        schema=dataset.schema,
        fold=np.zeros(n, dtype=np.int16),
        source=np.zeros(n, dtype=np.int32),
        sources=result.provenance.sources,
        universe=result.provenance.universe,
        dataset_fingerprint=dataset.fingerprint,
    )
    said = predictions.target_probabilities().argmax(axis=1)
    wrong = set(dataset.contents[result.images][said != dataset.target[result.images]].tolist())
    written = cam_of_mistakes(tmp_path, "last", dataset, cache, predictions)
    assert written == min(len(wrong), 40) > 0
    assert {int(p.stem, 16) for p in (tmp_path / "heat").iterdir()} <= wrong
