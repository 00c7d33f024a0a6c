"""One device of a training that another process leads: `python -m hoego.train.devices.rank`, started by it alone."""

from __future__ import annotations

import os
import pickle
import queue
import sys
import threading
import traceback

from hoego.train.devices.tasks import DeviceTask
from hoego.train.fold import take_part


def main() -> None:
    """Take part in one training after another, until standard input ends."""
    tasks: queue.Queue[DeviceTask] = queue.Queue()

    def listen() -> None:
        """Read tasks. The end of the input ends the process at once, whatever it is waiting for."""
        try:
            while True:
                tasks.put(pickle.load(sys.stdin.buffer))
        finally:
            os._exit(0)  # also where device 0 died while it was sending: half a task is no end of file

    threading.Thread(target=listen, name="hoego-tasks", daemon=True).start()
    while True:
        try:
            take_part(tasks.get())
        except BaseException:
            # Not by leaving `main`: the thread that listens would keep the process from ending.
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)


if __name__ == "__main__":
    main()
