"""Workers that submitit starts: a job of Slurm each, or a process of this machine to try the same without Slurm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hoego.cluster.request import ClusterRequest, WorkerTask
from hoego.errors import UsageError
from hoego.runs.queue import WorkReport

LOGS = ".jobs"
"""Beside the records: what each job printed."""


def work_by_submitit(
    cluster: ClusterRequest, task: WorkerTask, log: Callable[[str], None]
) -> Sequence[WorkReport]:
    """Submit the workers, and wait for them; Ctrl-C cancels the jobs, whose runs then wait again.

    Raises:
        UsageError: Slurm is not on this machine.
    """
    import submitit

    folder = Path(task.root) / LOGS
    try:
        executor = submitit.AutoExecutor(folder=folder, cluster=cluster.engine)
    except RuntimeError as e:
        raise UsageError(f"Slurm cannot be reached: {e}", remedy="Give the command where sbatch is.") from e
    executor.update_parameters(**_parameters(cluster))
    jobs = [executor.submit(task) for _ in range(max(1, cluster.workers))]
    log(f"{len(jobs)} job{'s' * (len(jobs) != 1)} by submitit; logs in {folder}")
    reports = []
    try:
        for job in jobs:
            try:
                reports.append(job.result())
            except Exception as e:  # a job that was killed, preempted or failed: its run waits again
                log(f"the job {job.job_id} was lost: {' '.join(str(e).split())[:200]}")
    except BaseException:
        for job in jobs:
            job.cancel()
        raise
    return reports


def _parameters(cluster: ClusterRequest) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": "hoego",
        "timeout_min": cluster.minutes,
        "cpus_per_task": cluster.cores,
        "gpus_per_node": cluster.gpus,
    }
    if cluster.partition:
        found["slurm_partition"] = cluster.partition
    return found
