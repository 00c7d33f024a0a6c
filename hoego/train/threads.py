"""CPU threads of a training: as many as are fastest on the machine as it is now, measured."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import torch

SHORT = 5.0
"""Seconds of training below which measuring would cost more than it gains."""

GAIN = 1.1
"""Fewer threads than all must be faster by this factor. Another number of threads adds in another order, so among near
equals the noise of the measurement would change the figures of a run from one day to the next."""

HOPELESS = 2.0
"""A number of threads is given up once its best step took this many times as long as the best of all."""

TURNS = 3
"""Steps timed of each number of threads, in turns, after one that warms up."""


def thread_counts(most: int) -> tuple[int, ...]:
    """Return the numbers of threads to try: 1, 2, 4, ... and all.

    >>> thread_counts(6)
    (1, 2, 4, 6)
    """
    return tuple(sorted({*(2**k for k in range(most.bit_length()) if 2**k <= most), most}))


def best_count(ms: Mapping[int, float], most: int) -> int:
    """Return the number of threads of the shortest time, or `most` where that is about as short (see GAIN).

    >>> best_count({1: 10.0, 2: 10.5}, 2), best_count({1: 10.0, 2: 12.0}, 2)
    (2, 1)
    """
    best = min(ms, key=ms.__getitem__)
    return most if ms[most] <= GAIN * ms[best] else best


def _hopeful(taken: Mapping[int, list[float]]) -> list[int]:
    """Return the numbers of threads that are worth another step: those not far slower than the best so far.

    Beside busy processes a step with all threads can take half a minute, and measuring must not.
    """
    best = min((min(times) for times in taken.values() if times), default=0.0)
    return [n for n, times in taken.items() if not times or min(times) <= HOPELESS * best]


def fastest_threads(
    step: Callable[[], object], most: int, *, steps: int = 10**9, seconds: float = 6.0
) -> tuple[int, dict[int, float]]:
    """Time a step with one thread to all and leave torch with the fastest number.

    Beside another busy process two threads can be several times slower than one: every parallel loop waits for the
    thread that was preempted (79 images/s with two threads, 513 with one, on two cores beside two busy processes).

    Args:
        step: one training step.
        most: threads that this process may use.
        steps: of the whole run; one of less than SHORT seconds is not measured, and takes all threads.
        seconds: after which no further round is begun.

    Returns:
        the number, and milliseconds per step (the median) of each; {} where nothing was measured.
    """
    torch.set_num_threads(1)
    step()
    begun = time.perf_counter()
    step()
    if steps * (time.perf_counter() - begun) < SHORT:
        torch.set_num_threads(most)
        return most, {}
    taken: dict[int, list[float]] = {n: [] for n in thread_counts(most)}
    begun = time.perf_counter()
    for turn in range(TURNS + 1):
        if turn > 1 and time.perf_counter() - begun > seconds:
            break
        for n in _hopeful(taken):
            torch.set_num_threads(n)
            start = time.perf_counter()
            step()
            taken[n].append(time.perf_counter() - start)
    # The first step of each number warms up; a number that was given up has no other.
    taken = {n: times[1:] or times for n, times in taken.items()}
    ms = {n: 1e3 * statistics.median(times) for n, times in taken.items()}
    best = best_count(ms, most)
    torch.set_num_threads(best)
    return best, {n: round(v, 3) for n, v in ms.items()}
