"""The table of checks: what the audit looks for, how serious it is, and what to do about it.

The reference in docs/ and the names that `audit.accept` takes are made from this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True)
class Check:
    """One row of the table.

    Attributes:
        name: by which findings name it and `audit.accept` accepts it.
        severity: `error` stops training until it is resolved or accepted; `warning` deserves a look; `info` is a fact.
        help: what it finds, in one line.
        remedy: what to do.
        acceptable: whether training can go on once an error is accepted by name.
    """

    name: str
    severity: Severity
    help: str
    remedy: str
    acceptable: bool = True


_TABLE = (
    Check(
        "unreadable",
        "error",
        "Photos that cannot be decoded: empty, cut off, animated, 32-bit, no photo at all.",
        "Copy them again, or list them in dataset.exclude.",
        acceptable=False,
    ),
    Check(
        "two-labels",
        "error",
        "Identical photos under different labels.",
        "Correct one of them by a row of the overlay, or take one out.",
    ),
    Check(
        "too-few-subjects",
        "error",
        "Fewer subjects than sides: no split by subject exists.",
        "Ask for fewer folds (split.folds), or check dataset.subject.",
        acceptable=False,
    ),
    Check(
        "eval-in-train",
        "warning",
        "Photos of the test set that are training photos too, identical or nearly so.",
        "Leave them out of training (dataset.exclude), else the test score flatters.",
    ),
    Check(
        "duplicates",
        "warning",
        "Identical photos. Their subjects are joined, so they never stand on two sides.",
        "Take copies out if they should not weigh more.",
    ),
    Check(
        "two-subjects",
        "warning",
        "Identical photos under different subjects. The subjects are joined before splitting.",
        "Check which subject is right: one of the names may be a mistake.",
    ),
    Check(
        "near-duplicates",
        "warning",
        "Nearly identical photos of different subjects (64-bit perceptual hash, confirmed by correlation).",
        "Look at them; join subjects that are one by split.join, so that they stay on one side.",
    ),
    Check(
        "suffixed-subjects",
        "warning",
        "Subject ids that differ only by a suffix, by case, by spaces or by leading zeros.",
        "If they are one subject, join them by split.join.",
    ),
    Check(
        "subject-disagrees",
        "warning",
        "Subjects whose photos disagree on an attribute that is constant within nearly all subjects.",
        "Likely label errors: look at them, and correct them by the overlay.",
    ),
    Check(
        "dominant-subject",
        "warning",
        "A subject that holds more than a fifth of the photos: the sides cannot be of equal size.",
        "Check that it is one subject; else give its photos their own ids.",
    ),
    Check(
        "no-subject",
        "warning",
        "No subject column: each photo counts as its own subject, and independence is not shown.",
        "Name dataset.subject if several photos can show the same subject.",
    ),
    Check(
        "too-rare",
        "warning",
        "Classes held by fewer subjects than the split has sides: they are missing on some side.",
        "Ask for fewer folds, merge the class with a neighbour, or collect more subjects.",
    ),
    Check(
        "shortcut",
        "warning",
        "File format, colour mode or size that goes with a class: a model can learn it instead of the picture.",
        "Convert all photos alike before training.",
    ),
    Check(
        "constant-photos",
        "warning",
        "Photos of one colour.",
        "Take them out, or copy them again.",
    ),
    Check(
        "odd-photos",
        "info",
        "Sizes, shapes, colour modes and EXIF turns that few photos of the set have.",
        "Check that they belong to the set. All are decoded to upright 8-bit RGB.",
    ),
    Check(
        "imbalance",
        "info",
        "Classes of the target or of an attribute that are ten times rarer than the largest.",
        "See sampling.strength and the class-balanced losses; macro F1 weighs all classes alike.",
    ),
    Check(
        "absent-classes",
        "info",
        "Classes of the schema without a single photo.",
        "A sparse composite (labels.sparse) leaves out combinations that do not exist.",
    ),
    Check(
        "missing-labels",
        "info",
        "Photos without a value of an attribute that may be missing.",
        "They are masked in that attribute's loss and score.",
    ),
    Check(
        "constant-in-subject",
        "info",
        "Attributes that do not change within a subject: a photo-level split leaks them.",
        "Split by subject (split.kind holdout or folds).",
    ),
    Check(
        "dependent",
        "info",
        "Attributes that another attribute determines, or goes with closely (Cramér's V of 0.5 or more).",
        "Where one determines the other, a sparse composite fits, and only one of them needs predicting.",
    ),
    Check(
        "few-subjects",
        "info",
        "Fewer than thirty subjects: intervals over subjects are wide.",
        "Prefer folds to a holdout, so that every subject is scored once.",
    ),
    Check(
        "single-photo",
        "info",
        "Subjects with one photo, where others have several.",
        "Nothing to do, if they are complete.",
    ),
)

CHECKS: dict[str, Check] = {c.name: c for c in _TABLE}
