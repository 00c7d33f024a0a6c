"""What holds a run back: the result of `hoego diagnose`, and its parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from hoego.draw import ForestRow
from hoego.results.base import MaybeFloat, Result
from hoego.results.honesty import ScoreHonesty
from hoego.results.oracle import OracleAttribute
from hoego.results.score import IntervalEstimate, Optimism

PART = "that of the diagnosis it is part of"


class ProductLaw(Result):
    """Observed and expected joint accuracy.

    Args:
        expected: accuracy of all attributes together if their errors were independent within classes.
        observed: the same as it is.
        gap: observed less expected; above 0, errors pile up on the same photos.
        design_effect: variance of the accuracy over subjects against that of independent photos; above 1, errors pile
            up on the same subjects; None where all photos are right or all wrong.
        verdict: in words.
    """

    HONESTY_OF: ClassVar[str] = PART

    expected: float
    observed: float
    gap: IntervalEstimate
    design_effect: MaybeFloat
    verdict: str


class EdgeBin(Result):
    """Images whose number lies at one distance from an edge (in units of the number; negative is below the edge)."""

    HONESTY_OF: ClassVar[str] = PART

    edge: float
    distance: int
    images: int
    subjects: int
    error: float


class Boundary(Result):
    """The error of one binned attribute near its edges.

    Args:
        bins: error by distance to the nearest edge.
        thresholds: P(class >= k) above which class k is said, fitted on all rows; 0.5 is no preference.
        gain: macro F1 of the attribute with thresholds fitted on the other parts, less that of the most probable class.
    """

    HONESTY_OF: ClassVar[str] = PART

    attribute: str
    bins: tuple[EdgeBin, ...]
    thresholds: tuple[float, ...]
    gain: IntervalEstimate


class Calibration(Result):
    """The calibration of the target's probabilities.

    Args:
        bins: mean confidence, accuracy and count of each of 15 equal bins of the highest probability.
        ece: expected calibration error: the count-weighted mean of |accuracy - confidence| over bins (Guo et al.,
            On Calibration of Modern Neural Networks, 2017).
        ece_scaled: the same after division of the logits by a temperature fitted on the other parts.
        temperature: fitted on all rows; above 1 the model is over-confident.
        log_loss, log_loss_scaled: mean negative log-likelihood before and after.
    """

    HONESTY_OF: ClassVar[str] = PART

    bins: tuple[tuple[float, float, int], ...]
    ece: float
    ece_scaled: float
    temperature: float
    log_loss: float
    log_loss_scaled: float


class Slice(Result):
    """One slice of the scored images.

    Args:
        accuracy: of the target inside the slice; None where it is empty.
        difference: accuracy inside less outside, over subjects; None where too few subjects are on a side.
        p_value: of no difference, Holm-corrected over all slices shown.
        verdict: `lower`, `higher`, `not distinguishable`, `cannot say`.
    """

    HONESTY_OF: ClassVar[str] = PART

    column: str
    value: str
    images: int
    subjects: int
    accuracy: MaybeFloat
    difference: IntervalEstimate | None
    p_value: MaybeFloat
    verdict: str


class Consistency(Result):
    """One attribute that is constant within subjects in the truth.

    Args:
        subjects: those with more than one scored photo.
        disagree: of them, those whose photos are not all predicted alike.
        worst: names of the subjects with the most even vote, at most ten.
    """

    HONESTY_OF: ClassVar[str] = PART

    attribute: str
    subjects: int
    disagree: int
    worst: tuple[str, ...]


class LabelIssue(Result):
    """One label in doubt.

    Args:
        images: the photos that carry it (all of a subject's where the attribute is constant within subjects).
        margin: probability of the suggested class less that of the given one.
        confident: whether confident learning flags it too.
        method: what decided `confident`: cleanlab, or the built-in confident joint; "" where an early record does not
            say.
    """

    HONESTY_OF: ClassVar[str] = PART

    attribute: str
    subject: str
    images: tuple[str, ...]
    given: str
    suggested: str
    margin: float
    confident: bool
    method: str = ""


class CurveDiagnosis(Result):
    """What the curves of one fold say.

    Args:
        verdict: `overfitting`, `still learning`, `settled`, `diverged`, `cannot say`.
        words: one sentence with its numbers.
        facts: the numbers.
    """

    HONESTY_OF: ClassVar[str] = PART

    fold: int
    verdict: str
    words: str
    facts: Mapping[str, float]


class Diagnosis(Result):
    """The result of `hoego diagnose RUN`.

    Args:
        run: name of the predictions.
        honesty: of the rows.
        score: macro F1 of the target today.
        bottleneck: the attribute whose truth would be worth the most; None where no attribute applies or none would
            be worth anything.
        decided: whether its lead over the next attribute is distinguishable from 0.
        oracle: attribute -> what its truth is worth.
        product_law: None where the target is not a composite of two or more attributes.
        label_issues: labels that the predictions contradict, the most contradicted first.
        curves: of each fold whose epochs are known.
        optimism: of a selected score; None where nothing was selected or it was not estimated.
    """

    KEYS: ClassVar[Mapping[str, str]] = {"decided": "bottleneck_decided", "label_issues": "suspects"}

    run: str
    honesty: ScoreHonesty
    score: float
    bottleneck: str | None
    decided: bool
    oracle: Mapping[str, OracleAttribute]
    product_law: ProductLaw | None
    boundaries: tuple[Boundary, ...]
    calibration: Calibration
    slices: tuple[Slice, ...]
    consistency: tuple[Consistency, ...]
    label_issues: tuple[LabelIssue, ...]
    curves: tuple[CurveDiagnosis, ...]
    optimism: Optimism | None
    notes: tuple[str, ...] = ()

    def _summary(self) -> dict[str, str]:
        law = self.product_law
        sure = "" if self.decided else " (its lead over the next is not distinguishable)"
        return {
            "run": self.run,
            "macro f1": f"{self.score:.4f}",
            "bottleneck": f"{self.bottleneck}{sure}" if self.bottleneck else "none",
            "product law": "" if law is None else law.verdict,
            "calibration error": f"{self.calibration.ece:.4f}",
            "label issues": f"{len(self.label_issues):,}",
            "curves": "; ".join(f"fold {c.fold}: {c.words}" for c in self.curves),
            "optimism": "" if self.optimism is None else str(self.optimism),
        }

    def _intervals(self) -> list[ForestRow]:
        return [row for name, found in self.oracle.items() for row in found.rows(name)]

    def _zero(self) -> float | None:
        return 0.0
