"""The queue: runs waiting, running and done are states of the records themselves."""

from __future__ import annotations

from hoego.runs.queue.claims import (
    QueueOptions,
    add,
    blocked,
    cancel,
    claim,
    recover,
    release,
    retry,
    take,
    waiting,
)
from hoego.runs.queue.context import RunOutcome, StopRun, WorkerContext
from hoego.runs.queue.failures import one_line
from hoego.runs.queue.keep import DeletedFiles, tidy, tidy_run
from hoego.runs.queue.plan import PlannedJob, PlannedRun, QueuePlan, make_plan, order
from hoego.runs.queue.reorder import in_order, reorder
from hoego.runs.queue.roster import crew_of
from hoego.runs.queue.status import QueueRow, QueueStatus, status
from hoego.runs.queue.times import format_duration, parse_duration, parse_until
from hoego.runs.queue.timing import DurationEstimate, RunTimeHistory, observe
from hoego.runs.queue.work_options import FinishedRun, Runner, WorkOptions, WorkReport
from hoego.runs.queue.worker import job, jobs, work
from hoego.runs.queue.worker_processes import (
    BackgroundWorker,
    WorkerPool,
    gpu_count,
    joined,
    start_background,
    work_many,
)

__all__ = [
    "QueueOptions",
    "BackgroundWorker",
    "WorkerContext",
    "DurationEstimate",
    "RunTimeHistory",
    "PlannedJob",
    "PlannedRun",
    "RunOutcome",
    "QueuePlan",
    "FinishedRun",
    "QueueRow",
    "Runner",
    "QueueStatus",
    "StopRun",
    "DeletedFiles",
    "WorkOptions",
    "WorkReport",
    "WorkerPool",
    "add",
    "blocked",
    "cancel",
    "claim",
    "crew_of",
    "gpu_count",
    "joined",
    "make_plan",
    "observe",
    "order",
    "one_line",
    "parse_duration",
    "parse_until",
    "recover",
    "release",
    "retry",
    "format_duration",
    "start_background",
    "in_order",
    "reorder",
    "status",
    "take",
    "tidy",
    "tidy_run",
    "waiting",
    "job",
    "jobs",
    "work",
    "work_many",
]
