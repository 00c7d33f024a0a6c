"""Every command that touches all photos, at 10,000 to 1,000,000 photos of 32 px: seconds, peak memory, growth.

Photos are smooth random fields, in folders of 1,000 with a table beside them: 6.7 photos a subject, three attributes
and their composite of 18 classes. One photo in a hundred is a changed copy of another subject's, one in 10,000 is the
same file again. The predictions of two models are drawn at random about the truth. Every command runs as `hoego` does,
in a process of its own; the memory is the peak of that process (pages of files that it maps count), its decoding
processes apart.

    python benchmarks/scale.py [--photos 10000 100000] [--folder DIR] [--keep] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import simplejpeg
import tomlkit
from audit_similar import pictures

SIZES = (10_000, 100_000)
PART = 10_000
PHOTOS_PER_SUBJECT = 1 / 0.15
AGES = ("<30", "30-59", ">=60")
MODELS = {"first": 0.80, "second": 0.81}
RESULTS = Path(__file__).parent / "results"


def table(n: int) -> pl.DataFrame:
    """The rows of n photos: path, person, mask (by photo), gender and age (by person)."""
    rng = np.random.default_rng(1)
    subjects = int(n / PHOTOS_PER_SUBJECT)
    owner = np.concatenate([np.arange(subjects), rng.integers(0, subjects, n - subjects)])
    mask = rng.choice(["wear", "incorrect", "normal"], n, p=[5 / 7, 1 / 7, 1 / 7])
    gender = rng.choice(["male", "female"], subjects)
    age = rng.choice(np.asarray(AGES), subjects, p=[0.5, 0.4, 0.1])
    return pl.DataFrame(
        {
            "path": [f"photos/{k // 1000:04d}/{k:07d}.jpg" for k in range(n)],
            "person": [f"p{s:06d}" for s in owner],
            "mask": mask,
            "gender": gender[owner],
            "age": age[owner],
        }
    )


def parts(n: int) -> Iterator[tuple[int, np.ndarray]]:
    """Photos [PART, 32, 32, 3] and the number of the first; every hundredth is a changed copy of its neighbour."""
    for first in range(0, n, PART):
        rng = np.random.default_rng([2, first])
        luma = pictures(min(PART, n - first), rng)
        luma[50::100] = luma[49::100] * rng.uniform(0.9, 1.1, (len(luma[50::100]), 1, 1))
        tint = rng.uniform(0.6, 1.0, (len(luma), 1, 1, 3)).astype(np.float32)
        yield first, np.clip(luma[..., None] * tint, 0, 255).astype(np.uint8)


def write_photos(folder: Path, n: int) -> None:
    """The files of n photos, and the table that lists them."""
    for first, photos in parts(n):
        for k in range(first, first + len(photos), 1000):
            (folder / "photos" / f"{k // 1000:04d}").mkdir(parents=True, exist_ok=True)

        def write(k: int, first: int = first, photos: np.ndarray = photos) -> None:
            # The second photo of each part is the first once more.
            data = simplejpeg.encode_jpeg(photos[0 if k == 1 else k], quality=90, colorsubsampling="444")
            (folder / "photos" / f"{(first + k) // 1000:04d}" / f"{first + k:07d}.jpg").write_bytes(data)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(write, range(len(photos)), chunksize=500))
    table(n).write_csv(folder / "photos.csv")


def write_predictions(folder: Path) -> None:
    """Probabilities of the composite class of every photo, by two models; a person's photos err together."""
    from hoego.data.load import load
    from hoego.recipe import resolve

    dataset = load(resolve(project=folder / "hoego.toml"))
    classes, truth = dataset.schema.target_classes, dataset.target
    for k, (name, accuracy) in enumerate(MODELS.items()):
        rng = np.random.default_rng([3, k])
        right = (
            rng.random(dataset.n_images)
            < rng.beta(4 * accuracy, 4 * (1 - accuracy), dataset.n_subjects)[dataset.subject_index]
        )
        said = np.where(right, truth, rng.integers(0, len(classes), len(truth)))
        p = rng.random((len(truth), len(classes)), dtype=np.float32)
        p[np.arange(len(truth)), said] += 5
        p /= p.sum(axis=1, keepdims=True)
        frame = {"path": dataset.images["path"]} | dict(zip(classes, p.T, strict=True))
        pl.DataFrame(frame).write_parquet(folder / f"{name}.parquet")


def command(folder: Path, *words: str) -> dict[str, Any]:
    """Run hoego in a process of its own: seconds, seconds of all cores, and peak memory in GiB."""
    with (folder / "out.txt").open("w") as out, (folder / "err.txt").open("w") as err:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "hoego", *words], cwd=folder, env=_own(folder), stdout=out, stderr=err
        )
        peak = [0]
        watcher = threading.Thread(target=_watch_memory, args=(process.pid, peak))
        watcher.start()
        watcher.join()
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        tail = (folder / "err.txt").read_text()[-2000:]
        raise SystemExit(f"hoego {' '.join(words)} ended with {process.returncode}: {tail}")
    found = {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_gib": round(peak[0] / 2**20, 2),
    }
    print(f"{' '.join(words)}: {found}", file=sys.stderr, flush=True)
    return found


def _watch_memory(pid: int, peak: list[int]) -> None:
    """Note the peak memory of a process in KiB until it ends (what wait4 says of it counts its parent's, too)."""
    while True:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        found = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
        if not found:  # it has ended
            return
        peak[0] = found[0]
        time.sleep(0.02)


def measure(n: int, folder: Path) -> dict[str, Any]:
    """Every command at n photos."""
    started = time.perf_counter()
    write_photos(folder, n)
    print(f"{n:,} photos written in {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    took = {"init": command(folder, "init", ".")}
    _settle(folder / "hoego.toml")
    took["audit, first"] = command(folder, "audit")
    took["audit, again"] = command(folder, "audit")
    took["split"] = command(folder, "split")
    took["pixels build"] = command(folder, "pixels", "build", "--set", "dataset.size=[24,24]")
    subprocess.run([sys.executable, __file__, "--predictions", str(folder)], check=True, env=_own(folder))
    took["import, with score"] = command(folder, "import", "first.parquet", "--name", "first")
    command(folder, "import", "second.parquet", "--name", "second")
    first, second = sorted(p.parent.name for p in folder.glob("runs/*/run.json"))
    took["score"] = command(folder, "score", first)
    took["compare"] = command(folder, "compare", first, second)
    took["report"] = command(folder, "report", first)
    return {"photos": n, "subjects": int(n / PHOTOS_PER_SUBJECT), "commands": took}


def _own(folder: Path) -> dict[str, str]:
    package = str(Path(__file__).resolve().parents[1])
    return {**os.environ, "PYTHONPATH": package, "HOEGO_CACHE": str(folder / "cache")}


def _settle(file: Path) -> None:
    """Ask for five folds, so that every photo is scored, and accept the copies under two labels."""
    content = tomlkit.parse(file.read_text())
    content["split"] = {"kind": "folds", "folds": 5}
    content["audit"] = {"accept": ["two-labels"]}
    file.write_text(tomlkit.dumps(content))


def growth(rows: list[dict[str, Any]]) -> dict[str, list[float]]:
    """By command the exponent of its seconds between neighbouring sizes: 1 is linear, 2 quadratic."""
    return {
        name: [
            round(
                float(
                    np.log(b["commands"][name]["seconds"] / a["commands"][name]["seconds"])
                    / np.log(b["photos"] / a["photos"])
                ),
                2,
            )
            for a, b in pairwise(rows)
        ]
        for name in rows[0]["commands"]
    }


def lines_of(rows: list[dict[str, Any]], grown: dict[str, list[float]]) -> list[str]:
    """The table for people."""
    sizes = [f"{r['photos']:,} photos" for r in rows]
    out = [
        f"| command | {' | '.join(sizes)} | grows as photos to the power |",
        "| --- " * (len(sizes) + 2) + "|",
    ]
    for name in rows[0]["commands"]:
        cells = [
            f"{r['commands'][name]['seconds']:,} s, {r['commands'][name]['peak_gib']:.2f} GiB" for r in rows
        ]
        out.append(f"| {name} | {' | '.join(cells)} | {', '.join(f'{g:.2f}' for g in grown[name])} |")
    return out


def main() -> None:
    """Measure, print, and with --json write results/scale.json and .md."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, nargs="+", default=SIZES)
    parser.add_argument(
        "--folder", type=Path, help="where the photos are written; a temporary folder if not given"
    )
    parser.add_argument("--keep", action="store_true", help="leave the photos where they are")
    parser.add_argument("--json", action="store_true", help="write results/scale.json and results/scale.md")
    parser.add_argument("--predictions", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.predictions:
        write_predictions(asked.predictions)
        return
    rows = []
    for n in asked.photos:
        folder = Path(tempfile.mkdtemp(prefix=f"hoego-{n}-", dir=asked.folder))
        try:
            rows.append(measure(n, folder))
        finally:
            if not asked.keep:
                shutil.rmtree(folder)
    grown = growth(rows)
    versions = {"python": platform.python_version(), "numpy": np.__version__, "polars": pl.__version__}
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    lines = lines_of(rows, grown)
    print("\n".join(lines))
    if asked.json:
        found = {
            "date": str(date.today()),
            "machine": machine,
            "versions": versions,
            "rows": rows,
            "growth": grown,
        }
        (RESULTS / "scale.json").write_text(json.dumps(found, indent=1) + "\n")
        (RESULTS / "scale.md").write_text(
            "\n".join([f"# Growth with the photos\n\n{date.today()}; {machine}\n", *lines, ""])
        )


if __name__ == "__main__":
    main()
