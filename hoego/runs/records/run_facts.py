"""What run.json says of a run beside its state: its kind, how long it took, how it was trained, how it was queued."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import Field

from hoego.results.base import BriefResult, MaybeFloat, Result
from hoego.results.training import ResolvedSettings
from hoego.results.weights import StartingWeights


class RunKind(StrEnum):
    """What made the predictions of a record."""

    RUN = "run"
    ENSEMBLE = "ensemble"
    COMPOSITION = "composition"
    OUTSIDE = "outside"
    PROBE = "probe"

    @property
    def combined(self) -> bool:
        """Whether the predictions are made of other records, so that nothing was trained for them."""
        return self in (RunKind.ENSEMBLE, RunKind.COMPOSITION)


class TrainedBeside(Result):
    """Runs that trained in turns in one process: how many, and how much faster that was than one after another."""

    runs: int
    gain: MaybeFloat = None


class TrainingFacts(BriefResult):
    """How a run was trained; what a resumed or repeated run takes over.

    Args:
        resolved: what `auto` became; None before the training starts.
        weights: the published weights that it starts from, as they were found: name, hash, licence.
        selected: training (`fold-0`, `refit`) -> the chosen epoch (from 0) and kind of weights.
        pseudo: training -> what pseudo-labels were taken.
        teachers: name of each teacher's file -> its content hash.
        beside: where it trained beside others.
        resumed: whether it went on after an interruption.
        chosen: why size and epochs are as they are, where the minutes that were given chose them.
        seconds: that its trainings may take together, after decoding; None where they are not limited.
    """

    resolved: ResolvedSettings | None = None
    weights: StartingWeights | None = None
    selected: Mapping[str, tuple[int, str]] = Field(default_factory=dict)
    pseudo: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)
    teachers: Mapping[str, str] = Field(default_factory=dict)
    beside: TrainedBeside | None = None
    resumed: bool = False
    chosen: tuple[str, ...] = ()
    seconds: float | None = None

    @property
    def weights_sha256(self) -> str | None:
        """SHA-256 of the published weights that it started from; None where the record names none."""
        return (self.weights.sha256 or None) if self.weights is not None else None


class Shortened(Result):
    """The epochs that were asked for, and those that the deadline left."""

    asked: int | None
    epochs: int


SearchValue = float | int | str
SearchPoint = Mapping[str, SearchValue]
"""One value of every searched setting, by key."""


class SearchFacts(BriefResult):
    """What a search knows of a run.

    Args:
        search: id of the search: a digest of the recipe, the space and how it is searched.
        metric: that is searched by.
        role: "trial"; or "winner" and "start" for the runs that confirm the choice on new seeds.
        trial: number of the trial, from 0; None for the others.
        point: the searched settings and their values.
        best_of: how many trials this one was chosen from; 0 where it was not chosen.
    """

    search: str
    metric: str = "macro_f1"
    role: str = "trial"
    trial: int | None = None
    point: SearchPoint = Field(default_factory=dict)
    best_of: int = 0


class QueueFacts(BriefResult):
    """What the queue and the ideas know of a run.

    Args:
        shortened: where the deadline took epochs away.
        code_changed: source files that changed between asking for the run and running it.
        epochs_at_death: epochs that were done when its worker died last.
        idea, side: the idea that it was queued for, and as which side (baseline or idea).
        search: the search that it was queued for; None without one.
        spread: whether its folds are claimed one by one by all workers.
    """

    shortened: Shortened | None = None
    code_changed: tuple[str, ...] = ()
    epochs_at_death: int = 0
    idea: str = ""
    side: str = ""
    search: SearchFacts | None = None
    spread: bool = False
