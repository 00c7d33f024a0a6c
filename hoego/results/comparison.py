"""What a comparison says: its sides, the paired difference, and the ranking of all."""

from __future__ import annotations

from typing import ClassVar

from hoego.draw import ForestRow
from hoego.results.base import MaybeFloat, Result, forest_row
from hoego.results.honesty import ScoreHonesty
from hoego.results.score import DefinedEstimate


class SideResult(Result):
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
    honesty: ScoreHonesty


class RankedSide(Result):
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

    HONESTY_OF: ClassVar[str] = "that of its side in the comparison"

    rank: int
    side: int
    name: str
    value: float
    behind: DefinedEstimate
    p_value: MaybeFloat
    p_adjusted: MaybeFloat
    in_best_set: bool


class Comparison(Result):
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

    DERIVED: ClassVar[tuple[str, ...]] = ("best_set",)

    metric: str
    better: str
    label: str
    scope: str
    sides: tuple[SideResult, ...]
    difference: DefinedEstimate
    p_value: MaybeFloat
    detectable: MaybeFloat
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

    def __str__(self) -> str:
        return self.sentence

    def _honesty_text(self) -> str:
        return "; ".join(f"{s.name}: {s.honesty or 'not known'}" for s in self.sides)

    def _summary(self) -> dict[str, str]:
        ranked = "; ".join(f"{r.rank}. {r.name} {r.value:.4f}" for r in self.ranking)
        return {
            "verdict": self.verdict,
            "": self.sentence,
            "difference": str(self.difference),
            "p": "" if self.p_value is None else f"{self.p_value:.4f}",
            "scope": self.scope,
            self.metric.replace("_", " "): ranked,
            "images": f"{self.n_images:,}",
            "subjects": f"{self.n_subjects:,}",
        }

    def _intervals(self) -> list[ForestRow]:
        best = self.ranking[0].name
        others = self.ranking[1:] if len(self.sides) > 2 else ()
        behind = [forest_row(f"{best} less {r.name}", r.behind) for r in others]
        return [forest_row(f"{self.sides[0].name} less {self.sides[1].name}", self.difference), *behind]

    def _zero(self) -> float | None:
        return 0.0
