"""import, folds, watch: models that other tools train."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hoego.cli.options import Json, Overrides, RunsFolder, Why, project_folder, recipe_of, runs_folder
from hoego.cli.output import echo, emit, literal, styled
from hoego.cli.records import show_score

if TYPE_CHECKING:
    from hoego.runs.outside.importing import ImportedRun

SplitName = Annotated[
    str, typer.Option("--split", metavar="NAME", help="A split in splits/; the project's own if not given.")
]
FoldNumber = Annotated[
    int | None,
    typer.Option("--fold", min=0, help="The fold that the model held out; rows of all folds if not given."),
]


def register(app: typer.Typer) -> None:
    """Put this module's commands into the application."""
    app.command("import")(import_)


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Predictions: .csv, .tsv, .parquet or .npz.")],
    name: Annotated[str, typer.Option(help="Name of the run, such as fastai-rn18.")] = "",
    split: SplitName = "",
    fold: FoldNumber = None,
    on: Annotated[str, typer.Option(help="What is predicted; the target if not given.")] = "",
    logits: Annotated[
        bool, typer.Option("--logits", help="The values are logits, not probabilities.")
    ] = False,
    image: Annotated[
        str, typer.Option(help="The column that names the photo; found by its name if not given.")
    ] = "",
    new_photos: Annotated[
        Path | None, typer.Option(help="The rows are of these new photos, by the models of --run.")
    ] = None,
    run: Annotated[
        str, typer.Option(metavar="RUN", help="The imported run that --new-photos belongs to.")
    ] = "",
    tags: Annotated[list[str], typer.Option("--tag", help="Tags of the record.")] = [],  # noqa: B006
    overrides: Overrides = [],  # noqa: B006
    why: Why = "",
    folder: RunsFolder = None,
    as_json: Json = False,
) -> None:
    """Import predictions of a model trained elsewhere, scored and marked as declared."""
    if new_photos is not None or run:
        _import_new_photos(file, new_photos, run, image, runs_folder(folder))
        return
    from hoego.data.load import load
    from hoego.runs.outside.importing import ImportRequest, import_predictions, project_with

    recipe = recipe_of(None, overrides)
    project = project_with(recipe, load(recipe), project_folder(), split)
    request = ImportRequest(
        file=file,
        name=name or file.stem,
        attribute=on or None,
        fold=fold,
        logits=logits,
        image=image or None,
        why=why,
        tags=tuple(tags),
    )
    emit(import_predictions(project, request, runs_folder(folder)), as_json, _show_imported)


def _import_new_photos(file: Path, photos: Path | None, run: str, image: str, runs: Path) -> None:
    from hoego.errors import UsageError
    from hoego.runs.outside.new_photos import import_new_photos
    from hoego.runs.records import RunStore

    if photos is None or not run:
        raise UsageError(
            "--new-photos and --run go together.", remedy="hoego import FILE --new-photos DIR --run RUN"
        )
    record = RunStore(runs).find(run)
    made = import_new_photos(record, file, photos, image or None)
    echo(f"kept {made.n_images:,} new photos in {styled(record.id, 'bold')}   next: hoego submit {record.id}")


def _show_imported(made: ImportedRun) -> None:
    echo(
        f"[bold]{made.record.id}[/]  {literal(made.record.meta.name)}   imported from {literal(made.facts.file)}"
    )
    show_score(made.record.score)
