"""How a data set shows itself in a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from hoego.draw import card, class_bars

if TYPE_CHECKING:
    from hoego.data.dataset import Dataset


def dataset_html(dataset: Dataset) -> str:
    """Return the counts, the attributes and a bar for each class of the target, as HTML."""
    facts = dataset.summary()
    subjects = f"{dataset.n_subjects:,} subjects"
    if not dataset.subject_shown:
        subjects = "no subject column: each photo counts as a subject of its own"
    attributes = ", ".join(f"{a.name} ({a.n_classes})" for a in dataset.schema.attributes)
    rows = {
        "photos": f"{dataset.n_images:,} of {subjects}",
        "attributes": attributes,
        "target": dataset.schema.target,
        "fingerprint": dataset.fingerprint,
        "corrections": f"{len(dataset.corrections):,}" if dataset.corrections else "",
    }
    bars = class_bars(facts["class_counts"]) if dataset.labelled else ""
    return card(f"Data set {escape(dataset.name)}", rows, bars, dataset.joins[:5])
