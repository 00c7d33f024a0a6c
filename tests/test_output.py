"""What is printed for people: brackets that somebody typed are printed, and never taken for a style."""

from __future__ import annotations

import io
import sys

import pytest

from hoego.cli import output
from hoego.cli.output import console, echo, literal, styled, table

TYPED = [
    "see [/x]",
    "[bold]",
    "[/]",
    "a [bold]b[/] c",
    "[red]all[/]",
    "C:\\[dim]",
    ":smile:",
    "[0.1, 0.2]",
    "[[x]]",
]


class Terminal(io.StringIO):
    """A stream that takes colours."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("typed", TYPED)
def test_a_typed_text_is_printed_as_it_is(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    echo(f"why: {literal(typed)}")
    echo(f"{styled(typed, 'bold')}[yellow]note[/]")
    table(typed, (f"column {typed}",), [(styled(typed, "green"),), (f"is {typed}",)])
    console().print(typed)
    shown = capsys.readouterr().out.splitlines()
    assert shown[:2] == [f"why: {typed}", f"{typed}note"]
    assert [line.strip() for line in shown[2:]] == [typed, f"column {typed}", typed, f"is {typed}", typed]


@pytest.mark.parametrize("typed", ["see [/x]", "[bold]", "[/]", "[link=x]", "[#fff]"])
def test_a_text_that_nobody_guarded_is_printed_too(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    echo(f"[yellow]note[/] {typed}")
    assert capsys.readouterr().out == f"note {typed}\n"


def test_styles_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    echo(f"[bold]{literal('a[/]')}[/]")
    table("", ("state",), [(styled("done", "green"),)])
    assert "\x1b[1ma[/]\x1b[0m" in stream.getvalue()
    assert "\x1b[32mdone\x1b[0m" in stream.getvalue()


def test_the_bar_of_a_training_shows_any_name(monkeypatch: pytest.MonkeyPatch) -> None:
    from hoego.train.progress import TrainingProgress

    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with TrainingProgress("wide [/x]", epochs=1, steps=8) as bar:
        bar.step(0, 7)
    assert "wide [/x]" in stream.getvalue()


def test_every_style_of_the_commands_is_known() -> None:
    from hoego.cli.data import SEVERITY_STYLE
    from hoego.cli.evaluating import VERDICT_STYLE
    from hoego.cli.records import STATE_STYLE

    used = {*SEVERITY_STYLE.values(), *VERDICT_STYLE.values(), *STATE_STYLE.values()}
    assert used <= set(output.STYLES)


def test_a_training_in_a_notebook_redraws_one_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ipython = pytest.importorskip("IPython")
    from types import SimpleNamespace

    from hoego.train.progress import TrainingProgress

    pages: list[str] = []
    handle = SimpleNamespace(update=lambda page: pages.append(page.data))

    def display(page: object, *, display_id: bool) -> object:
        assert display_id
        pages.append(page.data)  # type: ignore[attr-defined]
        return handle

    monkeypatch.setattr(ipython, "get_ipython", lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setattr("IPython.display.display", display)
    with TrainingProgress("fold-0", epochs=2, steps=8) as bar:
        for epoch in range(2):
            for step in range(8):
                bar.step(epoch, step)
            bar.epoch({"epoch": epoch, "train_loss": 1.0, "images_per_second": None, "macro_f1": 0.5})
    assert "epoch 2/2 loss 1.0000 macro F1 0.5000" in pages[-1]
    assert all(page.startswith("<pre") for page in pages)
    said = capsys.readouterr()
    assert said.out + said.err == ""
