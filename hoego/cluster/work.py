"""`hoego queue work --on`: start workers by an engine, and again where one was lost with its run."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from hoego.cluster.request import ClusterRequest, WorkerTask
from hoego.errors import RecordError, UsageError
from hoego.extras import require
from hoego.runs.queue import WorkOptions, WorkReport, joined, recover
from hoego.runs.queue.working import WorkRequest, deadline_of, reserve_of
from hoego.runs.records import Record, RunStore
from hoego.runs.records.mirrors import following

ROUNDS = 10
"""Times that workers are started anew for runs of workers that were lost."""

Log = Callable[[str], None]


def work_on(runs: Path, request: WorkRequest, cluster: ClusterRequest, log: Log) -> WorkReport:
    """Run what waits in the folder `runs` by workers that an engine starts.

    A worker that is lost with its machine leaves its run to the others: it is put back to waiting when its heartbeat
    is stale, and workers are started for it where none is left.

    Raises:
        UsageError: what cannot be done elsewhere, or an engine that cannot be reached.
        RecordError: every worker ended without a report.
    """
    require("cluster", "Work on other machines", ["ray" if cluster.engine == "ray" else "submitit"])
    if request.ideas or request.wait:
        raise UsageError(
            "--ideas and --wait are for workers here.", remedy="Give them to hoego queue work without --on."
        )
    store = RunStore(runs.resolve())
    options = WorkOptions(until=deadline_of(request), reserve=reserve_of(request.reserve))
    prefix = f"{cluster.engine}-{secrets.token_hex(3)}"
    task = WorkerTask(str(store.root), options, prefix)
    reports: list[WorkReport] = []
    with following(store):
        for _ in range(ROUNDS):
            reports += started(cluster, task, log)
            if not given_back(store, prefix, options):
                break
            log("a worker was lost: its run waits again, and workers are started for it")
    if not reports:
        raise RecordError(
            "every worker ended without a report", remedy="Look at the runs: hoego queue status."
        )
    found = joined(reports)
    states = {r.id: r.state for r in store.list(states=("waiting",))}
    return replace(found, left={run: why for run, why in found.left.items() if run in states})


def started(cluster: ClusterRequest, task: WorkerTask, log: Log) -> Sequence[WorkReport]:
    """Start the workers, wait for them, and return the reports of those that gave one."""
    if cluster.engine == "ray":
        from hoego.cluster.ray_workers import work_on_ray

        return work_on_ray(cluster, task, log)
    from hoego.cluster.slurm_workers import work_by_submitit

    return work_by_submitit(cluster, task, log)


def given_back(store: RunStore, prefix: str, options: WorkOptions, poll: float = 1.0) -> bool:
    """Wait until no run is in the name of a worker of this call; say whether one was lost and waits again."""
    while options.until is None or time.time() < options.until.timestamp():
        ours = [
            r.id for r in store.list(where=lambda m: m.state == "running") if _worker_of(r).startswith(prefix)
        ]
        if {r.id for r in recover(store)} & set(ours):
            return True
        if not ours:
            return False
        time.sleep(poll)
    return False


def _worker_of(record: Record) -> str:
    """Return the name of the worker that claimed a run's present attempt; "" where nobody did."""
    try:
        claim = json.loads((record.folder / "claims" / f"{record.meta.attempt:04d}").read_bytes())
    except (OSError, ValueError):
        return ""
    return str(claim.get("worker", ""))
