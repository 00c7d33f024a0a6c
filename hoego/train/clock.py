"""The time that a training may take: where the machine is slower than expected, its schedule ends sooner."""

from __future__ import annotations

import math
import time

SLACK = 0.05
"""Share of the schedule that a training may be behind its time before steps are skipped; a training that keeps its
time has the figures of one that has all the time it wants."""


class TrainingClock:
    """Compares the steps that are done with the time that has passed since the first of them.

    Args:
        end: when the last step must be done, by `time.perf_counter`; infinity for a training without a limit.
    """

    def __init__(self, end: float = math.inf) -> None:
        self.start, self.end = time.perf_counter(), end

    def behind(self, position: int, total: int) -> int:
        """Return how many steps the schedule must skip now, so that it ends in time; 0 where it keeps its time.

        Args:
            position: of the next step in the schedule, from 0.
            total: steps of the whole schedule.
        """
        if math.isinf(self.end):
            return 0
        now = time.perf_counter()
        passed = 1.0 if now >= self.end else (now - self.start) / (self.end - self.start)
        late = passed * total - position
        return math.ceil(late) if passed >= 1.0 or late > SLACK * total else 0
