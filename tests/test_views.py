"""Views depend on the photo, the seed and the number alone, and never pretend to be new photos."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from hoego.errors import TrainError
from hoego.recipe import build
from hoego.recipe.techniques import TtaSettings
from hoego.train.views import TtaViews, summarise

pytestmark = pytest.mark.torch
IDS = [f"{i:06d}_female_Asian_45/mask{i % 5}.jpg" for i in range(9)]
IMAGES = torch.randint(0, 256, (9, 24, 20, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def views(seed: int = 0, n: int = 4) -> TtaViews:
    return TtaViews(TtaSettings(n=n), mean=[0.5] * 3, std=[0.25] * 3, seed=seed)


def test_the_first_view_is_the_photo_as_it_is() -> None:
    expected = (IMAGES.permute(0, 3, 1, 2) / 255 - 0.5) / 0.25
    torch.testing.assert_close(views().view(IMAGES, TtaViews.keys(IDS), 0), expected)


def test_a_view_does_not_depend_on_order_or_batch() -> None:
    keys = TtaViews.keys(IDS)
    whole = views().view(IMAGES, keys, 2)
    order = np.array([4, 0, 8, 2])
    torch.testing.assert_close(views().view(IMAGES[order], keys[order], 2), whole[order])
    torch.testing.assert_close(views().view(IMAGES[3:4], TtaViews.keys(IDS[3:4]), 2), whole[3:4])


def test_views_seeds_and_photos_differ() -> None:
    keys = TtaViews.keys(IDS)
    assert not torch.equal(views().view(IMAGES, keys, 1), views().view(IMAGES, keys, 2))
    assert not torch.equal(views().view(IMAGES, keys, 1), views(seed=1).view(IMAGES, keys, 1))
    same = IMAGES[:1].expand(9, -1, -1, -1)
    seen = views().view(same, keys, 1)
    assert len({tuple(v.flatten().tolist()) for v in seen}) == 9


def test_views_flip_only_where_training_does_and_the_class_stays() -> None:
    keys = TtaViews.keys(IDS)

    def flipped(augment: dict[str, object]) -> bool:
        still = {
            "n": 2,
            "flip": 1.0,
            "rotate": 0,
            "translate": 0,
            "scale": [1, 1],
            "brightness": 0,
            "contrast": 0,
        }
        view = TtaViews.of(build({"views": still, "augment": augment}))
        plain, second = view.view(IMAGES, keys, 0), view.view(IMAGES, keys, 1)
        assert torch.equal(second, plain) or torch.equal(second, plain.flip(3))
        return torch.equal(second, plain.flip(3))

    assert flipped({"flip": 0.5})
    assert not flipped({"flip": 0})
    assert not flipped({"flip": 0.5, "mirror": {"left": "right"}})


def test_there_are_only_n_views() -> None:
    with pytest.raises(TrainError, match="View 4 of 4"):
        views().view(IMAGES, TtaViews.keys(IDS), 4)
    assert views(n=0).n == 1


def test_the_summary_by_hand() -> None:
    probabilities = np.array([[[0.9, 0.1], [0.2, 0.8]], [[0.5, 0.5], [0.4, 0.6]]])
    out = summarise(probabilities)
    np.testing.assert_allclose(out.probabilities, [[0.7, 0.3], [0.3, 0.7]])
    np.testing.assert_allclose(out.spread, [0.2, 0.1])
