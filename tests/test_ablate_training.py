"""An ablation whose runs the queue's worker really trains."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from test_train_run import own_cache, photos, recipe  # noqa: E402, F401

from hoego.data.load import load  # noqa: E402
from hoego.runs.ablate import AblateRequest, ablate  # noqa: E402
from hoego.runs.queue.working import WorkRequest, work_queue  # noqa: E402
from hoego.runs.records import RunStore  # noqa: E402
from hoego.runs.required_runs import StudyRunner  # noqa: E402


def test_the_queue_trains_an_ablation_and_nothing_twice(photos: Path, tmp_path: Path) -> None:  # noqa: F811
    settings = recipe(photos, epochs=1)
    dataset = load(settings)
    shop = StudyRunner(folder=tmp_path, progress=False, measure_seconds=0.0)
    request = AblateRequest(vary=("batch_size=8",), seeds=1, queue=True)
    asked = ablate(settings, dataset, request, shop)
    assert [p.state for p in asked.pending] == ["waiting", "waiting"]
    report = work_queue(tmp_path / "runs", WorkRequest(), lambda _: None)
    assert [r.state for r in report.ran] == ["done", "done"], [r.reason for r in report.ran]
    for how in (True, None, False):
        table = ablate(settings, dataset, AblateRequest(vary=("batch_size=8",), seeds=1, queue=how), shop)
        assert [r.title for r in table.rows] == ["the recipe as it stands", "batch_size=8"]
        assert all(0 <= r.value <= 1 and r.seconds > 0 for r in table.rows)
    assert len(RunStore(tmp_path / "runs").list()) == 2
