"""OpenCV's reader under the watch: the script of docs/howto/any-trainer.md reads its photos by it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("cv2")

from bench import photos

import hoego
from hoego.runs.outside.export import ExportRequest, export_folds
from hoego.runs.project import ProjectData

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "howto" / "any_trainer" / "train_torch.py"


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_held_out_photo_that_opencv_opens_is_named(
    tmp_path: Path, workers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path / "cache"))
    (tmp_path / "photos").mkdir()
    dataset, split = photos(tmp_path / "photos")
    export_folds(ProjectData(hoego.load_recipe({}), dataset, split), ExportRequest(to=tmp_path / "folds"))
    held = dataset.paths[int(split.indices(0)[1][3])]

    def train(*more: str) -> None:
        words = [
            sys.executable,
            str(SCRIPT),
            "train",
            str(tmp_path / "folds" / "fold-0"),
            "--reader",
            "opencv",
        ]
        words += ["--to", str(tmp_path / "model.pt"), "--epochs", "1", "--workers", workers, *more]
        subprocess.run(words, check=True)

    with hoego.watch(dataset, split, fold=0, sealed=tmp_path / "folds") as seen:
        train()
    assert (seen.evidence.honesty, seen.evidence.gaps) == ("witnessed", ())
    with (
        pytest.raises(hoego.LeakError, match=rf"1 of 30 photos .* opened during the training: '{held.name}"),
        hoego.watch(dataset, split, fold=0, sealed=tmp_path / "folds"),
    ):
        train("--also", str(held))
