"""The shell lines of the README and of the first tutorial run as they stand, on photos made for no other test."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
TUTORIAL = "docs/tutorials/first-hour"
pytestmark = pytest.mark.torch
pytest.importorskip("torch")


def photos(folder: Path, people: int = 15, each: int = 4) -> None:
    """A table of photos in which the colour shows the gender and the brightness the age."""
    rng = np.random.default_rng(0)
    rows = []
    for p in range(people):
        gender, age = p % 2, 20 + 4 * p % 50
        for k in range(each):
            base = np.full((48, 48, 3), 40 + 2 * age) + np.asarray([60, 0, -20]) * gender
            mask = k % 2
            base[24:] += 50 * mask
            noise = rng.integers(-30, 30, (48, 48, 3))
            name = f"{p:02d}_{k}.png"
            Image.fromarray(np.clip(base + noise, 0, 255).astype(np.uint8)).save(folder / name)
            rows.append((name, f"person{p:02d}", ("normal", "wear")[mask], ("male", "female")[gender], age))
    pl.DataFrame(rows, schema=["path", "person", "mask", "gender", "age"], orient="row").write_csv(
        folder / "photos.csv"
    )


def shell_lines(page: str) -> str:
    """All commands of a page: its blocks of language `sh`, in order."""
    found = re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return "".join(found)


def commands(page: str) -> list[str]:
    return [
        re.split(r"\s{2,}#|\s--lang", line)[0] for line in shell_lines(page).splitlines() if line[0] != "#"
    ]


def test_the_korean_pages_give_the_same_commands() -> None:
    assert commands("README.ko.md") == commands("README.md")
    assert shell_lines(f"{TUTORIAL}.ko.md") == shell_lines(f"{TUTORIAL}.en.md")


@pytest.mark.parametrize("page", ["README.md", f"{TUTORIAL}.en.md"])
def test_the_lines_run_as_they_stand(page: str, tmp_path: Path) -> None:
    photos(tmp_path)
    bin_folder = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "HOEGO_CACHE": str(tmp_path / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    quick = "--set epochs=1 --set dataset.size=[32,32] --set threads=1"
    script = (
        shell_lines(page)
        .replace("--fold all", f"--fold all {quick}")
        .replace("--fold 0", f"--fold 0 {quick}")
    )
    assert script.count(quick) == script.count("hoego train") + script.count("hoego ablate")
    done = subprocess.run(
        ["bash", "-euc", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "honesty: selected" in done.stdout
    assert list((tmp_path / "runs").glob("*/report.html"))
    assert "age is the bottleneck" in "".join(p.read_text(encoding="utf-8") for p in tmp_path.glob("**/*.md"))
