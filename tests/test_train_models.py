"""Networks and weights: any timm model, heads, checkpoints that never run code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

import timm  # noqa: E402
from tiny_training import tiny_dataset  # noqa: E402

from hoego.data.schema import Attribute, LabelSchema  # noqa: E402
from hoego.errors import TrainError  # noqa: E402
from hoego.recipe import ModelSettings  # noqa: E402
from hoego.train.checkpoints import load_weights, save_weights  # noqa: E402
from hoego.train.models import build_network, head_specs  # noqa: E402

TINY: dict[str, Any] = {"name": "hoego_small32", "options": {"width": 0.125}}


def network(outputs: dict[str, int] | None = None, **settings: Any) -> Any:
    return build_network(ModelSettings(**{**TINY, **settings}), outputs or {"a": 3}, (32, 32))


@pytest.mark.parametrize(
    "name", ["hoego_small32", "resnet10t", "vit_tiny_patch16_224", "mobilenetv3_small_050"]
)
def test_any_timm_model_gives_each_head_its_outputs(name: str) -> None:
    built = build_network(ModelSettings(name=name), {"mask": 3, "age": 5}, (32, 32))
    outputs = built.network.eval()(torch.rand(2, 3, 32, 32))
    assert {k: tuple(v.shape) for k, v in outputs.items()} == {"mask": (2, 3), "age": (2, 5)}


def test_small_model_is_in_timms_registry_and_does_not_shrink_a_small_photo_to_one_place() -> None:
    model = timm.create_model("hoego_small32", num_classes=43)
    assert tuple(model.forward_features(torch.rand(1, 3, 32, 32)).shape[2:]) == (4, 4)
    assert tuple(model(torch.rand(1, 3, 32, 32)).shape) == (1, 43)
    assert not network().notes


def test_a_model_that_shrinks_a_small_photo_to_one_place_says_so() -> None:
    (note,) = build_network(ModelSettings(name="resnet10t"), {"a": 2}, (32, 32)).notes
    assert "hoego_small32" in note


def test_small_model_ignores_brightness_and_contrast_of_the_whole_photo() -> None:
    net = network().network.eval()
    photo = torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        a, b = net(photo)["a"], net(photo * 0.4 + 0.2)["a"]
    torch.testing.assert_close(a, b, atol=2e-2, rtol=0.05)


def test_heads_follow_the_schema() -> None:
    schema = tiny_dataset()[0].schema
    assert [(h.name, h.n_classes) for h in head_specs(ModelSettings(head="composite"), schema)] == [
        ("composite", 9)
    ]
    assert [h.name for h in head_specs(ModelSettings(head="multi"), schema)] == ["colour", "age"]
    assert [h.name for h in head_specs(ModelSettings(head="single", attribute="age"), schema)] == ["age"]
    with pytest.raises(TrainError, match=r"model\.attribute"):
        head_specs(ModelSettings(head="single"), schema)
    alone = LabelSchema((Attribute(name="kind", kind="nominal", classes=("a", "b")),), "kind")
    assert [h.name for h in head_specs(ModelSettings(head="composite"), alone)] == ["kind"]


def test_unknown_model_names_the_nearest() -> None:
    with pytest.raises(TrainError, match="resnet18"):
        build_network(ModelSettings(name="resnet_18"), {"a": 2}, (32, 32))


def test_hub_that_cannot_be_reached_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr(timm, "create_model", refused)
    with pytest.raises(TrainError, match=r"model\.checkpoint = FILE"):
        build_network(ModelSettings(name="resnet18", pretrained=True), {"a": 2}, (32, 32))


class Spy:
    """A pickle that would run code on loading."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def test_a_pickle_that_carries_code_is_refused_and_not_run(tmp_path: Path) -> None:
    torch.save({"state_dict": {"w": torch.zeros(1)}, "extra": Spy(tmp_path / "ran")}, tmp_path / "evil.pth")
    with pytest.raises(TrainError, match="more than weights") as caught:
        load_weights(tmp_path / "evil.pth")
    assert caught.value.file == tmp_path / "evil.pth"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", None])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_damaged_and_missing_checkpoints_are_named(tmp_path: Path, damage: bytes | None, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    if damage is not None:
        path.write_bytes(damage)
    with pytest.raises(TrainError) as caught:
        load_weights(path)
    assert caught.value.file == path


@pytest.mark.parametrize(
    "wrap", [lambda s: s, lambda s: {"state_dict": s}, lambda s: {"epoch": 3, "model": s}]
)
def test_weights_from_elsewhere_reach_the_body_and_not_the_heads(tmp_path: Path, wrap: Any) -> None:
    donor = timm.create_model("hoego_small32", num_classes=3, width=0.125)
    torch.save(wrap({f"module.{k}": v for k, v in donor.state_dict().items()}), tmp_path / "w.pth")
    built = network(checkpoint=str(tmp_path / "w.pth"))
    for name, value in donor.state_dict().items():
        if not name.startswith("head."):
            assert torch.equal(built.network.backbone.state_dict()[name], value)
    assert not torch.equal(built.network.head.weight, donor.head.weight)
    assert built.external == ("w.pth",)
    assert "heads start anew" in built.notes[0]


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    save_weights(tmp_path / "w.safetensors", timm.create_model("resnet10t").state_dict(), {}, None)
    with pytest.raises(TrainError, match=r"model\.name"):
        network(checkpoint=str(tmp_path / "w.safetensors"))


def test_weights_that_cannot_be_written_leave_the_old_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_text("old")

    def fail(_: object, temporary: Path, **__: object) -> None:
        temporary.write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr("safetensors.torch.save_file", fail)
    with pytest.raises(OSError, match="disk full"):
        save_weights(path, {"a": torch.zeros(2)}, {}, None)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
