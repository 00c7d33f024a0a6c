"""The HTML of predictions in a notebook."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.draw import card, class_bars
from hoego.predictions.fields import PredictionFields


def predictions_html(fields: PredictionFields, attribute: str, predicted: NDArray[Any]) -> str:
    """Return the rows, their provenance and a bar for each predicted class, as HTML; a score would need labels.

    Args:
        fields: of the predictions.
        attribute: of the bars.
        predicted: [N], the number of each row's class of that attribute.
    """
    schema, fold = fields["schema"], fields["fold"]
    counts = np.bincount(predicted, minlength=schema.n_classes(attribute)).tolist()
    folds = np.unique(fold[fold >= 0]).tolist()
    facts = {
        "images": f"{len(fields['images']):,}",
        "of": ", ".join(f"{k} ({fields['scale'][k]})" for k in fields["values"]),
        "held out in": f"folds {', '.join(map(str, folds))} ({fields['split_kind']})" if folds else "",
        "sources": f"{len(fields['sources']):,}",
        "runs behind them": ", ".join(fields["lineage"][:6]),
    }
    title = f"Predictions {escape(fields['name'])}: predicted classes of {escape(attribute)}"
    bars = class_bars(dict(zip(schema.classes(attribute), counts, strict=True)))
    return card(title, facts, bars, fields["notes"])
