"""search: a search over settings, with the optimism of its choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hoego.cli.options import FoldChoice, Json, Overrides, Profile, RecipeFile, Why, project_folder, recipe_of
from hoego.cli.output import console, echo, emit, interval, literal, styled, table

if TYPE_CHECKING:
    from hoego.results.search import SearchResult

SHOWN = 10
Space = Annotated[
    list[str],
    typer.Option(
        metavar="KEY=VALUES",
        help="What varies (repeatable): loss=ce,focal, epochs=4..12, optim.lr=log:1e-4..1e-2, LOW..HIGH/5.",
    ),
]
Workers = Annotated[
    int,
    typer.Option(help="Processes here; 0 where workers elsewhere (hoego queue work --wait) train.", min=0),
]
StopAfter = Annotated[
    int,
    typer.Option(
        "--stop-after", help="Epochs before trials that are behind are stopped; 0 stops none.", min=0
    ),
]


def register(app: typer.Typer) -> None:
    """Put this module's command into the application."""
    app.command()(search)


def search(
    recipe: RecipeFile = None,
    space: Space = [],  # noqa: B006
    trials: Annotated[int, typer.Option(help="Trials in all; 0 for no limit.", min=0)] = 0,
    sampler: Annotated[str, typer.Option(help="tpe, gp, random or grid.")] = "tpe",
    metric: Annotated[str, typer.Option(help="Metric to search by.")] = "macro_f1",
    until: Annotated[str | None, typer.Option(help='The deadline, such as "08:00".')] = None,
    for_: Annotated[str | None, typer.Option("--for", help="Available time, such as 8h.")] = None,
    hours: Annotated[float, typer.Option(help="Hours of training in all, over all workers.", min=0)] = 0.0,
    workers: Workers = 1,
    confirm: Annotated[int, typer.Option(help="New seeds a side that confirm the winner.", min=0)] = 3,
    first: StopAfter = 3,
    fold: FoldChoice = "",
    overrides: Overrides = [],  # noqa: B006
    profile: Profile = None,
    why: Why = "",
    as_json: Json = False,
) -> None:
    """Search settings; the winner is scored with its optimism and confirmed on new seeds."""
    from hoego.extras import require

    require("search", "A search")
    from hoego.recipe import parse_fold
    from hoego.report.search_page import write_search_page
    from hoego.runs.queue.working import WorkRequest, deadline_of
    from hoego.runs.records.mirrors import following
    from hoego.runs.required_runs import StudyRunner
    from hoego.runs.searching.halving import Halving
    from hoego.runs.searching.search import SearchRequest
    from hoego.runs.searching.search import search as run

    err = console(stderr=True)
    runner = StudyRunner(
        folder=project_folder(), fold=parse_fold(fold), log=lambda t: err.print(t, highlight=False)
    )
    request = SearchRequest(
        space=tuple(space),
        trials=trials,
        sampler=sampler,
        metric=metric,
        until=deadline_of(WorkRequest(until=until, duration=for_)),
        hours=hours,
        workers=workers,
        seeds=confirm,
        halving=Halving(first) if first else None,
        why=why,
    )
    with following(runner.store):
        found = run(recipe_of(recipe, overrides, profile), request, runner)
    if found.winner:
        found = write_search_page(found, runner.store.root / found.winner)
    emit(found, as_json, _show)


def _show(found: SearchResult) -> None:
    done = [r for r in found.rows if r.value is not None]
    done.sort(key=lambda r: r.value or 0.0, reverse=found.better == "higher")
    rows = [
        (r.number, r.run, f"{r.value:.4f}", ", ".join(f"{k}={v}" for k, v in r.point.items()))
        for r in done[:SHOWN]
    ]
    if rows:
        table(f"search {found.search}", ("trial", "run", found.metric, "settings"), rows)
    echo(
        ", ".join(f"{n} {state}" for state, n in found.counts.items()) + f"; ended by: {literal(found.ended)}"
    )
    for key, share in sorted(found.importance.items(), key=lambda i: -i[1]):
        echo(styled(f"importance of {key}: {share:.2f}", "dim"))
    if found.optimism is not None:
        echo(literal(str(found.optimism)))
    if found.gain is not None:
        d = found.gain.difference
        echo(f"honest gain: [bold]{interval(d.value, d.low, d.high, 4)}[/] ({found.gain.verdict})")
        echo(literal(found.gain.sentence))
    for note in found.notes:
        echo(styled(note, "dim"))
    if found.page:
        echo(styled(found.page, "bold"))
