"""One run, from the state of its record to its end: decode, train each fold, score, refit."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hoego import files
from hoego.errors import HoegoError
from hoego.evaluate.diagnose import diagnose
from hoego.evaluate.score import Score, ScoreOptions, ScoreSummary, score
from hoego.predictions import Predictions, concat
from hoego.recipe import Fold, Recipe
from hoego.results.training import ResolvedSettings, RunThroughput
from hoego.runs.candidates import candidates_of
from hoego.runs.fold_sharing import FoldSharing
from hoego.runs.head_start import HeadStarts
from hoego.runs.heat_maps import cam_of_mistakes
from hoego.runs.inputs import (
    REFIT,
    decode,
    inner_slice,
    open_photos,
    refit_recipe,
    require_weights_unseen,
    tell_training,
    training_edits,
)
from hoego.runs.project import ProjectData, folds_of
from hoego.runs.record_predictions import PREDICTIONS, predictions_of
from hoego.runs.recorded_data import as_recorded, keep_first_data
from hoego.runs.records import Record
from hoego.runs.run_result import RunResult
from hoego.runs.run_time import RunTime
from hoego.runs.soft_targets import FoldSoftTargets
from hoego.runs.teachers import load_distillation
from hoego.train.callbacks import Callbacks
from hoego.train.devices.processes import DeviceProcesses
from hoego.train.steps import Steps
from hoego.train.weights.start import recorded_start

if TYPE_CHECKING:
    from hoego.train.fold import FoldResult
    from hoego.train.fold_task import FoldTask, HeadWeights

Bits = NDArray[np.bool_]

MEASURED = 1 / 150
"""Share of a run's limited time that is spent on measuring its throughput: four seconds of ten minutes."""


class RunExecution:
    """One run, from the state of its record to its end."""

    def __init__(
        self,
        record: Record,
        project: ProjectData,
        callbacks: Callbacks,
        started: float,
        sharing: FoldSharing | None = None,
    ) -> None:
        self.record, self.started, self.sharing = record, started, sharing
        self.leads = sharing is None or sharing.leads
        self.callbacks = callbacks if sharing is None else sharing.callbacks(callbacks)
        self.recipe, self.dataset, self.split = project.recipe, project.dataset, project.split
        self.fold: Fold = record.fold
        self.notes: list[str] = []
        self.last_speed: float | None = None
        self.timing: dict[str, Any] = record.meta.timing.model_dump(mode="json")
        self.throughput: dict[str, Any] = record.meta.throughput.model_dump(mode="json")

    def steps(self) -> Steps[RunResult]:
        """Carry out the run, a training step at a time."""
        with self.on_devices():
            return (yield from self._steps())

    @contextlib.contextmanager
    def on_devices(self) -> Iterator[None]:
        """Keep the processes of a training on several devices while the body runs."""
        with contextlib.ExitStack() as stack:
            if self.recipe.devices > 1:
                # One start for all folds: a process takes seconds to load what it needs.
                processes = stack.enter_context(DeviceProcesses(self.recipe.devices))
                self.callbacks = replace(self.callbacks, processes=processes)
                processes.start()
            yield

    def _steps(self) -> Steps[RunResult]:
        folds = self.prepare()
        if self.sharing is not None:
            yield from self.sharing.take_folds(folds, self.train_fold)
        parts = []
        for k in folds:
            parts.append((yield from self.train_fold(k)))
        predictions = concat(parts)
        predictions.write(self.record.folder / PREDICTIONS)
        select = self.recipe.select
        criterion = "last" if select.on == "last" else select.by
        cam_of_mistakes(self.record.folder, criterion, self.dataset, self.cache, predictions)
        result = self._score(predictions, folds)
        if self.recipe.refit:
            yield from self._train(REFIT, None)
            self.notes.append(
                "A last model was trained on all subjects; its expected score is the held-out one."
            )
        self._finish(result)
        return RunResult(
            self.record.id,
            self.record.folder,
            "done",
            score=result,
            throughput=self.record.meta.throughput,
            timing=self.record.meta.timing,
            refit=self.recipe.refit,
            notes=tuple(self.notes),
        )

    def prepare(self) -> list[int]:
        """Make ready for the first fold; return the folds to train."""
        self._start()
        self._load()
        folds = folds_of(self.split, self.fold)
        n = self.dataset.n_images
        photos = [n - int(self.split.val_mask(k).sum()) for k in folds] + [n] * self.recipe.refit
        self.time = RunTime(self.record.meta.training.seconds, photos)
        # Of all folds, before the first: a teacher that has seen held-out subjects is refused at once.
        self.fold_targets = {k: self._soft_targets(k) for k in folds}
        self.started_from = require_weights_unseen(ProjectData(self.recipe, self.dataset, self.split), folds)
        return folds

    def _load(self) -> None:
        """Decode the photos, and find what the trainings take beside them."""
        self.cache = open_photos(self.recipe, self.dataset)
        if self.cache.decoded or "decode_seconds" not in self.timing:
            self.timing["decode_seconds"] = round(self.cache.seconds, 3)
            self.timing["decoded_images"] = self.cache.decoded
        self.edits = training_edits(self.recipe, self.dataset)
        self.distillation = load_distillation(self.recipe, self.dataset, self.record)
        self.trained_on = self.distillation.dataset
        self.pixels = self.cache if self.trained_on is self.dataset else decode(self.recipe, self.trained_on)

    def _start(self) -> None:
        """Fill in what belongs to the weights, which must be those that the record names, and keep the labels."""
        if self.leads and not any(self.record.epochs(k) for k in self.record.folds()):
            keep_first_data(self.record, self.dataset)
        self.dataset = as_recorded(self.dataset, [self.record])
        recorded = self.record.meta.training.weights_sha256
        start = recorded_start(self.recipe, recorded, what="The record starts from", instead="train anew")
        if start.inputs is not None and recorded is None:
            self.record.update(training={"weights": start.recorded()})
        self.recipe = start.recipe
        self.head_starts = (
            HeadStarts(start, self.dataset, progress=self.callbacks.progress)
            if self.recipe.model.head_start == "probe"
            else None
        )
        for note in start.notes:
            self._note(note)

    def train_fold(self, k: int) -> Steps[Predictions]:
        """Return the held-out predictions of a fold: those in its folder, or those of training it."""
        path = self.record.fold_folder(k) / PREDICTIONS
        if path.is_file():
            self.time.done_before()
            return predictions_of(self.record, k)
        made = yield from self._train(f"fold-{k}", k)
        assert made is not None
        made.write(path)
        return made

    def _train(self, name: str, fold: int | None) -> Steps[Predictions | None]:
        from hoego.train.fold import fold_steps

        task = self._task(name, fold)
        self.record.log(
            f"{name}: {int(task.train_mask.sum()):,} training images, {int(task.val_mask.sum()):,} held out"
        )
        callbacks = replace(
            self.callbacks,
            on_runtime=lambda r: self._resolved(r),
            on_throughput=lambda t: self._measured(t),
            on_epoch=lambda row: self._epoch(name, fold, row),
            on_note=self._note,
            measure_seconds=0.0 if self.throughput else self._measure_seconds(),
            seconds=self.time.share(task),
        )
        result = yield from fold_steps(task, callbacks)
        seconds = {f"{name}_seconds": round(result.seconds, 3)}
        self.timing |= seconds
        best = result.selected
        tell_training(self.record, "selected", name, (best.epoch, best.weights), timing=seconds)
        if result.spread is not None:
            self._note(
                f"{name}: the views of a photo differ by {result.spread:.4f} in probability (mean spread)."
            )
        return None if fold is None else self._predictions(result, fold)

    def _measure_seconds(self) -> float:
        """Return the seconds for measuring the throughput: a small part of a run's limited time."""
        limit = self.record.meta.training.seconds
        asked = self.callbacks.measure_seconds
        return asked if limit is None else min(asked, limit * MEASURED)

    def _task(self, name: str, fold: int | None) -> FoldTask:
        from hoego.train.fold_task import FoldTask

        recipe = refit_recipe(self.recipe, self._chosen_epochs()) if fold is None else self.recipe
        recipe, runtime = self._runtime(recipe)
        targets, held, inner = self._soft_targets(None) if fold is None else self.fold_targets[fold]
        if targets.report:
            tell_training(self.record, "pseudo", name, targets.report)
            self._note(f"{name}: {targets.text}.")
        return FoldTask(
            recipe=recipe,
            dataset=self.trained_on,
            cache=self.pixels,
            train_mask=targets.train_mask,
            val_mask=held,
            folder=self.record.folder / name,
            name=f"{self.record.id}/{name}",
            inner_mask=inner,
            naive=self.split.naive,
            edits=self.edits,
            soft_targets=targets.soft_targets,
            pseudo_mask=targets.pseudo_mask,
            runtime=runtime,
            started_from=self.started_from,
            head_start=self._head_start(targets.train_mask, inner),
            interleaved=self.callbacks.open_pixels is not None,
        )

    def _runtime(self, recipe: Recipe) -> tuple[Recipe, ResolvedSettings | None]:
        """Return what `auto` became; None, with the precision kept, where the threads must be timed again.

        That is where the last epoch ran at less than half of the speed that was measured at the start: beside other
        processes a number of threads that was the fastest can be several times slower than one.
        """
        known = self.record.meta.training.resolved
        if known is None:
            return recipe, None
        expected, last = self.throughput.get("train_images_per_second"), self.last_speed
        alone = self.callbacks.open_pixels is None and self.sharing is None
        auto = not recipe.threads and known.device == "cpu" and alone
        if not (auto and expected and last and last < expected / 2):
            return recipe, known
        self._note(
            f"The last epoch ran at {last:,.0f} of {expected:,.0f} images/s: the threads are timed again."
        )
        return recipe.model_copy(update={"precision": known.precision}), None

    def _head_start(self, trained: Bits, inner: Bits | None) -> dict[str, HeadWeights] | None:
        """Return heads fitted on the labelled photos of a training side, bool [N]; None where they start at random."""
        if self.head_starts is None:
            return None
        own = trained[: self.dataset.n_images]
        return self.head_starts.fitted_on(own if inner is None else own & ~inner[: self.dataset.n_images])

    def _soft_targets(self, fold: int | None) -> tuple[FoldSoftTargets, Bits, Bits | None]:
        """Return the soft targets of a fold (None: the refit), its held-out photos and its inner slice, bool
        [N] each.
        """
        held = np.zeros(self.trained_on.n_images, dtype=bool)
        if fold is None:
            return self.distillation.for_fold(self.recipe, held), held, None
        held[: self.dataset.n_images] = self.split.val_mask(fold)
        inner = inner_slice(self.recipe, self.trained_on, ~held)
        return self.distillation.for_fold(self.recipe, held, inner), held, inner

    def _predictions(self, result: FoldResult, fold: int) -> Predictions:
        assert result.outputs is not None
        n = len(result.images)
        return Predictions(
            images=self.dataset.image_ids[result.images],
            values=result.outputs.values,
            scale=result.outputs.scale,
            schema=self.dataset.schema,
            fold=np.full(n, fold, dtype=np.int16),
            source=np.zeros(n, dtype=np.int32),
            sources=result.provenance.sources,
            universe=result.provenance.universe,
            dataset_fingerprint=self.dataset.fingerprint,
            split_fingerprint=self.split.fingerprint,
            split_kind=self.split.kind,
            name=self.record.id,
            lineage=(self.record.id,),
        )

    def _measured(self, found: RunThroughput) -> None:
        self.throughput |= found.model_dump(mode="json")
        self.record.update(throughput=self.throughput)

    def _resolved(self, found: ResolvedSettings) -> None:
        if self.record.meta.training.resolved != found:
            self.record.update(training={"resolved": found})

    def _epoch(self, name: str, fold: int | None, row: dict[str, Any]) -> None:
        self.callbacks.on_epoch(row)
        self.last_speed = row.get("images_per_second")
        if "first_result_seconds" not in self.timing:
            self.timing["first_result_seconds"] = round(time.perf_counter() - self.started, 3)
        if fold is not None:
            self.record.append_epoch(fold, row)
        else:
            self.record.log(f"{name}: epoch {row['epoch'] + 1}, loss {row['train_loss']:.4f}")
        if self.leads:
            self.record.heartbeat()

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)
            self.record.log(text)

    def _chosen_epochs(self) -> list[int]:
        chosen = self.record.meta.training.selected
        return [epoch + 1 for name, (epoch, _) in chosen.items() if name.startswith("fold-")]

    def _score(self, predictions: Predictions, folds: list[int]) -> Score:
        settings = self.recipe.score
        chosen = self.recipe.select.on == "held-out"
        options = ScoreOptions(
            metrics=settings.metrics,
            resamples=settings.resamples,
            level=settings.level,
            candidates=candidates_of(self.record, folds, predictions) if chosen else None,
        )
        result = score(predictions, self.dataset, options)
        content = result.model_dump(mode="json")
        files.write_sealed(self.record.folder / "score.json", content)
        self._diagnose(predictions, result)
        return result

    def _diagnose(self, predictions: Predictions, result: Score) -> None:
        """Diagnose the run for the report; note what cannot be estimated."""
        if not predictions.has(predictions.schema.target):
            return
        epochs = {k: self.record.epochs(k) for k in self.record.folds()}
        try:
            found = diagnose(predictions, self.dataset, epochs=epochs, optimism=result.optimism)
        except HoegoError as e:
            self._note(f"not diagnosed: {e.message}")
        else:
            files.write_sealed(self.record.folder / "diagnosis.json", found)

    def _finish(self, result: Score) -> None:
        rows = [row for k in self.record.folds() for row in self.record.epochs(k)]
        speeds = [row["images_per_second"] for row in rows if row.get("images_per_second")]
        if speeds:
            self.throughput["epoch_images_per_second"] = round(float(np.median(speeds)), 1)
        self.timing["seconds"] = round(time.perf_counter() - self.started, 3)
        alone = self.throughput.get("train_images_per_second")
        if self.callbacks.open_pixels is not None and alone:
            shown = sum(
                row["images_per_second"] * row["train_seconds"] for row in rows if row["images_per_second"]
            )
            self.timing["seconds_alone"] = round(shown / alone, 3)
        self.record.update(
            throughput=self.throughput,
            timing=self.timing,
            score=ScoreSummary.of(result).model_dump(mode="json"),
        )
        self.record.note_environment()
        self.record.set_state("done")
