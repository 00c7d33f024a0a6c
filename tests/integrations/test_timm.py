"""The page for timm, with its train.py, which the package does not hold: TIMM_TRAIN names the script."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("timm")

from bench import check, photos

import hoego
from hoego.integrations import timm as page
from hoego.runs.outside.export import ExportRequest, export_folds
from hoego.runs.project import ProjectData

TRAIN = os.environ.get("TIMM_TRAIN", "")


@pytest.mark.skipif(
    not TRAIN, reason="make test-integration-timm TIMM_TRAIN=FILE, the train.py of timm's repository"
)
def test_the_script_trains_on_an_exported_fold_and_its_checkpoint_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path / "cache"))
    (tmp_path / "photos").mkdir()
    dataset, split = photos(tmp_path / "photos")
    folds = tmp_path / "folds"
    export_folds(
        ProjectData(hoego.load_recipe({}), dataset, split), ExportRequest(to=folds, fold=1, inner=True)
    )
    words = f"--data-dir {folds}/fold-1 --val-split inner --model test_resnet --num-classes 2 --input-size 3 32 32"
    words += " --device cpu --workers 0 -b 16 --opt adamw --lr 0.01 --warmup-epochs 0 --epochs 12 --mean 0.5 0.5 0.5"
    words += f" --std 0.5 0.5 0.5 --color-jitter 0 --output {tmp_path}/out --experiment fold-1"
    with hoego.watch(dataset, split, fold=1, sealed=folds) as seen:
        subprocess.run([sys.executable, TRAIN, *words.split()], check=True, capture_output=True)
    assert (seen.evidence.honesty, seen.evidence.gaps) == ("witnessed", ())
    checkpoint = tmp_path / "out" / "fold-1" / "model_best.pth.tar"
    made = page.predictions(checkpoint, folds / "fold-1", dataset, split, 1)
    check(made, dataset, split, 1)
    assert hoego.score(seen.witness(made), dataset, resamples=100).honesty == "witnessed"

    # Hoego goes on from it: its provenance is what the export wrote.
    model = {"name": "test_resnet", "checkpoint": str(checkpoint)}
    model["trained_on"] = [str(folds / "fold-1" / "trained-on.csv")]
    recipe = {"model": model, "dataset.size": [32, 32], "epochs": 1, "device": "cpu", "select.on": "last"}
    run = hoego.train(dataset, split, recipe, fold=1, where=tmp_path / "runs", progress=False, audit=False)
    assert str(run.score.honesty) == "declared"
    with pytest.raises(hoego.LeakError, match="trained outside Hoego"):
        hoego.train(dataset, split, recipe, fold=0, where=tmp_path / "runs", progress=False, audit=False)
