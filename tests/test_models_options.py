"""Options of a model shape it; starting weights never come through them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

import timm  # noqa: E402

from hoego.errors import TrainError  # noqa: E402
from hoego.recipe import ModelSettings  # noqa: E402
from hoego.train.models import build_network  # noqa: E402


@pytest.mark.parametrize("initialise", [True, False])
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("checkpoint_path", "weights.pt"),
        ("pretrained", True),
        ("pretrained_cfg", "a_tag"),
        ("pretrained_cfg_overlay", "weights.pt"),
        ("pretrained_strict", False),
        ("cache_dir", "elsewhere"),
    ],
)
def test_weights_past_the_provenance_are_refused(option: str, value: Any, initialise: bool) -> None:
    settings = ModelSettings(name="hoego_small32", options={"width": 0.125, option: value})
    with pytest.raises(TrainError, match=rf"model\.options\.{option} would") as caught:
        build_network(settings, {"a": 3}, (32, 32), initialise=initialise)
    assert "model.checkpoint" in caught.value.remedy
    assert "model.pretrained" in caught.value.remedy


def test_a_checkpoint_by_its_own_setting_is_stated(tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    torch.save(timm.create_model("hoego_small32", width=0.125, num_classes=0).state_dict(), file)
    settings = ModelSettings(name="hoego_small32", options={"width": 0.125}, checkpoint=str(file))
    assert build_network(settings, {"a": 3}, (32, 32)).external == ("weights.pth",)
