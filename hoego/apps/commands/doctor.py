"""`hoego doctor`: what is wrong with somebody else's training folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hoego.cli.options import Json
from hoego.cli.output import console, echo, emit, literal, table

if TYPE_CHECKING:
    from hoego.apps.doctor import Differences, DoctorReport


def doctor(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A training folder; Hoego runs nothing in it.")
    ],
    against: Annotated[
        Path | None, typer.Option(metavar="RECIPE", help="List where the folder chooses differently.")
    ] = None,
    recipe_out: Annotated[
        Path | None, typer.Option("--recipe", help="Write its flags as a Hoego recipe.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Find defects of an existing training folder, with file, line and remedy. Exit status 1 on a defect."""
    from hoego.apps.doctor import against as choose_differently
    from hoego.apps.doctor import diagnose_folder, to_recipe

    if against is not None:
        emit(choose_differently(folder, against), as_json, _show_differences)
        return
    if recipe_out is not None:
        from hoego.files import write_text

        converted = to_recipe(folder)
        write_text(recipe_out, converted.to_toml())
        console(stderr=True).print(f"written: {recipe_out}")
    report = diagnose_folder(folder)
    emit(report, as_json, _show_doctor)
    raise typer.Exit(1 if report.findings else 0)


def _show_differences(found: Differences) -> None:
    rows = [(d.key, _short(d.folder), _short(d.recipe), f"{d.name} at {d.place}") for d in found.differs]
    if rows:
        table("chosen differently", ("setting", "the folder", "the recipe", "where"), rows)
    echo(literal(f"alike: {', '.join(found.same) or 'nothing'}"))
    for key, value in found.unstated:
        echo(f"only in the recipe: {literal(key)} = {literal(_short(value))}")
    for one in found.left:
        echo(
            f"only in the folder: {literal(one.name)} = {literal(_short(one.value))} ({literal(one.reason)})"
        )


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _show_doctor(report: DoctorReport) -> None:
    for f in report.findings:
        echo(f"[bold]{f.defect}[/]  {literal(f.place.file)}:{f.place.line}")
        for key in ("title", "why", "evidence", "remedy"):
            if said := getattr(f, key):
                text = literal(said)
                echo(f"    {key}: {text}" if key != "title" else f"    {text}")
    for q in report.questions:
        echo(f"[yellow]to ask[/] {q.defect}: {literal(q.evidence)} {literal(q.detail)}")
    echo(f"\n{len(report.findings)} defects found; {len(report.read)} files read, none was run")
