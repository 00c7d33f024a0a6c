"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hoego.recipe import Recipe

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, all else on stderr.")]
Overrides = Annotated[
    list[str],
    typer.Option("--set", "-s", metavar="KEY=VALUE", help="Set one setting, such as model.name=resnet18."),
]
Spread = Annotated[
    bool,
    typer.Option(
        "--spread", help="With --fold all: every worker of the queue takes the next fold that nobody has."
    ),
]
FoldChoice = Annotated[
    str,
    typer.Option(
        "--fold",
        metavar="FOLD",
        help="A fold's number, or \"all\" for out-of-fold predictions; the recipe's where not given.",
        show_default=False,
    ),
]
Profile = Annotated[str | None, typer.Option(help="Apply a profile to the recipe: quick or overnight.")]
RecipeFile = Annotated[
    Path | None,
    typer.Argument(
        metavar="[RECIPE]",
        help="A TOML file, or a name of `hoego recipes`; a small network and few epochs if none.",
    ),
]
RunsFolder = Annotated[
    Path | None,
    typer.Option("--runs", help="Folder of the records; by default runs/ beside hoego.toml."),
]
AllowInSample = Annotated[
    bool, typer.Option("--allow-in-sample", help="Print a score of seen subjects too, marked in-sample.")
]
Why = Annotated[str, typer.Option("--why", help="The hypothesis, kept in the record.")]


def recipe_of(file: Path | None, overrides: list[str], profile: str | None = None) -> Recipe:
    """Return the recipe of a command line: the nearest hoego.toml, the file, the profile, the overrides."""
    from hoego.recipe import find_project, resolve

    project = find_project(Path.cwd())
    return resolve(file, overrides=overrides, profile=profile, project=project)


def project_folder() -> Path:
    """Return the folder of the nearest hoego.toml, else the working directory."""
    from hoego.recipe import find_project

    project = find_project(Path.cwd())
    return project.parent if project is not None else Path.cwd()


def runs_folder(given: Path | None) -> Path:
    """Return the folder of the records: as given, else runs/ beside hoego.toml, else the working directory if
    it holds records.
    """
    if given is not None:
        return given
    folder = project_folder()
    inside = Path.cwd()
    if not (folder / "hoego.toml").exists() and not (folder / "runs").exists():
        looks_like_records = any((p / "run.json").is_file() for p in inside.iterdir() if p.is_dir())
        return inside if looks_like_records else folder / "runs"
    return folder / "runs"
