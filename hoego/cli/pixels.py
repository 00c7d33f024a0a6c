"""pixels, pack: photos decoded ahead of a training, in the cache or in shards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hoego.cli.options import Json, Overrides, RecipeFile, recipe_of
from hoego.cli.output import echo, emit, styled

if TYPE_CHECKING:
    from hoego.results.pixels import PackedPhotos, PixelBuild


def register(app: typer.Typer) -> None:
    """Put this module's commands into the application."""
    pixels = typer.Typer(
        help="Photos decoded ahead of a training.", no_args_is_help=True, rich_markup_mode=None
    )
    pixels.command("build")(build)
    app.add_typer(pixels, name="pixels")
    app.command()(pack)


def build(
    recipe: RecipeFile = None,
    parts: Annotated[
        int,
        typer.Option(
            min=0,
            max=9999,
            help="Decode in so many parts, which all processes that are given this command share; 0: in one process.",
        ),
    ] = 0,
    workers: Annotated[int, typer.Option(min=0, help="Decoding processes; one per core if not given.")] = 0,
    overrides: Overrides = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Decode the photos into the cache that trainings read.

    With --parts, several processes decode one cache, on several machines where HOEGO_CACHE is a shared folder.
    """
    from hoego.runs.pixel_build import build_pixels

    emit(build_pixels(recipe_of(recipe, overrides), parts, workers), as_json, _show)


def _show(made: PixelBuild) -> None:
    rest = made.distinct - made.decoded
    echo(
        f"{made.images:,} photos at {made.height} x {made.width} pixels, {made.n_bytes / 1e6:,.1f} MB: "
        f"{made.decoded:,} decoded in {made.seconds:.1f} s"
        + (f", {rest:,} were there or came from others" if rest else "")
    )
    echo(f"cache: {styled(made.folder, 'bold')}")


def pack(
    to: Annotated[
        Path, typer.Option(metavar="DIR", help="The folder of the pack; one that was begun is continued.")
    ],
    recipe: RecipeFile = None,
    shard_mb: Annotated[int, typer.Option(min=1, help="Megabytes of a shard, about.")] = 256,
    overrides: Overrides = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Write the photos at training size into tar shards with an index; no labels, and no subject in two shards.

    Trainings read them by dataset.packed, and webdataset reads them too.
    """
    from hoego.runs.pixel_build import pack_photos

    emit(pack_photos(recipe_of(recipe, overrides), to, shard_mb), as_json, _show_packed)


def _show_packed(made: PackedPhotos) -> None:
    echo(
        f"{made.images:,} photos of {made.subjects:,} subjects at {made.height} x {made.width} pixels in "
        f"{made.shards:,} shards, {made.n_bytes / 1e6:,.1f} MB ({made.written:,} written now, in {made.seconds:.1f} s)"
    )
    echo(f"pack: {styled(made.folder, 'bold')}")
