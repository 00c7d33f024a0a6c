"""Workers that Ray starts: a task each, one per GPU or per so many cores, on any node of the cluster."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hoego.cluster.request import ClusterRequest, WorkerTask
from hoego.errors import UsageError
from hoego.runs.queue import WorkReport

RETRIES = 3
"""Times that Ray starts a worker elsewhere when its node has left."""


def work_on_ray(
    cluster: ClusterRequest, task: WorkerTask, log: Callable[[str], None]
) -> Sequence[WorkReport]:
    """Start the workers on a Ray cluster, and wait for them; what they print comes back to stderr.

    Raises:
        UsageError: there is no cluster at the address.
    """
    _settle(cluster.address)
    import ray

    ray_here = not ray.is_initialized()
    if ray_here:
        _connect(ray, cluster.address)
    try:
        count = cluster.workers or _room(ray, cluster)
        log(
            f"{count} worker{'s' * (count != 1)} on Ray, nodes: {len([n for n in ray.nodes() if n['Alive']])}"
        )
        remote = ray.remote(max_retries=RETRIES, num_cpus=cluster.cores, num_gpus=cluster.gpus)(_worker)
        waiting = [remote.remote(task) for _ in range(count)]
        reports = []
        while waiting:
            ended, waiting = ray.wait(waiting, num_returns=1)
            try:
                reports.append(ray.get(ended[0]))
            except ray.exceptions.RayError as e:
                log(f"a worker was lost: {type(e).__name__}: {str(e).splitlines()[0] if str(e) else ''}")
        return reports
    finally:
        if ray_here:
            ray.shutdown()


def _settle(address: str) -> None:
    """Set what Ray reads once, when it is imported."""
    # Ray would send what it is used for to its makers.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    running = (
        os.environ.get("RAY_ADDRESS") or (Path(tempfile.gettempdir()) / "ray/ray_current_cluster").is_file()
    )
    if not address and not running:
        # Ray's ports run what anybody sends them; one that is started for this command is for this machine alone.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"


def _connect(ray: Any, address: str) -> None:
    options: dict[str, Any] = {"log_to_driver": True, "configure_logging": False}
    if address:
        options["address"] = address
    try:
        ray.init(**options)
    except (ConnectionError, RuntimeError, ValueError) as e:
        raise UsageError(
            f"There is no Ray cluster at {address or 'this machine'}: {str(e).splitlines()[0]}",
            remedy="Start one (ray start --head), or leave the address out for one of this machine.",
        ) from e


def _room(ray: Any, cluster: ClusterRequest) -> int:
    """Return how many workers the cluster has room for."""
    there = ray.cluster_resources()
    by = ("GPU", cluster.gpus) if cluster.gpus else ("CPU", cluster.cores)
    return max(1, int(there.get(by[0], 0) // by[1]))


def _worker(task: WorkerTask) -> WorkReport:
    import ray

    return task(ray.get_runtime_context().get_node_id()[:8])
