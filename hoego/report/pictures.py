"""The most confident mistakes of a run, as pictures that need no file beside the page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from hoego.data.dataset import Dataset
from hoego.data.images import decode
from hoego.errors import HoegoError
from hoego.predictions import Predictions

SIDE = 160


@dataclass(frozen=True, kw_only=True)
class Misclassified:
    """One photo that the model was sure about and wrong.

    Args:
        picture: a data URI; "" where the photo cannot be read any more.
        heat: a data URI of the same photo under its heat map; "" where there is none.
        confidence: probability of the class that it said.
    """

    image: str
    subject: str
    truth: str
    predicted: str
    confidence: float
    picture: str
    heat: str = ""


def most_confident_mistakes(
    predictions: Predictions, dataset: Dataset, *, limit: int = 18, heat: Path | None = None
) -> tuple[Misclassified, ...]:
    """Return the mistakes that the model was surest of, at most two of one subject: of the target, or of its own
    attribute.

    Args:
        predictions: of the run.
        dataset: their truth and their photos.
        limit: how many.
        heat: folder of heat maps by content hash (`<hash>.png`), where the run made them.
    """
    rows = dataset.positions(predictions.images)
    target = predictions.schema.target
    own = target if predictions.has(target) else predictions.attributes[0]
    truth, p = dataset.classes_of(own)[rows], predictions.probabilities(own)
    predicted = p.argmax(axis=1)
    wrong = np.flatnonzero((predicted != truth) & (truth >= 0))
    order = wrong[np.argsort(-p[wrong, predicted[wrong]], kind="stable")]
    classes, taken, found = predictions.schema.classes(own), dict[str, int](), list[Misclassified]()
    for i in order.tolist():
        subject = str(dataset.subjects[dataset.subject_index[rows[i]]])
        if taken.get(subject, 0) >= 2:
            continue
        taken[subject] = taken.get(subject, 0) + 1
        content = f"{int(dataset.contents[rows[i]]):016x}"
        found.append(
            Misclassified(
                image=str(predictions.images[i]),
                subject=subject,
                truth=classes[truth[i]],
                predicted=classes[predicted[i]],
                confidence=float(p[i, predicted[i]]),
                picture=thumbnail(dataset.paths[rows[i]]),
                heat=_data_uri(heat / f"{content}.png") if heat is not None else "",
            )
        )
        if len(found) == limit:
            break
    return tuple(found)


def thumbnail(path: Path, side: int = SIDE) -> str:
    """Return a photo as a JPEG data URI with its longer side at most `side`; small photos are enlarged by whole
    factors.
    """
    try:
        image = Image.fromarray(decode(path))
    except (HoegoError, OSError):
        return ""
    if max(image.size) * 2 <= side:
        factor = side // max(image.size)
        image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode("ascii")


def _data_uri(path: Path) -> str:
    if not path.is_file():
        return ""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
