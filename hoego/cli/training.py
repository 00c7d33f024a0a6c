"""train, lr, predict, score, report: what needs a model, and the page that shows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hoego.cli.options import (
    AllowInSample,
    FoldChoice,
    Json,
    Overrides,
    Profile,
    RecipeFile,
    RunsFolder,
    Spread,
    Why,
    project_folder,
    recipe_of,
    runs_folder,
)
from hoego.cli.output import echo, emit, interval, literal, print_json, styled
from hoego.cli.records import LastRun, RunArgument, show_score

if TYPE_CHECKING:
    from hoego.evaluate.score import Score
    from hoego.recipe import Recipe
    from hoego.runs.first_look import FirstLook
    from hoego.runs.queue.worker_processes import BackgroundWorker
    from hoego.runs.train import RunResult


def register(app: typer.Typer) -> None:
    """Put this module's commands into the application."""
    app.command()(train)
    app.command("lr")(learning_rate)
    app.command()(predict)
    app.command()(score)
    app.command()(report)


def train(
    recipe: RecipeFile = None,
    overrides: Overrides = [],  # noqa: B006
    profile: Profile = None,
    fold: FoldChoice = "",
    minutes: Annotated[
        float | None,
        typer.Option(help="Without a recipe: fine-tune published weights in so many minutes (20).", min=0.1),
    ] = None,
    devices: Annotated[
        int | None,
        typer.Option(help="GPUs (or processes on the CPU) that train together; sets `devices`.", min=1),
    ] = None,
    trained_on: Annotated[
        list[Path],
        typer.Option(
            metavar="FILE",
            help="What model.checkpoint was trained on: a table of photos or subjects, or evidence of a watch.",
        ),
    ] = [],  # noqa: B006
    resume: Annotated[str, typer.Option(metavar="RUN", help="Continue an interrupted run.")] = "",
    background: Annotated[
        bool, typer.Option("--background", help="Return at once; the run continues when the terminal closes.")
    ] = False,
    spread: Spread = False,
    tags: Annotated[list[str], typer.Option("--tag", help="Tags of the record.")] = [],  # noqa: B006
    why: Why = "",
    as_json: Json = False,
) -> None:
    """Train a recipe: one fold, or all folds for out-of-fold predictions of every photo."""
    from hoego.recipe import parse_fold
    from hoego.runs.records import RunStore
    from hoego.runs.train import TrainOptions, require_devices_of
    from hoego.runs.train import resume as go_on
    from hoego.runs.train import train as run

    if resume:
        _refuse_changes([recipe, overrides, profile, fold, minutes, trained_on, tags, why, spread])
        require_devices_of(RunStore(runs_folder(None)).find(resume), devices)
    _require_spreadable(spread, recipe, profile, background)
    overrides = [*overrides, *_settings_of(devices, trained_on)]
    if background:
        first = None if resume else _asked(recipe, overrides, profile, minutes, fold)
        emit(_in_background(resume, first, fold, why, tags), as_json, _show_background)
        return
    from hoego.runs.records.mirrors import following

    store = RunStore(runs_folder(None))
    with following(store):
        if resume:
            result = go_on(store.find(resume))
        elif spread:
            result = _spread(recipe_of(recipe, overrides, profile), fold, why, tags)
        else:
            asked = _asked(recipe, overrides, profile, minutes, fold)
            options = TrainOptions(
                folder=project_folder(),
                fold=parse_fold(fold),
                why=why,
                tags=tags,
                fields={"training": asked.training},
            )
            result = run(asked.recipe, options)
    emit(result, as_json, _show_run)


def _in_background(
    resume: str, asked: FirstLook | None, fold: str, why: str, tags: list[str]
) -> BackgroundWorker:
    from hoego.recipe import parse_fold
    from hoego.runs.queue import QueueOptions
    from hoego.runs.queue.train_record import resume_in_background, start_in_background

    if asked is None:
        return resume_in_background(runs_folder(None), resume)
    ask = QueueOptions(why=why, tags=tuple(tags), fold=parse_fold(fold), training=asked.training)
    return start_in_background(runs_folder(None), asked.recipe, ask)


def _show_background(started: BackgroundWorker) -> None:
    echo(f"running: [bold]{started.run}[/] (process {started.pid}); hoego show {started.run}")


def _spread(recipe: Recipe, fold: str, why: str, tags: list[str]) -> RunResult:
    from hoego.recipe import parse_fold
    from hoego.runs.queue import QueueOptions
    from hoego.runs.queue.spreading import train_spread

    ask = QueueOptions(
        fold=parse_fold(fold), why=why, tags=tuple(tags), priority=recipe.queue.priority, name=recipe.name
    )
    return train_spread(runs_folder(None), recipe, ask)


def _require_spreadable(spread: bool, recipe: Path | None, profile: str | None, background: bool) -> None:
    from hoego.errors import UsageError

    if not spread:
        return
    if recipe is None and profile is None:
        raise UsageError(
            "--spread needs a recipe: minutes are those of one process.",
            remedy="Name a recipe, or a --profile.",
        )
    if background:
        raise UsageError(
            "--background and --spread: the run would be in no terminal and in no queue.",
            remedy="hoego queue add RECIPE --fold all --spread, and workers in the background.",
        )


def _asked(
    recipe: Path | None, overrides: list[str], profile: str | None, minutes: float | None, fold: str
) -> FirstLook:
    """Return the recipe of the command line; where none is named, one that suits the data, with its reasons shown."""
    from hoego.errors import UsageError
    from hoego.extras import require
    from hoego.recipe import find_project, parse_fold
    from hoego.runs.first_look import FirstLook, first_look
    from hoego.runs.run_result import print_status

    if recipe is not None or profile is not None:
        if minutes is not None:
            raise UsageError(
                "--minutes chooses size and epochs where there is no recipe.",
                remedy="Leave it out, or leave the recipe and the profile out. --set epochs=N sets the epochs.",
            )
        return FirstLook(recipe_of(recipe, overrides, profile))
    require("train", "Training")
    project = find_project(Path.cwd())
    found = first_look(minutes, overrides, project, project_folder(), parse_fold(fold))
    for reason in found.reasons:
        print_status(reason)
    return found


def _settings_of(devices: int | None, trained_on: list[Path]) -> list[str]:
    """Return the overrides that options of the command line stand for."""
    found = [] if devices is None else [f"devices={devices}"]
    return [*found, f"model.trained_on={json.dumps([str(p) for p in trained_on])}"] if trained_on else found


def _refuse_changes(given: list[Any]) -> None:
    from hoego.errors import UsageError

    if any(given):
        raise UsageError(
            "--resume goes on with what is recorded: RECIPE, --set, --profile, --fold, --minutes, --trained-on, "
            "--spread, --tag and --why are not taken.",
            remedy="Leave them out, or train anew without --resume. Tags: hoego tag RUN TAG.",
        )


def _show_run(result: RunResult) -> None:
    facts = result.to_dict()
    echo(f"\n[bold]{facts['run']}[/] {facts['state']} {literal(facts['reason'])}")
    show_score(result.score)
    speed = facts["throughput"]
    if speed.get("train_images_per_second"):
        echo(
            f"{speed['train_images_per_second']:,.0f} images/s; the model alone "
            f"{speed.get('model_only_images_per_second') or 0:,.0f}"
        )
    for note in facts["notes"]:
        echo(styled(note, "dim"))
    echo(f"next: hoego report {facts['run']}   hoego diagnose {facts['run']}")


def learning_rate(
    recipe: RecipeFile = None,
    overrides: Overrides = [],  # noqa: B006
    profile: Profile = None,
    as_json: Json = False,
) -> None:
    """Find a learning rate: a short run whose rate rises until the loss does."""
    from hoego.runs.learning_rate import find_learning_rate

    found = find_learning_rate(recipe_of(recipe, overrides, profile), project_folder())
    emit(found, as_json, lambda f: echo(literal(f.text())))


def predict(
    run: RunArgument,
    on: Annotated[Path, typer.Option(help="A table with a path column, or a folder of photos.")],
    out: Annotated[Path, typer.Option(help="*.parquet keeps provenance; *.csv does not.")],
    root: Annotated[
        Path | None,
        typer.Option(help="Folder that the table's paths are relative to; by default the table's folder."),
    ] = None,
    views: Annotated[
        int, typer.Option(help="Random views of each photo to average; 0: the recipe's number.")
    ] = 0,
    spreadsheet: Annotated[
        bool,
        typer.Option(
            "--spreadsheet", help="In a CSV, put an apostrophe before each text that a spreadsheet would run."
        ),
    ] = False,
    folder: RunsFolder = None,
    as_json: Json = False,
) -> None:
    """Predict new images with a run (its refit model where there is one) or an ensemble."""
    from hoego.runs.predict import PredictOptions
    from hoego.runs.predict import predict as run_predict

    asked = PredictOptions(on=on, out=out, root=root, views=views, spreadsheet=spreadsheet)
    found = run_predict(runs_folder(folder), run, asked)

    def show(_: Any) -> None:
        echo(f"{found.images:,} predictions: {styled(found.out, 'bold')}")
        for note in found.notes:
            echo(styled(note, "dim"))

    emit(found, as_json, show)


def score(
    run: RunArgument,
    allow_in_sample: AllowInSample = False,
    metrics: Annotated[
        list[str],
        typer.Option("--metric", help='Show this metric; one\'s own as "module:function" (repeatable).'),
    ] = [],  # noqa: B006
    folder: RunsFolder = None,
    as_json: Json = False,
) -> None:
    """Score a run's predictions again, with today's labels and corrections."""
    from hoego.evaluate.score import ScoreOptions
    from hoego.runs.loading import rescore

    options = ScoreOptions(metrics=tuple(metrics), allow_in_sample=allow_in_sample)
    found = rescore(runs_folder(folder), run, options)
    emit(found, as_json, lambda s: _show_scored(s, metrics))


def _show_scored(found: Score, names: list[str]) -> None:
    from hoego.evaluate.score.metrics import METRICS
    from hoego.results.score import ScoreSummary

    for name in names:
        if name in ("macro_f1", "accuracy"):
            continue
        e = found.metrics.get(name)
        value = interval(e.value, e.low, e.high) if e else "cannot say: the classes have no order"
        echo(f"{literal(name)} [bold]{value}[/]   honesty: {found.stated}")
    summary = ScoreSummary.of(found)
    kept = {k: v for k, v in summary.metrics.items() if not names or k not in METRICS or k in names}
    show_score(summary.with_(metrics=kept))


def report(run: LastRun = "last", folder: RunsFolder = None, as_json: Json = False) -> None:
    """Write the page of a run as one self-contained HTML file."""
    from hoego.errors import HoegoError
    from hoego.report import report as write_report
    from hoego.runs.loading import dataset_of
    from hoego.runs.records import RunStore
    from hoego.runs.run_result import print_status

    record = RunStore(runs_folder(folder)).find(run)
    dataset, without = None, ""
    try:
        dataset = dataset_of(record)
    except HoegoError as problem:
        without = str(problem).splitlines()[0]
    path = write_report(record, dataset, without)
    if without:
        print_status(f"The photos of the mistakes are left out of the page: {without}")
    if as_json:
        print_json({"run": record.id, "report": str(path)})
    else:
        echo(styled(path, "bold"))
