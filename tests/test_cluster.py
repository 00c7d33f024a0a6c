"""Workers that an engine starts: a local Ray cluster of two nodes, and submitit's local executor.

`make test-cluster` runs them in an environment with the extra `cluster`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("ray")
pytest.importorskip("submitit")
pytestmark = pytest.mark.torch

from test_queue_training import ask, values, wait_until  # noqa: E402
from test_train_run import own_cache, photos, recipe  # noqa: E402, F401

from hoego.cluster.request import ClusterRequest  # noqa: E402
from hoego.errors import UsageError  # noqa: E402
from hoego.recipe import Recipe  # noqa: E402
from hoego.runs.queue.working import WorkRequest, work_queue  # noqa: E402
from hoego.runs.records import Record, RunStore  # noqa: E402

HERE = Path(__file__).parent
LOOPBACK = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Ray's drivers take 127.0.0.1 for the address of this machine on the network unless they are told."""


@pytest.fixture(scope="module")
def nodes() -> Iterator[subprocess.Popen[str]]:
    made = subprocess.Popen(
        [sys.executable, str(HERE / "ray_nodes.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=LOOPBACK,
    )
    assert made.stdout is not None
    made.address = made.stdout.readline().strip()  # type: ignore[attr-defined]
    yield made
    assert made.stdin is not None
    made.communicate(timeout=60)


def command(store: RunStore, on: str, workers: int = 2) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-m", "hoego", "queue", "work", "--on", on, "--workers", str(workers)]
    with open(store.root.parent / "driver.txt", "ab") as told:
        return subprocess.Popen(
            [*program, "--runs", str(store.root)], stdout=subprocess.DEVNULL, stderr=told, env=LOOPBACK
        )


def six(store: RunStore, settings: Recipe) -> list[Record]:
    return [ask(store, settings, seed=k) for k in range(6)]


def claims(record: Record) -> list[dict[str, Any]]:
    return [json.loads(p.read_bytes()) for p in sorted((record.folder / "claims").iterdir())]


def require_equal_to_sequential(store: RunStore, records: list[Record], elsewhere: Path) -> None:
    """Every run done, no epoch lost or doubled, and every prediction that of the same runs one after another."""
    import numpy as np

    from hoego.recipe import build

    alone = RunStore(elsewhere / "runs")
    again = [ask(alone, build(store.find(r.id).recipe)) for r in records]
    work_queue(alone.root, WorkRequest(), lambda _: None)
    for record, same in zip(records, again, strict=True):
        assert store.find(record.id).state == "done", store.find(record.id).reason
        epochs = [row["epoch"] for row in record.epochs(0)]
        assert epochs == list(range(len(epochs)))
        a, b = values(record), values(alone.find(same.id))
        assert all(np.array_equal(a[k], b[k]) for k in b)


def said(store: RunStore) -> str:
    return (store.root.parent / "driver.txt").read_text()


def test_engines_that_there_are_not_are_refused() -> None:
    for on, fields in (
        ("kubernetes", {}),
        ("slurm:host", {}),
        ("ray", {"partition": "p"}),
        ("ray", {"cores": 0}),
    ):
        with pytest.raises(UsageError):
            ClusterRequest.parse(on, **fields)


def test_six_runs_on_two_nodes_are_each_trained_once(photos: Path, tmp_path: Path, nodes: Any) -> None:  # noqa: F811
    store = RunStore(tmp_path / "runs")
    records = six(store, recipe(photos, epochs=20))
    assert command(store, f"ray:{nodes.address}").wait(280) == 0, said(store)
    assert all(len(claims(r)) == 1 for r in records)
    where = {c["worker"].rsplit("-", 1)[0] for r in records for c in claims(r)}
    assert len(where) == 2, where
    require_equal_to_sequential(store, records, tmp_path / "alone")


def test_the_command_dies_then_a_node_leaves(photos: Path, tmp_path: Path, nodes: Any) -> None:  # noqa: F811
    store = RunStore(tmp_path / "runs")
    records = six(store, recipe(photos, epochs=40))
    first = command(store, f"ray:{nodes.address}")
    wait_until(lambda: sum(len(r.epochs(0)) >= 2 for r in records if r.folds()) >= 2, 240)
    first.send_signal(signal.SIGKILL)
    first.wait()
    second = command(store, f"ray:{nodes.address}")
    wait_until(
        lambda: len(store.list(states=("running",))) == 2 and len(store.list(states=("done",))) >= 1, 240
    )
    nodes.stdin.write("remove\n")
    nodes.stdin.flush()
    assert second.wait(280) == 0, said(store)
    require_equal_to_sequential(store, records, tmp_path / "alone")


def test_the_same_by_submitit_with_a_job_killed(photos: Path, tmp_path: Path) -> None:  # noqa: F811
    store = RunStore(tmp_path / "runs")
    records = six(store, recipe(photos, epochs=30))
    work = command(store, "local")
    wait_until(lambda: len(store.list(states=("running",))) == 2, 240)
    time.sleep(0.5)
    taken = store.list(states=("running",))
    if taken:
        os.kill((taken[0].meta.process or {})["pid"], signal.SIGKILL)
    assert work.wait(280) == 0, said(store)
    require_equal_to_sequential(store, records, tmp_path / "alone")
