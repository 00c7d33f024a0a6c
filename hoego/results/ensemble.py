"""What an ensemble or a composition is made of and worth, and what its record needs to repeat it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from hoego.draw import ForestRow
from hoego.results.base import MaybeFloat, Result, forest_row
from hoego.results.honesty import ScoreHonesty
from hoego.results.provenance import PackedProvenance
from hoego.results.score import IntervalEstimate, Score

PART = "that of the combination it is part of"
Matrix = tuple[tuple[MaybeFloat, ...], ...]


class CombinerWeights(Result):
    """A combiner in plain numbers.

    Args:
        method: a name of METHODS.
        weights: of the members [M].
        bias: log-bias of the classes [C] (`stack`); None otherwise.
    """

    HONESTY_OF: ClassVar[str] = PART

    method: str
    weights: tuple[float, ...]
    bias: tuple[float, ...] | None


class RuleOffsets(Result):
    """What a decision rule adds to the log-probabilities of one column, in plain numbers.

    Args:
        rule: a name of RULES.
        values: offset of each class [C], with mean 0.
        strength: of the prior correction; None for thresholds.
    """

    HONESTY_OF: ClassVar[str] = PART

    rule: str
    values: tuple[float, ...]
    strength: MaybeFloat = None


class Decision(Result):
    """What a decision rule is worth, and whether it is applied.

    Args:
        rule: a name of RULES.
        kept: it is better beyond the interval, so it is applied.
        gain: macro F1 of the target with the rule fitted on other parts, less that without.
        p_value: of the gain.
        offsets: column -> the offsets for new images, fitted on all rows.
        words: one sentence.
    """

    HONESTY_OF: ClassVar[str] = PART

    rule: str
    kept: bool
    gain: IntervalEstimate
    p_value: float
    offsets: Mapping[str, RuleOffsets]
    words: str


class PairedGain(IntervalEstimate):
    """A difference with its interval and its p-value; None where an early record does not say."""

    p_value: MaybeFloat = None


class EnsembleMember(Result):
    """One member: its weight in the combiner for new images, its own score, and what it adds.

    Args:
        weight: mean over the columns where several are combined.
        score: macro F1 of the target, or None where the member does not give it.
        marginal: macro F1 of the combination less that of the same without this member (weights of the others scaled
            up, nothing fitted again); None where it is the only one.
    """

    HONESTY_OF: ClassVar[str] = PART

    run: str
    weight: float
    score: MaybeFloat
    marginal: IntervalEstimate | None


class EnsembleSummary(Result):
    """An ensemble without its predictions: what `hoego ensemble --json` prints and its record keeps.

    Args:
        name: of its predictions.
        best_member: the one with the best macro F1 on all rows; None where no member gives the target.
        gain: macro F1 of the ensemble less that of the best member, chosen on other parts.
        members: with what each adds.
        combiners: column -> the combiner for new images, fitted on all rows.
        decision: what a decision rule is worth; None where none was tried.
        disagreement: share of images on which two members say different classes [M, M]; None where one of them does
            not give the target.
        error_correlation: correlation of two members' mistakes [M, M].
        verdict: one sentence.
    """

    DERIVED: ClassVar[tuple[str, ...]] = ("honesty",)
    TITLE: ClassVar[str] = "Ensemble"

    name: str
    score: Score
    best_member: str | None
    gain: PairedGain | None
    members: tuple[EnsembleMember, ...]
    combiners: Mapping[str, CombinerWeights]
    decision: Decision | None = None
    disagreement: Matrix
    error_correlation: Matrix
    verdict: str

    @property
    def honesty(self) -> ScoreHonesty:
        """That of the score."""
        return self.score.honesty

    def _summary(self) -> dict[str, str]:
        return {
            "macro f1": str(self.score.primary),
            "verdict": self.verdict,
            "gain": "" if self.gain is None else f"{self.gain.value:+.4f}",
            "decision rule": "" if self.decision is None else self.decision.words,
            "members": "; ".join(f"{m.run} (weight {m.weight:.3f})" for m in self.members),
        }

    def _intervals(self) -> list[ForestRow]:
        return [forest_row(f"adds {m.run}", m.marginal) for m in self.members if m.marginal is not None]

    def _zero(self) -> float | None:
        return 0.0


class AttributeChoice(Result):
    """Which of several runs gives an attribute.

    Args:
        attribute: its name.
        chosen: the run for new images: the best on all rows.
        by_part: the run for the rows of each part: the best on the rows of all others.
        scores: run -> macro F1 of the attribute on all rows.
    """

    HONESTY_OF: ClassVar[str] = PART

    attribute: str
    chosen: str
    by_part: tuple[str, ...]
    scores: Mapping[str, float]

    @property
    def stated(self) -> str:
        """The score of the chosen run, and that it was chosen by it."""
        n = len(self.scores)
        return f"{self.scores[self.chosen]:.4f}{f' (selected, the highest of {n})' if n > 1 else ''}"


class CompositionSummary(Result):
    """A composition without its predictions: what `hoego compose --json` prints and its record keeps.

    Args:
        name: of its predictions.
        parts: attribute -> name of the predictions that it is taken from for new images.
        choices: of the attributes, where there were several candidates.
        images: N.
        lineage: ids of all runs behind the rows.
        score: of its predictions; None in early records, which hold it in score.json alone.
    """

    TITLE: ClassVar[str] = "Composition"

    name: str
    parts: Mapping[str, str]
    choices: tuple[AttributeChoice, ...]
    images: int
    lineage: tuple[str, ...]
    score: Score | None = None

    @property
    def honesty(self) -> ScoreHonesty:
        """That of the score."""
        return ScoreHonesty() if self.score is None else self.score.honesty


class SavedEnsemble(Result):
    """combined.json of an ensemble: what predicts new images with it.

    Args:
        members: ids of the records, in the order of the combiners' weights.
        combiners: column -> the combiner, fitted on all rows.
        offsets: column -> the offsets of a decision rule that was kept.
        fitted: the provenance of what was fitted on labels; None where nothing was.
        ensemble: what it is worth.
    """

    HONESTY_OF: ClassVar[str] = PART

    kind: Literal["ensemble"] = "ensemble"
    members: tuple[str, ...]
    combiners: Mapping[str, CombinerWeights]
    offsets: Mapping[str, RuleOffsets] = {}
    fitted: PackedProvenance | None = None
    ensemble: EnsembleSummary

    @property
    def runs(self) -> tuple[str, ...]:
        """Ids of the records that it is made of."""
        return self.members


class SavedComposition(Result):
    """combined.json of a composition: what predicts new images with it.

    Args:
        parts: attribute -> id of the record that gives it.
        fitted: the provenance of what was chosen by labels; None where nothing was.
        composition: how it was chosen; None in early records.
    """

    HONESTY_OF: ClassVar[str] = PART

    kind: Literal["composition"] = "composition"
    parts: Mapping[str, str]
    fitted: PackedProvenance | None = None
    composition: CompositionSummary | None = None

    @property
    def runs(self) -> tuple[str, ...]:
        """Ids of the records that it is made of, one for each attribute."""
        return tuple(self.parts.values())


class CombinedRun(Result):
    """A combination that was made and kept.

    Args:
        run: id of its record.
        folder: of its record.
        made: what it is made of and worth.
    """

    FLAT: ClassVar[str] = "made"

    run: str
    folder: str
    made: EnsembleSummary | CompositionSummary

    @property
    def honesty(self) -> ScoreHonesty:
        """That of the combination's score."""
        return self.made.honesty
