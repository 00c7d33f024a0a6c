"""A model's name is checked before a run is recorded, without loading torch where the name is right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("timm")
pytestmark = pytest.mark.torch

from test_train_run import own_cache, photos, recipe  # noqa: E402, F401

from hoego.errors import TrainError  # noqa: E402
from hoego.runs.queue.train_record import queue_run, start_in_background  # noqa: E402
from hoego.runs.records import RunStore  # noqa: E402
from hoego.runs.train import TrainOptions, train  # noqa: E402
from hoego.train import known_models as known  # noqa: E402


@pytest.mark.parametrize(
    "name",
    [
        "hoego_small32",
        "resnet18",
        "resnet18.a1_in1k",
        "vit_tiny_patch16_224_in21k",
        "hf-hub:somebody/something",
    ],
)
def test_a_name_that_timm_knows_passes(name: str) -> None:
    known.require_known(name)


@pytest.mark.parametrize(("name", "near"), [("hoego_smal", "hoego_small32"), ("resnet1", "resnet18")])
def test_another_is_refused_with_the_nearest(name: str, near: str) -> None:
    with pytest.raises(TrainError, match=near):
        known.require_known(name)


def test_a_right_name_loads_no_torch() -> None:
    code = (
        "import sys; from hoego.train.known_models import require_known; require_known('convnext_tiny'); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_nothing_is_checked_where_torch_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "find_spec", lambda name: None)
    known.require_known("hoego_smal")


def test_no_record_is_made_of_a_wrong_name(photos: Path, tmp_path: Path) -> None:  # noqa: F811
    wrong = recipe(photos, model={"name": "hoego_smal"})
    runs = tmp_path / "runs"
    for begin in (
        lambda: queue_run(runs, wrong),
        lambda: start_in_background(runs, wrong),
        lambda: train(wrong, TrainOptions(folder=tmp_path)),
    ):
        with pytest.raises(TrainError, match="hoego_small32"):
            begin()
    assert RunStore(runs).ids() == []
