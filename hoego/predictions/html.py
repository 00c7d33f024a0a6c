"""The HTML of predictions in a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from hoego.draw import card, class_bars

if TYPE_CHECKING:
    from hoego.predictions.predictions import Predictions


def predictions_html(predictions: Predictions) -> str:
    """Return the rows, their provenance and a bar for each predicted class, as HTML; a score would need labels."""
    schema = predictions.schema
    name = schema.target if predictions.has(schema.target) else predictions.attributes[0]
    predicted = predictions.probabilities(name).argmax(axis=1)
    counts = np.bincount(predicted, minlength=schema.n_classes(name)).tolist()
    folds = np.unique(predictions.fold[predictions.fold >= 0]).tolist()
    facts = {
        "images": f"{predictions.n_images:,}",
        "of": ", ".join(f"{k} ({predictions.scale[k]})" for k in predictions.values),
        "held out in": f"folds {', '.join(map(str, folds))} ({predictions.split_kind})" if folds else "",
        "sources": f"{len(predictions.sources):,}",
        "runs behind them": ", ".join(predictions.lineage[:6]),
    }
    title = f"Predictions {escape(predictions.name)}: predicted classes of {escape(name)}"
    return card(
        title, facts, class_bars(dict(zip(schema.classes(name), counts, strict=True))), predictions.notes
    )
