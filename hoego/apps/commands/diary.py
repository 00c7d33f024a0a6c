"""`hoego retro`: the retrospective."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hoego.cli.options import Json, RunsFolder, project_folder, runs_folder
from hoego.cli.output import echo, literal, print_json, styled


def retro(
    week: Annotated[str, typer.Option(help="A week, such as 2022-W09.")] = "",
    since: Annotated[str, typer.Option("--from", help="First day, such as 2022-02-28.")] = "",
    to: Annotated[str, typer.Option("--to", help="Last day.")] = "",
    today: Annotated[bool, typer.Option("--today", help="Only today.")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Update as runs finish, until Ctrl-C.")] = False,
    lang: Annotated[str, typer.Option(help="ko or en.")] = "en",
    out: Annotated[
        Path | None, typer.Option(help="Write here: .md or .html; both beside runs/ if not given.")
    ] = None,
    folder: RunsFolder = None,
    as_json: Json = False,
) -> None:
    """Write the retrospective from the records; every statement links to its run."""
    from hoego.apps.diary import follow as grow
    from hoego.apps.diary import period_of, retrospective, write
    from hoego.runs.records import RunStore

    store = RunStore(runs_folder(folder))
    period = period_of(week=week, since=since, to=to, today=today)
    if follow:
        for entry in grow(store, period, lang=lang):
            echo(literal(entry))
        return
    found = retrospective(store, period, lang=lang)
    paths = write(found, out if out is not None else project_folder())
    if as_json:
        print_json({**found.model_dump(mode="json"), "files": [str(p) for p in paths]})
        return
    for p in paths:
        echo(styled(p, "bold"))
