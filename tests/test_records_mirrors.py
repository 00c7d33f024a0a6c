"""Mirrors: live, never in the way, and complete after they were down."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from hoego.errors import UsageError
from hoego.runs.records import Record, RunStore
from hoego.runs.records.mirrors import MlflowLogger, WandbLogger, following, mirrors_of, sync, sync_all


class FakeMirror:
    """Remembers what was pushed; `down` makes every call fail, `slow` makes it take seconds."""

    name = "fake"

    def __init__(self) -> None:
        self.down, self.slow = False, 0.0
        self.pushed: list[tuple[Any, ...]] = []

    def _call(self, *what: Any) -> None:
        time.sleep(self.slow)
        if self.down:
            raise ConnectionError("the server is down")
        self.pushed.append(what)

    def begin(self, record: Record, params: Mapping[str, str]) -> str:
        self._call("begin", record.id, dict(params))
        return f"remote-{record.id}"

    def metrics(self, remote: str, fold: int, rows: Sequence[Mapping[str, float]]) -> None:
        self._call("metrics", fold, [(int(r["epoch"]), r["macro_f1"]) for r in rows])

    def artifact(self, remote: str, path: Path) -> None:
        self._call("artifact", path.name)

    def end(self, remote: str, state: str, summary: Mapping[str, float], honesty: str) -> None:
        self._call("end", state, dict(summary), honesty)


def make(tmp_path: Path) -> tuple[RunStore, Record]:
    store = RunStore(tmp_path / "runs")
    return store, store.create({"epochs": 2, "loss": {"focal": 0.6}}, name="first", why="focal helps")


def finish(record: Record, **score: Any) -> None:
    record.append_epoch(0, {"epoch": 1, "macro_f1": 0.6, "flag": True, "loss": None})
    metric = {"value": 0.6, "low": 0.5, "high": 0.7, "level": 0.95}
    record.update(score={"macro_f1": metric, "honesty": "selected", **score})
    record.set_state("done")


def naive(tmp_path: Path) -> tuple[RunStore, Record]:
    """A run whose split lets a person stand on both sides, done."""
    store = RunStore(tmp_path / "runs")
    record = store.create({"epochs": 1, "split": {"kind": "naive"}}, name="naive")
    figures = {"macro_f1": 1.0, "macro_f1_age": 1.0, "accuracy_ema": 1.0, "held_loss": 0.0}
    record.append_epoch(0, {"epoch": 0, "train_loss": 0.2, "inner_macro_f1": 0.5, **figures})
    finish(record, honesty="naive", honest=False)
    return store, record


def test_what_is_new_is_pushed_once(tmp_path: Path) -> None:
    store, record = make(tmp_path)
    mirror = FakeMirror()
    record.append_epoch(0, {"epoch": 0, "macro_f1": 0.4})
    sync(store, mirror)
    sync(store, mirror)
    assert mirror.pushed == [
        ("begin", record.id, {"epochs": "2", "loss.focal": "0.6"}),
        ("metrics", 0, [(0, 0.4)]),
    ]
    finish(record)
    sync(store, mirror)
    assert mirror.pushed[2] == ("metrics", 0, [(1, 0.6)])
    summary = {"macro_f1": 0.6, "macro_f1.low": 0.5, "macro_f1.high": 0.7}
    assert mirror.pushed[-1] == ("end", "done", summary, "selected")
    count = len(mirror.pushed)
    assert sync(store, mirror).current == (record.id,)
    assert len(mirror.pushed) == count


def test_a_mirror_that_is_down_catches_up_later(tmp_path: Path) -> None:
    store, record = make(tmp_path)
    mirror = FakeMirror()
    mirror.down = True
    record.append_epoch(0, {"epoch": 0, "macro_f1": 0.4})
    assert "the server is down" in sync(store, mirror).behind[record.id]
    finish(record)
    mirror.down = False
    synced = sync_all(store, [mirror])
    assert (synced.behind, synced.words) == (False, "fake: 1 runs up to date")
    assert [p for p in mirror.pushed if p[0] == "metrics"] == [("metrics", 0, [(0, 0.4), (1, 0.6)])]


@pytest.mark.parametrize("honesty", ["naive", "in-sample"])
@pytest.mark.parametrize("older", [{}, {"honest": False}])
def test_a_score_that_is_not_honest_is_named_after_it(
    honesty: str, older: dict[str, Any], tmp_path: Path
) -> None:
    store, record = make(tmp_path)
    finish(record, honesty=honesty, **older)
    mirror = FakeMirror()
    sync(store, mirror)
    name = honesty.replace("-", "_") + "_macro_f1"
    assert mirror.pushed[-1][2:] == ({name: 0.6, f"{name}.low": 0.5, f"{name}.high": 0.7}, honesty)


def test_held_out_figures_of_a_naive_split_say_so_while_it_runs(tmp_path: Path) -> None:
    class Names(FakeMirror):
        def metrics(self, remote: str, fold: int, rows: Sequence[Mapping[str, float]]) -> None:
            self.first = set(rows[0])

    store, _ = naive(tmp_path)
    mirror = Names()
    sync(store, mirror)
    measured = {f"naive_{k}" for k in ("macro_f1", "macro_f1_age", "accuracy_ema", "held_loss")}
    assert mirror.first == measured | {"epoch", "time", "train_loss", "inner_macro_f1"}


def test_a_slow_or_broken_mirror_costs_the_run_nothing(tmp_path: Path) -> None:
    store, record = make(tmp_path)
    slow, broken = FakeMirror(), FakeMirror()
    slow.slow, broken.down = 30.0, True
    began = time.monotonic()
    with following(store, [slow, broken], every=0.01, patience=0.2):
        record.append_epoch(0, {"epoch": 0, "macro_f1": 0.4})
    assert time.monotonic() - began < 15


def test_a_run_is_followed_while_it_runs(tmp_path: Path) -> None:
    store, record = make(tmp_path)
    mirror = FakeMirror()
    with following(store, [mirror], every=0.02):
        record.append_epoch(0, {"epoch": 0, "macro_f1": 0.4})
        end = time.monotonic() + 20
        while ("metrics", 0, [(0, 0.4)]) not in mirror.pushed:
            assert time.monotonic() < end, "nothing was pushed while the run ran"
            time.sleep(0.01)
        finish(record)
    assert mirror.pushed[-1][:2] == ("end", "done")
    assert [p[0] for p in mirror.pushed].count("begin") == 1


def test_mirrors_are_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = mirrors_of("mlflow=http://127.0.0.1:5000, wandb=faces")
    assert [m.name for m in made] == ["mlflow", "wandb"]
    with pytest.raises(UsageError):
        mirrors_of("tensorboard=x")
    monkeypatch.delenv("HOEGO_MIRRORS", raising=False)
    with following(RunStore(tmp_path)):
        pass


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("mlflow", reason="the extra `track` is not installed")
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    # What `mlflow server` starts, without the command line in front of it: half the time to the first answer.
    settings = {
        "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{folder}/store.db",
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(folder / "files"),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
    }
    application = "mlflow.server.fastapi_app:app"
    child = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", application, "--host", "127.0.0.1", "--port", str(port)],
        env={**os.environ, **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        end = time.monotonic() + 90
        while True:
            try:
                with urllib.request.urlopen(f"{address}/health", timeout=2):
                    break
            except OSError:
                assert time.monotonic() < end, "the MLflow server did not start"
                assert child.poll() is None, "the MLflow server ended"
                time.sleep(0.3)
        yield address
    finally:
        os.killpg(child.pid, 15)
        child.wait(20)


@pytest.mark.filterwarnings("ignore")
def test_a_real_mlflow_server_shows_the_run(server: str, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    store, record = make(tmp_path)
    mirror = MlflowLogger(server)
    record.append_epoch(0, {"epoch": 0, "macro_f1": 0.4})
    assert sync(store, mirror).behind == {}
    client = MlflowClient(tracking_uri=server)
    experiment = client.get_experiment_by_name("hoego")
    assert experiment is not None
    (live,) = client.search_runs([experiment.experiment_id])
    assert live.info.status == "RUNNING"
    assert live.data.params["loss.focal"] == "0.6"
    finish(record)
    (record.folder / "predictions.parquet").write_bytes(b"PAR1")
    assert sync(store, mirror).behind == {}
    (record.folder / "mirrors" / "mlflow.json").unlink()
    assert sync(store, mirror).behind == {}
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.tags["hoego.runs"] == record.id
    assert run.data.tags["hoego.honesty"] == "selected"
    assert run.data.metrics["macro_f1"] == 0.6
    history = client.get_metric_history(run.info.run_id, "fold-0/macro_f1")
    assert [(m.step, m.value) for m in history] == [(0, 0.4), (1, 0.6)]
    assert "predictions.parquet" in {f.path for f in client.list_artifacts(run.info.run_id)}


@pytest.mark.filterwarnings("ignore")
def test_mlflow_ranks_no_naive_score_beside_honest_ones(server: str, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    store, _ = naive(tmp_path)
    assert sync(store, MlflowLogger(server, "leaks")).behind == {}
    client = MlflowClient(tracking_uri=server)
    experiment = client.get_experiment_by_name("leaks")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id], "metrics.naive_macro_f1 > 0")
    assert run.data.tags["hoego.honesty"] == "naive"
    assert not {"macro_f1", "macro_f1.low", "fold-0/macro_f1"} & set(run.data.metrics)
    assert run.data.metrics["fold-0/naive_macro_f1"] == 0.6


@pytest.mark.filterwarnings("ignore")
def test_wandb_offline_writes_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="the extra `track` is not installed")
    monkeypatch.setenv("WANDB_SILENT", "true")
    store, record = make(tmp_path)
    mirror = WandbLogger("faces", mode="offline", folder=tmp_path)
    record.append_epoch(0, {"epoch": 0, "macro_f1": 0.4})
    assert sync(store, mirror).behind == {}
    finish(record)
    assert sync(store, mirror).behind == {}
    (folder,) = (tmp_path / "wandb").glob(f"offline-run-*-{record.id}")
    log = (folder / f"run-{record.id}.wandb").read_bytes()
    assert b"fold-0/macro_f1" in log
    assert b"loss.focal" in log
    assert b"honesty" in log
    assert b'"selected"' in log
    assert (folder / "files" / "recipe.toml").exists()


@pytest.mark.filterwarnings("ignore")
def test_wandb_ranks_no_naive_score_beside_honest_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb", reason="the extra `track` is not installed")
    monkeypatch.setenv("WANDB_SILENT", "true")
    store, record = naive(tmp_path)
    assert sync(store, WandbLogger("leaks", mode="offline", folder=tmp_path)).behind == {}
    (folder,) = (tmp_path / "wandb").glob(f"offline-run-*-{record.id}")
    log = (folder / f"run-{record.id}.wandb").read_bytes()
    assert b"honesty" in log
    assert b"naive_macro_f1.low" in log
    assert re.search(rb"(?<!naive_)(?<!inner_)macro_f1", log) is None
