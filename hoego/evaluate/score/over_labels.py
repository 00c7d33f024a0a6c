"""Several labels for a photo: the mean over the labels' own scores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hoego.data.schema import LabelSchema
from hoego.results.score import LabelSpaceScore, LabelsScore, MetricEstimate

NO, YES = "no", "yes"
_NOTE = "no interval for a mean over labels; each label's own score has one"


def binary_labels(schema: LabelSchema) -> tuple[str, ...]:
    """Return the attributes of the classes no and yes, where there are two or more and they make no composite class."""
    names = tuple(a.name for a in schema.attributes if a.classes == (NO, YES))
    return names if len(names) > 1 and not schema.composite else ()


def over_labels(
    schema: LabelSchema, attributes: Mapping[str, LabelSpaceScore], level: float
) -> LabelsScore | None:
    """Return the macro F1 and the macro AUROC over binary labels; None where the schema has none.

    Macro F1 is the mean over labels of the F1 of the class yes; a label that no scored photo has is left out. Macro
    AUROC is the mean over the labels that some scored photos have and others have not. A label's masked photos are in
    neither of its numbers.

    Args:
        schema: of the data set.
        attributes: the score of each attribute.
        level: of the intervals, for the estimates.
    """
    parts = {name: attributes[name] for name in binary_labels(schema) if name in attributes}
    if not parts:
        return None
    f1 = [c.metrics["f1"].value for part in parts.values() for c in part.classes if c.name == YES]
    areas = [part.metrics["auroc"].value for part in parts.values() if len(part.classes) == 2]
    return LabelsScore(labels=tuple(parts), macro_f1=_mean(f1, level), macro_auroc=_mean(areas, level))


def _mean(values: list[float | None], level: float) -> MetricEstimate:
    known = [v for v in values if v is not None]
    if not known:
        return MetricEstimate(
            value=None, level=level, note="no label has both classes among the scored photos"
        )
    return MetricEstimate(value=float(np.mean(known)), level=level, note=_NOTE)


def said(found: LabelsScore) -> str:
    """Return it in one sentence, for the notes of a score."""
    numbers = [
        f"{name} {'cannot be said' if e.value is None else f'{e.value:.4f}'}"
        for name, e in (("macro F1", found.macro_f1), ("macro AUROC", found.macro_auroc))
    ]
    return f"over the {len(found.labels)} labels, each no or yes: {', '.join(numbers)}"
