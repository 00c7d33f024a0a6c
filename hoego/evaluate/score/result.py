"""What a score is made of: plain frozen objects that render themselves as JSON-ready dictionaries."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hoego.evaluate.score.optimism import Optimism


def number(x: float | None) -> float | None:
    """A float for JSON; None for what is not a number."""
    return None if x is None or not math.isfinite(x) else float(x)


@dataclass(frozen=True)
class Estimate:
    """A number with its interval over subjects.

    Args:
        value: None where the data do not determine it.
        low, high: the interval; None where it cannot be given.
        level: its confidence level (0.95).
        standard_error: over subjects.
        note: why something is None.
    """

    value: float | None
    low: float | None
    high: float | None
    level: float
    standard_error: float | None = None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        out: dict[str, Any] = {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "level": self.level,
            "standard_error": self.standard_error,
        }
        return out | ({"note": self.note} if self.note else {})

    def __str__(self) -> str:
        if self.value is None:
            return f"cannot say: {self.note}" if self.note else "cannot say"
        if self.low is None or self.high is None:
            return f"{self.value:.4f} (no interval{': ' + self.note if self.note else ''})"
        return f"{self.value:.4f} ({100 * self.level:g} % interval {self.low:.4f} to {self.high:.4f})"


@dataclass(frozen=True)
class ClassScore:
    """One class of a label space.

    Args:
        name: of the class.
        images, subjects: that hold it in the truth.
        predicted: images predicted to be of it.
        metrics: f1, sensitivity, specificity, precision, auroc.
    """

    name: str
    images: int
    subjects: int
    predicted: int
    metrics: Mapping[str, Estimate]

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "images": self.images,
            "subjects": self.subjects,
            "predicted": self.predicted,
        } | {k: v.to_dict() for k, v in self.metrics.items()}


@dataclass(frozen=True)
class Part:
    """The score of one label space: the target or an attribute, by photo or by subject.

    Args:
        name: attribute or "composite".
        n_images: rows that were scored (subjects, when subjects vote).
        n_subjects: subjects behind them.
        n_missing: rows whose label is missing, left out.
        metrics: the table's metrics that apply.
        classes: one entry per class present in the truth.
        confusion: images [true class, predicted class], over all classes of the space.
        notes: what must be said beside the numbers.
    """

    name: str
    n_images: int
    n_subjects: int
    n_missing: int
    metrics: Mapping[str, Estimate]
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {k: v.to_dict() for k, v in self.metrics.items()} | {
            "n_images": self.n_images,
            "n_subjects": self.n_subjects,
            "n_missing": self.n_missing,
            "classes": [c.to_dict() for c in self.classes],
            "confusion": [list(row) for row in self.confusion],
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Score:
    """What predictions are worth, and how far that can be believed.

    Args:
        name: of the predictions.
        target: the score of what is to be predicted.
        attributes: the score of each attribute.
        by_subject: the same with each subject's photos voting, where the truth is constant within subjects.
        honesty: that of the worst row: out-of-fold, selected, cross-fitted, naive, in-sample.
        honest: whether it may be ranked.
        optimism: how much the choice of the epoch flatters the score; None where it was not estimated or none was made.
    """

    name: str
    target: Part
    attributes: Mapping[str, Part]
    by_subject: Mapping[str, Part]
    honesty: str
    honest: bool
    labels_version: str
    dataset_fingerprint: str
    split_fingerprint: str
    resamples: int
    seed: int
    notes: tuple[str, ...] = ()
    optimism: Optimism | None = field(default=None)

    @property
    def n_images(self) -> int:
        return self.target.n_images

    @property
    def n_subjects(self) -> int:
        return self.target.n_subjects

    @property
    def metrics(self) -> Mapping[str, Estimate]:
        """The target's metrics."""
        return self.target.metrics

    @property
    def primary(self) -> Estimate:
        """Macro F1 of the target."""
        return self.target.metrics["macro_f1"]

    def to_dict(self) -> dict[str, Any]:
        target = self.target.to_dict()
        return {
            "name": self.name,
            "target": self.target.name,
            **{k: v for k, v in target.items() if k != "notes"},
            "honesty": self.honesty,
            "honest": self.honest,
            "labels_version": self.labels_version,
            "dataset_fingerprint": self.dataset_fingerprint,
            "split_fingerprint": self.split_fingerprint,
            "attributes": {k: v.to_dict() for k, v in self.attributes.items()},
            "by_subject": {k: v.to_dict() for k, v in self.by_subject.items()},
            "resamples": self.resamples,
            "seed": self.seed,
            "notes": list(self.notes),
            "optimism": None if self.optimism is None else self.optimism.to_dict(),
        }

    def brief(self) -> dict[str, Any]:
        """As it stands in run.json: the target's metrics, the honesty, the size."""
        content = self.to_dict()
        names = (*self.metrics, "target", "honesty", "honest", "n_images", "n_subjects", "labels_version")
        return {name: content[name] for name in (*names, "optimism", "notes")}
