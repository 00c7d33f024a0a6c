"""benchmarks/gpu.py runs wherever torch does: its paths are tried on a CPU, its figures are not looked at."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


def test_every_part_but_timms_runs_on_a_cpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    gpu = importlib.import_module("gpu")
    parts = "speed,precision,variants"
    monkeypatch.setattr(
        sys, "argv", ["gpu.py", "--device", "cpu", "--tiny", "--no-write", "--json", "--only", parts]
    )
    threads = torch.get_num_threads()
    try:
        gpu.main()
    finally:
        torch.set_num_threads(threads)
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"device", "tiny", *parts.split(",")}
    assert set(found["precision"]) == {"float32", "bfloat16"}
    for rows in (found["speed"], found["precision"]):
        assert all(row["train_images_per_second"] > 0 and row["efficiency"] > 0 for row in rows.values())
    assert found["variants"]["variants"] == 2
    assert found["variants"]["largest_difference_in_probability"] == 0
    text = "\n".join(gpu.lines_of(found))
    assert "Against timm: not measured (not asked for)." in text
    assert "2 variants side by side take" in text
