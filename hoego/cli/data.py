"""init, audit, split, settings, recipes: the data, and what can be set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hoego.cli.options import Json, Overrides, RecipeFile, project_folder, recipe_of
from hoego.cli.output import echo, emit, literal, print_json, styled, table

if TYPE_CHECKING:
    from hoego.data.proposals.propose import Proposal
    from hoego.results.audit import AuditReport
    from hoego.results.split import SplitSummary

SEVERITY_STYLE = {"error": "bold red", "warning": "yellow", "info": "dim"}


def register(app: typer.Typer) -> None:
    """Put this module's commands into the application."""
    app.command()(init)
    app.command()(audit)
    app.command()(split)
    app.command()(settings)
    app.command()(recipes)


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder of photos, or a table that lists them.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Where to write hoego.toml; the working directory if not given.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Replace an existing hoego.toml.")] = False,
    as_json: Json = False,
) -> None:
    """Inspect a folder or table and propose a commented hoego.toml."""
    from hoego.data.proposals.propose import propose, write_proposal

    proposal = propose(folder)
    target = out if out is not None else Path.cwd()
    written = write_proposal(
        proposal, target if target.suffix == ".toml" else target / "hoego.toml", force=force
    )

    def show(p: Proposal) -> None:
        _show_proposal(p)
        echo(f"\nwritten: {styled(written, 'bold')}   next: hoego audit")

    emit(proposal, as_json, show)


def _show_proposal(proposal: Proposal) -> None:
    table(
        "inferred",
        ("what", "value", "sure", "because"),
        [(i.what, i.value, i.certainty, i.reason) for i in proposal.inferences],
    )
    for question in dict.fromkeys(i.question for i in proposal.inferences if i.question):
        echo(f"[yellow]to decide[/] {literal(question)}")


def audit(
    recipe: RecipeFile = None,
    overrides: Overrides = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Check the data before training. Exit status 1 if an error is not accepted."""
    from hoego.runs.project import audit_project, write_unreadable

    report = audit_project(recipe_of(recipe, overrides))
    listed = write_unreadable(report, project_folder())
    emit(report, as_json, _show_audit)
    if listed is not None and not as_json:
        echo(f"the photos that cannot be decoded are listed in {styled(listed, 'bold')}")
    raise typer.Exit(report.exit_code)


def _show_audit(report: AuditReport) -> None:
    from hoego.data.audit import advice_on

    rows: list[Any] = []
    for f in report.findings:
        said = f.severity + (" (accepted)" if f.accepted else "")
        rows.append((styled(said, SEVERITY_STYLE[f.severity]), f.check, f"{f.count:,}", f.message))
        if f.severity != "info":
            rows += [("", "", "", styled(example, "dim")) for example in f.examples[:3]]
            rows.append(("", "", "", styled(f"→ {f.remedy}", "dim")))
    table("audit", ("severity", "check", "count", "finding"), rows, right=("count",))
    echo(
        "\n[green]no error prevents training[/]"
        if report.exit_code == 0
        else f"\n[bold red]errors remain[/]: {literal(advice_on(report))}"
    )


def split(
    recipe: RecipeFile = None,
    overrides: Overrides = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Make, check and show the split, with the proof that no subject is on two sides."""
    from hoego.runs.project import split_project

    emit(split_project(recipe_of(recipe, overrides), project_folder()).summary, as_json, _show_split)


def _show_split(made: SplitSummary) -> None:
    echo(f"{styled(made.name, 'bold')} ({made.kind}, seed {made.seed})   fingerprint {made.fingerprint}")
    table(
        "",
        ("side", "images", "subjects"),
        [(s.name, f"{s.images:,}", f"{s.subjects:,}") for s in made.sides],
        right=("images", "subjects"),
    )
    proved = made.guarantees
    echo(
        f"worst class deviation {proved.worst_class_deviation:.4f}, "
        f"subjects on two sides {proved.subjects_on_two_sides:,}"
    )
    for note in made.notes:
        echo(f"[yellow]note[/] {literal(note)}")


def settings(
    match: Annotated[
        str, typer.Argument(metavar="[PART]", help="Only settings whose name contains this.")
    ] = "",
    as_json: Json = False,
) -> None:
    """List every setting with its default, its range and one line."""
    from hoego.recipe import settings_table

    rows = [s for s in settings_table() if match in s.key]
    if as_json:
        print_json({"settings": rows})
        return
    if not rows:
        echo(f"no setting's name contains '{literal(match)}': hoego settings lists them all")
        return
    table(
        "",
        ("setting", "type", "default", "range", "what it does"),
        [(styled(s.key, "bold"), s.type, s.default, s.range, s.help) for s in rows],
    )


def recipes(as_json: Json = False) -> None:
    """List the recipes that come with Hoego, for hoego train NAME."""
    from hoego.recipe.ready import ready_recipes

    found = ready_recipes()
    if as_json:
        print_json({"recipes": found})
        return
    table("", ("recipe", "what it is"), [(styled(r.name, "bold"), r.description) for r in found])
    echo("\nhoego train NAME --set dataset.root=FOLDER; the file of each (--json) is a start for your own")
