"""export, check: models for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hoego.cli.options import Json, RunsFolder, runs_folder
from hoego.cli.output import echo, emit, literal, styled
from hoego.cli.records import RunArgument

if TYPE_CHECKING:
    from hoego.results.export import CheckResult, ExportResult

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `hoego export` wrote.")]


def register(app: typer.Typer) -> None:
    """Put this module's commands into the application."""
    app.command()(export)
    app.command()(check)


def export(
    run: RunArgument,
    to: Annotated[Path, typer.Option(metavar="DIR", help="The folder to make.")],
    weights: Annotated[
        str, typer.Option(help="refit, folds (their mean) or a fold's number; by default what predict takes.")
    ] = "",
    formats: Annotated[str, typer.Option(help="onnx, timm, or both separated by a comma.")] = "onnx,timm",
    int8: Annotated[
        str, typer.Option(metavar="KIND", help="Quantise the ONNX file: static or dynamic.")
    ] = "",
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Take an int8 file that is worse; its card says so.")
    ] = False,
    name: Annotated[str, typer.Option(help="Name of the model; the run's if not given.")] = "",
    license: Annotated[str, typer.Option(help="Licence of the model, for its card: an SPDX name.")] = "",
    folder: RunsFolder = None,
    as_json: Json = False,
) -> None:
    """Write a run's model for others (ONNX, timm), refused unless it answers as the run does."""
    from hoego.runs.exporting import ExportRequest
    from hoego.runs.exporting import export as export_run
    from hoego.runs.records import RunStore

    request = ExportRequest(
        to=to,
        weights=weights,
        formats=tuple(f.strip() for f in formats.split(",") if f.strip()),
        int8=int8,  # type: ignore[arg-type]
        anyway=anyway,
        name=name,
        license=license,
    )
    emit(export_run(RunStore(runs_folder(folder)).find(run), request), as_json, _show_exported)


def _show_exported(made: ExportResult) -> None:
    echo(literal(made.manifest.parity.sentence))
    for name, gap in made.timm.items():
        echo(literal(f"{name}: timm builds the same logits within {gap:.1e}"))
    for note in made.notes:
        echo(styled(note, "dim"))
    echo(f"written: {styled(made.folder, 'bold')} ({', '.join(made.formats)})")
    echo(literal(f"next: hoego check {made.folder} --on TABLE   hoego serve {made.folder}"))


def check(
    model: Folder,
    on: Annotated[Path, typer.Option(help="A table with a path column, or a folder of photos.")],
    root: Annotated[
        Path | None,
        typer.Option(help="Folder that the table's paths are relative to; by default the table's folder."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Repeat an export's comparison on this machine, without torch. Exit status 1 if something differs."""
    from hoego.exported.check import check as check_model

    found = check_model(model, on, root)
    emit(found, as_json, _show_checked)
    raise typer.Exit(0 if found.parity.holds else 1)


def _show_checked(found: CheckResult) -> None:
    echo(literal(found.parity.sentence))
    if found.n_missing:
        echo(styled(f"{found.n_missing:,} held-out photos of the export are not among these", "yellow"))
    if found.n_new:
        echo(styled(f"{found.n_new:,} photos are new: alone and in a batch alike", "dim"))
    for line in (*found.environment, *found.parity.notes):
        echo(styled(line, "dim"))
