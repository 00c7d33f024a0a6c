"""The loop over epochs: train, score, keep the best weights, write the state, resume after an interruption."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hoego.damage import parsing
from hoego.errors import RecordError, TrainError
from hoego.predictions import Predictions, Provenance
from hoego.train.averaging import reestimate_batch_norm
from hoego.train.callbacks import Callbacks
from hoego.train.checkpoints import load_state, load_weights, require_written_by, save_state, save_weights
from hoego.train.clock import TrainingClock
from hoego.train.epochs import EpochStore
from hoego.train.forward import PredictedValues
from hoego.train.learner import TrainableModules, TrainStepper
from hoego.train.optim import lr_factor
from hoego.train.ordinal import OrdinalHead
from hoego.train.progress import TrainingProgress
from hoego.train.selection import BestCandidate, BestTracker, criteria, criterion_of, share_file
from hoego.train.validation import ValidationSet, validation_outputs
from hoego.train.validation_views import view_outputs

LAST = "last"
NORM_BATCHES = 64
"""Batches from which the batch norms of averaged weights are re-estimated: averaged weights have other statistics."""


@dataclass(frozen=True, kw_only=True)
class TrainingLoopOptions:
    """Where a training writes, and how often.

    Args:
        folder: of the fold.
        name: of the source.
        callbacks: the caller's; they say how often the state is written, too.
        provenance: what the weights will have seen.
        naive: the split is by photo.
    """

    folder: Path
    name: str
    callbacks: Callbacks
    provenance: Provenance
    naive: bool


class TrainingStopped(Exception):
    """Raised when `should_stop` returned a reason, after the state was written. The text is the reason."""


class TrainingLoop:
    """The loop of one training, from its first step or from its state to its last step."""

    def __init__(
        self,
        parts: TrainStepper,
        settings: TrainingLoopOptions,
        held: ValidationSet | None,
        inner: ValidationSet | None,
    ) -> None:
        self.parts, self.settings, self.held, self.inner = parts, settings, held, inner
        self.group = parts.group
        self.writes = self.group is None or self.group.rank == 0
        recipe = parts.recipe
        self.select = recipe.select
        self.selection_set = inner if self.select.on == "inner" else held
        self.by_last = self.select.on == "last" or self.selection_set is None
        self.tracker = BestTracker(self.select.by, 0 if self.by_last else self.select.patience)
        self.store = EpochStore(settings.folder)
        self.epoch, self.number, self.stopped = 0, 0, False
        self.seconds, self._clock = 0.0, time.perf_counter()
        self.loss_sum = torch.zeros((), device=parts.device)
        self.clock = TrainingClock()

    @property
    def state_file(self) -> Path:
        """Path of the training's state."""
        return self.settings.folder / "state.pt"

    def steps(self, started: float) -> Iterator[None]:
        """Train what is left of the epochs, a step at a time.

        Args:
            started: of the training, by `time.perf_counter`.
        """
        self._clock = started
        self._restore()
        callbacks = self.settings.callbacks
        self.clock = TrainingClock(started + callbacks.seconds)
        epochs = self.parts.recipe.epochs
        with TrainingProgress(
            self.settings.name, epochs, self.parts.steps, callbacks.progress, naive=self.settings.naive
        ) as progress:
            while self.epoch < epochs and not self.stopped:
                figures = yield from self._epoch(progress)
                callbacks.on_epoch(figures)
                progress.epoch(figures)
                if self.epoch < epochs and not self.stopped and (reason := callbacks.should_stop()):
                    raise TrainingStopped(reason)
        if self.parts.skipped:
            callbacks.on_note(
                f"{self.settings.name}: the machine was slower than at the start; {self.parts.skipped} of "
                f"{epochs * self.parts.steps} steps were skipped so that the schedule ended in time."
            )

    def _out_of_time(self, epoch: int) -> bool:
        """Skip steps of the schedule where the training is behind its time; return whether it is at its end."""
        parts = self.parts
        position, total = epoch * parts.steps + self.number, parts.steps * parts.recipe.epochs
        behind = self.clock.behind(position + parts.skipped, total)
        if self.group is not None and math.isfinite(self.settings.callbacks.seconds):
            behind = self.group.agree(behind)
        parts.skipped += behind
        return parts.skipped > 0 and position + parts.skipped >= total

    def _epoch(self, progress: TrainingProgress) -> Generator[None, None, dict[str, Any]]:
        parts, epoch, first = self.parts, self.epoch, self.number
        parts.start_epoch(epoch)
        began = written = time.perf_counter()
        batch_size, ended = 0, False
        for number, images, batch in parts.batches(epoch, first):
            self.loss_sum += parts.step(epoch, number, images, batch)
            self.number, batch_size = number + 1, len(batch.rows)
            progress.step(epoch, number)
            if ended := self._out_of_time(epoch):
                break
            if self.number < parts.steps and (reason := self.settings.callbacks.should_stop()):
                self._save()
                raise TrainingStopped(reason)
            if self._due(written) and self.number < parts.steps:
                self._save()
                written = time.perf_counter()
            yield
        # The only place where the loop reads the loss: reading it each step would wait for the device.
        loss = float(self.loss_sum) / max(self.number, 1)
        seconds = time.perf_counter() - began
        self._require_finite(loss)
        total = parts.steps * parts.recipe.epochs
        last_step = epoch * parts.steps + self.number - 1 + parts.skipped
        figures: dict[str, Any] = {
            "epoch": epoch,
            "train_loss": loss,
            "lr": parts.recipe.optim.lr * lr_factor(last_step, total, parts.recipe.optim),
            "images_per_second": (self.number - first) * batch_size / seconds
            if first < self.number
            else None,
            "train_seconds": seconds,
        }
        figures |= self._after(epoch, last=ended or epoch + 1 == parts.recipe.epochs)
        self.epoch, self.number = epoch + 1, 0
        self.loss_sum.zero_()
        self.stopped = ended or self.tracker.exhausted(epoch)
        self._save()
        return figures

    def _require_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise TrainError(
                f"The loss is no longer a number in epoch {self.epoch + 1} ({self.settings.name}).",
                remedy="Lower optim.lr, set optim.clip, or train in float32.",
            )

    def _due(self, written: float) -> bool:
        callbacks = self.settings.callbacks
        if callbacks.state_steps:
            return self.number % callbacks.state_steps == 0
        return time.perf_counter() - written > callbacks.state_seconds

    def _after(self, epoch: int, *, last: bool) -> dict[str, Any]:
        """Compute averages, scores and checkpoints at the end of an epoch."""
        recipe = self.parts.recipe
        swa = self.parts.swa
        if swa is not None and epoch + 1 > recipe.epochs * (1 - recipe.average.swa):
            swa.update(self.parts.learner)
            self._renorm(swa.module, epoch)
        scored = last or (epoch + 1) % self.select.every == 0
        figures: dict[str, Any] = {}
        if scored and self.held is not None:
            figures |= flat(
                self._score(epoch, self.held, store=True, selects=self.selection_set is self.held), ""
            )
        if scored and self.inner is not None:
            figures |= flat(
                self._score(epoch, self.inner, store=False, selects=self.selection_set is self.inner),
                "inner_",
            )
        if last and self.by_last:
            self._keep(epoch, self.last_weights, {}, [LAST])
        return figures

    def _renorm(self, module: nn.Module, epoch: int) -> None:
        assert isinstance(module, TrainableModules)

        def photos() -> Iterator[Tensor]:
            for _, images, batch in self.parts.batches(epoch, 0, NORM_BATCHES):
                with self.parts.whole_batch(len(batch.rows)):
                    yield images

        with self.parts.autocast():
            reestimate_batch_norm(module.network, photos())
        self.parts.average_norms(module.network)

    @property
    def last_weights(self) -> str:
        """The kind of weights that `select.on = "last"` takes: averaged ones where there are any."""
        averages = self.parts.averages
        return next((name for name in ("swa", "ema") if name in averages), "raw")

    def learner_of(self, weights: str) -> TrainableModules:
        """Return the modules with one kind of weights."""
        module = self.parts.learner if weights == "raw" else self.parts.averages[weights].module
        assert isinstance(module, TrainableModules)
        return module

    def _score(self, epoch: int, held: ValidationSet, *, store: bool, selects: bool) -> dict[str, Any]:
        found, kept = {}, {}
        for weights in ("raw", *self.parts.averages):
            outputs = validation_outputs(self.parts, self.learner_of(weights), held)
            values = criteria(self._predictions(outputs, held), held.dataset)
            found[weights], kept[weights] = values, outputs
            if selects and not self.by_last:
                criterion_of(self.select, list(values))
                improved = self.tracker.update(epoch, weights, values)
                self._keep(epoch, weights, values, improved)
        if store:
            self._store(epoch, kept, held)
        return found

    def _predictions(self, outputs: PredictedValues, held: ValidationSet) -> Predictions:
        n, provenance = held.dataset.n_images, self.settings.provenance
        return Predictions(
            images=held.dataset.image_ids,
            values=outputs.values,
            scale=outputs.scale,
            schema=held.dataset.schema,
            fold=np.zeros(n, dtype=np.int16),
            source=np.zeros(n, dtype=np.int32),
            sources=provenance.sources,
            universe=provenance.universe,
            dataset_fingerprint="",
            name=self.settings.name,
        )

    def _store(self, epoch: int, kept: Mapping[str, PredictedValues], held: ValidationSet) -> None:
        if not self.writes:
            return
        first = next(iter(kept.values()))
        if not self.store.started:
            classes = {name: values.shape[1] for name, values in first.values.items()}
            self.store.start(held.dataset.image_ids.tolist(), first.scale, classes)
        self.store.write(epoch, {weights: outputs.values for weights, outputs in kept.items()})

    def _keep(self, epoch: int, weights: str, values: Mapping[str, float], criteria_names: list[str]) -> None:
        """Write the weights once, under the name of every criterion in which they are the best."""
        if not criteria_names or not self.writes:
            return
        learner = self.learner_of(weights)
        made = self.settings.folder / f".epoch-{epoch:04d}-{weights}.safetensors"
        about = {"epoch": epoch, "weights": weights, "scores": dict(values), **describe(self.parts, learner)}
        save_weights(made, learner.state_dict(), about, self.settings.provenance)
        for name in criteria_names:
            share_file(made, checkpoint_of(self.settings.folder, name))
        made.unlink()

    def selected(self) -> BestCandidate:
        """Return the candidate that select.on and select.by choose."""
        if self.by_last:
            return BestCandidate(math.nan, self.epoch - 1, self.last_weights)
        try:
            return self.tracker.best[self.select.by]
        except KeyError:
            raise TrainError(
                f"No epoch of {self.settings.name} has a value of {self.select.by}.",
                remedy="The scored side has no label of it; choose another select.by.",
            ) from None

    def final(self, selected: BestCandidate) -> tuple[PredictedValues, float | None]:
        """Predict the held-out images with the selected weights and the recipe's views; return their spread too."""
        assert self.held is not None
        if self.group is not None:
            self.group.wait()  # until device 0 has written the weights
        path = checkpoint_of(self.settings.folder, LAST if self.by_last else self.select.by)
        learner = self.parts.learner
        weights = load_weights(path)
        require_written_by(weights.provenance, self.settings.name, path)
        learner.load_state_dict(weights.tensors)
        if not self.parts.recipe.views.n:
            return validation_outputs(self.parts, learner, self.held), None
        return view_outputs(self.parts, learner, self.held)

    def _save(self) -> None:
        now = time.perf_counter()
        self.seconds += now - self._clock
        self._clock = now
        if not self.writes:
            return
        state = {
            "name": self.settings.name,
            "devices": self.parts.recipe.devices,
            "epoch": self.epoch,
            "number": self.number,
            "stopped": self.stopped,
            "loss_sum": self.loss_sum,
            "seconds": self.seconds,
            "tracker": self.tracker.state_dict(),
            "parts": self.parts.state(),
        }
        save_state(self.state_file, state)

    def _restore(self) -> None:
        state = load_state(self.state_file)
        if state is None:
            return
        if (name := state.get("name", self.settings.name)) != self.settings.name:
            raise RecordError(
                f"The state is of {name}, not of {self.settings.name}.",
                file=self.state_file,
                remedy="Restore the record from a copy, or remove the file: the fold starts again.",
            )
        began, now = state.get("devices", 1), self.parts.recipe.devices
        if began != now:
            raise RecordError(
                f"{self.settings.name} began on {began} device{'s' * (began > 1)} and cannot go on with {now}: the "
                "numbers would be those of neither.",
                file=self.state_file,
                remedy=f"Go on with devices = {began}, as the record says, or train anew.",
            )
        with parsing(self.state_file, remedy="Remove the file: the fold starts again."):
            self.epoch, self.number, self.stopped = state["epoch"], state["number"], state["stopped"]
            self.loss_sum.copy_(state["loss_sum"])
            self.seconds = state["seconds"]
            self.tracker.load_state_dict(state["tracker"])
            self.parts.restore(state["parts"])


def flat(scores: Mapping[str, Mapping[str, float]], prefix: str) -> dict[str, float]:
    """Flatten criteria by kind of weights into one row of figures.

    >>> flat({"raw": {"macro_f1": 0.5, "loss": 1.0, "age": 0.4}, "ema": {"macro_f1": 0.6}}, "")
    {'macro_f1': 0.5, 'held_loss': 1.0, 'macro_f1_age': 0.4, 'macro_f1_ema': 0.6}
    """
    out = {}
    for weights, values in scores.items():
        for name, value in values.items():
            key = {"loss": "held_loss", "macro_f1": "macro_f1", "accuracy": "accuracy"}.get(
                name, f"macro_f1_{name}"
            )
            out[prefix + key + ("" if weights == "raw" else f"_{weights}")] = value
    return out


def checkpoint_of(folder: Path, criterion: str) -> Path:
    """Return the checkpoint of a criterion in a fold's folder; "last" is the last epoch's."""
    safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in criterion)
    return folder / f"{safe}.safetensors"


def describe(parts: TrainStepper, learner: TrainableModules) -> dict[str, Any]:
    """Describe what loading the weights needs: recipe, schema, outputs of the heads, scales of ordered attributes."""
    objective = learner.objective
    ordinals = {n: objective.part(n) for n in objective.names}
    return {
        "recipe": parts.recipe.to_dict(),
        "schema": parts.schema.described().model_dump(mode="json"),
        "outputs": parts.network.outputs,
        "scales": {n: dict(p.scale.__dict__) for n, p in ordinals.items() if isinstance(p, OrdinalHead)},
        "precision": parts.resolved.precision,
    }
