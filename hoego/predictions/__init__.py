"""The waist: predictions with their provenance, and what may be done with them."""

from hoego.predictions.honesty import (
    CROSS_FITTED,
    IN_SAMPLE,
    NAIVE,
    OUT_OF_FOLD,
    SELECTED,
    Honesty,
    honesty,
    require_honest,
    require_same_dataset,
    require_unseen,
    suggested_by,
    suggestion,
)
from hoego.predictions.predictions import Predictions, concat, join_rows, require_alike, softmax
from hoego.predictions.provenance import (
    Provenance,
    RowProvenance,
    SubjectUniverse,
    fitted_source,
    join_sources,
    student_source,
)

__all__ = [
    "CROSS_FITTED",
    "IN_SAMPLE",
    "NAIVE",
    "OUT_OF_FOLD",
    "SELECTED",
    "Honesty",
    "Predictions",
    "Provenance",
    "RowProvenance",
    "SubjectUniverse",
    "concat",
    "fitted_source",
    "honesty",
    "join_rows",
    "join_sources",
    "require_alike",
    "require_honest",
    "require_same_dataset",
    "require_unseen",
    "softmax",
    "suggested_by",
    "suggestion",
    "student_source",
]
