"""runs, show, diff, reproduce, merge, tag: the records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hoego.cli.options import Json, RunsFolder, runs_folder
from hoego.cli.output import console, echo, emit, literal, print_json, styled, table

if TYPE_CHECKING:
    from hoego.results.looks import RankingLooks
    from hoego.results.score import Score, ScoreSummary
    from hoego.results.sync import SyncReport
    from hoego.runs.records import MergeResult, Ranking, RunsTable

STATE_STYLE = {
    "done": "green",
    "running": "cyan",
    "waiting": "blue",
    "failed": "bold red",
    "interrupted": "yellow",
    "stopped": "dim",
}
RUN_HELP = "A run's id, a unique prefix of it, or its folder"
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help=f"{RUN_HELP}.")]
LastRun = Annotated[
    str, typer.Argument(metavar="[RUN]", help=f"{RUN_HELP}; by default the newest finished run.")
]


def register(app: typer.Typer) -> None:
    """Put this module's commands into the application."""
    app.command()(runs)
    app.command()(show)
    app.command()(diff)
    app.command()(reproduce)
    app.command()(merge)
    app.command()(sync)
    app.command()(tag)
    app.command()(mirror)


def runs(
    state: Annotated[list[str], typer.Option(help="Only runs in this state (repeatable).")] = [],  # noqa: B006
    tags: Annotated[list[str], typer.Option("--tag", help="Only runs with this tag (repeatable).")] = [],  # noqa: B006
    match: Annotated[
        str, typer.Option(help="Only runs whose id, name or hypothesis contains this text.")
    ] = "",
    columns: Annotated[
        str,
        typer.Option(
            help="Columns, separated by commas, recipe.optim.lr and similar too. A score adds its honesty."
        ),
    ] = "",
    sort: Annotated[str, typer.Option(help="Column to sort by; -macro_f1 for the best first.")] = "id",
    limit: Annotated[int, typer.Option(help="At most this many; 0 for all.")] = 0,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    spreadsheet: Annotated[
        bool,
        typer.Option(
            "--spreadsheet",
            help="Print CSV with an apostrophe before each text that a spreadsheet would run.",
        ),
    ] = False,
    folder: RunsFolder = None,
    as_json: Json = False,
) -> None:
    """List the runs."""
    from hoego.runs.records import RunsQuery, RunStore
    from hoego.runs.records.listing import COLUMNS, ranked_runs

    chosen = tuple(c.strip() for c in columns.split(",") if c.strip()) or COLUMNS
    query = RunsQuery(
        states=tuple(state), tags=tuple(tags), text=match, columns=chosen, sort=sort, limit=limit
    )
    found, ranking = ranked_runs(RunStore(runs_folder(folder)), query)
    if csv or spreadsheet:
        typer.echo(found.to_csv(spreadsheet=spreadsheet), nl=False)
        return
    flattered = _looks(found, ranking, sort)
    if as_json:
        print_json(
            {**found.model_dump(mode="json"), "looks": flattered and flattered.model_dump(mode="json")}
        )
    else:
        _show_runs(found, flattered)


def _looks(found: RunsTable, ranking: Ranking, sort: str) -> RankingLooks | None:
    """Return how much the choice flatters the first place, if the table is a choice of the highest."""
    if found.chosen_of < 2:
        return None
    from hoego.runs.looks import looks

    return looks(ranking, sort.removeprefix("-"))


def _show_runs(found: RunsTable, flattered: RankingLooks | None) -> None:
    if not found.rows:
        none_here = "no runs here yet: hoego train, or hoego demo"
        echo(f"no run matches; there are {found.total:,} here" if found.total else none_here)
        return
    table(
        "", found.columns, [[_cell(c, v) for c, v in zip(found.columns, r, strict=True)] for r in found.rows]
    )
    if found.chosen_of > 1:
        echo(f"the first is selected, highest of {found.chosen_of:,}, and so flattered by that choice")
    if flattered is not None:
        echo(literal(str(flattered)))
    if found.apart:
        for why in dict.fromkeys(found.apart.values()):
            names = [name for name, reason in found.apart.items() if reason == why]
            echo(f"[yellow]not ranked with the others[/] {literal(why)}: {literal(', '.join(names))}")
    for name, why in found.broken.items():
        echo(f"[yellow]not readable[/] {literal(name)}: {literal(why)}")


def _cell(column: str, value: Any) -> str:
    if value is None:
        return ""
    if column == "state":
        return styled(value, STATE_STYLE.get(value, ""))
    if isinstance(value, float):
        return f"{value:.4f}"
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def show(run: LastRun = "last", folder: RunsFolder = None, as_json: Json = False) -> None:
    """Show one run: its state, its recipe, its score with its honesty."""
    from hoego.recipe.base import plain_settings
    from hoego.runs.records import RunStore
    from hoego.runs.records.labels_now import note_changed_labels

    record = RunStore(runs_folder(folder)).find(run)
    note_changed_labels([record])
    facts = {
        **record.meta.model_dump(mode="json"),
        "state": record.state,
        "reason": record.reason,
        "folder": str(record.folder),
        "score": None if record.score is None else record.score.model_dump(mode="json"),
    }
    if as_json:
        left_out = record.left_out
        facts["left_out"] = None if left_out is None else left_out.model_dump(mode="json")
        print_json({**facts, "recipe": record.recipe, "environment": record.environment})
        return
    name, reason = literal(facts["name"]), literal(facts["reason"])
    echo(f"[bold]{facts['id']}[/]  {name}   {_cell('state', facts['state'])} {reason}")
    if facts["why"]:
        echo(literal(f"why: {facts['why']}"))
    show_score(record.score)
    if (left_out := record.left_out) is not None and left_out.by_setting:
        counts = ", ".join(f"{n:,} by {setting}" for setting, n in left_out.by_setting.items())
        echo(literal(f"photos left out of the data set: {counts}"))
    if verdict := record.verdict:
        echo(literal(f"verdict: {verdict.sentence or verdict.outcome}"))
    rows = [(k, v) for k, v in sorted(plain_settings(record.recipe).items())]
    table("recipe", ("setting", "value"), rows)
    echo(literal(f"folder: {facts['folder']}"))


def show_score(score: Score | ScoreSummary | None) -> None:
    """Print a score's two main numbers with interval and honesty, its optimism, and its notes."""
    from hoego.cli.output import interval

    if score is None:
        echo("no score yet")
        return
    for name in ("macro_f1", "accuracy"):
        if e := score.metrics.get(name):
            label = name.replace("_", " ").replace("f1", "F1")
            echo(f"{label} [bold]{interval(e.value, e.low, e.high)}[/]   honesty: {score.stated}")
    if score.optimism is not None:
        o = score.optimism
        echo(f"optimism {o.optimism:+.4f}: expected of this choice {o.corrected:.4f}")
    elif "selected" in score.honesty and not any(n.startswith("optimism:") for n in score.notes):
        echo("optimism: not estimated")
    for note in score.notes:
        echo(f"[yellow]note[/] {literal(note)}")


def diff(a: RunArgument, b: RunArgument, folder: RunsFolder = None, as_json: Json = False) -> None:
    """Show what differs between two runs: recipe, code, environment, labels, split, then the results."""
    from hoego.runs.diff import diff as find_differences
    from hoego.runs.records import RunStore

    store = RunStore(runs_folder(folder))
    found = find_differences(store.find(a), store.find(b))

    def show_diff(_: Any) -> None:
        for part in ("recipe", "code", "environment", "labels", "split"):
            rows = [(d.key, d.a, d.b) for d in getattr(found, part)]
            if rows:
                table(part, ("what", a, b), rows)
            else:
                echo(f"{part}: the same")
        echo(literal(f"\n{found.words}"))

    emit(found, as_json, show_diff)


def reproduce(run: RunArgument, folder: RunsFolder = None, as_json: Json = False) -> None:
    """Run a record's recipe again and say whether the numbers are the same. Exit status 1 if they differ."""
    from hoego.runs.records import RunStore
    from hoego.runs.reproduce import reproduce as run_again

    store = RunStore(runs_folder(folder))
    found = run_again(store, store.find(run))
    emit(found, as_json, lambda r: echo(literal(r.words)))
    raise typer.Exit(0 if found.same else 1)


def merge(
    source: Annotated[Path, typer.Argument(help="A teammate's runs folder.")],
    folder: RunsFolder = None,
    as_json: Json = False,
) -> None:
    """Copy a teammate's records and name conflicts. Exit status 1 on a conflict, or where one is refused."""
    from hoego.runs.records import RunStore
    from hoego.runs.records import merge as merge_stores

    found = merge_stores(RunStore(source), RunStore(runs_folder(folder)))
    emit(found, as_json, _show_merged)
    raise typer.Exit(1 if found.conflicts or found.refused else 0)


def _show_merged(merged: MergeResult) -> None:
    for key, value in merged.model_dump(mode="json").items():
        shown = (
            f"{len(value)}: {', '.join(map(str, list(value)[:8]))}"
            if isinstance(value, list | dict)
            else value
        )
        if key != "refused":
            echo(literal(f"{key}: {shown}"))
    for name, why in merged.refused.items():
        echo(f"[yellow]refused[/] {literal(name)}: {literal(why)}")


def sync(
    url: Annotated[str, typer.Argument(help="s3://BUCKET/PREFIX; gs://, az:// and file:/// too.")],
    push: Annotated[bool, typer.Option("--push", help="Send only.")] = False,
    pull: Annotated[bool, typer.Option("--pull", help="Fetch only.")] = False,
    look: Annotated[bool, typer.Option("--look", help="Show what would be done, and do nothing.")] = False,
    folder: RunsFolder = None,
    as_json: Json = False,
) -> None:
    """Send records to an object store, and fetch. Exit status 1 on a conflict, or where one is refused."""
    from hoego.runs.records import RunStore
    from hoego.runs.syncing.sync import SyncRequest
    from hoego.runs.syncing.sync import sync as sync_stores

    asked = SyncRequest(push=push or not pull, pull=pull or not push, look=look)
    err = console(stderr=True)
    found = sync_stores(
        RunStore(runs_folder(folder)), url, asked, lambda text: err.print(text, highlight=False, markup=False)
    )
    emit(found, as_json, _show_synced)
    raise typer.Exit(1 if found.conflicts or found.refused else 0)


def _show_synced(found: SyncReport) -> None:
    echo(literal(f"sent: {len(found.pushed)} runs, {found.sent / 1e6:,.1f} MB"))
    echo(literal(f"fetched: {len(found.pulled)} runs, {found.received / 1e6:,.1f} MB"))
    echo(literal(f"the same on both sides: {len(found.same)}"))
    for name, why in found.skipped.items():
        echo(literal(f"left out: {name}: {why}"))
    for name, differing in found.conflicts.items():
        echo(f"[yellow]conflict[/] {literal(name)}: {literal(', '.join(differing[:8]))}")
    for name, why in found.refused.items():
        echo(f"[yellow]refused[/] {literal(name)}: {literal(why)}")


def tag(
    run: RunArgument,
    add: Annotated[list[str], typer.Argument(help="Tags to add.", show_default=False)] = [],  # noqa: B006
    remove: Annotated[list[str], typer.Option(help="Tags to remove.")] = [],  # noqa: B006
    folder: RunsFolder = None,
) -> None:
    """Add tags to a run, or remove them."""
    from hoego.errors import UsageError
    from hoego.runs.records import RunStore

    if not (add or remove):
        raise UsageError("No tag is named.", remedy="hoego tag RUN good, or hoego tag RUN --remove good")
    meta = RunStore(runs_folder(folder)).find(run).tag(*add, remove=tuple(remove))
    echo(literal(" ".join(meta.tags)))


def mirror(
    to: Annotated[list[str], typer.Argument(help="mlflow=ADDRESS or wandb=PROJECT.")],
    folder: RunsFolder = None,
    as_json: Json = False,
) -> None:
    """Bring MLflow or Weights & Biases up to date with the records. Exit status 1 if one is behind."""
    from hoego.extras import require
    from hoego.runs.records import RunStore
    from hoego.runs.records.mirrors import mirrors_of, sync_all

    mirrors = mirrors_of(",".join(to))
    require("track", "A mirror", [m.name for m in mirrors])
    found = sync_all(RunStore(runs_folder(folder)), mirrors)
    emit(found, as_json, lambda s: echo(literal(s.words)))
    raise typer.Exit(1 if found.behind else 0)
