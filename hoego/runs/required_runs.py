"""Runs that a study needs: those that are done, and those to be trained."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hoego.errors import HoegoError, TrainError
from hoego.recipe import Fold, Recipe, fill
from hoego.recipe.resolve import apply_overrides, build
from hoego.runs.project import open_project
from hoego.runs.records import Record, RunKind, RunStore
from hoego.runs.side_by_side import train_side_by_side
from hoego.runs.train import RunResult, TrainOptions, fingerprints
from hoego.train.callbacks import Callbacks

MADE_OF = ("dataset", "labels", "split")
"""Fingerprints that a run must share with today's to replace a new one."""


@dataclass(frozen=True, kw_only=True)
class StudyRunner:
    """Options of a study's trainings.

    Args:
        folder: the project's folder.
        fold: the fold of every run, or "all"; None takes what each recipe says.
        tags: of every run.
        log: called with a line before each training.
        progress: whether training shows its progress.
        retrain: train even what is done already.
        measure_seconds: time that every run gives to measuring its throughput.
        max_parallel: runs that may train at a time in this process; None takes eight on a GPU and one elsewhere.
    """

    folder: Path
    fold: Fold | None = None
    tags: Sequence[str] = ()
    log: Callable[[str], None] = field(default=lambda _: None)
    progress: bool = True
    retrain: bool = False
    measure_seconds: float = 4.0
    max_parallel: int | None = None

    @property
    def store(self) -> RunStore:
        return RunStore(self.folder / "runs")

    def fold_of(self, recipe: Recipe) -> Fold:
        """Give the fold that a run of the recipe holds out."""
        return recipe.fold if self.fold is None else self.fold

    def find_or_train(self, recipe: Recipe, *, why: str = "") -> Record:
        """Return the record of a recipe: one that is done with the same settings, seed and fold, or a new one.

        One that is done counts only where it was made of today's photos, subjects, labels and split.

        Raises:
            DataError, SplitError: what is there today cannot be read.
            TrainError: the run was interrupted.
        """
        if not self.retrain and (known := self._done(recipe)) is not None:
            self.log(f"{recipe.name}: done already ({known.id})")
            return known
        return self.train(recipe, why=why)

    def train(self, recipe: Recipe, *, why: str = "") -> Record:
        """Train a recipe, whether it was trained before or not.

        Raises:
            TrainError: the run was interrupted.
        """
        return self.train_many([recipe], why=why)[0]

    def train_many(self, recipes: Sequence[Recipe], *, why: str = "") -> list[Record]:
        """Train several recipes; on a GPU side by side where that is faster.

        Raises:
            TrainError: a run was interrupted.
        """
        options = TrainOptions(folder=self.folder, fold=self.fold, why=why, tags=self.tags)
        callbacks = Callbacks(progress=self.progress, measure_seconds=self.measure_seconds)
        results = train_side_by_side(recipes, options, callbacks, most=self.max_parallel, log=self.log)
        return [self._ended(result) for result in results]

    def _ended(self, result: RunResult) -> Record:
        if result.state != "done":
            raise TrainError(f"The run {result.run} was {result.state}: {result.reason}.")
        return self.store.find(result.run)

    def _done(self, recipe: Recipe) -> Record | None:
        alike = self._same_settings(recipe)
        if not alike:
            return None
        project = open_project(recipe, self.folder)
        today = fingerprints(recipe, project.dataset, project.split)
        for record in alike:
            then = record.meta.fingerprints
            other = [what for what in MADE_OF if then.get(what) != today[what]]
            if not other:
                return record
            self.log(f"{recipe.name}: {record.id} was trained on another {' and '.join(other)}")
        return None

    def _same_settings(self, recipe: Recipe) -> list[Record]:
        """Return the trained runs with a recipe's settings and the fold, the newest first."""
        wanted, found = training_settings(recipe), []
        for record in reversed(self.store.list(states=("done",))):
            if record.kind is not RunKind.RUN or record.fold != self.fold_of(recipe):
                continue
            with contextlib.suppress(HoegoError):  # a record of another version that cannot be read any more
                if training_settings(build(record.recipe)) == wanted:
                    found.append(record)
        return found


def training_settings(recipe: Recipe) -> dict[str, Any]:
    """Give the settings that decide a training: all but its name and what only the queue or the score reads.

    The fold is left out as well: it may be chosen beside the recipe, so whoever looks for a run asks the record.
    """
    dropped = ("name", "fold", "queue", "submission", "score", "audit", "threads", "weights")
    if not recipe.model.pretrained and recipe.model.checkpoint is None:
        recipe = fill(recipe)  # a setting left out and one set to its default train alike
    return {k: v for k, v in recipe.to_dict().items() if k not in dropped}


def varied(recipe: Recipe, overrides: Sequence[str], *, name: str, **changes: Any) -> Recipe:
    """Return a recipe with some settings changed, under another name."""
    data: Mapping[str, Any] = apply_overrides(recipe.to_dict(), overrides)
    return build({**data, "name": name, **changes})
