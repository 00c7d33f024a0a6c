"""The table of checks: what the audit looks for, how serious it is, and what to do about it.

The reference in docs/ and the names that `audit.accept` takes are made from this table.
"""

from __future__ import annotations

from dataclasses import dataclass

from hoego.results.audit import Severity


@dataclass(frozen=True, kw_only=True)
class AuditCheck:
    """One row of the table.

    Attributes:
        name: by which findings name it and `audit.accept` accepts it.
        severity: `error` stops training until it is resolved or accepted; `warning` deserves a look; `info` is a fact.
        help: what it finds, in one line.
        remedy: what to do.
        acceptable: whether training can go on once an error is accepted by name.
        beside_score: whether the finding belongs beside every score, since it may have made the score.
    """

    name: str
    severity: Severity
    help: str
    remedy: str
    acceptable: bool = True
    beside_score: bool = False


_TABLE = (
    AuditCheck(
        name="unreadable",
        severity="error",
        help="Photos that cannot be decoded: empty, cut off, animated, 32-bit, no photo at all.",
        remedy="Copy them again, or list them in dataset.exclude.",
        acceptable=False,
    ),
    AuditCheck(
        name="two-labels",
        severity="error",
        help="Identical photos under different labels.",
        remedy="Correct one of them by a row of the overlay, or remove one.",
    ),
    AuditCheck(
        name="one-class",
        severity="error",
        help="The target has one class only: every score of it would be perfect and say nothing.",
        remedy="Add photos of another class, or name another target (labels.target).",
        acceptable=False,
    ),
    AuditCheck(
        name="too-few-subjects",
        severity="error",
        help="Fewer subjects than sides: no split by subject exists.",
        remedy="Ask for fewer folds (split.folds), or check dataset.subject.",
        acceptable=False,
    ),
    AuditCheck(
        name="eval-in-train",
        severity="warning",
        help="Photos of the test set that are training photos too, identical or nearly so.",
        remedy="Leave them out of training (dataset.exclude), else the test score flatters.",
        beside_score=True,
    ),
    AuditCheck(
        name="duplicates",
        severity="warning",
        help="Identical photos. Their subjects are merged, so they are never on two sides.",
        remedy="Remove copies if they should not weigh more.",
    ),
    AuditCheck(
        name="two-subjects",
        severity="warning",
        help="Identical photos under different subjects. The subjects are merged before splitting.",
        remedy="Check which subject is right: one of the names may be a mistake.",
    ),
    AuditCheck(
        name="near-duplicates",
        severity="warning",
        help="Nearly identical photos of different subjects (64-bit perceptual hash, confirmed by correlation).",
        remedy="Look at them; merge subjects that are the same by split.join, so that they stay on one side.",
        beside_score=True,
    ),
    AuditCheck(
        name="suffixed-subjects",
        severity="warning",
        help="Subject ids that differ only by a suffix, by case, by spaces or by leading zeros.",
        remedy="If they are one subject, merge them by split.join.",
        beside_score=True,
    ),
    AuditCheck(
        name="subject-disagrees",
        severity="warning",
        help="Subjects whose photos disagree on an attribute that is constant within nearly all subjects.",
        remedy="Likely label errors: look at them, and correct them by the overlay.",
    ),
    AuditCheck(
        name="dominant-subject",
        severity="warning",
        help="A subject that holds more than a fifth of the photos: the sides cannot be of equal size.",
        remedy="Check that it is one subject; else give its photos their own ids.",
    ),
    AuditCheck(
        name="subjects-like-classes",
        severity="warning",
        help="Fewer than five subjects for many photos: such a column is rather a class (sex, device) than a subject.",
        remedy="Check dataset.subject: name the column of the person, animal or specimen.",
        beside_score=True,
    ),
    AuditCheck(
        name="no-subject",
        severity="warning",
        help="No subject column: each photo counts as its own subject, and independence is not shown.",
        remedy="Name dataset.subject if several photos can show the same subject.",
    ),
    AuditCheck(
        name="too-rare",
        severity="warning",
        help="Classes held by fewer subjects than the split has sides: they are missing on some side.",
        remedy="Ask for fewer folds, merge the class with a neighbour, or collect more subjects.",
    ),
    AuditCheck(
        name="classes-alike",
        severity="warning",
        help="Classes whose names differ only by case, by blanks or by the writing of a number.",
        remedy="Write them alike in the table if they are one class; they are not merged by themselves.",
        beside_score=True,
    ),
    AuditCheck(
        name="several-labels",
        severity="warning",
        help="Cells that name several labels, such as a|b: each combination counts as a class of its own.",
        remedy="Name the column and the separator in labels.multi, so that each label is scored by itself.",
    ),
    AuditCheck(
        name="passed-over",
        severity="warning",
        help="Files among the photos of a kind that is not read: HEIC, DICOM, raw photos, arrays, films.",
        remedy="Convert them, or install the extra that reads them; else they are missing from their classes.",
    ),
    AuditCheck(
        name="crop-shortcut",
        severity="warning",
        help="Boxes of the crop file (their size, shape, place or absence) that go with a class.",
        remedy="Take boxes from a detector that does not know the label, or crop all photos alike.",
        beside_score=True,
    ),
    AuditCheck(
        name="shortcut",
        severity="warning",
        help="File format, colour mode, size or shape that goes with a class: a model can learn that, not the picture.",
        remedy="Convert all photos alike before training.",
        beside_score=True,
    ),
    AuditCheck(
        name="constant-photos",
        severity="warning",
        help="Photos of one colour.",
        remedy="Remove them, or copy them again.",
    ),
    AuditCheck(
        name="odd-photos",
        severity="info",
        help="Sizes, shapes, colour modes and EXIF turns that few photos of the set have.",
        remedy="Check that they belong to the set. All are decoded to upright 8-bit RGB.",
    ),
    AuditCheck(
        name="imbalance",
        severity="info",
        help="Classes of the target or of an attribute that are ten times rarer than the largest.",
        remedy="See sampling.strength and the class-balanced losses; macro F1 weighs all classes alike.",
    ),
    AuditCheck(
        name="absent-classes",
        severity="info",
        help="Classes of the schema without a single photo.",
        remedy="A sparse composite (labels.sparse) leaves out combinations that do not exist.",
    ),
    AuditCheck(
        name="missing-labels",
        severity="info",
        help="Photos without a value of an attribute that may be missing.",
        remedy="They are masked in that attribute's loss and score.",
    ),
    AuditCheck(
        name="constant-in-subject",
        severity="info",
        help="Attributes that do not change within a subject: a photo-level split leaks them.",
        remedy="Split by subject (split.kind holdout or folds).",
    ),
    AuditCheck(
        name="dependent",
        severity="info",
        help="Attributes that another attribute determines, or goes with closely (Cramér's V of 0.5 or more).",
        remedy="Where one determines the other, a sparse composite fits, and only one of them needs predicting.",
    ),
    AuditCheck(
        name="few-subjects",
        severity="info",
        help="Fewer than thirty subjects: intervals over subjects are wide.",
        remedy="Prefer folds to a holdout, so that every subject is scored once.",
    ),
    AuditCheck(
        name="single-photo",
        severity="info",
        help="Subjects with one photo, where others have several.",
        remedy="Nothing to do, if they are complete.",
    ),
)

CHECKS: dict[str, AuditCheck] = {c.name: c for c in _TABLE}
BESIDE_SCORE = frozenset(c.name for c in _TABLE if c.beside_score)
"""Checks whose findings are shown beside every score."""
