"""`hoego watch -- COMMAND` and `hoego import --evidence`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_outside_commands import Bench
from typer.testing import CliRunner

from hoego.cli.main import app
from hoego.errors import HoegoError, LeakError
from hoego.runs.outside.facts import outside_facts
from hoego.runs.outside.watching import command, processes
from hoego.runs.records import RunStore

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="inotify is Linux's")
TRAIN = "import sys\nfor path in sys.argv[1:]: open(path, 'rb').read()\nprint('trained')"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path / "cache"))
    made = Bench(tmp_path)
    made.frame().write_csv("p.csv")
    return made


def paths(bench: Bench, fold: int, *, held_out: bool = False) -> list[str]:
    side = bench.split.val_mask(fold) if held_out else bench.split.train_mask(fold)
    return [str(p) for p, mine in zip(bench.dataset.paths, side, strict=True) if mine]


def watch(bench: Bench, fold: int, *reads: str, code: str = TRAIN) -> dict[str, Any]:
    words = ("watch", "--fold", str(fold), "--to", f"{fold}.json", "--json", "--")
    result = CliRunner().invoke(app, [*words, sys.executable, "-c", code, *reads], catch_exceptions=False)
    return {"exit": result.exit_code, **json.loads(result.stdout)}


def test_watched_trainings_of_all_folds_make_a_witnessed_score(bench: Bench) -> None:
    for k in range(3):
        found = watch(bench, k, *paths(bench, k))
        assert (found["exit"], found["evidence"]["honesty"]) == (0, "witnessed")
        assert found["evidence"]["command"][0] == sys.executable
    evidence = [w for k in range(3) for w in ("--evidence", f"{k}.json")]
    made = bench.run("import", "p.csv", "--name", "theirs", *evidence)
    assert made["score"]["honesty"] == "witnessed"
    record = RunStore(bench.root / "runs").find(made["run"])
    assert [e.fold for e in outside_facts(record).evidence] == [0, 1, 2]
    assert bench.run("show", made["run"])["score"]["honesty"] == "witnessed"
    made = bench.run("import", "p.csv", "--name", "theirs", *evidence[2:])
    assert made["score"]["honesty"] == "witnessed, declared"


def test_a_held_out_photo_is_named_then_and_when_the_evidence_comes_in(bench: Bench) -> None:
    leaked = paths(bench, 0, held_out=True)[2]
    with pytest.raises(LeakError, match=Path(leaked).name):
        watch(bench, 0, *paths(bench, 0), leaked)
    bench.frame().filter(bench.split.val_mask(0)).write_csv("fold0.csv")
    words = ["import", "fold0.csv", "--fold", "0", "--evidence", "0.json"]
    with pytest.raises(LeakError, match=Path(leaked).name):
        CliRunner().invoke(app, words, catch_exceptions=False)
    assert RunStore(bench.root / "runs").ids() == []


def test_what_is_said_without_json_names_the_next_command(bench: Bench) -> None:
    words = ["watch", "--fold", "0", "--", sys.executable, "-c", TRAIN, *paths(bench, 0)]
    out = CliRunner().invoke(app, words, catch_exceptions=False).output
    assert "none of 24 held-out photos" in out
    assert "predictions of this model are witnessed" in out
    assert "hoego import FILE --fold 0 --evidence evidence-" in out
    words = ["watch", "--", sys.executable, "-c", "pass"]
    assert "not witnessed, fold 0: no training photo was opened" in CliRunner().invoke(app, words).output


def test_a_command_that_fails_gives_its_status_and_no_evidence_of_a_model(bench: Bench) -> None:
    assert watch(bench, 0, *paths(bench, 0), code="raise SystemExit(7)")["exit"] == 7
    with pytest.raises(HoegoError, match="did not end well"):
        CliRunner().invoke(app, ["import", "p.csv", "--evidence", "0.json"], catch_exceptions=False)
    with pytest.raises(HoegoError, match="'no-such-program' cannot be run"):
        CliRunner().invoke(app, ["watch", "--", "no-such-program"], catch_exceptions=False)


def test_a_process_that_outlives_the_command_is_stated(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "SECONDS_TO_END", 0.2)
    code = (
        "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3)'])\n"
        + TRAIN
    )
    found = watch(bench, 0, *paths(bench, 0), code=code)
    assert [g["kind"] for g in found["evidence"]["gaps"]] == ["still running"]
    assert processes.descendants(1) != []


def test_children_that_the_caller_had_before_are_not_the_command_s(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "SECONDS_TO_END", 0.2)
    with subprocess.Popen(["sleep", "60"]) as child:
        found = watch(bench, 0, *paths(bench, 0))
        child.kill()
    assert found["evidence"]["honesty"] == "witnessed"
