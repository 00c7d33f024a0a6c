"""Several workers at once (one per GPU), and a run in the background: processes of their own."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.process import BaseProcess
from typing import Any

from hoego.errors import RecordError, UsageError
from hoego.runs.queue.work_options import FinishedRun, Runner, WorkOptions, WorkReport
from hoego.runs.queue.worker import work
from hoego.runs.records import Record, RunMeta, RunStore, process
from hoego.train.memory import keep_freed_memory

MAX_REPLACED = 10
"""Workers of a pool that may die before it gives up."""


def gpu_count() -> int:
    """Count the NVIDIA GPUs that this machine's driver shows, without loading torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([part for part in visible.split(",") if part.strip() not in ("", "-1")])
    try:
        return len(os.listdir("/proc/driver/nvidia/gpus"))
    except OSError:
        return 0


def work_many(store: RunStore, runner: Runner, options: WorkOptions, *, workers: int = 1) -> WorkReport:
    """Run `work` in this many processes; with GPUs, worker k sees only GPU k modulo their number.

    `runner` and the callables in `options` must be functions that another process can import. The workers share
    nothing but the records: each claims its runs. The report joins theirs.

    Raises:
        UsageError: fewer than one worker.
    """
    if workers < 1:
        raise UsageError(f"{workers} workers", remedy="Ask for one or more.")
    if workers == 1:
        return work(store, runner, options)
    context = multiprocessing.get_context("spawn")
    answers: Any = context.SimpleQueue()
    gpus = _visible_gpus()
    children = []
    for k in range(workers):
        gpu = gpus[k % len(gpus)] if gpus else None
        own = replace(options, name=f"{options.name or 'worker'}-{k}")
        cores = () if gpus else own_cores(k, workers)
        child = context.Process(target=_child, args=(answers, str(store.root), runner, own, gpu, cores))
        child.start()
        children.append(child)
    reports: list[WorkReport] = []
    while any(child.is_alive() for child in children) or not answers.empty():
        if answers.empty():
            time.sleep(0.02)
        else:
            reports.append(answers.get())
    if not reports:
        raise RecordError(
            "every worker ended without a report", remedy="Look at the runs: hoego queue status."
        )
    return joined(reports)


class WorkerPool:
    """Workers that take waiting runs until they are asked to end; for a program that queues as it goes.

    One that dies is replaced, MAX_REPLACED times at most. They end by themselves soon after this process has died.

    Args:
        store: the records.
        runner, options: as in `work`; must be importable by another process.
        workers: how many; 0 for none, where workers elsewhere train.
    """

    def __init__(self, store: RunStore, runner: Runner, options: WorkOptions, workers: int) -> None:
        self._store, self._runner, self._options = store, runner, options
        self._context = multiprocessing.get_context("spawn")
        self._gpus, self._replaced = _visible_gpus(), 0
        self._children = [self._start(k, workers) for k in range(workers)]

    def _start(self, k: int, workers: int) -> BaseProcess:
        gpu = self._gpus[k % len(self._gpus)] if self._gpus else None
        own = replace(
            self._options, name=f"{self._options.name or 'worker'}-{k}", wait=True, idle=OrphanIdle()
        )
        cores = () if gpu is not None else own_cores(k, workers)
        arguments = (None, str(self._store.root), self._runner, own, gpu, cores)
        child = self._context.Process(target=_child, args=arguments, daemon=True)
        child.start()
        return child

    @property
    def alive(self) -> int:
        """How many workers are at work."""
        return sum(child.is_alive() for child in self._children)

    @property
    def pids(self) -> list[int]:
        """Their process ids."""
        return [child.pid or 0 for child in self._children]

    def replace_dead(self) -> None:
        """Start a worker in the place of each that died.

        Raises:
            RecordError: they die again and again.
        """
        for k, child in enumerate(self._children):
            if child.is_alive() or child.exitcode == 0:  # the deadline has come
                continue
            self._replaced += 1
            if self._replaced > MAX_REPLACED:
                raise RecordError(
                    f"{MAX_REPLACED} workers have died, the last with status {child.exitcode}",
                    remedy="Look at the runs (hoego queue status); fewer --workers need less memory.",
                )
            self._children[k] = self._start(k, len(self._children))

    def end(self, patience: float = 30.0) -> None:
        """Ask all to end, and wait: a run that is being trained goes back to waiting at its next step."""
        for child in self._children:
            if child.is_alive():
                child.terminate()
        for child in self._children:
            child.join(patience)
            if child.is_alive():
                child.kill()
                child.join()


@dataclass(frozen=True)
class OrphanIdle:
    """What a worker of a pool does when nothing waits: it ends where the process that started it has died."""

    parent: int = field(default_factory=os.getpid)

    def __call__(self, store: RunStore, seconds: float) -> bool:
        """Queue nothing; raise KeyboardInterrupt in an orphan."""
        if os.getppid() != self.parent:
            raise KeyboardInterrupt
        return False


def _visible_gpus() -> list[str]:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [part.strip() for part in visible.split(",") if part.strip() not in ("", "-1")]
    return [str(k) for k in range(gpu_count())]


def own_cores(worker: int, workers: int) -> tuple[int, ...]:
    """Return the cores of worker k of n: an even share of those of this process, so that no two share one.

    Nothing is shared out where the cores are fewer than the workers, or where the system has no affinity: ().
    """
    if not hasattr(os, "sched_getaffinity"):
        return ()
    cores = sorted(os.sched_getaffinity(0))
    return tuple(cores[worker::workers]) if len(cores) >= workers else ()


def _child(
    answers: Any, root: str, runner: Runner, options: WorkOptions, gpu: str | None, cores: tuple[int, ...]
) -> None:
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    if cores:
        os.sched_setaffinity(0, cores)
    keep_freed_memory()
    with contextlib.suppress(KeyboardInterrupt):
        report = work(RunStore(root), runner, options)
        if answers is not None:
            answers.put(report)


def joined(reports: Sequence[WorkReport]) -> WorkReport:
    """Join the reports of several workers."""
    ran: tuple[FinishedRun, ...] = tuple(r for report in reports for r in report.ran)
    last = min(reports, key=lambda r: r.ended_early if r.ended_early is not None else 0.0)
    return replace(
        last,
        plan=replace(reports[0].plan, workers=len(reports)),
        ran=ran,
        recovered=tuple(r for report in reports for r in report.recovered),
    )


@dataclass(frozen=True)
class BackgroundWorker:
    """A run that goes on without this terminal: its id, its process, and the file with what it prints."""

    run: str
    pid: int
    output: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {"run": self.run, "pid": self.pid, "output": self.output}


def require_background() -> None:
    """Raise UsageError where the system cannot start a process in a session of its own."""
    if not hasattr(os, "posix_spawn"):
        raise UsageError(
            "A run in the background needs a system that starts processes in a session of their own; Windows does not.",
            remedy="Leave --background out and keep the terminal open, or queue the run: hoego queue add.",
        )


def start_background(record: Record, arguments: Sequence[str]) -> BackgroundWorker:
    """Run `python -m hoego ARGUMENTS` for `record` in a session of its own: it survives the terminal's closing.

    Returns at once. What it prints goes to `background.txt` in the record's folder. Until it has reported itself
    the record is running in that process's name, so that no worker takes it.
    """
    require_background()
    output = record.folder / "background.txt"
    with open(output, "ab") as stream, open(os.devnull, "rb") as nothing:
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "hoego", *arguments],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, nothing.fileno(), 0),
                (os.POSIX_SPAWN_DUP2, stream.fileno(), 1),
                (os.POSIX_SPAWN_DUP2, stream.fileno(), 2),
            ],
            setsid=True,
        )
    started = process.process_of(pid)

    def in_its_name(meta: RunMeta) -> dict[str, Any] | None:
        waiting = meta.state in ("waiting", "interrupted", "failed", "cancelled")
        return {"state": "running", "reason": "", "process": started} if waiting else None

    record.change(in_its_name)
    return BackgroundWorker(record.id, pid, str(output))
