"""Where workers are to be started, as the command line writes it, and what each of them does there."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from hoego.errors import RecordError, UsageError, nearest
from hoego.runs.queue import WorkOptions, WorkReport, work
from hoego.runs.queue.train_record import train_helper, train_runner, warm_up
from hoego.runs.queue.working import to_stderr
from hoego.runs.records import RunStore

ENGINES = ("ray", "slurm", "local")


@dataclass(frozen=True, kw_only=True)
class ClusterRequest:
    """Where workers are started.

    Args:
        engine: "ray"; "slurm" or "local" by submitit (local: processes of this machine, to try it without Slurm).
        address: of a Ray cluster; "" for the one of this machine, which is started where none runs.
        workers: how many; 0 for one per GPU, or one per `cores` cores of a Ray cluster without GPUs.
        cores: CPU cores of each worker.
        gpus: GPUs of each worker.
        partition: of Slurm.
        minutes: that Slurm gives each worker.
    """

    engine: str
    address: str = ""
    workers: int = 0
    cores: int = 1
    gpus: int = 0
    partition: str = ""
    minutes: int = 24 * 60

    @classmethod
    def parse(cls, on: str, **fields: int | str) -> ClusterRequest:
        """Read `ray`, `ray:ADDRESS`, `slurm` or `local`.

        Raises:
            UsageError: another engine, an address or a partition where there is none, or a number below its least.
        """
        engine, _, address = on.partition(":")
        if engine not in ENGINES:
            raise UsageError(f"--on {on!r} is no engine.", remedy=nearest(engine, ENGINES))
        if address and engine != "ray":
            raise UsageError(f"--on {on!r}: only Ray has an address.", remedy=f"--on {engine}")
        if fields.get("partition") and engine != "slurm":
            raise UsageError("--partition is Slurm's.", remedy="--on slurm --partition P")
        found = cls(engine=engine, address=address, **fields)  # type: ignore[arg-type]
        if found.workers < 0 or found.cores < 1 or found.gpus < 0:
            raise UsageError("Workers, cores and GPUs are counted from 0, 1 and 0.")
        return found


@dataclass(frozen=True)
class WorkerTask:
    """One worker, as an engine carries it to another machine: the folder of the records, and how it works."""

    root: str
    options: WorkOptions
    prefix: str

    def __call__(self, where: str = "") -> WorkReport:
        """Work until the queue is empty or the deadline is near.

        Raises:
            RecordError: the folder of the records is not on this machine.
        """
        from dataclasses import replace

        if not Path(self.root).is_dir():
            raise RecordError(
                f"The records are not on {socket.gethostname()}.",
                file=Path(self.root),
                remedy="The folder must be shared by all machines, under one path.",
            )
        name = f"{self.prefix}-{where or socket.gethostname()}-{os.getpid()}"
        options = replace(self.options, name=name, log=to_stderr, warm=warm_up, helper=train_helper)
        return work(RunStore(self.root), train_runner, options)
