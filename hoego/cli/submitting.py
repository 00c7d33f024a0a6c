"""submit, note: the ledger, and an entry of the diary."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hoego.cli.options import Json, RunsFolder, project_folder, runs_folder
from hoego.cli.output import echo, emit, literal, styled, table

if TYPE_CHECKING:
    from hoego.runs.submission import Submission
    from hoego.runs.submission.ledger import LedgerView
    from hoego.runs.submission.ledger_entry import SubmittedScore


def register(app: typer.Typer) -> None:
    """Put this module's commands into the application."""
    app.command()(submit)
    app.command()(note)


def submit(
    run: Annotated[
        str, typer.Argument(metavar="[RUN]", help="A run, or a .parquet file of predictions.")
    ] = "",
    out: Annotated[
        Path | None, typer.Option(help="The file to write; submissions/RUN.csv if not given.")
    ] = None,
    info: Annotated[Path | None, typer.Option(help="The form: ids and their order (info.csv).")] = None,
    score: Annotated[
        tuple[str, float] | None,
        typer.Option(metavar="FILE VALUE", help="Record the leaderboard's score of a file."),
    ] = None,
    folder: RunsFolder = None,
    as_json: Json = False,
) -> None:
    """Write a submission, checked against its form, and enter it in the ledger; without RUN, show the ledger."""
    import datetime

    from hoego.recipe import find_project, resolve
    from hoego.runs.submission import Ledger, SubmitRequest, read_form
    from hoego.runs.submission import submit as hand_in
    from hoego.runs.submission.entry import ledger_view

    project = project_folder()
    if score is not None:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        entry = Ledger(project).record_score(score[0], score[1], now)
        emit(entry, as_json, lambda e: echo(f"{e.id}: leaderboard {e.public:.4f}"))
        return
    if not run:
        settings = resolve({}, project=find_project(Path.cwd())).submission
        emit(ledger_view(project, settings), as_json, _show_ledger)
        return
    from hoego.runs.submission.form import answers_in_use
    from hoego.runs.submission.submit_run import counts_by_code, predict_test

    test = predict_test(runs_folder(folder), run, info, find_project(Path.cwd()))
    settings = test.recipe.submission
    request = SubmitRequest(
        project=project,
        out=out if out is not None else project / "submissions" / f"{test.predictions.name}.csv",
        settings=settings,
        score=test.score,
        training_classes=counts_by_code(test.training_classes, test.predictions),
    )
    answers = answers_in_use(test.predictions.schema)
    form = read_form(test.info, settings.image, settings.answer, answers)
    emit(hand_in(test.predictions, form, request), as_json, _show_submission)


def _show_submission(made: Submission) -> None:
    echo(f"written: {styled(made.file, 'bold')}  {made.answers:,} answers")
    if e := made.expected:
        echo(f"the leaderboard will probably say {e.value:.4f} [{e.low:.4f}, {e.high:.4f}]  ({e.method})")
    rows = [
        (c, f"{100 * s:.1f} %", f"{100 * made.training_share.get(c, 0.0):.1f} %")
        for c, s in made.share.items()
    ]
    table("classes", ("class", "this file", "training"), rows)
    for entry, share in made.agreement.items():
        echo(f"agrees with {literal(entry)} in {100 * share:.1f} %")
    echo(f"submissions left today: {made.left_today}")
    for w in made.warnings:
        echo(f"[yellow]warning[/] {literal(w)}")


def _score_cells(score: SubmittedScore | None) -> tuple[str, str]:
    if score is None:
        return "", ""
    return "" if score.value is None else f"{score.value:.4f}", score.stated


def _show_ledger(view: LedgerView) -> None:
    rows = [
        (
            e.time[:16].replace("T", " "),
            Path(e.file).name,
            e.run,
            *_score_cells(e.score),
            "" if e.expected is None else f"{e.expected.low:.4f} to {e.expected.high:.4f}",
            "" if e.public is None else f"{e.public:.4f}",
        )
        for e in view.entries
    ]
    if rows:
        table("ledger", ("when", "file", "run", "score", "honesty", "expected", "leaderboard"), rows)
    else:
        echo("nothing was submitted yet")
    echo(f"left today: {view.left_today} of {view.per_day}")
    for w in view.warnings:
        echo(f"[yellow]warning[/] {literal(w)}")


def note(
    text: Annotated[str, typer.Argument(help="What you want to remember.")],
    run: Annotated[str, typer.Option(help="The run that the note is about.")] = "",
    folder: RunsFolder = None,
    as_json: Json = False,
) -> None:
    """Add a dated entry to the diary."""
    from hoego.runs.records import RunStore
    from hoego.runs.records import note as keep

    emit(
        keep(RunStore(runs_folder(folder)), text, run=run),
        as_json,
        lambda n: echo(literal(f"noted: {n.text}")),
    )
