"""What a comparison says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hoego.results.base import number
from hoego.results.score import MetricEstimate


@dataclass(frozen=True)
class SideResult:
    """One side: a model, or a recipe's runs under several seeds.

    Args:
        name: of the side.
        runs: names of its runs.
        value: the metric (the mean over seeds).
        honesty: that of its worst row.
    """

    name: str
    runs: tuple[str, ...]
    value: float
    honesty: str

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "runs": list(self.runs), "value": self.value, "honesty": self.honesty}


@dataclass(frozen=True)
class RankedSide:
    """One side's place among all.

    Args:
        rank: 1 is the best.
        side: position among the sides as they were given.
        name: of the side.
        value: the metric.
        behind: the best side's value less this one's, as `Comparison.difference` (0 for the best).
        p_value: against the best; None for the best itself.
        p_adjusted: Holm's, over all pairs of sides.
        in_best_set: not distinguishable from the best.
    """

    rank: int
    side: int
    name: str
    value: float
    behind: MetricEstimate
    p_value: float | None
    p_adjusted: float | None
    in_best_set: bool

    def to_dict(self) -> dict[str, Any]:
        return {
            "rank": self.rank,
            "side": self.side,
            "name": self.name,
            "value": self.value,
            "behind": self.behind.model_dump(mode="json"),
            "p_value": self.p_value,
            "p_adjusted": self.p_adjusted,
            "in_best_set": self.in_best_set,
        }


@dataclass(frozen=True)
class Comparison:
    """The first side against the second, and the ranking of all.

    Args:
        metric: what was compared; `better` says whether higher or lower is.
        label: the label space, an attribute or "composite".
        scope: `models` (these two models) or `recipes` (at least three seeds a side).
        difference: first - second, with its interval over subjects (and seeds).
        p_value: two-sided; None where nothing can be said.
        detectable: the difference that this split finds with a power of 80 % (2.8 standard errors).
        verdict: of the first side: `better`, `worse`, `not distinguishable`, or `cannot say`.
        sentence: the same in words.
        ranking: all sides, best first.
    """

    metric: str
    better: str
    label: str
    scope: str
    sides: tuple[SideResult, ...]
    difference: MetricEstimate
    p_value: float | None
    detectable: float | None
    verdict: str
    sentence: str
    ranking: tuple[RankedSide, ...]
    n_images: int
    n_subjects: int
    dataset_fingerprint: str
    split_fingerprint: str
    labels_version: str
    resamples: int
    permutations: int
    seed: int
    notes: tuple[str, ...] = ()

    @property
    def best_set(self) -> tuple[str, ...]:
        """Names of the sides that are not distinguishable from the best."""
        return tuple(r.name for r in self.ranking if r.in_best_set)

    def to_dict(self) -> dict[str, Any]:
        return {
            "metric": self.metric,
            "better": self.better,
            "label": self.label,
            "scope": self.scope,
            "sides": [s.to_dict() for s in self.sides],
            "difference": self.difference.model_dump(mode="json"),
            "p_value": number(self.p_value),
            "detectable": number(self.detectable),
            "verdict": self.verdict,
            "sentence": self.sentence,
            "ranking": [r.to_dict() for r in self.ranking],
            "best_set": list(self.best_set),
            "n_images": self.n_images,
            "n_subjects": self.n_subjects,
            "dataset_fingerprint": self.dataset_fingerprint,
            "split_fingerprint": self.split_fingerprint,
            "labels_version": self.labels_version,
            "resamples": self.resamples,
            "permutations": self.permutations,
            "seed": self.seed,
            "notes": list(self.notes),
        }
