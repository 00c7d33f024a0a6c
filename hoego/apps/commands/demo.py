"""`hoego demo`: the whole story on synthetic people."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hoego.cli.options import Json
from hoego.cli.output import console, echo, emit, literal, styled

if TYPE_CHECKING:
    from hoego.apps.demo import DemoResult


def demo(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer people and runs.")] = False,
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Seed of the people and the runs.")] = 0,
    as_json: Json = False,
) -> None:
    """Run a week of experiments on synthetic people, each claim with its evidence."""
    from hoego.apps.demo import run_demo
    from hoego.apps.demo.week_page import week_report
    from hoego.apps.diary import LANGUAGES, period_of, retrospective, write
    from hoego.report import report as write_report
    from hoego.runs.submission.entry import submit_demo

    err = console(stderr=True)
    demo = run_demo(out, quick=quick, seed=seed, log=lambda text: err.print(text, highlight=False))
    submission, expected = submit_demo(demo.folder, demo.test, demo.honest)
    result = demo.result()
    for run in dict.fromkeys(r for c in result.chapters for r in c.runs):
        write_report(result.store.find(run), demo.dataset)
    page = week_report(demo, expected, result.folder / "report.html")
    told = {lang: write(retrospective(result.store, period_of(), lang), result.folder) for lang in LANGUAGES}
    diary = next(p for p in told["en"] if p.suffix == ".html")
    made = result.with_(report=page, submission=submission, retrospective=diary)
    emit(made, as_json, _show_demo)


def _show_demo(result: DemoResult) -> None:
    for sentence in result.sentences:
        echo(literal(sentence))
    echo(f"\nreport         {styled(result.report, 'bold')}")
    echo(f"submission     {styled(result.submission, 'bold')}")
    echo(f"retrospective  {styled(result.retrospective, 'bold')}")
    echo(f"in a browser   hoego board --runs {literal(shlex.quote(str(result.folder / 'runs')))}")
