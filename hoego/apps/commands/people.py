"""`hoego people`: a synthetic data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hoego.cli.options import Json
from hoego.cli.output import echo, emit, literal

if TYPE_CHECKING:
    from hoego.apps.people import PeopleSummary


def people(
    out: Annotated[Path, typer.Argument(help="Folder to write into; must be new or empty.")],
    train: Annotated[int, typer.Option(help="Number of training people.")] = 300,
    evaluate: Annotated[int, typer.Option("--eval", help="Number of evaluation people.")] = 100,
    width: Annotated[int, typer.Option(help="Width of a photo in pixels (the height is 4/3 of it).")] = 384,
    seed: Annotated[int, typer.Option(help="Seed: the same seed gives the same people.")] = 0,
    errors: Annotated[float, typer.Option(help="Share of planted label errors.")] = 0.0,
    traps: Annotated[
        bool, typer.Option(help="Add the leftover files and odd ids of the competition.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Draw synthetic people in the competition's layout."""
    from hoego.apps.people import PeopleSettings, write_people

    chosen = PeopleSettings(
        n_train=train,
        n_eval=evaluate,
        size=(width, width * 4 // 3),
        seed=seed,
        error_share=errors,
        traps=traps,
    )
    emit(write_people(out, chosen), as_json, _show_people)


def _show_people(summary: PeopleSummary) -> None:
    for key, value in summary.model_dump(mode="json").items():
        echo(f"[bold]{key.replace('_', ' ')}[/]: {literal(value)}")
