"""`hoego watch -- COMMAND`: run a training of another tool under the watch."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hoego.errors import UsageError
from hoego.results.base import Result
from hoego.results.evidence import Evidence, Gap
from hoego.runs.outside.watching.listener import gap
from hoego.runs.outside.watching.processes import Process, descendants
from hoego.runs.outside.watching.watch import Watch

SECONDS_TO_END = 5.0
"""How long processes of the command may outlive it before they count as still running."""
_PR_SET_CHILD_SUBREAPER = 36
_STDERR = 2


class WatchedCommand(Result):
    """A command that ran under the watch: its exit status and what was seen."""

    status: int
    evidence: Evidence


def run_watched(watch: Watch, command: Sequence[str], *, output_to_stderr: bool = False) -> WatchedCommand:
    """Run a command to its end, and note which photos any process opens meanwhile.

    Ctrl-C reaches the command too; the evidence then says that the training failed.

    Args:
        watch: not started.
        command: program and arguments.
        output_to_stderr: whether what the command prints goes to stderr.

    Raises:
        UsageError: there is no such program.
    """
    if not command:
        raise UsageError("There is nothing to run.", remedy="hoego watch --fold 0 -- python train.py")
    watch.command = tuple(command)
    # A program that calls this may have children of its own, which have nothing to do with the command.
    before = descendants(os.getpid())
    with _adopting_orphans():
        watch.start()
        try:
            child = subprocess.Popen(list(command), stdout=_STDERR if output_to_stderr else None)
        except OSError as problem:
            watch.to = None
            watch.stop(finished=False)
            raise UsageError(
                f"{command[0]!r} cannot be run: {problem.strerror}.", remedy="Name the program after --."
            ) from None
        status = _wait(child)
        evidence = watch.stop(finished=status == 0, gaps=_still_running(before))
    return WatchedCommand(status=status, evidence=evidence)


def _wait(child: subprocess.Popen[bytes]) -> int:
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            # The terminal has sent the signal to the command too, which may take its time to end.
            continue


@contextmanager
def _adopting_orphans() -> Iterator[None]:
    """Become the parent of processes whose own parent ends, so that those that outlive the command are found."""
    if not sys.platform.startswith("linux"):
        yield
        return
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def _still_running(before: Sequence[Process]) -> list[Gap]:
    until = time.monotonic() + SECONDS_TO_END
    while (left := descendants(os.getpid(), before)) and time.monotonic() < until:
        time.sleep(0.05)
    if not left:
        return []
    names = [f"process {process.pid}" for process in left]
    return [gap("still running", "processes of the command still ran when it had ended", names)]
