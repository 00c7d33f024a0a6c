"""import, folds, watch: models that other tools train."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hoego.cli.options import Json, Overrides, RunsFolder, Why, project_folder, recipe_of, runs_folder
from hoego.cli.output import echo, emit, literal, styled
from hoego.cli.records import show_score

if TYPE_CHECKING:
    from hoego.results.evidence import Evidence
    from hoego.runs.outside.export import ExportedFolds
    from hoego.runs.outside.importing import ImportedRun
    from hoego.runs.outside.watching.command import WatchedCommand

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
    folds = typer.Typer(
        help="The folds of a split, for other trainers.", no_args_is_help=True, rich_markup_mode=None
    )
    folds.command("export")(export)
    app.add_typer(folds, name="folds")
    app.command("watch")(watch)


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
    sealed: Annotated[
        Path | None, typer.Option(help="Folder of the export whose file names the rows use.")
    ] = None,
    evidence: Annotated[
        list[Path],
        typer.Option(metavar="FILE", help="What hoego watch saw of the training; once for each fold."),
    ] = [],  # noqa: B006
    own_split: Annotated[
        bool,
        typer.Option(
            "--own-split",
            help="The tool made its own split: FILE holds all photos that it held out, and it trained on the others.",
        ),
    ] = False,
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
    """Import predictions of a model trained elsewhere, scored and marked as declared or witnessed."""
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
        sealed=sealed,
        evidence=tuple(evidence),
        own_split=own_split,
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
    echo(f"[bold]{made.run}[/]  {literal(made.name)}   imported from {literal(made.outside.file)}")
    for found in made.outside.evidence:
        _show_gaps(found)
    show_score(made.score)


def export(
    to: Annotated[Path, typer.Option(metavar="DIR", help="The folder to make.")],
    layout: Annotated[str, typer.Option(help="imagefolder, csv or frame.")] = "imagefolder",
    split: SplitName = "",
    fold: Annotated[str, typer.Option(help="A fold's number, or all.")] = "all",
    on: Annotated[str, typer.Option(help="Whose classes the folders are; the target if not given.")] = "",
    link: Annotated[bool, typer.Option("--link", help="Make hard links instead of copies.")] = False,
    inner: Annotated[
        bool, typer.Option("--inner", help="Set training subjects apart for the tool's own validation.")
    ] = False,
    weights: Annotated[
        str,
        typer.Option(
            metavar="RUN", help="Also write the run's model of each fold, as a folder that timm reads."
        ),
    ] = "",
    overrides: Overrides = [],  # noqa: B006
    folder: RunsFolder = None,
    as_json: Json = False,
) -> None:
    """Write each fold for another trainer: a training side with labels, a side to predict without."""
    from hoego.data.load import load
    from hoego.recipe import parse_fold
    from hoego.runs.outside.export import ExportRequest, export_folds
    from hoego.runs.outside.importing import project_with
    from hoego.runs.records import RunStore

    recipe = recipe_of(None, overrides)
    project = project_with(recipe, load(recipe), project_folder(), split)
    request = ExportRequest(
        to=to,
        layout=layout,  # type: ignore[arg-type]
        fold=parse_fold(fold) or 0,
        attribute=on or None,
        link=link,
        inner=inner,
        weights=RunStore(runs_folder(folder)).find(weights) if weights else None,
    )
    emit(export_folds(project, request), as_json, _show_exported)


def _show_exported(made: ExportedFolds) -> None:
    for k, sides in made.folds.items():
        said = ", ".join(
            f"{name} {size.images:,} photos of {size.subjects:,} subjects" for name, size in sides.items()
        )
        echo(f"fold {k}: {said}")
    if made.unlabelled:
        echo(f"{made.unlabelled:,} photos without a label are left out of training")
    if made.weights:
        echo(
            literal(
                f"fold-K/weights: the models of {made.weights}, which have seen no held-out photo of their fold"
            )
        )
    echo(f"written: {styled(made.folder, 'bold')}")
    echo(literal(f"predict the photos of fold-K/predict, then: hoego import FILE --sealed {made.folder}"))


def watch(
    command: Annotated[
        list[str],
        typer.Argument(
            metavar="-- COMMAND", help="The training, such as -- python train.py; it may not predict."
        ),
    ],
    fold: Annotated[int, typer.Option(min=0, help="The fold that the training holds out.")] = 0,
    split: SplitName = "",
    sealed: Annotated[
        Path | None,
        typer.Option(help="Folder of the export that the training reads; its copies are watched too."),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Where the evidence is written; evidence-SPLIT-fold-K.json if not given."
        ),
    ] = None,
    overrides: Overrides = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Run a training of any tool, and see that no process opens a photo that the fold holds out."""
    from hoego.data.load import load
    from hoego.predictions.evidence import require_unopened
    from hoego.runs.outside.importing import project_with
    from hoego.runs.outside.watching.command import run_watched
    from hoego.runs.outside.watching.watch import Watch

    recipe = recipe_of(None, overrides)
    project = project_with(recipe, load(recipe), project_folder(), split)
    file = to or Path(f"evidence-{project.split.name}-fold-{fold}.json")
    watching = Watch(project.dataset, project.split, fold, sealed=sealed, to=file)
    ran = run_watched(watching, command, output_to_stderr=as_json)
    require_unopened(ran.evidence, fold, project.split)
    emit(ran, as_json, lambda ran: _show_watched(ran, file))
    if ran.status:
        raise typer.Exit(ran.status if ran.status > 0 else 128 - ran.status)


def _show_watched(ran: WatchedCommand, file: Path) -> None:
    seen = ran.evidence
    echo(
        f"fold {seen.fold} of {literal(seen.split_name)}: opened {seen.training_opened:,} of {seen.training:,} "
        f"training photos, and none of {seen.held_out:,} held-out photos"
    )
    _show_gaps(seen)
    for note in seen.notes:
        echo(literal(note))
    if ran.status:
        echo(
            f"[red]the training ended with the status {ran.status}[/]: it is not evidence of a trained model"
        )
    else:
        echo(f"predictions of this model are {styled(seen.honesty, 'bold')}")
    echo(literal(f"written: {file}   next: hoego import FILE --fold {seen.fold} --evidence {file}"))


def _show_gaps(seen: Evidence) -> None:
    for gap in seen.gaps:
        names = (
            f": {', '.join(gap.examples)}{', …' if gap.count > len(gap.examples) else ''}"
            if gap.examples
            else ""
        )
        echo(f"[yellow]not witnessed[/], fold {seen.fold}: {literal(gap.message + names)} ({gap.count:,})")
