"""A run whose folds are spread over workers: each fold trained once, and the record that of one process alone."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from test_queue_training import wait_until  # noqa: E402
from test_train_run import own_cache, photos, recipe  # noqa: E402, F401

from hoego import claim_files  # noqa: E402
from hoego.errors import UsageError  # noqa: E402
from hoego.recipe import Recipe  # noqa: E402
from hoego.runs.fold_claims import FoldClaims  # noqa: E402
from hoego.runs.queue import QueueOptions  # noqa: E402
from hoego.runs.queue.spreading import train_spread  # noqa: E402
from hoego.runs.queue.train_record import queue_run  # noqa: E402
from hoego.runs.queue.working import WorkRequest, work_queue  # noqa: E402
from hoego.runs.records import Record, RunStore  # noqa: E402

FOLDS = 4
OWN = {".lock", "heartbeat", "log.txt", "environment.json", "code-ran.json"}
"""Files that tell of the process and its times."""
OWN_FIELDS = {
    "started", "finished", "updated", "process", "machine", "attempt", "deaths", "reason", "queue", "timing",
    "throughput", "resumed",
}  # fmt: skip
SECONDS = {"images_per_second", "train_seconds", "seconds"}
_WORKER = """
import sys
from pathlib import Path
from hoego.runs.queue.working import work_queue
work_queue(Path(sys.argv[1]))
"""


def spread(photos: Path, **changes: Any) -> Recipe:  # noqa: F811
    return recipe(photos, split={"kind": "folds", "folds": FOLDS}, fold="all", **changes)


def ask(store: RunStore, settings: Recipe) -> Record:
    return queue_run(store.root, settings, QueueOptions(spread=True))


def work(store: RunStore) -> subprocess.Popen[bytes]:
    with open(store.root.parent / "said.txt", "ab") as said:
        return subprocess.Popen([sys.executable, "-c", _WORKER, str(store.root)], stderr=said)


def without(content: Any, dropped: set[str]) -> Any:
    if isinstance(content, dict):
        return {k: without(v, dropped) for k, v in content.items() if k not in dropped}
    return content


def content_of(record: Record) -> dict[str, Any]:
    """Every file of a record but what tells of processes and times, by its path."""
    found: dict[str, Any] = {}
    for path in sorted(p for p in record.folder.rglob("*") if p.is_file()):
        name = path.relative_to(record.folder).as_posix()
        if name in OWN or name.startswith("claims/"):
            continue
        if path.name == "epochs.jsonl":
            rows = record.epochs(int(path.parent.name.removeprefix("fold-")))
            found[name] = [without(row, SECONDS) for row in rows]
        elif path.name == "run.json":
            found[name] = json.dumps(without(json.loads(path.read_bytes()), OWN_FIELDS))
        elif path.suffix == ".npz":  # an archive holds the times of its files
            with np.load(path) as arrays:
                found[name] = {k: arrays[k].tobytes() for k in arrays.files}
        elif path.name == "state.pt":
            found[name] = plain(without(torch.load(path, weights_only=False), SECONDS))
        else:
            found[name] = path.read_bytes()
    return found


def plain(content: Any) -> Any:
    """The state of a training with its tensors as bytes, which `==` compares as a whole."""
    if isinstance(content, torch.Tensor):
        return (str(content.dtype), tuple(content.shape), content.numpy().tobytes())
    if isinstance(content, dict):
        return {k: plain(v) for k, v in content.items()}
    return [plain(v) for v in content] if isinstance(content, (list, tuple)) else repr(content)


def require_equal_to_sequential(store: RunStore, asked: Path) -> None:
    """Train a copy of the records as they were asked for, in one process and without spreading; compare all files."""
    alone = RunStore(asked)
    for record in alone.list():
        record.update(queue={"spread": False})
    work_queue(asked, WorkRequest(), lambda _: None)
    assert store.ids() == alone.ids()
    for record in store.list():
        ours, theirs = content_of(record), content_of(alone.find(record.id))
        assert (record.state, alone.find(record.id).state) == ("done", "done"), record.reason
        assert ours.keys() == theirs.keys()
        assert [name for name in ours if ours[name] != theirs[name]] == []


def owners(record: Record) -> dict[int, int]:
    """The process that trains, or trained, each fold."""
    return {k: claim_files.owner_of(path)["pid"] for k, path in FoldClaims(record).latest().items()}


@pytest.mark.parametrize("killed", ["leader", "helper"])
def test_one_of_two_workers_is_killed(photos: Path, tmp_path: Path, killed: str) -> None:  # noqa: F811
    store = RunStore(tmp_path / "runs")
    record = ask(store, spread(photos, epochs=16, refit=True))
    asked = Path(shutil.copytree(store.root, tmp_path / "alone/runs"))
    workers = [work(store), work(store)]
    wait_until(lambda: len(set(owners(record).values())) == 2, 600)
    lead = store.find(record.id).meta.process["pid"]  # type: ignore[index]
    doomed = next(w for w in workers if (w.pid == lead) == (killed == "leader"))
    theirs = next(k for k, pid in owners(record).items() if pid == doomed.pid)
    wait_until(lambda: len(record.epochs(theirs)) >= 2, 600)
    os.kill(doomed.pid, signal.SIGKILL)
    for worker in workers:
        worker.wait(900)
    work_queue(store.root, WorkRequest(), lambda _: None)
    assert store.find(record.id).state == "done", (tmp_path / "said.txt").read_text()
    assert sorted(owners(record)) == list(range(FOLDS))
    require_equal_to_sequential(store, asked)


def test_the_command_trains_with_whoever_works_on_the_queue(photos: Path, tmp_path: Path) -> None:  # noqa: F811
    store = RunStore(tmp_path / "runs")
    result = train_spread(store.root, spread(photos), QueueOptions(name="shared", why="to see"))
    record = store.find(result.run)
    assert result.state == record.state == "done"
    assert record.meta.why == "to see"
    assert result.score is not None
    assert set(owners(record).values()) == {os.getpid()}


def test_one_fold_cannot_be_spread(photos: Path, tmp_path: Path) -> None:  # noqa: F811
    with pytest.raises(UsageError, match="one"):
        queue_run(tmp_path / "runs", recipe(photos), QueueOptions(spread=True))


def test_a_fold_is_claimed_once_and_given_back_by_the_dead(photos: Path, tmp_path: Path) -> None:  # noqa: F811
    record = ask(RunStore(tmp_path / "runs"), spread(photos))
    ours, theirs = FoldClaims(record, "a"), FoldClaims(record, "b")
    first, second = ours.take(range(FOLDS)), theirs.take(range(FOLDS))
    assert first is not None
    assert second is not None
    assert (first.name, second.name) == ("fold-0.0000", "fold-1.0000")
    assert theirs.take([0, 1]) is None
    owner = json.loads(first.read_bytes())
    first.write_text(json.dumps({**owner, "pid": 2**22 + 1}))
    third = theirs.take([0])
    assert third is not None
    assert third.name == "fold-0.0001"
    assert not ours.is_latest(first)
    with theirs.held(third):
        pass
    assert not third.exists()
    assert not claim_files.create(second, "c")
