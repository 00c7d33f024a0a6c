"""Workers that an engine starts: a local Ray cluster of two nodes, and submitit's local executor.

`make test-cluster` runs them in an environment with the extra `cluster`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("ray")
pytest.importorskip("submitit")
pytestmark = pytest.mark.torch

from test_queue_training import ask, wait_until  # noqa: E402
from test_spread import require_equal_to_sequential  # noqa: E402
from test_train_run import own_cache, photos, recipe  # noqa: E402, F401

from hoego.claim_files import owner_of  # noqa: E402
from hoego.cluster.request import ClusterRequest  # noqa: E402
from hoego.errors import UsageError  # noqa: E402
from hoego.runs.fold_claims import FoldClaims  # noqa: E402
from hoego.runs.queue import QueueOptions  # noqa: E402
from hoego.runs.queue.train_record import queue_run  # noqa: E402
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


def asked_for(photos: Path, store: RunStore, epochs: int) -> tuple[list[Record], Record, Path]:  # noqa: F811
    """Queue six runs and, between them, one whose five folds are spread: the six, the one, and a copy of all."""
    six = [ask(store, recipe(photos, epochs=epochs), seed=k) for k in range(3)]
    folds = recipe(photos, epochs=epochs, split={"kind": "folds", "folds": 5}, fold="all")
    five = queue_run(store.root, folds, QueueOptions(spread=True))
    six += [ask(store, recipe(photos, epochs=epochs), seed=k) for k in range(3, 6)]
    return six, five, Path(shutil.copytree(store.root, store.root.parent / "alone/runs"))


def claims(record: Record) -> list[dict[str, Any]]:
    return [owner_of(p) for p in sorted((record.folder / "claims").iterdir()) if p.name.isdigit()]


def nodes_of(owners: Iterable[dict[str, Any]]) -> set[str]:
    """The machines of workers, as the engine names them: `engine-call-node-process`."""
    return {owner["worker"].rsplit("-", 1)[0] for owner in owners}


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


def test_runs_and_folds_on_two_nodes_are_each_trained_once(photos: Path, tmp_path: Path, nodes: Any) -> None:  # noqa: F811
    store = RunStore(tmp_path / "runs")
    six, five, asked = asked_for(photos, store, epochs=12)
    assert command(store, f"ray:{nodes.address}").wait(900) == 0, said(store)
    assert all(len(claims(r)) == 1 for r in (*six, five))
    assert len(nodes_of(c for r in six for c in claims(r))) == 2
    folds = FoldClaims(five).latest()
    assert [path.name for _, path in sorted(folds.items())] == [f"fold-{k}.0000" for k in range(5)]
    assert len(nodes_of(map(owner_of, folds.values()))) == 2
    require_equal_to_sequential(store, asked)


def test_the_command_dies_then_a_node_leaves(photos: Path, tmp_path: Path, nodes: Any) -> None:  # noqa: F811
    store = RunStore(tmp_path / "runs")
    six, five, asked = asked_for(photos, store, epochs=24)
    first = command(store, f"ray:{nodes.address}")
    wait_until(lambda: sum(len(r.epochs(0)) >= 2 for r in six if r.folds()) >= 2, 900)
    first.send_signal(signal.SIGKILL)
    first.wait()
    second = command(store, f"ray:{nodes.address}")
    wait_until(lambda: len(nodes_of(map(owner_of, FoldClaims(five).latest().values()))) == 2, 900)
    nodes.stdin.write("remove\n")
    nodes.stdin.flush()
    assert second.wait(900) == 0, said(store)
    require_equal_to_sequential(store, asked)


def test_the_same_by_submitit_with_a_job_killed(photos: Path, tmp_path: Path) -> None:  # noqa: F811
    store = RunStore(tmp_path / "runs")
    _, five, asked = asked_for(photos, store, epochs=16)
    work = command(store, "local")
    wait_until(lambda: len({owner_of(p)["pid"] for p in FoldClaims(five).latest().values()}) == 2, 900)
    os.kill((store.find(five.id).meta.process or {})["pid"], signal.SIGKILL)
    assert work.wait(900) == 0, said(store)
    require_equal_to_sequential(store, asked)
