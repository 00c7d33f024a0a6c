"""What the leaderboard will probably say: the honest score, for a test of its own size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

from hoego.runs.records.listing import is_honest


@dataclass(frozen=True)
class Expected:
    """A prediction interval for the score of one finite test set.

    Args:
        value: the honest score (less its optimism where that was estimated).
        low, high: the interval in which the leaderboard's number should lie.
        test_subjects: subjects that the test is taken to hold.
        method: in words.
    """

    value: float
    low: float
    high: float
    test_subjects: float
    method: str

    def to_dict(self) -> dict[str, Any]:
        return dict(self.__dict__)


def expected_score(score: Mapping[str, Any], metric: str, test_images: int) -> Expected | None:
    """The score to expect on a test of `test_images` photos; None where the score is not honest or cannot say.

    The honest score misses the truth by its own error, and the test misses it by another, independent one, whose
    variance is that of the honest score times the ratio of subjects. Both half-widths therefore grow by
    sqrt(1 + S / S_test). The test is taken to have as many photos a subject as the scored set.

    Args:
        score: of the run, as in score.json or run.json.
        metric: what the leaderboard shows.
        test_images: photos of the (public part of the) test.
    """
    estimate = score.get(metric) if is_honest(score) else None
    if not estimate or estimate.get("low") is None or estimate.get("value") is None:
        return None
    images, subjects = score["n_images"], score["n_subjects"]
    test_subjects = max(test_images * subjects / images, 1.0)
    optimism = (score.get("optimism") or {}).get("optimism") if metric == "macro_f1" else None
    value = estimate["value"] - max(optimism or 0.0, 0.0)
    grow = sqrt(1 + subjects / test_subjects)
    return Expected(
        value,
        max(0.0, value - grow * (estimate["value"] - estimate["low"])),
        min(1.0, value + grow * (estimate["high"] - estimate["value"])),
        test_subjects,
        f"{metric} of {subjects} scored subjects, widened by {grow:.2f} for a test of about {test_subjects:.0f}",
    )
