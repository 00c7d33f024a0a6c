"""The processes of a training on several devices, seen from the one that started them.

This process is device 0, which alone writes. Every other device is a process `python -m hoego.train.devices.rank`. What
it does comes in over its standard input, and it ends when that closes, however this process ends.
"""

from __future__ import annotations

import contextlib
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import IO, Any

from hoego.errors import ProcessDied, TrainError
from hoego.process import child_environment

PATIENCE = 10.0
"""Seconds in which a process that has lost its connections shows how it ended, or ends after it was told to."""

MODULE = "hoego.train.devices.rank"


class DeviceProcesses:
    """The processes of the devices 1 to `world` - 1, which take one training after another.

    Args:
        world: number of devices.
    """

    def __init__(self, world: int) -> None:
        self.world = world
        self._said: list[IO[bytes]] = []
        self._children: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> DeviceProcesses:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start the processes where they do not run yet; they load what they need while this one goes on."""
        if self._children:
            return
        for _ in range(1, self.world):
            said = tempfile.TemporaryFile()  # noqa: SIM115 (read where the process has ended)
            self._said.append(said)
            # In a session of its own: Ctrl-C is for device 0, which then ends the others.
            child = subprocess.Popen(
                [sys.executable, "-m", MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=said,
                env=child_environment(),
                start_new_session=True,
            )
            self._children.append(child)

    @property
    def pids(self) -> list[int]:
        """Process ids of the devices from 1."""
        return [child.pid for child in self._children]

    def send(self, task_of: Callable[[int], Any]) -> None:
        """Give each process its training. Raises ProcessDied where one has ended."""
        self.start()
        for rank, child in enumerate(self._children, start=1):
            assert child.stdin is not None
            try:
                pickle.dump(task_of(rank), child.stdin)
                child.stdin.flush()
            except OSError as problem:
                raise self.death() or problem from problem

    @property
    def ended(self) -> bool:
        """True where a process has ended."""
        return any(child.poll() is not None for child in self._children)

    def watch(self, on_death: Callable[[], object]) -> Callable[[], None]:
        """Call `on_death` once a process ends before the returned function is called."""
        ended = threading.Event()

        def look() -> None:
            while not ended.wait(0.5):
                if self.ended:
                    on_death()
                    return

        threading.Thread(target=look, name="hoego-devices", daemon=True).start()
        return ended.set

    def death(self) -> TrainError | None:
        """Return how the first process that has ended did; None where all still run.

        A process that was killed is a ProcessDied, one that ended by an error of its own a TrainError.
        """
        until = time.monotonic() + PATIENCE
        while not self.ended and time.monotonic() < until:  # a lost connection shows before the end does
            time.sleep(0.02)
        for rank, child in enumerate(self._children, start=1):
            code = child.poll()
            if code is None:
                continue
            self._said[rank - 1].seek(0)
            lines = self._said[rank - 1].read().decode(errors="replace").split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "")
            if code < 0:
                name = signal.Signals(-code).name if -code in list(signal.Signals) else f"signal {-code}"
                return ProcessDied(
                    f"The process of device {rank} of {self.world} (pid {child.pid}) was killed ({name}).",
                    remedy="Go on with hoego train --resume; fewer devices or a smaller batch_size need less memory.",
                )
            return TrainError(f"The process of device {rank} of {self.world} ended (status {code}): {last}")
        return None

    def close(self) -> None:
        """End the processes."""
        for child in self._children:
            assert child.stdin is not None
            with contextlib.suppress(OSError):
                child.stdin.close()
        for child in self._children:
            try:
                child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        for said in self._said:
            said.close()
        self._children, self._said = [], []
