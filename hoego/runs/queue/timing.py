"""How long a run takes: predicted from past runs of the same machine, then from its own progress.

A run's seconds are modelled as `overhead + units * rate`: a unit is one epoch of one fold, the overhead is what
lies outside the epochs (start, decoding, final predictions). The error of a prediction is taken as log-normal;
its spread is learnt from the errors of past predictions, and widened by Student's t while they are few.
"""

from __future__ import annotations

import datetime
import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from scipy.special import stdtrit

from hoego.errors import RecordError
from hoego.recipe.base import plain_settings
from hoego.recipe.fold import ALL, Fold, fold_of
from hoego.runs.fold_claims import FoldClaims
from hoego.runs.records import Record, RunMeta, RunStore, RunTimeSample
from hoego.runs.records.environment import machine_key

LEVELS = ("the same recipe", "the same model, image size and data", "the same model at another size")
"""What past runs a prediction may rest on, nearest first."""

# The spread of the logarithm of a time at each of LEVELS before errors are known; it counts like four past errors.
_PRIOR_SPREAD = (0.04, 0.15, 0.50)
_PRIOR_WEIGHT = 4.0
_IRRELEVANT = {"name", "seed", "epochs", "fold", "queue", "submission", "score", "refit", "threads", "audit"}
_DEFAULT_OVERHEAD = 5.0  # seconds, until a run of this machine has shown its own
_UNFINISHED = ("waiting", "running", "interrupted", "failed")


@dataclass(frozen=True, kw_only=True)
class DurationEstimate:
    """Seconds to the end: the point, the spread of its logarithm, and on how many past errors that rests.

    `seconds` is None where nothing is known; `basis` says in words what the estimate rests on.
    """

    seconds: float | None
    spread: float = 0.0
    freedom: float = _PRIOR_WEIGHT
    basis: str = "nothing is known of it on this machine yet"
    level: int = -1

    def within(self, confidence: float) -> float:
        """Return the seconds that are enough with this probability (one-sided); infinite if nothing is known."""
        if self.seconds is None:
            return math.inf
        return self.seconds * math.exp(float(stdtrit(self.freedom, confidence)) * self.spread)


def units(recipe: Mapping[str, Any], fold: Fold | None = None, shared_by: int = 1) -> float:
    """Count the epochs one after another: those of each fold that runs, and those of the refit on all subjects.

    `fold` is what the run holds out; None takes what the recipe says. Of folds that are shared by several workers each
    trains its part at the same time.
    """
    settings = plain_settings(recipe)
    every = fold_of(recipe, fold) == ALL and settings.get("split.kind") == "folds"
    folds = int(settings.get("split.folds", 5)) if every else 1
    rounds = math.ceil(folds / max(1, shared_by))
    return float(recipe.get("epochs", 10)) * (rounds + (1 if recipe.get("refit") else 0))


def cost_keys(recipe: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return the keys that two runs with the same seconds per epoch share, at each of LEVELS."""
    model, dataset = recipe.get("model", {}), recipe.get("dataset", {})
    device, devices = str(recipe.get("device", "auto")), recipe.get("devices", 1)
    device += f" x {devices}" if devices != 1 else ""
    same = json.dumps({k: v for k, v in recipe.items() if k not in _IRRELEVANT}, sort_keys=True, default=str)
    similar = (model.get("name"), device, recipe.get("precision"), dataset.get("size"), dataset.get("root"))
    return (
        blake2b(same.encode(), digest_size=8).hexdigest(),
        json.dumps(similar, default=str),
        json.dumps((model.get("name"), device)),
    )


def pixels(recipe: Mapping[str, Any]) -> float:
    """Return the pixels of a photo as the model sees it; 1 if the recipe does not say."""
    size = recipe.get("dataset", {}).get("size")
    return float(size[0]) * float(size[1]) if isinstance(size, (list, tuple)) and len(size) == 2 else 1.0


def observe(record: Record, epoch_seconds: Sequence[float] = ()) -> RunTimeSample | None:
    """Return the timing of a run that is done, as `run.json` keeps it; {} if it is not known.

    `seconds` is what the run took on this machine, `units` the epochs that took them; the seconds inside the
    epochs are `epoch_seconds` where given, else those of the folds, else those in the epochs' rows. Decoding is no
    part of the overhead: it is done once. A run that went on after an interruption is left out, since its parts
    cannot be told apart, and so is one that trained beside others, whose seconds are theirs too, and one whose folds
    other workers may have trained.
    """
    meta = record.meta
    if meta.timing.sample is not None:
        return meta.timing.sample
    seconds = meta.timing.seconds or _span(meta)
    rows = [row for fold in record.folds() for row in record.epochs(fold)]
    if seconds <= 0 or not rows or meta.attempt or meta.training.resumed or meta.training.beside:
        return None
    if meta.queue.spread:
        return None
    recipe = record.recipe
    refit = meta.timing.part("refit")
    own = [s for row in rows if (s := row_seconds(row)) is not None]
    folds = sum(meta.timing.part(f"fold-{k}") for k in record.folds())
    inside = sum(epoch_seconds) or (folds or sum(own)) + refit
    count = float(len(epoch_seconds) or len(rows) + (int(recipe.get("epochs", 10)) if refit else 0))
    later = statistics.fmean(own[1:]) if len(own) > 1 else 0.0
    inside = inside if 0 < inside <= seconds else seconds
    decoding = min(seconds - inside, meta.timing.decode_seconds or 0.0)
    return RunTimeSample(
        keys=cost_keys(recipe),
        units=count,
        rate=max(inside / count, 1e-9),
        overhead=round(seconds - inside - decoding, 3),
        first=own[0] / later if later > 0 else 1.0,
        pixels=pixels(recipe),
    )


def row_seconds(row: Mapping[str, Any]) -> float | None:
    """Return the seconds of an epoch from its row; None if the row does not hold them."""
    seconds = row.get("seconds", row.get("train_seconds"))
    return float(seconds) if isinstance(seconds, (int, float)) else None


def _span(meta: RunMeta) -> float:
    if not meta.started or not meta.finished:
        return 0.0
    first, last = map(datetime.datetime.fromisoformat, (meta.started, meta.finished))
    return max(0.0, (last - first).total_seconds())


class RunTimeHistory:
    """Past runs of one machine, and the predictions that rest on them."""

    def __init__(self, samples: Iterable[RunTimeSample] = ()) -> None:
        self.samples = list(samples)

    @classmethod
    def of(cls, store: RunStore, machine: str | None = None, *, latest: int = 300) -> RunTimeHistory:
        """Read the timings of the latest runs of `machine` (this one) in `store`: those done, else their epochs
        so far.
        """
        wanted = machine or machine_key()
        own = store.list(
            where=lambda meta: bool(meta.started) and (meta.machine == wanted or meta.queue.spread)
        )[-latest:]
        done = [observe(record) for record in own if record.meta.state == "done"]
        in_parts = [r for r in own if r.meta.state in _UNFINISHED or r.meta.queue.spread]
        begun = [_begun(record, wanted) for record in in_parts]
        return cls(s for s in (*begun, *done) if s is not None)

    def add(self, sample: RunTimeSample | None) -> None:
        """Learn from one more run."""
        if sample is not None:
            self.samples.append(sample)

    def predict(
        self, recipe: Mapping[str, Any], fold: Fold | None = None, *, done: float = 0, shared_by: int = 1
    ) -> DurationEstimate:
        """Predict the seconds that a run of `recipe` will take, `done` of its epochs being behind it.

        `shared_by` workers as fast as this one take its folds in turns.
        """
        rate, spread, freedom, level, count = self._rate(recipe)
        if rate is None:
            return DurationEstimate(seconds=None)
        left = max(0.0, units(recipe, fold, shared_by) - done / max(1, shared_by))
        basis = f"{count} run{'s' * (count != 1)} of {LEVELS[level]}"
        return DurationEstimate(
            seconds=self._overhead(recipe, level) + left * rate,
            spread=spread,
            freedom=freedom,
            basis=basis,
            level=level,
        )

    def remaining(
        self, recipe: Mapping[str, Any], fold: Fold | None, epoch_seconds: Sequence[float]
    ) -> DurationEstimate:
        """Return the seconds to the end of a run after the epochs that took `epoch_seconds`.

        The measured rate (the first epoch counted at what first epochs usually take beside later ones) and the
        one predicted from past runs are averaged in the logarithm, each by its precision.
        """
        if not epoch_seconds:
            return self.predict(recipe, fold)
        done = len(epoch_seconds)
        prior, prior_spread, freedom, level, _ = self._rate(recipe)
        first = statistics.median([s.first for s in self._alike(recipe, level)] or [1.0])
        recent = list(epoch_seconds[1:][-5:]) or [epoch_seconds[0] / max(first, 1e-3)]
        measured, spread = statistics.fmean(recent), 0.10 / math.sqrt(len(recent))
        if prior is not None:
            weight = spread**-2 / (spread**-2 + max(prior_spread, 0.02) ** -2)
            measured = math.exp(weight * math.log(max(measured, 1e-9)) + (1 - weight) * math.log(prior))
            spread = (spread**-2 + max(prior_spread, 0.02) ** -2) ** -0.5
        left = max(0.0, units(recipe, fold) - done)
        tail = 0.7 * self._overhead(recipe, level) if prior is not None else 0.5 * measured
        basis = f"{done} epoch{'s' * (done != 1)} of its own"
        return DurationEstimate(
            seconds=left * measured + tail,
            spread=max(spread, 0.03),
            freedom=max(freedom, 8.0),
            basis=basis,
            level=0,
        )

    def _alike(self, recipe: Mapping[str, Any], level: int) -> list[RunTimeSample]:
        if level < 0:
            return []
        key = cost_keys(recipe)[level]
        return [s for s in self.samples if s.keys[level] == key]

    def _rate(self, recipe: Mapping[str, Any]) -> tuple[float | None, float, float, int, int]:
        """Return seconds per unit, spread of its logarithm, degrees of freedom, level, number of runs (the last
        20 count).
        """
        for level in range(len(LEVELS)):
            alike = self._alike(recipe, level)[-20:]
            if not alike:
                continue
            scale = [math.log(pixels(recipe) / s.pixels) if level == 2 else 0.0 for s in alike]
            logs = [math.log(max(s.rate, 1e-9)) + shift for s, shift in zip(alike, scale, strict=True)]
            centre = statistics.fmean(logs)
            spread, freedom = self._spread(level, logs)
            return math.exp(centre), spread * math.sqrt(1 + 1 / len(logs)), freedom, level, len(logs)
        return None, 0.0, _PRIOR_WEIGHT, -1, 0

    def _spread(self, level: int, logs: Sequence[float]) -> tuple[float, float]:
        """Return the spread of errors at `level`: from past predictions at it and from these runs' own scatter."""
        past = [s.error[1] for s in self.samples if s.error is not None and s.error[0] == level][-50:]
        centre = statistics.fmean(logs)
        squares = sum(e * e for e in past) + sum((x - centre) ** 2 for x in logs)
        freedom = _PRIOR_WEIGHT + len(past) + len(logs) - 1
        return math.sqrt((_PRIOR_WEIGHT * _PRIOR_SPREAD[level] ** 2 + squares) / freedom), freedom

    def _overhead(self, recipe: Mapping[str, Any], level: int) -> float:
        """Return the overhead of the latest similar runs (of any, if there are none); the lower of two, since a
        first start takes longer.
        """
        alike = (self._alike(recipe, level) or self.samples)[-5:]
        return statistics.median_low(s.overhead for s in alike) if alike else _DEFAULT_OVERHEAD


def own_epochs(record: Record, machine: str | None = None) -> list[float]:
    """Return the seconds of the epochs that a run has trained on a machine (this one); [] if it ran on another."""
    wanted, folds = machine or machine_key(), record.folds()
    if record.meta.queue.spread:
        where = FoldClaims(record).machines()
        folds = [k for k in folds if where.get(k) == wanted]
    elif record.meta.machine != wanted:
        return []
    rows = [row for fold in folds for row in record.epochs(fold)]
    return [s for row in rows if (s := row_seconds(row)) is not None]


def _begun(record: Record, machine: str) -> RunTimeSample | None:
    """Return the rate of the epochs that a run has trained on a machine, with the usual overhead."""
    try:
        seconds, recipe = own_epochs(record, machine), record.recipe
    except RecordError:
        return None
    if not seconds:
        return None
    rate = statistics.median(seconds)
    return RunTimeSample(
        keys=cost_keys(recipe),
        units=len(seconds),
        rate=max(rate, 1e-9),
        overhead=_DEFAULT_OVERHEAD,
        pixels=pixels(recipe),
    )
