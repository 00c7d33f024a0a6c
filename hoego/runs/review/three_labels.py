"""The score after a review: labels as given, as corrected, and as if every suggestion taken were wrong."""

from __future__ import annotations

from typing import ClassVar

from hoego.data.dataset import Dataset
from hoego.evaluate.score import ScoreOptions, score
from hoego.predictions import Predictions
from hoego.results.base import Result
from hoego.results.score import MetricEstimate, Score
from hoego.runs.review.suspects import with_corrections

PRIMARY = "macro_f1"
RESAMPLES = 2_000


class ThreeLabelScores(Result):
    """The score of one run under three sets of labels.

    The suspects of a run are the photos that it contradicts, so a review can hardly lower its score: corrected labels
    are those that it was looked at for. What it gains from suggestions that were taken only after they were seen is
    the part to doubt.

    Args:
        metric: that is given.
        as_given: labels of the table, without any correction.
        as_corrected: with every correction of the overlay.
        without_suggestions: with the corrections that did not follow a suggestion: as if every one taken were wrong.
        corrections: labels that the overlay corrects.
        taken: of them, those that follow a suggestion.
    """

    TITLE: ClassVar[str] = "Score under three labels"

    metric: str
    as_given: Score
    as_corrected: Score
    without_suggestions: Score
    corrections: int
    taken: int

    def estimates(self) -> dict[str, MetricEstimate]:
        """Return the metric under each set of labels."""
        named = ("as_given", "as_corrected", "without_suggestions")
        return {name: getattr(self, name).metrics[self.metric] for name in named}

    def _honesty_text(self) -> str:
        return str(self.as_corrected.honesty)


def three_label_scores(
    predictions: Predictions, given: Dataset, today: Dataset, *, resamples: int = RESAMPLES
) -> ThreeLabelScores:
    """Score a run under three sets of labels.

    Args:
        predictions: of the run.
        given: the data set without corrections (`as_given`).
        today: the data set with those of the overlay.
        resamples: of each interval.

    Raises:
        LeakError: the predictions are in-sample.
    """
    own = [c for c in today.corrections if not c.run]
    options = ScoreOptions(resamples=resamples)
    return ThreeLabelScores(
        metric=PRIMARY,
        as_given=score(predictions, given, options),
        as_corrected=score(predictions, today, options),
        without_suggestions=score(predictions, with_corrections(given, own), options),
        corrections=len(today.corrections),
        taken=len(today.corrections) - len(own),
    )
