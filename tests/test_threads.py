"""CPU threads: as many as are fastest now, measured; workers of the queue do not share cores."""

from __future__ import annotations

import os
import time

import pytest

from hoego.runs.queue.worker_processes import own_cores

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from hoego.train.precision import threads_restored  # noqa: E402
from hoego.train.threads import fastest_threads, thread_counts  # noqa: E402


@pytest.mark.parametrize("fastest", [1, 2, 4])
def test_the_fastest_number_of_threads_is_taken_and_set(fastest: int) -> None:
    def step() -> None:
        time.sleep(0.002 if torch.get_num_threads() == fastest else 0.02)

    with threads_restored():
        chosen, ms = fastest_threads(step, 4)
        assert (chosen, torch.get_num_threads()) == (fastest, fastest)
    assert tuple(ms) == thread_counts(4)


def test_a_short_run_is_not_measured() -> None:
    with threads_restored():
        assert fastest_threads(lambda: None, 4, steps=10) == (4, {})


def test_workers_share_no_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3, 4}, raising=False)
    shares = [own_cores(k, 2) for k in range(2)]
    assert sorted(c for share in shares for c in share) == [0, 1, 2, 3, 4]
    assert own_cores(0, 6) == ()
