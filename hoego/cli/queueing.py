"""queue add|work|status|cancel|retry, idea add|list: runs that wait for the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hoego.cli.options import (
    FoldChoice,
    Json,
    Overrides,
    Profile,
    RecipeFile,
    RunsFolder,
    Spread,
    Why,
    recipe_of,
    runs_folder,
)
from hoego.cli.output import console, echo, emit, literal, table
from hoego.cli.records import RunArgument

if TYPE_CHECKING:
    from hoego.runs.queue import QueueStatus, WorkReport


def register(app: typer.Typer) -> None:
    """Put this module's commands into the application."""
    queue = typer.Typer(
        help="Runs that wait for the machine: overnight, until the deadline.", no_args_is_help=True
    )
    queue.command()(add)
    queue.command()(work)
    queue.command()(status)
    queue.command()(cancel)
    queue.command()(retry)
    queue.command()(tidy)
    app.add_typer(queue, name="queue")
    idea = typer.Typer(help="Ideas kept, and executed when the machine is free.", no_args_is_help=True)
    idea.command("add")(idea_add)
    idea.command("list")(idea_list)
    idea.command("adopt")(idea_adopt)
    app.add_typer(idea, name="idea")


def add(
    recipe: RecipeFile = None,
    overrides: Overrides = [],  # noqa: B006
    profile: Profile = None,
    fold: FoldChoice = "",
    after: Annotated[list[str], typer.Option(help="Runs that must be done first.")] = [],  # noqa: B006
    priority: Annotated[
        int | None, typer.Option(help="Higher runs first; by default queue.priority.")
    ] = None,
    spread: Spread = False,
    why: Why = "",
    folder: RunsFolder = None,
    as_json: Json = False,
) -> None:
    """Add a run to the queue; its recipe is resolved and the code's state stored now."""
    from hoego.recipe import parse_fold
    from hoego.runs.queue import QueueOptions
    from hoego.runs.queue.train_record import queue_run

    chosen = recipe_of(recipe, overrides, profile)
    ask = QueueOptions(
        fold=parse_fold(fold),
        after=tuple(after),
        priority=chosen.queue.priority if priority is None else priority,
        why=why,
        spread=spread,
    )
    record = queue_run(runs_folder(folder), chosen, ask)
    emit(record.meta, as_json, lambda m: echo(f"waiting: [bold]{m.id}[/] {literal(m.name)}"))


def work(
    workers: Annotated[int, typer.Option(help="Processes; 0 for one per GPU, at least one.")] = 1,
    until: Annotated[str | None, typer.Option(help='The deadline, such as "19:00".')] = None,
    for_: Annotated[str | None, typer.Option("--for", help="Available time, such as 8h.")] = None,
    ideas: Annotated[
        bool, typer.Option("--ideas", help="When the queue is empty, take the next idea.")
    ] = False,
    reserve: Annotated[str | None, typer.Option(help="Time to leave for prediction and submission.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for new runs until the deadline.")] = False,
    on: Annotated[
        str,
        typer.Option(
            metavar="ENGINE", help="Start the workers elsewhere: ray, ray:ADDRESS, slurm; or local."
        ),
    ] = "",
    partition: Annotated[str, typer.Option(help="Slurm's partition.")] = "",
    gpus: Annotated[int, typer.Option(help="GPUs of each worker elsewhere.", min=0)] = 0,
    cores: Annotated[int, typer.Option(help="CPU cores of each worker elsewhere.", min=1)] = 1,
    folder: RunsFolder = None,
    as_json: Json = False,
) -> None:
    """Run the waiting runs, best first, until the queue is empty or nothing more fits before the deadline."""
    from hoego.runs.queue.working import WorkRequest, work_queue

    request = WorkRequest(
        workers=workers, until=until, duration=for_, ideas=ideas, reserve=reserve, wait=wait
    )
    err = console(stderr=True)

    def log(text: str) -> None:
        err.print(text, highlight=False)

    if on:
        from hoego.cluster.request import ClusterRequest
        from hoego.cluster.work import work_on

        cluster = ClusterRequest.parse(on, workers=workers, gpus=gpus, cores=cores, partition=partition)
        report = work_on(runs_folder(folder), request, cluster, log)
    else:
        report = work_queue(runs_folder(folder), request, log)
    emit(report, as_json, _show_work)


def _show_work(report: WorkReport) -> None:
    facts = report.to_dict()
    rows = [
        (
            r["run"],
            r["state"],
            f"{r['seconds']:.0f}",
            "" if r["predicted"] is None else f"{r['predicted']:.0f}",
            r["reason"],
        )
        for r in facts["ran"]
    ]
    if rows:
        table("ran", ("run", "state", "seconds", "predicted", "reason"), rows)
    else:
        echo("nothing ran" if facts["left"] else "nothing ran: no run waits (hoego queue add)")
    for run, why in facts["left"].items():
        echo(f"still waiting: {run}: {literal(why)}")
    if facts["ended_early"] is not None:
        echo(f"ended {facts['ended_early']:.0f} s before the deadline")


def status(
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it again every two seconds until Ctrl-C.")
    ] = False,
    folder: RunsFolder = None,
    as_json: Json = False,
) -> None:
    """Show what is running, what waits and in which order, and what ended."""
    import time

    from hoego.runs.queue import status as look
    from hoego.runs.records import RunStore

    store = RunStore(runs_folder(folder))
    while True:
        if watch and not as_json:
            console().clear()
        emit(look(store), as_json, _show_status)
        if not watch:
            return
        time.sleep(2)


def _show_status(found: QueueStatus) -> None:
    facts = found.to_dict()
    rows: list[tuple[Any, ...]] = []
    for part in ("running", "waiting", "ended"):
        for r in facts[part]:
            left = "" if r["seconds"] is None else f"{r['seconds']:.0f} s"
            planned = "" if r["ends_in"] is None else f"ends in {r['ends_in']:.0f} s"
            why = r["reason"] or (f"after {r['after']}" if r["after"] else planned)
            rows.append(
                (r["run"], r["name"], r["state"], f"{100 * r['progress']:.0f} %", left, r["priority"], why)
            )
    if rows:
        table("", ("run", "name", "state", "done", "left", "priority", "reason"), rows)
    else:
        echo("the queue is empty")
    alive = [
        (
            w["name"],
            w["machine"],
            w["run"],
            "not known" if w["speed"] is None else f"{w['speed']:.2f}",
            "" if w["ends_in"] is None else f"{w['ends_in']:.0f} s",
        )
        for w in facts["workers"]
    ]
    if alive:
        table("workers that are alive", ("worker", "machine", "run", "speed", "to its deadline"), alive)


def cancel(run: RunArgument, folder: RunsFolder = None, as_json: Json = False) -> None:
    """Take a waiting run out of the queue, or stop a running one at its next step."""
    from hoego.runs.queue import cancel as take_out
    from hoego.runs.records import RunStore

    emit(take_out(RunStore(runs_folder(folder)), run).meta, as_json, lambda m: echo(f"{m.id}: {m.state}"))


def retry(
    run: RunArgument,
    fresh: Annotated[
        bool, typer.Option(help="Start from the beginning, not from the last checkpoint.")
    ] = False,
    folder: RunsFolder = None,
    as_json: Json = False,
) -> None:
    """Queue a failed, interrupted or cancelled run again."""
    from hoego.runs.queue import retry as wait_again
    from hoego.runs.records import RunStore

    emit(
        wait_again(RunStore(runs_folder(folder)), run, fresh=fresh).meta,
        as_json,
        lambda m: echo(f"{m.id}: {m.state}"),
    )


def tidy(
    recent: Annotated[int, typer.Option(help="Number of latest runs that keep every checkpoint.")] = 20,
    best: Annotated[int, typer.Option(help="Number of best runs that keep every checkpoint.")] = 5,
    look: Annotated[
        bool, typer.Option("--look", help="Show what would be deleted, and delete nothing.")
    ] = False,
    folder: RunsFolder = None,
    as_json: Json = False,
) -> None:
    """Delete old checkpoints, but never the selected one of a run."""
    from hoego.runs.queue import tidy as free
    from hoego.runs.records import RunStore

    found = free(RunStore(runs_folder(folder)), recent=recent, best=best, look=look)
    verb = "would free" if look else "freed"
    emit(found, as_json, lambda t: echo(f"{verb} {t.bytes / 1e6:,.1f} MB in {len(t.files)} files"))


def idea_add(
    text: Annotated[str, typer.Argument(help="The idea in a line.")],
    overrides: Overrides = [],  # noqa: B006
    why: Why = "",
    folder: RunsFolder = None,
    as_json: Json = False,
) -> None:
    """Add an idea: a change of the recipe with its hypothesis."""
    from hoego.runs.ideas import add as keep
    from hoego.runs.records import RunStore

    emit(
        keep(RunStore(runs_folder(folder)), text, overrides, why=why),
        as_json,
        lambda i: echo(f"kept: {i.id} {literal(i.text)}"),
    )


def idea_list(folder: RunsFolder = None, as_json: Json = False) -> None:
    """List ideas: untried, queued, and tried with their verdicts."""
    from hoego.runs.ideas import ideas
    from hoego.runs.records import RunStore

    found = ideas(RunStore(runs_folder(folder)))

    def show_ideas(_: Any) -> None:
        rows = [(i.id, i.state, i.text, " ".join(i.overlay), i.words) for i in found.ideas]
        if rows:
            table("", ("idea", "state", "what", "change", "verdict"), rows)
        else:
            echo("no ideas yet: hoego idea add TEXT, or hoego idea adopt generalise")

    emit(found, as_json, show_ideas)


def idea_adopt(
    name: Annotated[str, typer.Argument(help="mask-competition, imbalance or generalise.")],
    folder: RunsFolder = None,
    as_json: Json = False,
) -> None:
    """Take over a bundled list of ideas, each with its source."""
    from hoego.runs.ideas import adopt, ideas
    from hoego.runs.records import RunStore

    store = RunStore(runs_folder(folder))
    taken = adopt(store, name)
    emit(ideas(store), as_json, lambda _: echo(f"{len(taken)} ideas taken over; hoego idea list shows them"))
