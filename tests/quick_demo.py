"""The demo's week, small: its page is written, with every score beside its honesty."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from typer.testing import CliRunner  # noqa: E402

from hoego.cli.main import app  # noqa: E402


def test_the_quick_demo_ends_with_its_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path / "cache"))
    done = CliRunner().invoke(app, ["demo", "--quick", "--out", str(tmp_path / "week")])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "week" / "report.html").read_text(encoding="utf-8")
    for said in ("promised by a photo-level split", "naive", "honest macro F1", "out-of-fold", "the leak"):
        assert said in page
    assert "None" not in page
