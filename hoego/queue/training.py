"""The real runner: a queued record is trained by `hoego.run`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hoego.errors import UsageError
from hoego.queue.claims import Ask, after_of
from hoego.queue.context import Context, Outcome
from hoego.recipe import Recipe, build
from hoego.records import Record, Store


def parse_fold(text: str | int) -> Any:
    """A fold's number, or "all". Raises UsageError for anything else."""
    if text == "all" or isinstance(text, int):
        return text
    if not text.isdigit():
        raise UsageError(f"{text!r} is not a fold", remedy="Give a number from 0, or all.")
    return int(text)


def queue_run(
    runs: Path, recipe: Recipe, ask: Ask | None = None, *, fold: str | int = 0, audit: bool = True
) -> Record:
    """Put a run of `recipe` into the queue of the folder `runs`: data audited, split made and stored, code noted.

    Raises:
        DataError: the audit found errors that are not accepted.
        SplitError: there is no such fold.
        RecordError: a run in `ask.after` does not exist or can no longer be done.
    """
    from hoego.run.project import open_project
    from hoego.run.train import TrainOptions, prepare

    ask = ask or Ask()
    after = after_of(Store(runs), ask)
    options = TrainOptions(
        folder=_project_folder(runs),
        fold=parse_fold(fold),
        why=ask.why,
        tags=ask.tags,
        parents=ask.parents,
        extra=dict(ask.extra or {}),
        audit=audit,
    )
    record = prepare(open_project(recipe, options.folder), options, state="interrupted")
    record.update(
        state="waiting",
        name=ask.name or record.meta.name,
        after=after,
        priority=ask.priority,
        value=ask.value,
    )
    return record


def enqueue(store: Store, recipe: Mapping[str, Any], ask: Ask) -> Record:
    """`queue_run` of plain settings, for what queues several runs; the data were audited with the first of them."""
    fold = (ask.extra or {}).get("fold", 0)
    return queue_run(store.root, build(recipe), ask, fold=fold, audit=False)


def train_runner(record: Record, context: Context) -> Outcome:
    """Train a claimed record, or go on with it; the score goes into the record."""
    from hoego.run.train import Control, resume

    control = Control(should_stop=context.should_stop, epoch_done=context.epoch_done)
    with context.interrupting():
        result = resume(record, control)
    return Outcome(result.state, result.reason)


def _project_folder(runs: Path) -> Path:
    if runs.name != "runs":
        raise UsageError(f"runs are queued in a folder named runs, not {runs}", remedy="Give that folder.")
    return runs.parent
