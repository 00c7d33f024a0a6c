"""Train a queued record."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hoego.errors import RecordError, UsageError
from hoego.extras import require
from hoego.recipe import ALL, Recipe, build
from hoego.runs.own_code import keep_names, require_named_here
from hoego.runs.queue.claims import QueueOptions, after_of
from hoego.runs.queue.context import RunOutcome, WorkerContext
from hoego.runs.queue.helping import sharing_of
from hoego.runs.queue.worker_processes import BackgroundWorker, require_background, start_background
from hoego.runs.records import Record, RunStore
from hoego.train.callbacks import Callbacks


def queue_run(runs: Path, recipe: Recipe, ask: QueueOptions | None = None) -> Record:
    """Put a run of `recipe` into the queue of the folder `runs`: data audited, split made and stored, code noted.

    Raises:
        DataError: the audit found errors that are not accepted.
        SplitError: there is no such fold.
        RecordError: a run in `after` does not exist or can no longer be done.
        UsageError: the folds of a run of one fold are to be spread.
    """
    ask = ask or QueueOptions()
    if ask.spread and (recipe.fold if ask.fold is None else ask.fold) != ALL:
        raise UsageError(
            "--spread shares out the folds of a run, and this run has one.", remedy="Add --fold all."
        )
    keep_names(RunStore(runs), recipe)
    return _queued(runs, recipe, ask)


def enqueue(store: RunStore, recipe: Mapping[str, Any], options: QueueOptions) -> Record:
    """Queue a run of plain settings, as `queue_run`, for callers that queue several."""
    return _queued(store.root, build(recipe), options)


def _queued(runs: Path, recipe: Recipe, options: QueueOptions) -> Record:
    after = after_of(RunStore(runs), options)
    record = _prepared(runs, recipe, options)
    record.update(
        state="waiting",
        reason="",
        name=options.name or record.meta.name,
        after=after,
        priority=options.priority,
        value=options.value,
    )
    return record


def _prepared(runs: Path, recipe: Recipe, options: QueueOptions) -> Record:
    """Make a complete record (its split included) that no worker takes yet."""
    from hoego.runs.project import open_project
    from hoego.runs.train import TrainOptions, prepare

    training = TrainOptions(
        folder=_project_folder(runs),
        fold=options.fold,
        why=options.why,
        tags=options.tags,
        parents=options.parents,
        fields={"queue": options.queue_facts, "training": dict(options.training or {})},
    )
    return prepare(open_project(recipe, training.folder), training, state="interrupted")


def start_in_background(runs: Path, recipe: Recipe, ask: QueueOptions | None = None) -> BackgroundWorker:
    """Make the record now and train it in a session of its own: `hoego train --background`.

    Raises what `queue_run` raises.
    """
    require_background()
    require("train", "Training")
    keep_names(RunStore(runs), recipe)
    return _in_background(_prepared(runs, recipe, ask or QueueOptions()))


def resume_in_background(runs: Path, name: str) -> BackgroundWorker:
    """Go on with a run in a session of its own: `hoego train --resume RUN --background`.

    Raises:
        RecordError: the run is done, runs already, or was not trained here.
    """
    from hoego.runs.train import require_trained

    require_background()
    record = RunStore(runs).find(name)
    require_trained(record)
    require_named_here(record)
    if record.state in ("done", "running"):
        raise RecordError(f"{record.id} is {record.state}", remedy="hoego queue status shows it.")
    require("train", "Training")
    return _in_background(record)


def _in_background(record: Record) -> BackgroundWorker:
    return start_background(record, ["train", "--resume", str(record.folder.resolve())])


def warm_up() -> None:
    """Load what every training needs, so that the first run of a worker takes no longer than the others."""
    import hoego.runs.execute
    import hoego.train.fold  # noqa: F401


def train_runner(record: Record, context: WorkerContext) -> RunOutcome:
    """Train a claimed record, or go on with it; the score goes into the record."""
    from hoego.runs.train import resume

    callbacks = Callbacks(
        should_stop=context.should_stop,
        on_epoch=lambda row: context.epoch_done(row["train_seconds"]),
    )
    sharing = sharing_of(record, context, leads=True) if record.meta.queue.spread else None
    with context.interrupting():
        result = resume(record, callbacks, sharing)
    record.refresh()
    return RunOutcome(result.state, result.reason)


def train_helper(record: Record, context: WorkerContext) -> tuple[list[int], str]:
    """Train open folds of a run that another worker leads: the folds, and why it stopped before none was open."""
    from hoego.runs.train import help_with

    callbacks = Callbacks(
        should_stop=context.should_stop,
        on_epoch=lambda row: context.epoch_done(row["train_seconds"]),
    )
    sharing = sharing_of(record, context, leads=False)
    with context.interrupting():
        reason = help_with(record, sharing, callbacks)
    return sharing.trained, reason


def _project_folder(runs: Path) -> Path:
    if runs.name != "runs":
        raise UsageError(f"runs are queued in a folder named runs, not {runs}", remedy="Give that folder.")
    return runs.parent
