"""Check of the crop file: whether its boxes know the label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from hoego.data.audit.findings import finding
from hoego.data.audit.measures import Codes, Float, cramers_v, fifths
from hoego.data.dataset import Dataset
from hoego.data.preprocess import Box
from hoego.results.audit import AuditFinding

RELATED = 0.5  # Cramér's V; a large effect by Cohen (1988) where one side has two values


def crop_findings(dataset: Dataset, boxes: Mapping[str, Box | None]) -> Iterator[AuditFinding]:
    """Yield facts of the boxes that go with the class of an attribute (Cramér's V of 0.5 or more).

    Args:
        dataset: N photos.
        boxes: per image id its box in pixels, None where the detector found nothing.
    """
    found = []
    for fact, codes in _facts(dataset, boxes).items():
        if len(np.unique(codes[codes >= 0])) < 2:
            continue
        for name in dict.fromkeys((dataset.schema.target, *dataset.schema.names)):
            strength = cramers_v(codes, dataset.classes_of(name))
            if strength >= RELATED:
                found.append(f"the {fact} goes with {name} (V = {strength:.2f})")
    if found:
        yield finding("crop-shortcut", len(found), "crop file: " + "; ".join(found[:4]), found)


def _facts(dataset: Dataset, boxes: Mapping[str, Box | None]) -> dict[str, Codes]:
    """Return codes [N] of each fact of the boxes; -1 where an image has no box."""
    blank = (np.nan,) * 4
    given: Float = np.asarray([boxes.get(i) or blank for i in dataset.image_ids.tolist()], dtype=np.float64)
    x0, y0, x1, y1 = given.reshape(-1, 4).T
    absent = np.isnan(x0).astype(np.int32)
    return {
        "absence of a box": absent,
        "size of the box": fifths((x1 - x0) * (y1 - y0)),
        "shape of the box": fifths((x1 - x0) / (y1 - y0)),
        "place of the box across": fifths((x0 + x1) / 2),
        "place of the box from top to bottom": fifths((y0 + y1) / 2),
    }
