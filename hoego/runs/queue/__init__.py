"""The queue: runs waiting, running and done are states of the records themselves."""

from __future__ import annotations

from hoego.runs.queue.claims import Ask, add, blocked, cancel, claim, recover, release, retry, take, waiting
from hoego.runs.queue.context import Context, Outcome, StopRun
from hoego.runs.queue.failures import one_line
from hoego.runs.queue.keep import Tidied, tidy, tidy_run
from hoego.runs.queue.plan import Job, Line, Plan, make_plan
from hoego.runs.queue.status import Row, Status, status
from hoego.runs.queue.times import parse_duration, parse_until, say
from hoego.runs.queue.timing import Estimate, History, Sample, observe
from hoego.runs.queue.worker import Ran, Runner, WorkOptions, WorkReport, work
from hoego.runs.queue.worker_processes import Background, gpu_count, start_background, work_many

__all__ = [
    "Ask",
    "Background",
    "Context",
    "Estimate",
    "History",
    "Job",
    "Line",
    "Outcome",
    "Plan",
    "Ran",
    "Row",
    "Runner",
    "Sample",
    "Status",
    "StopRun",
    "Tidied",
    "WorkOptions",
    "WorkReport",
    "add",
    "blocked",
    "cancel",
    "claim",
    "gpu_count",
    "make_plan",
    "observe",
    "one_line",
    "parse_duration",
    "parse_until",
    "recover",
    "release",
    "retry",
    "say",
    "start_background",
    "status",
    "take",
    "tidy",
    "tidy_run",
    "waiting",
    "work",
    "work_many",
]
