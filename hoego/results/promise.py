"""What a deployed model promises of new people: prediction sets that hold the truth, and errors among its answers."""

from __future__ import annotations

from typing import ClassVar

from hoego.results.base import MaybeFloat, Result
from hoego.results.score import IntervalEstimate, MetricEstimate
from hoego.results.words import interval

PART = "that of the held-out predictions that it was set on"


class PredictionSetRule(Result):
    """Which classes are said of a photo, so that the truth is among them for all but `error` of new people's photos.

    Args:
        attribute: of the classes.
        error: the promised share of photos whose set lacks the truth: a person at random, then a photo of theirs.
        least: classes with at least this probability are in the set; the most probable class always is.
        n_subjects: on whose held-out photos it was set.
        mean_size: of the sets of these photos, a person at a time.
    """

    HONESTY_OF: ClassVar[str] = PART

    attribute: str
    error: float
    least: float
    n_subjects: int
    mean_size: float

    @property
    def sentence(self) -> str:
        """The promise in words."""
        return (
            f"{self.attribute}: sets hold the truth for {1 - self.error:.0%} of new people's photos "
            f"(mean size {self.mean_size:.2f}; set on {self.n_subjects:,} people)"
        )


class AbstentionRule(Result):
    """When an answer is withheld, so that at most `error` of the people who get answers get a wrong one.

    Args:
        attribute: that is answered.
        error: the promised share: of the people who get an answer, the mean share of their answers that are wrong.
        above: answers whose probability is above this are given.
        confidence: that the share of new people is below `error`.
        n_subjects: held-out subjects.
        answered_subjects: of these, those who get an answer.
        answered_photos: share of all held-out photos that are answered.
        observed: the share among the answered subjects.
    """

    HONESTY_OF: ClassVar[str] = PART

    attribute: str
    error: float
    above: float
    confidence: float
    n_subjects: int
    answered_subjects: int
    answered_photos: float
    observed: float

    @property
    def sentence(self) -> str:
        """The promise in words."""
        return (
            f"{self.attribute}: wrong on at most {self.error:.1%} of the people answered "
            f"(observed {self.observed:.1%} on {self.answered_subjects:,} of {self.n_subjects:,} people; "
            f"{self.answered_photos:.0%} of the photos are answered)"
        )


class ServedScore(Result):
    """What a served model is worth by labels that came later, beside what was promised.

    Args:
        metric: that is compared: macro F1, or accuracy where the people in use do not show the same classes.
        in_use: on the answers, without people that the model has seen.
        promised: on the held-out people of the export.
        difference: in use less promised, of two independent sets of people.
        verdict: compatible, lower, higher, cannot say.
        n_images, n_subjects: answers that were scored, and their people.
        left_out: answers that are left out: of people or photos that the model has seen.
        unlabelled: answers without a label.
        answered_wrong: of the people who got an answer that was not withheld, the mean share of wrong ones; None where
            nothing was promised.
        notes: what else must be said.
    """

    TITLE: ClassVar[str] = "A model in use"
    HONESTY_OF: ClassVar[str] = "people that the export's list does not hold count as new"
    DERIVED: ClassVar[tuple[str, ...]] = ("sentence",)

    metric: str
    in_use: MetricEstimate
    promised: MetricEstimate
    difference: IntervalEstimate | None
    verdict: str
    n_images: int
    n_subjects: int
    left_out: int
    unlabelled: int
    answered_wrong: MaybeFloat = None
    notes: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """Both numbers and the verdict."""
        return f"{interval(self.in_use, 2)} in use, {interval(self.promised, 2)} promised: {self.verdict}"
