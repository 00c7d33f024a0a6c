"""Predictions with their provenance, and the checks of what may be scored."""

from hoego.predictions.honesty import (
    CROSS_FITTED,
    DECLARED,
    IN_SAMPLE,
    NAIVE,
    OUT_OF_FOLD,
    SELECTED,
    WITNESSED,
    Honesty,
    honesty,
    require_honest,
    require_same_dataset,
    require_unseen,
    suggested_by,
    suggestion,
)
from hoego.predictions.joining import concat, join_rows, require_alike
from hoego.predictions.predictions import Predictions
from hoego.predictions.proof import SourceProof, proof
from hoego.predictions.provenance import (
    Provenance,
    RowProvenance,
    SubjectUniverse,
    fitted_source,
    join_sources,
    student_source,
)
from hoego.predictions.scale import softmax

__all__ = [
    "CROSS_FITTED",
    "DECLARED",
    "IN_SAMPLE",
    "NAIVE",
    "OUT_OF_FOLD",
    "SELECTED",
    "SourceProof",
    "Honesty",
    "Predictions",
    "Provenance",
    "RowProvenance",
    "SubjectUniverse",
    "WITNESSED",
    "concat",
    "fitted_source",
    "honesty",
    "join_rows",
    "join_sources",
    "proof",
    "require_alike",
    "require_honest",
    "require_same_dataset",
    "require_unseen",
    "softmax",
    "suggested_by",
    "suggestion",
    "student_source",
]
