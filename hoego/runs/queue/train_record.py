"""The real runner: a queued record is trained by `hoego.runs`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hoego.errors import RecordError, UsageError
from hoego.extras import require
from hoego.recipe import Fold, Recipe, build
from hoego.runs.own_code import keep_names, require_named_here
from hoego.runs.queue.claims import QueueOptions, after_of
from hoego.runs.queue.context import RunOutcome, WorkerContext
from hoego.runs.queue.worker_processes import BackgroundWorker, require_background, start_background
from hoego.runs.records import Record, RunStore
from hoego.train.callbacks import Callbacks


def queue_run(
    runs: Path,
    recipe: Recipe,
    *,
    fold: Fold | None = None,
    after: Sequence[str] = (),
    priority: int = 0,
    why: str = "",
) -> Record:
    """Put a run of `recipe` into the queue of the folder `runs`: data audited, split made and stored, code noted.

    Raises:
        DataError: the audit found errors that are not accepted.
        SplitError: there is no such fold.
        RecordError: a run in `after` does not exist or can no longer be done.
    """
    ask = QueueOptions(why=why, after=tuple(after), priority=priority, fold=fold)
    keep_names(RunStore(runs), recipe)
    return _asked(runs, recipe, ask)


def enqueue(store: RunStore, recipe: Mapping[str, Any], ask: QueueOptions) -> Record:
    """Queue a run of plain settings, as `queue_run`, for callers that queue several."""
    return _asked(store.root, build(recipe), ask)


def _asked(runs: Path, recipe: Recipe, ask: QueueOptions) -> Record:
    after = after_of(RunStore(runs), ask)
    record = _prepared(runs, recipe, ask)
    record.update(
        state="waiting",
        reason="",
        name=ask.name or record.meta.name,
        after=after,
        priority=ask.priority,
        value=ask.value,
    )
    return record


def _prepared(runs: Path, recipe: Recipe, ask: QueueOptions) -> Record:
    """Make a complete record (its split included) that no worker takes yet."""
    from hoego.runs.project import open_project
    from hoego.runs.train import TrainOptions, prepare

    options = TrainOptions(
        folder=_project_folder(runs),
        fold=ask.fold,
        why=ask.why,
        tags=ask.tags,
        parents=ask.parents,
        fields={"queue": dict(ask.facts or {})},
    )
    return prepare(open_project(recipe, options.folder), options, state="interrupted")


def start_in_background(
    runs: Path,
    recipe: Recipe | None,
    *,
    resume: str = "",
    fold: Fold | None = None,
    why: str = "",
    tags: Sequence[str] = (),
) -> BackgroundWorker:
    """Make the record now and train it in a session of its own: `hoego train --background`.

    With `resume` (a run) instead of a recipe, that run goes on. Raises UsageError where neither or both are given,
    RecordError for a run that is done or runs already, and what `queue_run` raises.
    """
    require_background()
    if (recipe is None) == (not resume):
        raise UsageError("a recipe or a run to go on with", remedy="Give one of them.")
    if recipe is not None:
        require("train", "Training")
        keep_names(RunStore(runs), recipe)
        record = _prepared(runs, recipe, QueueOptions(why=why, tags=tuple(tags), fold=fold))
    else:
        from hoego.runs.train import require_trained

        record = RunStore(runs).find(resume)
        require_trained(record)
        require_named_here(record)
        if record.state in ("done", "running"):
            raise RecordError(f"{record.id} is {record.state}", remedy="hoego queue status shows it.")
        require("train", "Training")
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
    with context.interrupting():
        result = resume(record, callbacks)
    record.refresh()
    return RunOutcome(result.state, result.reason)


def _project_folder(runs: Path) -> Path:
    if runs.name != "runs":
        raise UsageError(f"runs are queued in a folder named runs, not {runs}", remedy="Give that folder.")
    return runs.parent
