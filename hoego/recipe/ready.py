"""The recipes that come with Hoego, found by name: hoego/recipes/NAME.toml, each with a header that says what it is."""

from __future__ import annotations

from pathlib import Path

from hoego.errors import RecipeError, nearest
from hoego.results.base import Result

FOLDER = Path(__file__).resolve().parents[1] / "recipes"


class ReadyRecipe(Result):
    """A recipe that comes with Hoego.

    Args:
        name: what `hoego train NAME` takes.
        description: the first line of the file's header.
        file: the TOML file.
    """

    name: str
    description: str
    file: Path


def ready_recipes() -> tuple[ReadyRecipe, ...]:
    """Return the recipes that come with Hoego, by name.

    >>> [r.name for r in ready_recipes() if r.name.startswith("gtsrb")]
    ['gtsrb', 'gtsrb-ensemble']
    """
    files = sorted(FOLDER.glob("*.toml"), key=lambda p: p.stem)
    return tuple(ReadyRecipe(name=p.stem, description=_description(p), file=p) for p in files)


def _description(file: Path) -> str:
    return file.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")


def recipe_file(recipe: Path | str) -> Path:
    """Return the file of a recipe that is given by its path, or by the name of one that comes with Hoego.

    A file in the way of a name goes first: what somebody wrote is what they mean. A path that does not exist means the
    ready recipe of that file name only where the path is `recipes/NAME.toml`, where the recipes once lay.

    Raises:
        RecipeError: there is neither; the message names the nearest.

    >>> recipe_file("winners-b4").name
    'winners-b4.toml'
    >>> recipe_file("recipes/gtsrb-ensemble.toml").name
    'gtsrb-ensemble.toml'
    """
    path = Path(recipe)
    if path.is_file():
        return path
    ready = {r.name: r.file for r in ready_recipes()}
    if str(recipe) in ready:
        return ready[str(recipe)]
    if (
        path.parent.name == FOLDER.name
        and path.suffix == ".toml"
        and path.stem in ready
        and not path.exists()
    ):
        return ready[path.stem]
    if path.is_dir():
        raise RecipeError(f"{path} is a folder, not a recipe.", remedy=_remedy(path, ready))
    raise RecipeError(f"There is no file {path} and no recipe of that name.", remedy=_remedy(path, ready))


def _remedy(path: Path, ready: dict[str, Path]) -> str:
    return (
        f"{nearest(path.name.removesuffix('.toml'), ready)} (hoego recipes lists those that come with Hoego)"
    )
