"""What the leaderboard will probably say: the honest score, for a test of its own size."""

from __future__ import annotations

from math import sqrt

from hoego.results.base import Result
from hoego.results.score import Score, ScoreSummary


class Expected(Result):
    """A prediction interval for the score of one finite test set.

    Args:
        value: the honest score (less its optimism where that was estimated).
        low, high: the interval in which the leaderboard's number should lie.
        test_subjects: subjects that the test is taken to hold; None in early ledgers.
        method: in words.
    """

    value: float
    low: float
    high: float
    test_subjects: float | None = None
    method: str = ""


def expected_score(score: Score | ScoreSummary, metric: str, test_images: int) -> Expected | None:
    """Return the score to expect on a test of `test_images` photos; None if the score is not honest or has no
    interval.

    The honest score misses the truth by its own error, and the test misses it by another, independent one, whose
    variance is that of the honest score times the ratio of subjects. Both half-widths therefore grow by
    sqrt(1 + S / S_test). The test is taken to have as many photos a subject as the scored set.

    Args:
        score: of the run.
        metric: what the leaderboard shows.
        test_images: photos of the (public part of the) test.
    """
    estimate = score.metrics.get(metric) if score.rankable else None
    images, subjects = score.n_images, score.n_subjects
    if estimate is None or estimate.value is None or estimate.low is None or estimate.high is None:
        return None
    if not images or not subjects:
        return None
    test_subjects = max(test_images * subjects / images, 1.0)
    known = score.optimism if metric == "macro_f1" else None
    value = estimate.value - (max(known.optimism, 0.0) if known is not None else 0.0)
    grow = sqrt(1 + subjects / test_subjects)
    return Expected(
        value=value,
        low=max(0.0, value - grow * (estimate.value - estimate.low)),
        high=min(1.0, value + grow * (estimate.high - estimate.value)),
        test_subjects=test_subjects,
        method=f"{metric} of {subjects} scored subjects, widened by {grow:.2f} for a test of about {test_subjects:.0f}",
    )
