"""Train one fold: its task, its result and the order of the steps between them."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

from hoego import files
from hoego.damage import parsing
from hoego.data.images import cpu_count
from hoego.data.schema import COMPOSITE
from hoego.errors import LeakError, RecipeError, TrainError
from hoego.predictions import Provenance
from hoego.results.training import Precision, ResolvedSettings, RunThroughput
from hoego.short_repr import ShortRepr
from hoego.storage import storing
from hoego.train.batches import TrainingRows
from hoego.train.callbacks import Callbacks
from hoego.train.checkpoints import require_written_by
from hoego.train.data import SHARE, PixelLoader, free_bytes, open_pixels
from hoego.train.devices.joining import own_share
from hoego.train.devices.lead import DeviceLead, DeviceLink, DevicePart
from hoego.train.devices.processes import DeviceProcesses
from hoego.train.devices.tasks import DeviceTask
from hoego.train.edits import TrainingLabels, training_labels
from hoego.train.fold_task import Bits, FoldTask
from hoego.train.forward import PredictedValues
from hoego.train.learner import TrainStepper
from hoego.train.loop import TrainingLoop, TrainingLoopOptions
from hoego.train.memory import trim_memory
from hoego.train.precision import resolve, resolve_device, threads_restored
from hoego.train.provenance import provenance_of
from hoego.train.pseudo import TeacherTargets, n_steps, pseudo_rows
from hoego.train.selection import BestCandidate
from hoego.train.steps import Steps, finished
from hoego.train.throughput import ThroughputTasks, measure
from hoego.train.validation import ValidationSet

YEARS = 1e9
"""Seconds that a device other than 0 takes for a limit: device 0 watches the real one for all."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class FoldResult(ShortRepr):
    """The result of a fold.

    Args:
        outputs: of the held-out images, by the selected weights; None for a refit.
        images: positions [n] of the held-out images in the data set.
        provenance: where the predictions come from: one source.
        best: the best candidate of every criterion.
        selected: the candidate that `outputs` are of.
        runtime: what `auto` became.
        throughput: measured before the first epoch; None where it was not.
        seconds: of the training, all parts of an interrupted one together.
        notes: sentences to show beside the result.
        spread: mean over the held-out images of the spread of the views; None without views.
    """

    outputs: PredictedValues | None
    images: NDArray[np.int64]
    provenance: Provenance
    best: Mapping[str, BestCandidate]
    selected: BestCandidate
    runtime: ResolvedSettings
    throughput: RunThroughput | None
    seconds: float
    notes: tuple[str, ...] = ()
    spread: float | None = None


def train_fold(task: FoldTask, callbacks: Callbacks | None = None) -> FoldResult:
    """Train one fold, or resume it from the state in the task's folder.

    On a CPU the result is the same, bit for bit, however often it was stopped.

    Raises:
        TrainError: the model, its weights or its loss cannot be had; the loss is no longer a number.
        RecipeError: a setting that this data set contradicts.
    """
    return finished(fold_steps(task, callbacks or Callbacks()))


def fold_steps(task: FoldTask, callbacks: Callbacks) -> Steps[FoldResult]:
    """Train a fold as `train_fold` does, yielding after each step so that other trainings can take theirs.

    On several devices, a training takes no turns with others.
    """
    if task.recipe.devices == 1:
        return (yield from _steps(task, callbacks, None))
    with contextlib.ExitStack() as stack:
        processes = callbacks.processes or stack.enter_context(DeviceProcesses(task.recipe.devices))
        processes.start()
        lead = DeviceLead(processes, callbacks.seconds)
        return (yield from lead.steps(_steps(task, callbacks, lead)))


def take_part(part: DeviceTask) -> None:
    """Take part in a training on several devices, as one of those that device 0 has started."""
    limited = Callbacks(progress=False, measure_seconds=0, seconds=YEARS if part.timed else math.inf)
    finished(_steps(part.fold_task(), limited, DevicePart(part)))
    dist.destroy_process_group()


def _steps(task: FoldTask, callbacks: Callbacks, link: DeviceLink | None) -> Steps[FoldResult]:
    started = time.perf_counter()
    with threads_restored():
        loop, speed = _begin(task, callbacks, link)
        yield from loop.steps(started)
        selected = loop.selected()
        outputs, spread = (None, None) if loop.held is None else loop.final(selected)
    return FoldResult(
        outputs=outputs,
        images=np.flatnonzero(task.val_mask),
        provenance=loop.settings.provenance,
        best=dict(loop.tracker.best),
        selected=selected,
        runtime=loop.parts.resolved,
        throughput=speed,
        seconds=loop.seconds,
        notes=loop.parts.built.notes,
        spread=spread,
    )


def _begin(
    task: FoldTask, callbacks: Callbacks, link: DeviceLink | None
) -> tuple[TrainingLoop, RunThroughput | None]:
    """Prepare a fold for its first step, or for the next one of a resumed training; return its speed too."""
    writes = link is None or link.leads
    if writes:
        with storing(task.folder):
            task.folder.mkdir(parents=True, exist_ok=True)
        # Files that a killed process was writing. They were never renamed, so nothing refers to them.
        for torn in task.folder.glob(".*.part"):
            torn.unlink(missing_ok=True)
    # Device 0 writes no state before the first step, which needs all devices: they all find the same.
    resuming = (task.folder / "state.pt").is_file()
    parts, speed = _prepare(task, callbacks, resuming, link)
    provenance = _kept_provenance(task) if resuming else provenance_of(task, parts.built)
    if not resuming and writes:
        _keep_provenance(task.folder, provenance)
    settings = TrainingLoopOptions(
        folder=task.folder, name=task.name, callbacks=callbacks, provenance=provenance, naive=task.naive
    )
    held, inner = (_held(task, mask, parts, callbacks) for mask in (task.val_mask, task.inner_mask))
    return TrainingLoop(parts, settings, held, inner), speed


def _prepare(
    task: FoldTask, callbacks: Callbacks, resuming: bool, link: DeviceLink | None
) -> tuple[TrainStepper, RunThroughput | None]:
    """Build the training, ready for its first step (or for its state), and measure its throughput."""
    known = task.runtime
    rows = training_rows(task)
    device = resolve_device(task.recipe.device) if known is None else torch.device(known.device)
    # Before `open_pixels`, which decides by the free memory whether the photos stay resident.
    trim_memory()
    pixels = _open(task, callbacks, rows.images, device)
    resolved = known or _resolve(task, rows, pixels)
    torch.set_num_threads(resolved.threads)
    callbacks.on_runtime(resolved)
    group = None if link is None else link.connect(task, resolved)
    speed = None
    # A copy is measured and discarded, so measuring changes no number of the training; a resumed one is known already.
    if callbacks.measure_seconds and not resuming and group is None:
        speed = measure_parts(
            TrainStepper(task.recipe, task.dataset, rows, pixels, resolved), callbacks.measure_seconds
        )
        callbacks.on_throughput(speed)
    parts = TrainStepper(task.recipe, task.dataset, rows, pixels, resolved, initialise=not resuming)
    if task.head_start is not None and not resuming:
        parts.network.start_heads(task.head_start)
    if group is not None:
        parts.across(group)
    for note in parts.built.notes:
        callbacks.on_note(note)
    return parts, speed


def training_rows(task: FoldTask) -> TrainingRows:
    """Build the training side after the training-only edits, without photos that have no label for any head."""
    dataset, recipe = task.dataset, task.recipe
    if (task.train_mask & task.val_mask).any():
        raise TrainError("An image is on both sides of the split.", remedy="Make the split again.")
    mask = task.train_mask if task.inner_mask is None else task.train_mask & ~task.inner_mask
    sources = (
        dataset.images["source"].to_numpy().astype(np.str_) if "source" in dataset.images.columns else None
    )
    labels = training_labels(
        dataset.schema, (dataset.codes, dataset.numbers), mask, task.edits, sources=sources
    )
    own, given = _rows_of(task, labels)
    images = np.concatenate([own, given])
    if not len(own):
        raise TrainError(
            "The training side has no photo.", remedy="Look at the split and at train_edits.drop."
        )
    part = type(labels)(
        labels.codes[images],
        {k: v[images] for k, v in labels.numbers.items()},
        labels.keep[images],
        labels.weight[images],
    )
    part.weight[len(own) :] *= recipe.distill.pseudo.weight
    teacher_targets = _teacher_targets(task, own, given)
    target = dataset.schema.target_codes(part.codes)
    by = recipe.sampling.by
    return TrainingRows(
        images=images,
        labels=part,
        target=target,
        by=target if by == "target" else dataset.schema.class_codes(by, part.codes),
        subjects=dataset.subject_index[images],
        teacher_targets=teacher_targets,
    )


def _rows_of(task: FoldTask, labels: TrainingLabels) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the positions of the photos with a label or a soft target, and of the pseudo-labelled ones."""
    known = np.asarray((labels.codes >= 0).any(axis=1), dtype=np.bool_)
    pseudo = np.zeros(len(labels.codes), dtype=bool) if task.pseudo_mask is None else task.pseudo_mask
    if task.soft_targets is not None:
        known[task.dataset.positions(task.soft_targets.images)] = True
    given = np.flatnonzero(labels.keep & pseudo)
    # A copy of a held-out photo leaks even under another subject's name, so contents are compared too.
    shown = np.isin(task.dataset.contents[given], task.dataset.contents[task.val_mask])
    shown |= np.isin(task.dataset.subject_index[given], task.dataset.subject_index[task.val_mask])
    if shown.any():
        raise LeakError(
            f"{int(shown.sum())} pseudo-labelled photos show a held-out subject, such as "
            f"{str(task.dataset.image_ids[given[shown][0]])!r}.",
            remedy="Take them out of dataset.unlabelled.",
        )
    return np.flatnonzero(labels.keep & known & ~pseudo), given


def _teacher_targets(task: FoldTask, own: NDArray[np.int64], given: NDArray[np.int64]) -> TeacherTargets:
    """Build the soft targets of the photos `own` and the pseudo-labels of `given`."""
    teacher, ids = task.soft_targets, task.dataset.image_ids
    if teacher is None:
        return TeacherTargets()
    hard = task.recipe.distill.pseudo.labels == "hard"
    pseudo = pseudo_rows(teacher, ids[given], hard=hard) if len(given) else None
    has_target = np.isin(ids[own], teacher.images)
    if not has_target.any():
        return TeacherTargets(pseudo_labels=pseudo)
    predicted, schema, n = teacher.align(ids[own[has_target]]), task.dataset.schema, len(own) + len(given)
    at, tables = np.flatnonzero(has_target), {}
    for name in (*schema.names, *((COMPOSITE,) if schema.composite else ())):
        if predicted.has(name):
            tables[name] = np.zeros((n, schema.n_classes(name)), dtype=np.float32)
            tables[name][at] = predicted.probabilities(name)
    return TeacherTargets(tables, np.concatenate([has_target, np.zeros(len(given), dtype=bool)]), pseudo)


def _keep_provenance(folder: Path, provenance: Provenance) -> None:
    """Write the provenance before the first state: a resumed training cannot derive that of its starting weights."""
    files.write_text(folder / "provenance.json", json.dumps(provenance.content()))


def _kept_provenance(task: FoldTask) -> Provenance:
    path = task.folder / "provenance.json"
    content = files.read_json(path)
    with parsing(path):
        provenance = Provenance.read(content)
    require_written_by(provenance, task.name, path)
    return provenance


def _held(
    task: FoldTask, mask: Bits | None, parts: TrainStepper, callbacks: Callbacks
) -> ValidationSet | None:
    if mask is None or not mask.any():
        return None
    images, own, group = np.flatnonzero(mask), None, parts.group
    if group is not None:
        if len(images) < group.world:
            raise TrainError(
                f"{len(images)} photos are held out, which leaves some of {group.world} devices without one.",
                remedy="Train on fewer devices.",
            )
        own = own_share(len(images), group.rank, group.world)
        images = images[own]
    return ValidationSet(task.dataset.take(mask), _open(task, callbacks, images, parts.device), own)


def _open(
    task: FoldTask, callbacks: Callbacks, images: NDArray[np.int64], device: torch.device
) -> PixelLoader:
    """Open the pixels of some images; processes on one CPU share its memory."""
    if callbacks.open_pixels is not None:
        return callbacks.open_pixels(task.cache, images, device)
    shared = task.recipe.devices > 1 and device.type != "cuda"
    budget = int(free_bytes(device) * SHARE / task.recipe.devices) if shared else None
    return open_pixels(task.cache, images, device, budget=budget)


def _resolve(task: FoldTask, rows: TrainingRows, pixels: PixelLoader) -> ResolvedSettings:
    steps = n_steps(len(rows.images), rows.teacher_targets.pseudo_labels, task.recipe) * task.recipe.epochs

    def stepper(device: torch.device) -> Callable[[Precision], Callable[[], None]]:
        def make(precision: Precision) -> Callable[[], None]:
            trial = ResolvedSettings(device=str(device), threads=torch.get_num_threads(), precision=precision)
            parts = TrainStepper(task.recipe, task.dataset, rows, pixels, trial)
            parts.start_epoch(
                task.recipe.epochs - 1
            )  # all layers learn by then: the steps that take the time
            images, batch = parts.synthetic()

            def step() -> None:
                parts.step(0, 0, images, batch)

            return step

        return make

    changes: dict[str, object] = {"compile": "off"} if task.interleaved else {}
    if task.recipe.devices > 1 and task.recipe.compile == "on":
        raise RecipeError(
            "compile = 'on' and devices > 1 do not go together.",
            remedy="Set compile = 'auto', or devices = 1.",
        )
    if task.recipe.devices > 1:
        # The processes share the cores; timed alone here, all threads would seem the fastest.
        changes = {
            "compile": "off",
            "threads": task.recipe.threads or max(1, cpu_count() // task.recipe.devices),
        }
    return resolve(task.recipe.model_copy(update=changes), steps, stepper)


def measure_parts(parts: TrainStepper, seconds: float) -> RunThroughput:
    """Measure the model alone, the input alone and both joined, with a training that is discarded."""
    parts.start_epoch(0)
    images, batch = parts.synthetic()
    at = [0]

    def model(n: int) -> None:
        for k in range(n):
            parts.step(0, k % parts.steps, images, batch)

    def run(n: int, step: bool) -> None:
        done = 0
        while done < n:
            first = at[0] % parts.steps
            for number, photos, what in parts.batches(0, first, n - done):
                if step:
                    parts.step(0, number, photos, what)
                done += 1
                at[0] += 1

    return measure(
        ThroughputTasks(model, lambda n: run(n, step=False), lambda n: run(n, step=True)),
        batch_size=len(batch.rows),
        device=parts.device,
        steps=parts.steps * parts.recipe.epochs,
        seconds=seconds,
    )
