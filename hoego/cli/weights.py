"""weights list|show|fetch|add: published weights on this machine, and on one without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hoego.cli.options import Json
from hoego.cli.output import echo, emit, literal, styled, table

Folder = Annotated[
    Path | None,
    typer.Option("--folder", help="A folder of weights, looked at before HOEGO_WEIGHTS and the caches."),
]
To = Annotated[
    Path | None,
    typer.Option("--to", help="The folder to fill; HOEGO_WEIGHTS or the user's own where not given."),
]


def register(app: typer.Typer) -> None:
    """Put this module's commands into the application."""
    weights = typer.Typer(help="Published weights: what is here, and how more come.", no_args_is_help=True)
    weights.command("list")(list_)
    weights.command()(show)
    weights.command()(fetch)
    weights.command()(add)
    app.add_typer(weights, name="weights")


def list_(folder: Folder = None, as_json: Json = False) -> None:
    """List the weights on this machine: name, licence, hash and place."""
    from hoego.weights.listing import listing

    def view(found: Any) -> None:
        rows = [(f.name, f.licence or "not stated", f.sha256[:12], f.place) for f in found.weights]
        if rows:
            table("weights", ("name", "licence", "sha256", "place"), rows)
        else:
            echo("No weights are here: hoego weights fetch NAME, or pip install 'hoego\\[offline]'.")
        for problem in found.problems:
            echo(literal(problem))

    emit(listing(folder), as_json, view)


def show(name: str, folder: Folder = None, as_json: Json = False) -> None:
    """Show where the weights NAME.TAG are, their hash, licence and preprocessing; does not ask the network."""
    from hoego.weights.listing import facts_of

    def view(facts: Any) -> None:
        for key, value in facts.model_dump(mode="json").items():
            echo(f"{key:<14} {literal(value)}")

    emit(facts_of(name, folder), as_json, view)


def fetch(name: str, to: To = None, as_json: Json = False) -> None:
    """Fetch weights into a folder: safetensors, their config and a lock with the hash, to carry to another machine."""
    from hoego.extras import require
    from hoego.weights.places import folder_to_fill

    require("train", "Fetching weights")
    from hoego.train.weights.keep import fetch as fetch_weights

    emit(fetch_weights(name, to or folder_to_fill()), as_json, _shelved)


def add(
    source: Annotated[Path, typer.Argument(help="A folder that `weights fetch` filled, or a file.")],
    name: Annotated[str, typer.Option(help="NAME.TAG of a file that says nothing of itself.")] = "",
    to: To = None,
    as_json: Json = False,
) -> None:
    """Add fetched weights to this machine, checked by their hashes; pickles converted by the safe loader."""
    from hoego.cli.output import print_json
    from hoego.errors import UsageError
    from hoego.weights.places import folder_to_fill
    from hoego.weights.shelf import copy_fetched

    target = to or folder_to_fill()
    if source.is_dir():
        added = copy_fetched(source, target)
    elif name:
        from hoego.extras import require

        require("train", "Converting weights")
        from hoego.train.weights.keep import add_file

        added = (add_file(source, name, target),)
    else:
        raise UsageError(
            "A file does not say which weights it holds.", file=source, remedy="Add --name NAME.TAG."
        )
    if as_json:
        print_json({"added": added})
        return
    for one in added:
        _shelved(one)


def _shelved(one: Any) -> None:
    licence = one.licence or "licence not stated"
    echo(f"{styled(one.name, 'bold')}: {literal(one.folder)} (sha256 {one.sha256[:12]}, {literal(licence)})")
