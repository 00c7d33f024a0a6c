"""Every command where no extra is installed: it works, or says in one line which extra it needs; never a traceback."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import typer
from test_cli import project  # noqa: F401  (a fixture)

from hoego.cli import main as cli
from hoego.extras import EXTRAS, require
from hoego.runs.records import RunStore

WORKS = {
    "people": "people drawn --train 3 --eval 2 --width 48",
    "init": "init photos.csv --out proposal",
    "audit": "audit",
    "split": "split",
    "pixels build": "pixels build --parts 2",
    "pack": "pack --to packed",
    "settings": "settings mixup",
    "recipes": "recipes",
    "score": "score A",
    "report": "report A",
    "compare": "compare A B",
    "diagnose": "diagnose A",
    "design": "design A B",
    "compose": "compose A B",
    "ensemble": "ensemble A B",
    "runs": "runs",
    "show": "show A",
    "diff": "diff A B",
    "merge": "merge elsewhere",
    "import": "import said.csv --name theirs",
    "watch": "watch --to seen.json -- true",
    "folds export": "folds export --to exported --layout csv --link",
    "tag": "tag A good",
    "submit": "submit",
    "note": "note remember",
    "retro": "retro",
    "doctor": "doctor code",
    "queue add": "queue add winners-b4 --set dataset.layout=table",
    "queue status": "queue status",
    "queue cancel": "queue cancel WAITING",
    "queue retry": "queue retry WAITING",
    "queue tidy": "queue tidy --look",
    "idea add": "idea add flip --set augment.flip=0.5",
    "idea list": "idea list",
    "idea adopt": "idea adopt generalise",
    "weights list": "weights list",
    "weights show": "weights show resnet18.mine --folder weights",
}
"""A command line of each command that needs no extra; A and B are runs that are done, WAITING waits."""

NEEDS = {
    "board": ("board --port 0",),
    "train": (
        "train",
        "train --background",
        "train --resume UNFINISHED",
        "train --resume UNFINISHED --background",
    ),
    "lr": ("lr",),
    "probe": ("probe", "probe --models resnet18"),
    "search": ("search recipe.toml --space optim.lr=log:1e-4..1e-2 --trials 2",),
    "demo": ("demo --quick --out story",),
    "predict": ("predict A --on photos.csv --out new.csv",),
    "export": ("export A --to model",),
    "check": ("check model --on photos.csv",),
    "serve": ("serve model",),
    "serve-score": ("serve-score answers.jsonl photos.csv --model model",),
    "ablate": ("ablate --set epochs=4 --vary epochs=5,6 --here",),
    "reproduce": ("reproduce A",),
    "queue work": ("queue work",),
    "weights fetch": ("weights fetch resnet18",),
    "weights add": ("weights add weights/resnet18.mine.safetensors --name resnet18.mine --to kept",),
    "sync": ("sync s3://bucket/records",),
    "mirror": ("mirror mlflow=http://localhost:1", "mirror wandb=hoego"),
    "diagnose": ("diagnose --leak recipe.toml",),
}
"""Command lines of each command that needs an extra."""


def commands(node: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    if not hasattr(node, "list_commands"):
        yield " ".join(path)
        return
    for name in node.list_commands(None):
        yield from commands(node.get_command(None, name), (*path, name))


def test_every_command_has_its_line() -> None:
    assert set(commands(typer.main.get_command(cli.app))) == set(WORKS) | set(NEEDS)


@pytest.fixture(autouse=True)
def bare(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """The project of test_cli as the working directory, and no extra installed."""
    for modules in EXTRAS.values():
        for module in modules:
            monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.chdir(project)
    monkeypatch.setenv("HOEGO_CACHE", str(project / "cache"))
    (project / "elsewhere").mkdir(exist_ok=True)
    (project / "code").mkdir(exist_ok=True)
    (project / "code" / "train.py").write_text("import torch\n\nprint(torch.rand(3))\n")
    (project / "weights").mkdir(exist_ok=True)
    (project / "weights" / "resnet18.mine.safetensors").write_bytes(struct.pack("<Q", 2) + b"{}")
    (project / "recipe.toml").write_text("epochs = 1\n")
    photos = pl.read_csv(project / "photos.csv").select("path")
    photos.with_columns(pl.lit(1 / 18).alias(str(k)) for k in range(18)).write_csv(project / "said.csv")


def run(line: str, monkeypatch: pytest.MonkeyPatch, *more: str) -> int:
    """The exit status of a command line. Whatever is not a plain exit is an exception, and fails the test."""
    store = RunStore(Path("runs"))
    done = [r.id for r in store.list(states=("done",)) if r.meta.name.startswith("made")]
    names = {"A": done[0], "B": done[1]}
    if "WAITING" in line:
        waiting = store.list(states=("waiting", "cancelled"))
        names["WAITING"] = waiting[0].id if waiting else added(monkeypatch)
    if "UNFINISHED" in line:
        record = store.find(done[0])
        begun = store.create(record.recipe, name="begun", state="interrupted")
        names["UNFINISHED"] = begun.id
    words = [names.get(w, w) for w in line.split()]
    monkeypatch.setattr(sys, "argv", ["hoego", *words, *more])
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def added(monkeypatch: pytest.MonkeyPatch) -> str:
    assert run("queue add", monkeypatch) == 0
    return RunStore(Path("runs")).list(states=("waiting",))[0].id


@pytest.mark.parametrize("line", WORKS.values(), ids=WORKS)
def test_it_works(line: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    status = run(line, monkeypatch)
    said = capfd.readouterr()
    assert status == 0, said.err
    assert "Error" not in said.err
    assert said.out.strip()


LINES = [line for lines in NEEDS.values() for line in lines]


@pytest.mark.parametrize("line", LINES)
def test_it_says_in_one_line_which_extra_it_needs(
    line: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    extra = {
        "mirror": "track",
        "board": "board",
        "check": "serve",
        "serve": "serve",
        "serve-score": "serve",
        "search": "search",
        "sync": "sync",
    }.get(line.split()[0], "train")
    named = {
        "track": line.split("=")[0].split()[-1],
        "board": "starlette",
        "serve": "onnxruntime",
        "search": "optuna",
        "sync": "obstore",
    }
    module = named.get(extra, "torch")
    command = next(name for name, lines in NEEDS.items() if line in lines)
    records = len(RunStore(Path("runs")).list()) + line.count("UNFINISHED")
    assert run(line, monkeypatch) == 2
    said = capfd.readouterr().err.strip().splitlines()
    assert said == [f"MissingExtra: hoego {command} needs {module}: pip install 'hoego[{extra}]'"]
    assert len(RunStore(Path("runs")).list()) == records, "a record was begun that cannot be trained"


def test_json_gives_the_error_as_an_object(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("train", monkeypatch, "--json") == 2
    error = json.loads(capfd.readouterr().out)["error"]
    assert error == {
        "kind": "MissingExtra",
        "message": "hoego train needs torch",
        "remedy": "pip install 'hoego[train]'",
    }


def test_what_a_library_call_needs_is_said_without_a_command() -> None:
    with pytest.raises(cli.MissingExtra, match=r"^Training needs torch: pip install 'hoego\[train\]'$"):
        require("train", "Training")
