"""A few of the tries of `make fuzz` and `make faults`: the programs run, and what they hold Hoego to is held."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

HERE = Path(__file__).parent


def run(program: str, *arguments: str) -> str:
    paths = os.pathsep.join(filter(None, (str(HERE.parent), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, str(HERE / program), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths},
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_damaged_files_and_recipes_end_in_one_error_each() -> None:
    assert "0 wrong" in run("fuzz.py", "-n", "60", "--seed", "7")


def test_a_full_disk_and_a_kill_lose_nothing() -> None:
    said = run("faults.py", "full", "kill", "--seed", "7", "--writes", "1", "--kills", "5")
    assert "0 wrong" in said
    assert "2 full disk" in said
    assert "1 kill train" in said
