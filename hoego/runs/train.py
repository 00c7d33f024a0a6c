"""`hoego train`: from a recipe to a record with checkpoints, predictions and an honest score."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hoego import files
from hoego.data.dataset import Dataset
from hoego.data.load import load
from hoego.errors import HoegoError, ProcessDied, RecordError, UsageError
from hoego.extras import require
from hoego.recipe import Fold, Recipe, build
from hoego.runs.combined import is_combined, member_names
from hoego.runs.execute import RunExecution
from hoego.runs.fold_claims import FoldClaims
from hoego.runs.fold_sharing import FoldSharing
from hoego.runs.outside.facts import is_outside
from hoego.runs.own_code import keep_names, require_named_here
from hoego.runs.project import (
    SPLIT_FILE,
    ProjectData,
    audited,
    folds_of,
    open_project,
    require_clean,
    require_metrics,
)
from hoego.runs.recorded_data import AUDIT
from hoego.runs.records import Record, RunKind, RunStore
from hoego.runs.records.reserve import keep_reserve
from hoego.runs.run_result import RunResult, print_status
from hoego.split import Split
from hoego.split import load as load_split
from hoego.split import make as make_split
from hoego.split import save as save_split
from hoego.storage import storage_error
from hoego.train.callbacks import Callbacks
from hoego.train.known_models import require_known
from hoego.train.steps import Steps, finished
from hoego.train.weights.start import start_of

__all__ = [
    "SPLIT_FILE",
    "RunResult",
    "TrainOptions",
    "begin",
    "fingerprints",
    "help_with",
    "prepare",
    "require_trained",
    "resume",
    "to_json",
    "train",
    "train_project",
]


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Options of a training beside its recipe.

    Args:
        folder: the project's folder, in which `runs/` and `splits/` lie.
        fold: the fold to hold out, or "all" for out-of-fold predictions of the whole data set; None: the recipe's.
        why: the hypothesis.
        tags, parents: of the record.
        fields: further fields of the record, such as `training`.
        audit: whether the data are audited first.
        runs: the folder of the records; `runs/` in the project's folder where None.
    """

    folder: Path = field(default_factory=Path)
    fold: Fold | None = None
    why: str = ""
    tags: Sequence[str] = ()
    parents: Sequence[str] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    audit: bool = True
    runs: Path | None = None

    @property
    def store(self) -> RunStore:
        """The folder of the records."""
        return RunStore(self.runs or self.folder / "runs")


def train(
    recipe: Recipe, options: TrainOptions | None = None, callbacks: Callbacks | None = None
) -> RunResult:
    """Audit, split, train, predict, score and record.

    Raises:
        HoegoError: anything that a user can correct; the record then says failed, with the reason.
        KeyboardInterrupt: the record then says interrupted and can be resumed.
    """
    return finished(begin(recipe, options or TrainOptions(), callbacks or Callbacks())[1])


def begin(recipe: Recipe, options: TrainOptions, callbacks: Callbacks) -> tuple[Record, Steps[RunResult]]:
    """Train step by step, so that other runs may take steps between: return the record, and the steps."""
    require("train", "Training")
    started = time.perf_counter()
    project = open_project(recipe, options.folder)
    keep_names(options.store, recipe)
    record = prepare(project, options)
    return record, _guarded(RunExecution(record, project, callbacks, started))


def train_project(
    project: ProjectData, options: TrainOptions, callbacks: Callbacks | None = None
) -> RunResult:
    """Train a recipe on a data set and a split that are at hand. Raises as `train`."""
    require("train", "Training")
    started = time.perf_counter()
    keep_names(options.store, project.recipe)
    record = prepare(project, options)
    return finished(_guarded(RunExecution(record, project, callbacks or Callbacks(), started)))


def prepare(project: ProjectData, options: TrainOptions, *, state: str = "running") -> Record:
    """Make the record of a run that is about to start, or that waits: resolved recipe, split, fingerprints.

    Raises:
        TrainError: there is no such model, or its weights are nowhere.
        DataError: the audit found errors that are not accepted.
        SplitError: there is no such fold.
    """
    recipe, dataset, split = project.recipe, project.dataset, project.split
    require_known(recipe.model.name)
    start = starting(recipe)
    fold = recipe.fold if options.fold is None else options.fold
    folds_of(split, fold)
    require_metrics(recipe, dataset)
    keep_reserve(options.store.root)
    checked = audited(dataset, recipe) if options.audit else None
    if checked is not None:
        require_clean(checked)
    # The fold may come from the command line; the recipe that is recorded is the one that runs.
    recipe = recipe.model_copy(update={"fold": fold})
    record = options.store.create(
        recipe.to_dict(),
        name=recipe.name,
        why=options.why,
        tags=options.tags,
        parents=options.parents,
        state=state,
        fingerprints=fingerprints(recipe, dataset, split),
        fold=fold,
        target=dataset.schema.target,
        **{**options.fields, "training": {**start, **files.plain(options.fields.get("training", {}))}},
    )
    save_split(split, record.folder / SPLIT_FILE)
    files.write_sealed(record.folder / "split.json", split.summary)
    if checked is not None:
        files.write_sealed(record.folder / AUDIT, checked)
    return record


def starting(recipe: Recipe) -> dict[str, Any]:
    """Describe the weights that a run starts from: file, hash, licence, preprocessing.

    Nothing is said of a network from scratch, nor where torch is not installed: the run then says it when it begins.

    Raises:
        TrainError: the weights are nowhere, or not what they say.
    """
    model = recipe.model
    if not (model.pretrained or model.checkpoint) or find_spec("timm") is None or find_spec("torch") is None:
        return {}
    return {"weights": start_of(recipe).recorded()}


def fingerprints(recipe: Recipe, dataset: Dataset, split: Split) -> dict[str, str]:
    """Return what two runs must share to be compared."""
    return {
        "recipe": recipe.fingerprint,
        "dataset": dataset.fingerprint,
        "labels": dataset.labels_version,
        "split": split.fingerprint,
        "split_kind": split.kind,
    }


def resume(
    record: Record, callbacks: Callbacks | None = None, sharing: FoldSharing | None = None
) -> RunResult:
    """Go on with a run that was interrupted (or that waits), to the numbers of one that was not.

    Args:
        record: of the run.
        callbacks: of its trainings.
        sharing: how the folds are shared with other workers, where the run's are; None for the usual way.

    Raises:
        RecordError: the run is done, another process runs it, it is an ensemble, or it names code that this project
            does not.
        MismatchError: the photos have changed since it began.
    """
    started = time.perf_counter()
    require_trained(record)
    require_named_here(record)
    state = record.refresh().state
    if state == "done":
        raise RecordError(f"The run {record.id} is done.", remedy="`hoego reproduce` trains it again.")
    if record.runs_elsewhere():
        raise RecordError(
            f"The run {record.id} is running in another process.", remedy="Wait for it, or end it."
        )
    require("train", "Training")
    recipe = build(record.recipe)
    dataset = load(recipe)
    split = _split_of(record, recipe, dataset)
    if any(record.epochs(k) for k in record.folds()):
        record.update(training={"resumed": True})
    record.set_state("running")
    if record.meta.queue.spread and sharing is None:
        sharing = FoldSharing(claims=FoldClaims(record), leads=True)
    if sharing is None or not sharing.claims.any_alive():
        # Files that a killed process was writing: nothing refers to them.
        for torn in record.folder.rglob(".*.part"):
            torn.unlink(missing_ok=True)
    execution = RunExecution(
        record, ProjectData(recipe, dataset, split), callbacks or Callbacks(), started, sharing
    )
    return finished(_guarded(execution))


def help_with(record: Record, sharing: FoldSharing, callbacks: Callbacks | None = None) -> str:
    """Train open folds of a run that another worker leads, until none is left; return why it stopped earlier, or "".

    The run's state is its leader's: nothing of it changes here, whatever happens.
    """
    from hoego.train.loop import TrainingStopped

    require_named_here(record)
    require("train", "Training")
    recipe, started = build(record.recipe), time.perf_counter()
    dataset = load(recipe)
    project = ProjectData(recipe, dataset, load_split(record.folder / SPLIT_FILE, dataset))
    execution = RunExecution(record, project, callbacks or Callbacks(), started, sharing)
    try:
        with execution.on_devices():
            finished(sharing.take_folds(execution.prepare(), execution.train_fold))
    except TrainingStopped as stop:
        return str(stop)
    return ""


def _split_of(record: Record, recipe: Recipe, dataset: Dataset) -> Split:
    """Return the split of a record; make it again if the process was killed between the record and its split."""
    path = record.folder / SPLIT_FILE
    if path.exists() or record.folds():
        return load_split(path, dataset)
    split = make_split(dataset, recipe.split)
    if split.fingerprint != record.meta.fingerprints.get("split"):
        return load_split(path, dataset)  # says that it is missing
    save_split(split, path)
    files.write_sealed(record.folder / "split.json", split.summary)
    return split


def require_devices_of(record: Record, devices: int | None) -> None:
    """Raise UsageError where a run is to go on with another number of devices than it began on."""
    began = build(record.recipe).devices
    if devices is not None and devices != began:
        raise UsageError(
            f"{record.id} began on {began} device{'s' * (began > 1)} and cannot go on with {devices}: the "
            "numbers would be those of neither.",
            remedy=f"Leave --devices out to go on with {began}, or train the recipe anew with --devices {devices}.",
        )


def require_trained(record: Record) -> None:
    """Raise RecordError if a record has no training of its own: made of other runs, outside, or a probe."""
    if is_combined(record):
        members = " ".join(dict.fromkeys(member_names(record)))
        what = "an ensemble" if record.kind is RunKind.ENSEMBLE else "a composition"
        raise RecordError(
            f"{record.id} is {what}: it was not trained.",
            remedy=f"Name one of its members ({members}), or combine them anew (hoego ensemble, hoego compose).",
        )
    if is_outside(record):
        raise RecordError(
            f"{record.id} was trained outside Hoego: its recipe is not known here.",
            remedy="Train it again with the tool that made it, and import what it predicts (hoego import).",
        )
    if record.kind is RunKind.PROBE:
        raise RecordError(
            f"{record.id} is a probe: heads on frozen features, which no training made.",
            remedy="Probe again (hoego probe; features that are kept are not computed again).",
        )


def _guarded(execution: RunExecution) -> Steps[RunResult]:
    from hoego.train.loop import TrainingStopped

    record = execution.record
    try:
        return (yield from execution.steps())
    except TrainingStopped as stop:
        record.set_state("interrupted", str(stop))
        return RunResult(record.id, record.folder, "interrupted", str(stop))
    except ProcessDied as death:
        record.set_state("interrupted", death.message)
        print_status(f"Interrupted. Go on with: hoego train --resume {record.id}")
        raise
    except KeyboardInterrupt:
        record.set_state("interrupted", "stopped by hand (Ctrl-C)")
        print_status(f"Interrupted. Continue with: hoego train --resume {record.id}")
        raise
    except BaseException as e:
        error = e if isinstance(e, HoegoError) else storage_error(e)
        record.fail(f"{type(e).__name__}: {e}" if error is None else error.message)
        if error is None or error is e:
            raise
        raise error from e


def to_json(result: RunResult) -> str:
    """Return the result as `--json` prints it."""
    return json.dumps(result.to_dict(), ensure_ascii=False)
