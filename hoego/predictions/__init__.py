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
)
from hoego.predictions.joining import concat, join_rows, joined_sources, require_alike
from hoego.predictions.label_notes import labels_apart
from hoego.predictions.parquet import stated_digest
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
    "joined_sources",
    "labels_apart",
    "proof",
    "require_alike",
    "require_honest",
    "require_same_dataset",
    "require_unseen",
    "softmax",
    "stated_digest",
    "student_source",
]
