"""Seconds of a training with a board beside it whose tab is hidden, over those of the same training alone.

    python benchmarks/board_beside.py [--pairs 6] [--epochs 3]

The two are trained in turn, and the ratio is the median over pairs of neighbours, so that what else the machine does
falls on both. Target: at most 1.02 on a machine without a GPU. The page is open in Chromium, which is told that the tab
is hidden.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from board_speed import people
from playwright.sync_api import sync_playwright

from hoego.recipe import resolve
from hoego.runs.train import TrainOptions, train
from hoego.train.callbacks import Callbacks

RESULTS = Path(__file__).parent / "results" / "board_beside.json"
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
HIDDEN = "Object.defineProperty(document, 'hidden', {get: () => true})"


@contextmanager
def hidden_tab(runs: Path) -> Iterator[None]:
    """Start a board and open its first page in a tab that is hidden."""
    command = [sys.executable, "-m", "hoego", "board", "--port", "0", "--runs", str(runs), "--json"]
    board = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        text = ""
        while not text.endswith("}\n"):
            assert board.stdout is not None
            text += board.stdout.readline()
        with sync_playwright() as engine:
            browser = engine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page()
            page.add_init_script(HIDDEN)
            page.goto(json.loads(text)["url"])
            yield
            browser.close()
    finally:
        board.terminate()
        board.communicate(timeout=20)


def seconds(root: Path, epochs: int) -> float:
    """Train once and return its seconds."""
    changes = [
        f"epochs={epochs}",
        "dataset.size=[64,64]",
        "model.name=hoego_small32",
        "threads=1",
        "split.folds=5",
    ]
    recipe = resolve({}, overrides=changes, project=root / "hoego.toml")
    began = time.perf_counter()
    train(recipe, TrainOptions(folder=root, fold=0, audit=False), Callbacks(progress=False))
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()
    load = os.getloadavg()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        os.environ["HOEGO_CACHE"] = str(root / "cache")
        people(root)
        (root / "runs").mkdir()
        seconds(root, 1)  # decodes the photos
        ratios, alone = [], []
        for k in range(arguments.pairs):
            pair = {}
            for beside in (False, True) if k % 2 else (True, False):
                if beside:
                    with hidden_tab(root / "runs"):
                        pair[beside] = seconds(root, arguments.epochs)
                else:
                    pair[beside] = seconds(root, arguments.epochs)
            ratios.append(pair[True] / pair[False])
            alone.append(pair[False])
    result = {
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        "load_before": [round(x, 1) for x in load],
        "pairs": arguments.pairs,
        "seconds_alone": round(statistics.median(alone), 2),
        "ratio": round(statistics.median(ratios), 4),
        "ratios": [round(r, 4) for r in ratios],
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
