"""A training that is killed at any point and resumed gives the numbers of one that was not, bit for bit on a CPU."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

HERE = Path(__file__).resolve().parent
EVERYTHING: dict[str, Any] = {
    "average": {"ema": 0.9, "swa": 0.5},
    "mixing": {"mixup": {"share": 0.4}, "cutmix": {"share": 0.3}},
    "sampling": {"kind": "oversample", "strength": 0.7, "per_subject": True},
    "augment": {"flip": 0.5, "rotate": 10, "translate": 0.1, "brightness": 0.2, "noise": 0.05, "erase": 0.3},
    "views": {"n": 3},
    "model": {"drop": 0.2},
    "heads": {"weighting": "uncertainty"},
    "ordinal": {"age": {"kind": "regression"}},
    "optim": {"clip": 1.0, "accumulate": 2},
}
PLAIN: dict[str, Any] = {
    "optim": {"name": "muon", "sam": 0.05},
    "select": {"on": "inner", "by": "loss", "patience": 2},
}
TAUGHT: dict[str, Any] = {
    "distill": {"pseudo": {"share": 0.3, "balance": 1.0, "weight": 0.5}},
    "mixing": {"mixup": {"share": 0.4}},
    "sampling": {"kind": "progressive"},
    "average": {"ema": 0.9},
}


class Server:
    """`resume_server.py`, asked one job at a time."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "resume_server.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, folder: Path, recipe: dict[str, Any], kill: list[Any] | None = None) -> bool:
        """Whether the training was killed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        folder.mkdir(exist_ok=True)
        job = {"folder": str(folder), "recipe": recipe, "kill": kill, "inner": "select" in recipe}
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert answer["killed"] or answer["status"] == 0
        return bool(answer["killed"])

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def contents(folder: Path) -> dict[str, Any]:
    """Final predictions, the best of each criterion, and the predictions of every epoch."""
    found: dict[str, Any] = {"best": (folder / "final.json").read_text()}
    for path in [folder / "final.npz", *sorted((folder / "epochs").glob("*.npz"))]:
        with np.load(path) as arrays:
            found |= {f"{path.name}:{name}": arrays[name] for name in arrays.files}
    return found


def assert_same(a: dict[str, Any], b: dict[str, Any]) -> None:
    assert a.keys() == b.keys()
    for name, value in a.items():
        if isinstance(value, str):
            assert value == b[name]
        else:
            np.testing.assert_array_equal(value, b[name], err_msg=name)


@pytest.mark.parametrize(
    ("recipe", "seed"), [(EVERYTHING, 1), (PLAIN, 2), (TAUGHT, 3)], ids=["everything", "plain", "taught"]
)
def test_killed_anywhere_and_resumed(
    server: Server, tmp_path: Path, recipe: dict[str, Any], seed: int
) -> None:
    assert not server.run(tmp_path / "whole", recipe)
    whole = contents(tmp_path / "whole")
    random = np.random.default_rng(seed)
    for trial in range(2):
        folder = tmp_path / f"killed-{trial}"
        killed = 0
        while True:
            kind = "save" if random.random() < 0.3 else "step"
            kill = [kind, int(random.integers(0, 12 if kind == "step" else 4))]
            if not server.run(folder, recipe, kill if killed < 4 else None):
                break
            killed += 1
        assert killed
        assert_same(whole, contents(folder))
        assert not list(folder.glob("*.part*"))  # what a killed process was writing is gone
