"""A project of a few tiny photos with two trained runs, an ensemble, notes, an idea and a submission; and its commands.

Commands run in this process: a hundred of them take some seconds, and what they raise is seen.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from hoego.cli.main import main

PEOPLE, PHOTOS, SIZE = 16, 3, 16
PROJECT = f"""[dataset]
root = "ph"
layout = "table"
table = "t.csv"
path = "path"
subject = ["person"]
size = [{SIZE}, {SIZE}]
crop = {{file = "c.csv"}}
[labels]
target = "label"
[labels.attributes.label]
kind = "nominal"
[split]
kind = "folds"
folds = 2
"""
RECIPE = """epochs = 2
batch_size = 16
precision = "float32"
device = "cpu"
threads = 1
refit = true
[model]
name = "hoego_small32"
options = {width = 0.125}
[optim]
lr = 0.003
[select]
on = "last"
[score]
resamples = 100
"""


@dataclass(frozen=True)
class Answer:
    """What a command did: exit code, output, and the traceback that it ended in ("" for none)."""

    code: int
    out: str
    err: str
    traceback: str
    seconds: float


def call(folder: Path, *arguments: str) -> Answer:
    """Run `hoego ARGUMENTS` in a folder."""
    out, err, before, argv = io.StringIO(), io.StringIO(), Path.cwd(), sys.argv
    started, code, raised = time.monotonic(), 0, ""
    os.chdir(folder)
    sys.argv = ["hoego", *arguments]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        code, raised = 1, traceback.format_exc()
    finally:
        os.chdir(before)
        sys.argv = argv
    return Answer(code, out.getvalue(), err.getvalue(), raised, time.monotonic() - started)


def must(folder: Path, *arguments: str) -> str:
    """Run a command that has to end well; returns its output."""
    answer = call(folder, *arguments)
    assert answer.code == 0, f"{arguments}: {answer.err}{answer.traceback}"
    return answer.out


def write_table(path: Path, header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *rows])


def make(folder: Path, people: int = PEOPLE) -> list[tuple[str, str, str]]:
    """Write photos, table, form, crop file and settings; returns the rows of the table."""
    random = np.random.default_rng(0)
    rows = []
    (folder / "ph").mkdir(parents=True)
    for person in range(people):
        for photo in range(PHOTOS):
            pixels = random.integers(0, 150, (SIZE, SIZE, 3), dtype=np.uint8)
            pixels[..., person % 2] += 60
            name = f"s{person:02d}_{photo}.png"
            Image.fromarray(pixels).save(folder / "ph" / name)
            rows.append((name, f"s{person:02d}", "ab"[person % 2]))
    write_table(folder / "ph/t.csv", ("path", "person", "label"), list(rows))
    write_table(folder / "ph/form.csv", ("ImageID", "ans"), [(row[0], "") for row in rows[::PHOTOS]])
    write_table(folder / "c.csv", ("image", "x0", "y0", "x1", "y1"), [(r[0], 0, 0, 14, 14) for r in rows])
    (folder / "hoego.toml").write_text(PROJECT, encoding="utf-8")
    (folder / "r.toml").write_text(RECIPE, encoding="utf-8")
    return rows


def run_names(folder: Path) -> list[str]:
    """The ids of the records, the oldest first; the ensemble is the last."""
    return sorted(p.name for p in (folder / "runs").iterdir() if (p / "run.json").exists())


def make_with_runs(folder: Path) -> tuple[str, str, str]:
    """Make a project with every file that Hoego writes; returns two runs and their ensemble."""
    make(folder)
    must(folder, "train", "r.toml", "--fold", "all")
    must(folder, "train", "r.toml", "--fold", "all", "--set", "seed=1")
    one, two = run_names(folder)
    must(folder, "ensemble", one, two)
    (both,) = set(run_names(folder)) - {one, two}
    must(folder, "note", "hello", "--run", one)
    must(folder, "idea", "add", "x", "--set", "seed=3")
    must(folder, "predict", one, "--on", "ph/form.csv", "--out", "t.parquet")
    must(folder, "submit", "t.parquet", "--info", "ph/form.csv")
    return one, two, both
