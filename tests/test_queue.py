"""The queue: atomic claims, workers that die, failures in one line, deadlines, dependence, cancelling."""

from __future__ import annotations

import datetime
import errno
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hoego.errors import ProcessDied, RecordError, TrainError, UsageError
from hoego.runs import queue
from hoego.runs.queue import QueueOptions, RunOutcome, WorkerContext, WorkOptions
from hoego.runs.queue.claims import MAX_DEATHS
from hoego.runs.queue.roster import on_roster
from hoego.runs.queue.timing import cost_keys
from hoego.runs.records import Record, RunStore, RunTimeSample, now, process
from hoego.runs.records.environment import machine_key

RECIPE: dict[str, Any] = {"epochs": 3, "model": {"name": "tiny"}, "select": {"by": "macro_f1"}}


def train(record: Record, context: WorkerContext) -> RunOutcome:
    """A stand-in for training: `seconds` of the recipe per epoch, going on after the recorded epochs; its "weights" are
    the running sum of the epochs' numbers, so that a resumed run ends with the numbers of an undisturbed one."""
    rows = record.epochs(0)
    total = rows[-1]["sum"] if rows else 0
    seconds_each = float(record.recipe.get("seconds", 0.0))
    for epoch in range(len(rows), int(record.recipe["epochs"])):
        began = time.time()
        while time.time() - began < seconds_each:
            time.sleep(0.002)
            if reason := context.should_stop():
                return RunOutcome("interrupted", reason)
        total += epoch + 1
        seconds = time.time() - began
        record.append_epoch(0, {"epoch": epoch, "sum": total, "seconds": seconds})
        context.epoch_done(seconds)
        if (reason := context.should_stop()) and epoch + 1 < int(record.recipe["epochs"]):
            return RunOutcome("interrupted", reason)
    return RunOutcome("done", score={"macro_f1": {"value": float(total)}})


def add(store: RunStore, **fields: Any) -> Record:
    recipe = {**RECIPE, "seconds": fields.pop("seconds", 0.0), **fields.pop("recipe", {})}
    return queue.add(store, recipe, QueueOptions(**fields))


def soon(seconds: float) -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)


def test_runs_are_taken_by_priority_then_in_order(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    first, urgent, last = add(store), add(store, priority=5), add(store)
    report = queue.work(store, train)
    order = [ran.run for ran in report.ran]
    assert order[0] == urgent.id
    assert set(order[1:]) == {first.id, last.id}
    assert [store.find(i).state for i in order] == ["done"] * 3
    assert store.find(first.id).score.primary.value == 6.0
    assert report.left == {}


_CLAIMERS = """
import os, sys, time
from pathlib import Path
from hoego.runs.records import RunStore
from hoego.runs import queue
root, out, n = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
start = time.time() + 0.5
children = []
for k in range(n):
    child = os.fork()
    if child == 0:
        store, mine = RunStore(root), []
        time.sleep(max(0.0, start - time.time()))
        while (record := queue.claim(store)) is not None:
            mine.append(record.id)
            queue.release(record, "done")
        (out / str(k)).write_text(" ".join(mine))
        os._exit(0)
    children.append(child)
sys.exit(sum(os.waitpid(child, 0)[1] for child in children))
"""


def test_fifty_processes_claim_a_hundred_runs_each_exactly_once(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    ids = [add(store).id for _ in range(100)]
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run([sys.executable, "-c", _CLAIMERS, str(store.root), str(out), "50"], check=True)
    taken = [path.read_text().split() for path in out.iterdir()]
    assert len(taken) == 50
    assert Counter(id_ for mine in taken for id_ in mine) == Counter(ids)
    assert sum(bool(mine) for mine in taken) > 5


def test_one_attempt_can_be_claimed_once_whatever_run_json_says(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    record = add(store)
    stale = Record(record.folder, record.meta)
    assert queue.take(record)
    record.update(state="waiting")
    assert not queue.take(stale)


_WORKER = """
import sys
sys.path[:0] = {path!r}
from hoego.runs.records import RunStore
from hoego.runs import queue
from test_queue import train
queue.work(RunStore(sys.argv[1]), train)
"""


def start_worker(root: Path) -> subprocess.Popen[str]:
    path = [str(Path(__file__).parent), *sys.path]
    return subprocess.Popen([sys.executable, "-c", _WORKER.format(path=path), str(root)], text=True)


def wait_for(condition: Any, seconds: float = 20.0) -> None:
    end = time.time() + seconds
    while not condition():
        assert time.time() < end, "what was waited for did not happen"
        time.sleep(0.01)


def test_a_worker_killed_with_9_loses_nothing(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    records = [add(store, recipe={"epochs": 6}, seconds=0.1) for _ in range(2)]
    worker = start_worker(tmp_path)
    wait_for(lambda: any(len(r.epochs(0)) >= 2 for r in records))
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    report = queue.work(store, train)
    assert len(report.recovered) == 1
    for record in records:
        assert store.find(record.id).state == "done"
        assert [row["epoch"] for row in record.epochs(0)] == list(range(6))
        assert store.find(record.id).score.primary.value == 21.0
    interrupted = store.find(report.recovered[0])
    assert interrupted.meta.attempt == 1
    assert "its worker" in (interrupted.folder / "log.txt").read_text()


def test_a_run_that_keeps_killing_its_worker_ends_as_failed(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    record = add(store)
    dead = {**process.this_process(), "start": 1}
    for _ in range(MAX_DEATHS):
        assert record.state == "waiting"
        assert queue.take(record)
        record.update(process=dead)
        assert [r.id for r in queue.recover(store)] == [record.id]
        assert queue.recover(store) == []
        record.refresh()
    assert (record.state, record.meta.deaths) == ("failed", MAX_DEATHS)
    assert "without one more epoch" in record.reason


def test_a_run_one_of_whose_processes_is_killed_waits_and_goes_on(tmp_path: Path) -> None:
    store, deaths = RunStore(tmp_path), iter([True, False, True, True, True])

    def killed(record: Record, context: WorkerContext) -> RunOutcome:
        if next(deaths):
            record.append_epoch(0, {"epoch": 0, "sum": 1})
            raise ProcessDied("The process of device 1 of 2 (pid 7) was killed (SIGKILL).")
        return train(record, context)

    first = add(store)
    report = queue.work(store, killed)
    assert [run.state for run in report.ran] == ["waiting", "done"]
    assert report.ran[0].reason == (
        "The process of device 1 of 2 (pid 7) was killed (SIGKILL); it goes on after 1 epochs"
    )
    assert [row["sum"] for row in first.epochs(0)] == [1, 3, 6]
    second = add(store)
    assert [run.state for run in queue.work(store, killed).ran] == ["waiting", "waiting", "failed"]
    assert second.refresh().deaths == MAX_DEATHS


def test_a_claim_whose_owner_died_before_running_is_given_back(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    record = add(store)
    (record.folder / "claims").mkdir()
    (record.folder / "claims" / "0000").write_text("{")
    os.utime(record.folder / "claims" / "0000", (1, 1))
    assert not queue.take(record)
    assert [r.id for r in queue.recover(store)] == [record.id]
    assert queue.take(record)


def test_recovering_at_once_from_many_threads_happens_once(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    record = add(store)
    queue.take(record)
    record.update(process={**process.this_process(), "start": 1})
    found: list[Record] = []
    threads = [
        threading.Thread(target=lambda: found.extend(queue.recover(RunStore(tmp_path)))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1
    assert record.refresh().attempt == 1


class OutOfMemoryError(RuntimeError):
    """Named as torch names its own."""


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/x/epoch.bin"),
            r"the disk is full \(/x/epoch.bin\)",
        ),
        (RuntimeError("unable to write: No space left on device"), "the disk is full"),
        (MemoryError(), "out of memory on the machine"),
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "out of memory on the GPU"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
            "out of memory on the machine",
        ),
        (TrainError("The loss is NaN at epoch 3."), "the loss is not a number: .*epoch 3"),
        (FloatingPointError("inf"), "the loss is not a number"),
        (TrainError("There is no checkpoint.", remedy="Check it."), "There is no checkpoint. Check it."),
        (KeyError("a\nb"), "KeyError"),
    ],
)
def test_a_failure_ends_its_run_in_one_line_and_the_queue_goes_on(
    tmp_path: Path, problem: Exception, said: str
) -> None:
    store = RunStore(tmp_path)
    bad = add(store, priority=1)
    add(store)

    def runner(record: Record, context: WorkerContext) -> RunOutcome:
        if record.id == bad.id:
            raise problem
        return train(record, context)

    report = queue.work(store, runner)
    assert [ran.state for ran in report.ran] == ["failed", "done"]
    reason = store.find(bad.id).reason
    assert "\n" not in reason
    assert re.search(said, reason), reason
    assert "Traceback" in (bad.folder / "log.txt").read_text()


def test_a_run_whose_recipe_is_broken_fails_and_the_rest_runs(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    bad, good = add(store), add(store)
    (bad.folder / "recipe.toml").write_text("epochs = = 3")
    queue.work(store, train)
    assert (store.find(bad.id).state, store.find(good.id).state) == ("failed", "done")
    assert "not valid TOML" in store.find(bad.id).reason


def test_a_run_comes_after_its_parents(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    parent = add(store)
    child = add(store, after=(parent.id,), priority=9)
    assert queue.claim(store, candidates=[child]) is None
    report = queue.work(store, train)
    assert [ran.run for ran in report.ran] == [parent.id, child.id]


def test_what_comes_after_a_failed_run_waits_and_says_why(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    parent = add(store)
    child = add(store, after=(parent.id,))

    def fails(record: Record, context: WorkerContext) -> RunOutcome:
        return RunOutcome("failed", "bad luck")

    report = queue.work(store, fails)
    assert store.find(child.id).state == "waiting"
    assert f"comes after {parent.id} (failed)" in report.left[child.id]
    with pytest.raises(RecordError, match="is failed"):
        add(store, after=(parent.id,))


def test_cancel_and_retry(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    waiting, running = add(store), add(store, priority=1, recipe={"epochs": 40}, seconds=0.05)
    assert queue.cancel(store, waiting.id).state == "cancelled"
    thread = threading.Thread(target=queue.work, args=(store, train))
    thread.start()
    wait_for(lambda: len(running.epochs(0)) >= 1)
    queue.cancel(store, running.id)
    thread.join(20)
    assert store.find(running.id).state == "cancelled"
    with pytest.raises(RecordError, match="is cancelled already"):
        queue.cancel(store, running.id)
    before = len(running.epochs(0))
    running.save_recipe({**RECIPE, "epochs": before + 1})
    assert queue.retry(store, running.id).state == "waiting"
    queue.work(store, train)
    assert store.find(running.id).state == "done"
    assert len(running.epochs(0)) == before + 1
    with pytest.raises(RecordError, match="Only a failed"):
        queue.retry(store, running.id)


def test_retry_fresh_starts_again_and_keeps_the_old_epochs_aside(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    record = add(store)
    queue.work(store, lambda r, c: (train(r, c), RunOutcome("failed", "x"))[1])
    queue.retry(store, record.id, fresh=True)
    assert record.folds() == []
    assert (record.folder / "before-0" / "fold-0" / "epochs.jsonl").exists()


def test_sigterm_puts_the_run_back_and_it_goes_on_to_the_same_numbers(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    record = add(store, recipe={"epochs": 8}, seconds=0.1)
    worker = start_worker(tmp_path)
    wait_for(lambda: len(record.epochs(0)) >= 1)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    assert store.find(record.id).state == "waiting"
    assert store.find(record.id).reason == "the worker was asked to end"
    queue.work(store, train)
    assert store.find(record.id).score.primary.value == 36.0


def test_only_what_fits_runs_before_the_deadline(tmp_path: Path) -> None:
    """Three runs of about 0.9 s each, and time for two."""
    store = RunStore(tmp_path)
    records = [add(store, recipe={"epochs": 3, "seed": k}, seconds=0.3) for k in range(3)]
    said: list[str] = []
    until = soon(2.6)
    report = queue.work(store, train, WorkOptions(until=until, reserve=0.1, log=said.append))
    assert datetime.datetime.now(datetime.UTC) <= until
    states = Counter(store.find(r.id).state for r in records)
    assert states == {"done": 2, "waiting": 1}
    (left,) = report.left.values()
    assert "left" in left
    assert report.ended_early is not None
    assert report.ended_early >= 0
    assert any("to the deadline" in line for line in said)


def test_a_run_of_unknown_length_stops_before_the_deadline_and_waits(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    record = add(store, recipe={"epochs": 50}, seconds=0.2)
    report = queue.work(store, train, WorkOptions(until=soon(2.3), reserve=1.0))
    assert report.ended_early is not None
    assert report.ended_early >= 0
    assert store.find(record.id).state == "waiting"
    assert "before the deadline" in store.find(record.id).reason
    assert len(record.epochs(0)) >= 3


def test_what_a_stopped_run_has_shown_is_known_the_next_time(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    stopped = add(store, recipe={"epochs": 500}, seconds=0.05)
    queue.work(store, train, WorkOptions(until=soon(0.6), reserve=0.0))
    begun = len(stopped.epochs(0))
    other = add(store, recipe={"epochs": 500, "seed": 1}, seconds=0.05)
    report = queue.work(store, train, WorkOptions(until=soon(1.0), reserve=0.0))
    assert report.ran == ()
    assert set(report.left) == {stopped.id, other.id}
    assert all("needs about" in reason for reason in report.left.values())
    assert len(stopped.epochs(0)) == begun


def test_a_run_that_may_is_shortened_to_fit(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    for seed in range(3):
        add(store, recipe={"epochs": 5, "seed": seed}, seconds=0.05)
    queue.work(store, train)
    record = add(store, recipe={"epochs": 80, "queue": {"shorten": True}}, seconds=0.05)
    report = queue.work(store, train, WorkOptions(until=soon(3.0), reserve=0.6))
    meta = store.find(record.id).meta
    assert meta.state == "done"
    assert meta.queue.shortened.asked == 80
    assert meta.queue.shortened.epochs == len(record.epochs(0)) < 80
    assert record.recipe["epochs"] == len(record.epochs(0))
    assert report.plan.lines[0].epochs is not None
    assert report.ended_early is not None
    assert report.ended_early >= 0


def test_code_that_changed_meanwhile_is_said(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    record = add(store)
    code = record.code
    code["hash"], code["files"]["labels.py"] = "0" * 16, "old"
    from hoego import files

    files.write_json(record.folder / "code.json", code)
    queue.work(store, train)
    assert store.find(record.id).meta.queue.code_changed == ("labels.py",)
    assert (record.folder / "code-ran.json").exists()
    assert record.code["hash"] == "0" * 16


def test_workers_side_by_side_do_every_run_once(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    records = [add(store, seconds=0.02) for _ in range(8)]
    report = queue.work_many(store, train, WorkOptions(), workers=2)
    assert Counter(ran.run for ran in report.ran) == Counter(r.id for r in records)
    assert {store.find(r.id).state for r in records} == {"done"}
    with pytest.raises(UsageError):
        queue.work_many(store, train, WorkOptions(), workers=0)


def test_the_empty_queue_asks_for_something_to_do(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    asked: list[float] = []

    def idle(store: RunStore, left: float) -> bool:
        asked.append(left)
        if len(asked) <= 2:
            add(store)
        return len(asked) <= 2

    report = queue.work(store, train, WorkOptions(idle=idle))
    assert [ran.state for ran in report.ran] == ["done", "done"]
    assert len(asked) == 3


def test_what_a_process_does_once_is_done_before_the_first_run_is_timed(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    warmed: list[int] = []
    options = WorkOptions(warm=lambda: warmed.append(len(store.list(states=["waiting"]))))
    queue.work(store, train, options)
    assert warmed == []
    add(store)
    add(store)
    queue.work(store, train, options)
    assert warmed == [2]


def test_a_run_that_never_asks_is_interrupted_where_it_is(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    record = add(store)

    def deaf(record: Record, context: WorkerContext) -> RunOutcome:
        with context.interrupting(patience=0.05):
            time.sleep(30)
        return RunOutcome("done")

    began = time.time()
    report = queue.work(store, deaf, WorkOptions(until=soon(0.4), reserve=0.0))
    assert time.time() - began < 20
    assert [(ran.state, ran.reason) for ran in report.ran] == [("waiting", "stopped at the deadline")]
    assert store.find(record.id).state == "waiting"


def test_status_shows_order_progress_and_what_is_waited_for(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    done = add(store)
    queue.work(store, train)
    first = add(store)
    after = add(store, after=(first.id,), priority=3)
    held = add(store, recipe={"epochs": 4})
    queue.take(held)
    held.append_epoch(0, {"epoch": 0, "seconds": 2.0})
    shown = queue.status(store)
    assert [row.run for row in shown.waiting] == [after.id, first.id]
    assert shown.waiting[0].after == f"comes after {first.id}, which is waiting"
    assert [(row.run, row.progress) for row in shown.running] == [(held.id, 0.25)]
    assert [row.run for row in shown.ended] == [done.id]
    assert shown.counts == {"done": 1, "waiting": 2, "running": 1}
    assert shown.to_dict()["counts"]["done"] == 1


def weights(record: Record, *names: str) -> None:
    for name in names:
        (record.fold_folder(0) / name).write_bytes(b"0" * 10)


_IDLE_WORKER = """
import sys, time
from hoego.runs.queue.roster import on_roster
from hoego.runs.records import RunStore
with on_roster(RunStore(sys.argv[1]), "elsewhere", time.time() + 1000):
    print("there", flush=True)
    time.sleep(600)
"""


def test_workers_are_known_while_they_live_each_with_the_times_of_its_machine(tmp_path: Path) -> None:
    """One worker here, another whose machine took three times as long for the same recipe; then it is killed."""
    store = RunStore(tmp_path)
    waiting = add(store)
    for machine, rate in ((machine_key(), 1.0), ("their host|cpu|4", 3.0)):
        done = add(store)
        timing = RunTimeSample(keys=cost_keys(done.recipe), units=3, rate=rate)
        done.update(
            state="done",
            machine=machine,
            started=now(),
            timing={"seconds": 3.0, "sample": timing.model_dump(mode="json")},
        )
    there = subprocess.Popen(
        [sys.executable, "-c", _IDLE_WORKER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert there.stdout is not None
    assert there.stdout.readline() == "there\n"
    (file,) = (tmp_path / ".workers").iterdir()
    file.write_text(json.dumps({**json.loads(file.read_bytes()), "machine": "their host|cpu|4"}))
    with on_roster(store, "here", None):
        found = queue.status(store)
        assert [(w.name, w.speed, w.ends_in is None) for w in found.workers] == [
            ("elsewhere", pytest.approx(1 / 3), False),
            ("here", 1.0, True),
        ]
        assert (found.waiting[0].run, found.waiting[0].ends_in) == (waiting.id, pytest.approx(9.0))
        os.kill(there.pid, signal.SIGKILL)
        there.communicate()
        found = queue.status(store)
        assert [w.name for w in found.workers] == ["here"]
        assert found.waiting[0].ends_in == pytest.approx(3.0)
    assert queue.status(store).workers == ()
    assert list((tmp_path / ".workers").iterdir()) == []


def test_old_checkpoints_go_and_the_best_ones_never(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    names = ("macro_f1.safetensors", "loss.safetensors", "state.safetensors")
    records = []
    for value in (0.9, 0.1, 0.2, 0.3):
        record = add(store)
        queue.take(record)
        weights(record, *names)
        queue.release(record, "done")
        record.update(score={"macro_f1": {"value": value}, "honesty": "out-of-fold"})
        records.append(record)
    kept = lambda r: sorted(p.name for p in (r.folder / "fold-0").glob("*.safetensors"))  # noqa: E731
    ordered = sorted(records, key=lambda r: r.id)
    best, latest = records[0], ordered[-1]
    looked = queue.tidy(store, recent=1, best=1, look=True)
    assert all(kept(r) == sorted(names) for r in records)
    tidied = queue.tidy(store, recent=1, best=1)
    assert tidied == looked
    assert tidied.bytes == 10 * len(tidied.files)
    for record in records:
        spared = record.id in (best.id, latest.id)
        assert kept(record) == (
            ["loss.safetensors", "macro_f1.safetensors"] if spared else ["macro_f1.safetensors"]
        )


def test_naive_runs_and_ensembles_take_no_place_among_the_best(tmp_path: Path) -> None:
    """Of honest runs the checkpoints stay, however high the scores beside them that do not promise a model."""
    store = RunStore(tmp_path)
    names = ("loss.safetensors", "macro_f1.safetensors")

    def done(value: float, honesty: str = "selected", **fields: Any) -> Record:
        record = store.create(RECIPE, state="waiting", **fields)
        queue.take(record)
        weights(record, *names)
        queue.release(record, "done")
        record.update(score={"macro_f1": {"value": value}, "honesty": honesty, "target": "age"})
        return record

    honest = [done(0.5), done(0.45)]
    elsewhere = done(0.2, fingerprints={"split": "another"})
    others = [done(0.99, "naive"), done(0.98, "in-sample"), done(0.4), done(0.3)]
    for member in (0.9, 0.95):
        done(member, kind="ensemble", parents=[honest[0].id])
    queue.tidy(store, recent=0, best=2)
    for record in (*honest, elsewhere, *others):
        spared = record in (*honest, elsewhere)
        kept = sorted(p.name for p in (record.folder / "fold-0").glob("*.safetensors"))
        assert kept == (list(names) if spared else ["macro_f1.safetensors"]), record.score


def test_what_a_run_needs_to_go_on_is_kept_until_it_is_done(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    record = add(store, recipe={"queue": {"keep": "selected"}})
    queue.take(record)
    weights(record, "loss.safetensors", "state.safetensors")
    queue.release(record, "failed")
    assert queue.tidy_run(record).files == ()
    queue.retry(store, record.id)
    queue.take(record)
    queue.release(record, "done")
    assert queue.tidy_run(record).files == (f"{record.id}/fold-0/state.safetensors",)
    assert (record.folder / "fold-0" / "loss.safetensors").exists()


def test_a_run_in_the_background_survives_its_parents_group(tmp_path: Path) -> None:
    record = RunStore(tmp_path).create(RECIPE, state="waiting")
    started = queue.start_background(record, ["--help"])
    assert os.getsid(started.pid) == started.pid
    assert not queue.take(record)
    wait_for(lambda: not process.is_alive(record.meta.process, record.folder / "heartbeat"))
    assert record.state == "interrupted"
