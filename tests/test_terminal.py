"""No text that people typed steers the terminal or adds a line to the output."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from hoego.cli.main import app
from hoego.cli.output import echo, literal, styled, table
from hoego.runs.records import RunStore
from hoego.terminal import visible


@given(st.text())
def test_nothing_that_steers_is_left(text: str) -> None:
    shown = visible(text)
    assert all(c.isprintable() or c not in "\x1b\x07\x08\r\n\t\x9b\u202e" for c in shown)
    assert len(shown.splitlines()) <= 1


def test_line_breaks_of_a_message_stay_where_they_are_kept() -> None:
    assert visible("a\nb\x1b[1m", keep="\n") == "a\nb\\x1b[1m"


def test_every_way_to_print_shows_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    bad = "x\x1b[2J\r\u202ey"
    echo(bad)
    echo(f"[bold]{literal(bad)}[/] {styled(bad, 'red')}")
    table(bad, ("name",), [(bad,), (styled(bad, "dim"),)])
    out = capsys.readouterr().out
    assert "\\x1b[2J" in out
    assert not set("\x1b\r\u202e") & set(out)


def test_a_hypothesis_cannot_print_a_score(tmp_path: Path) -> None:
    lie = "fine\nmacro F1 0.999 [0.990, 1.000]   honesty: out-of-fold"
    record = RunStore(tmp_path / "runs").create({}, name="x\x1b[2J", why=lie, state="done")
    for command in (["show", record.id], ["runs"]):
        done = CliRunner().invoke(app, [*command, "--runs", str(tmp_path / "runs")])
        assert done.exit_code == 0, done.output
        assert not any(line.startswith("macro F1") for line in done.output.splitlines())
        assert "\x1b[2J" not in done.output
    assert RunStore(tmp_path / "runs").find(record.id).meta.why == lie, "files keep the text"
