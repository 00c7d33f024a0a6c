"""probe: what published weights are worth on these photos, before anything is trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hoego.cli.evaluating import show_comparison
from hoego.cli.options import FoldChoice, Json, Overrides, RecipeFile, Why, project_folder
from hoego.cli.output import echo, emit, literal, styled
from hoego.cli.records import show_score

if TYPE_CHECKING:
    from hoego.results.probe import ProbeRanking, ProbeRun


def register(app: typer.Typer) -> None:
    """Put this module's commands into the application."""
    app.command()(probe)


def probe(
    recipe: RecipeFile = None,
    models: Annotated[
        str,
        typer.Option(metavar="A,B,C", help="Backbones with published weights, to rank (hoego weights list)."),
    ] = "",
    overrides: Overrides = [],  # noqa: B006
    fold: FoldChoice = "",
    flips: Annotated[
        bool, typer.Option("--flips/--no-flips", help="Average a photo and its mirror image.")
    ] = True,
    tags: Annotated[list[str], typer.Option("--tag", help="Tags of the record.")] = [],  # noqa: B006
    why: Why = "",
    as_json: Json = False,
) -> None:
    """Probe published weights: frozen features, simple heads fitted fold by fold, a score with interval.

    The features are kept, so a second probe on the same photos takes seconds.
    """
    from hoego.recipe import find_project, parse_fold
    from hoego.runs.probing.recipes import ProbeRequest, recipes_of
    from hoego.runs.probing.running import ProbeOptions, probe_all
    from hoego.runs.records import RunStore
    from hoego.runs.records.mirrors import following

    named = tuple(name.strip() for name in models.split(",") if name.strip())
    request = ProbeRequest(recipe=recipe, models=named, overrides=overrides, project=find_project(Path.cwd()))
    options = ProbeOptions(
        folder=project_folder(), fold=parse_fold(fold), flips=flips, why=why, tags=tuple(tags)
    )
    with following(RunStore(options.folder / "runs")):
        found = probe_all(recipes_of(request), options)
    emit(found, as_json, _show)


def _show(found: ProbeRanking) -> None:
    for one in found.probes:
        _show_probe(one)
    if found.comparison is not None:
        show_comparison(found.comparison)
    ids = " ".join(p.run for p in found.probes)
    echo(f"next: hoego diagnose {found.probes[0].run}   hoego compare {ids} RUN")


def _show_probe(one: ProbeRun) -> None:
    facts = one.probe
    echo(f"\n[bold]{one.run}[/] {literal(facts.model)}: {facts.n_features:,} features, frozen")
    echo(styled(facts.weights, "dim"))
    show_score(one.score)
    rules = ", ".join(sorted({f"{h.attribute} {h.rule}" for h in facts.heads}))
    seconds = facts.seconds
    echo(
        f"heads: {literal(rules)}   {facts.extracted:,} photos computed in {seconds['features']:.0f} s "
        f"({facts.precision}, {facts.threads or 'no'} threads), heads {seconds['heads']:.1f} s"
    )
    for note in facts.notes:
        echo(styled(note, "dim"))
