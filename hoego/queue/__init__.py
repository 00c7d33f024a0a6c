"""The queue: runs waiting, running and done are states of the records themselves."""

from __future__ import annotations

from hoego.queue.claims import Ask, add, blocked, cancel, claim, recover, release, retry, take, waiting
from hoego.queue.context import Context, Outcome, StopRun
from hoego.queue.failures import one_line
from hoego.queue.keep import Tidied, tidy, tidy_run
from hoego.queue.many import Background, gpu_count, start_background, work_many
from hoego.queue.plan import Job, Line, Plan, make_plan
from hoego.queue.status import Row, Status, status
from hoego.queue.times import parse_duration, parse_until, say
from hoego.queue.timing import Estimate, History, Sample, observe
from hoego.queue.worker import Ran, Runner, WorkOptions, WorkReport, work

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
