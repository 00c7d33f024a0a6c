"""The review of suspect labels: blind answers first, every decision on record, corrections in the overlay."""

from hoego.runs.review.journal import JOURNAL, ReviewDecision
from hoego.runs.review.overlay_file import name_overlay, overlay_of
from hoego.runs.review.review import (
    REASONS,
    Review,
    ReviewAnswer,
    ReviewConflict,
    ReviewItem,
    ReviewProgress,
)
from hoego.runs.review.suspects import ReviewSuspect, as_given, review_suspects
from hoego.runs.review.three_labels import ThreeLabelScores, three_label_scores

__all__ = [
    "JOURNAL",
    "REASONS",
    "Review",
    "ReviewAnswer",
    "ReviewConflict",
    "ReviewDecision",
    "ReviewItem",
    "ReviewProgress",
    "ReviewSuspect",
    "ThreeLabelScores",
    "as_given",
    "name_overlay",
    "overlay_of",
    "review_suspects",
    "three_label_scores",
]
