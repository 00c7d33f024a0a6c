"""A training by plain torch under `hoego watch`, on real photos: the script of docs/howto/any-trainer.md."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from hoego.cli.main import app
from hoego.errors import LeakError
from hoego.recipe import resolve
from hoego.runs.project import open_project
from hoego.runs.records import RunStore

pytest.importorskip("torch")
pytestmark = [
    pytest.mark.torch,
    pytest.mark.real,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="inotify is Linux's"),
]
ROOT = Path(__file__).resolve().parents[1]
XRAY = ROOT.parent / "shared" / "data" / "xray"
SCRIPT = ROOT / "docs" / "howto" / "any_trainer" / "train_torch.py"
PHOTOS = 300


def hoego(*words: object) -> str:
    result = CliRunner().invoke(app, [str(w) for w in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def chests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of some hundred X-rays, copied so that nobody else opens them, with its folds exported."""
    if not XRAY.exists():
        pytest.skip("needs ../shared/data/xray")
    folder = tmp_path_factory.mktemp("chests")
    few = pl.read_csv(XRAY / "train.csv").head(PHOTOS)
    (folder / "photos" / "train").mkdir(parents=True)
    for path in few["path"]:
        shutil.copyfile(XRAY / path, folder / "photos" / path)
    few.write_csv(folder / "photos" / "train.csv")
    (folder / "hoego.toml").write_text(
        '[dataset]\nroot = "photos"\nlayout = "table"\ntable = "train.csv"\nsubject = ["patient"]\n'
        '[labels]\ntarget = "finding"\n[split]\nkind = "folds"\nfolds = 3\n[score]\nresamples = 100\n'
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOEGO_CACHE", str(folder / "cache"))
        patch.chdir(folder)
        hoego("folds", "export", "--to", "folds")
    return folder


@pytest.fixture
def project(chests: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOEGO_CACHE", str(chests / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(chests)
    return chests


def watched(fold: int, *words: object) -> str:
    train = (sys.executable, SCRIPT, "train", f"folds/fold-{fold}", "--to", f"model-{fold}.pt", "--epochs", 1)
    return hoego(
        "watch", "--fold", fold, "--sealed", "folds", "--to", f"seen-{fold}.json", "--", *train, *words
    )


def test_a_plain_training_is_witnessed_and_so_is_its_score(project: Path) -> None:
    said = watched(0, "--workers", 2)
    assert "predictions of this model are witnessed" in said
    script = (
        sys.executable,
        SCRIPT,
        "predict",
        "folds/fold-0",
        "--model",
        "model-0.pt",
        "--to",
        "fold-0.csv",
    )
    subprocess.run([str(w) for w in script], check=True)
    words = ("--fold", 0, "--sealed", "folds", "--evidence", "seen-0.json")
    assert "witnessed" in hoego("import", "fold-0.csv", "--name", "plain-torch", *words)
    score = RunStore(project / "runs").find("last").score
    assert score is not None
    assert score.honesty == "witnessed"


@pytest.mark.parametrize("reader", ["pillow", "torchvision"])
@pytest.mark.parametrize("workers", [0, 2])
def test_one_held_out_photo_opened_on_purpose_is_a_leak_that_names_it(
    project: Path, reader: str, workers: int
) -> None:
    """tests/integrations/test_opencv.py does the same by OpenCV."""
    opened = open_project(resolve({}, project=project / "hoego.toml"), project)
    held = opened.dataset.paths[int(opened.split.indices(1)[1][0])]
    words = ("--reader", reader, "--workers", workers, "--photos", 64, "--also", held)
    named = rf"1 of \d+ photos that fold 1 .* were opened during the training: '.*{held.stem}"
    with pytest.raises(LeakError, match=named):
        watched(1, *words)
