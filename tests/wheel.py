"""Use the installed wheel where no extra is: `make test-wheel` runs this with the Python of a fresh environment.

It is not a test of pytest's, since it must not see the checkout: a wheel that misses a file would find it there.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import hoego

NEEDS_TRAINING = (
    "train",
    "lr",
    "demo",
    "predict RUN --on photos.csv --out new.csv",
    "train winners-b4",
    "queue work",
)


def hoego_command(line: str, status: int = 0) -> tuple[str, str]:
    """What a command prints on stdout and stderr; its exit status must be `status`."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("hoego")), *line.split()],
        capture_output=True,
        text=True,
        check=False,
    )
    told = f"hoego {line}: exit status {done.returncode}\n{done.stdout}{done.stderr}"
    assert done.returncode == status, told
    assert "Traceback" not in done.stdout + done.stderr, told
    print(f"hoego {line}: exit status {status}")
    return done.stdout, done.stderr


def draw(folder: Path) -> None:
    """Three photos of each of 24 people, and their table."""
    from PIL import Image

    dice = random.Random(0)
    rows = ["path,person,mask,age"]
    for person in range(24):
        for photo in range(3):
            name = f"p{person:02d}-{photo}.png"
            pixels = bytes(dice.randrange(256) for _ in range(3 * 16 * 16))
            Image.frombytes("RGB", (16, 16), pixels).save(folder / name)
            rows.append(f"{name},person {person},{'mask' if person % 2 else 'none'},{20 + person}")
    (folder / "photos.csv").write_text("\n".join(rows) + "\n")


def main() -> None:
    """Look at the package, then use its commands in a folder of its own."""
    package = Path(hoego.__file__).parent
    assert "site-packages" in package.parts, f"hoego is imported from {package}"
    assert (package / "py.typed").is_file()
    assert hoego.__version__ == version("hoego")
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        os.environ["HOEGO_CACHE"] = f"{scratch}/cache"
        draw(Path(scratch))
        for line in ("--version", "--help", "init photos.csv", "audit", "split", "runs"):
            assert hoego_command(line)[0].strip()
        recipes = json.loads(hoego_command("recipes --json")[0])["recipes"]
        assert "winners-b4" in {r["name"] for r in recipes}
        assert hoego_command("queue add winners-b4 --set dataset.layout=table")[0].startswith("waiting")
        (waiting,) = json.loads(hoego_command("runs --json")[0])["runs"]
        for line in NEEDS_TRAINING:
            said = hoego_command(line.replace("RUN", waiting["id"]), status=2)[1].strip()
            assert said.endswith("needs torch: pip install 'hoego[train]'"), said
            assert "\n" not in said
            print(f"  {said}")


if __name__ == "__main__":
    main()
