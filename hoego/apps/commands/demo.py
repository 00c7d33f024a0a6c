"""`hoego demo`: the whole story on synthetic people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hoego.cli.options import Json
from hoego.cli.output import console, emit, literal, say, styled

if TYPE_CHECKING:
    from hoego.apps.demo import Demo


def demo(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer people and runs.")] = False,
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Seed of the people and the runs.")] = 0,
    as_json: Json = False,
) -> None:
    """Run a week of experiments on synthetic people, each claim with its evidence."""
    from dataclasses import replace

    from hoego.apps.demo import run_demo
    from hoego.apps.demo.week_page import week_report
    from hoego.apps.diary import LANGUAGES, period_of, retrospective, write
    from hoego.report import report as write_report
    from hoego.runs.submission.entry import hand_in_demo

    err = console(stderr=True)
    result = run_demo(out, quick=quick, seed=seed, say=lambda text: err.print(text, highlight=False))
    submission, expected = hand_in_demo(result.folder, result.test, dict(result.honest))
    for run in dict.fromkeys(r for c in result.chapters for r in c.runs):
        write_report(result.store.find(run), result.dataset)
    page = week_report(result, expected, result.folder / "report.html")
    told = {lang: write(retrospective(result.store, period_of(), lang), result.folder) for lang in LANGUAGES}
    diary = next(p for p in told["en"] if p.suffix == ".html")
    emit(replace(result, report=page, submission=submission, retrospective=diary), as_json, _show_demo)


def _show_demo(result: Demo) -> None:
    for sentence in result.sentences:
        say(literal(sentence))
    say(f"\nreport         {styled(result.report, 'bold')}")
    say(f"submission     {styled(result.submission, 'bold')}")
    say(f"retrospective  {styled(result.retrospective, 'bold')}")
