"""The most confident mistakes of a run, as pictures that need no file beside the page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from hoego.data.dataset import Dataset
from hoego.data.images import Photo, decode
from hoego.errors import HoegoError
from hoego.evaluate.score.photos import predicted_photos
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
    """Return the most confident mistakes of the model, at most two of one subject: of the target, or of its own
    attribute.

    Args:
        predictions: of the run.
        dataset: their truth and their photos.
        limit: how many.
        heat: folder of heat maps by content hash (`<hash>.png`), where the run made them.
    """
    everything = predicted_photos(predictions, dataset)
    taken, found = dict[str, int](), list[Misclassified]()
    for i in everything.mistakes().tolist():
        [photo] = everything.photos([i])
        if taken.get(photo.subject, 0) >= 2:
            continue
        taken[photo.subject] = taken.get(photo.subject, 0) + 1
        found.append(
            Misclassified(
                image=photo.image,
                subject=photo.subject,
                truth=photo.truth,
                predicted=photo.predicted,
                confidence=photo.confidence,
                picture=thumbnail(dataset.paths[everything.rows[i]]),
                heat=_data_uri(heat / f"{photo.content:016x}.png") if heat is not None else "",
            )
        )
        if len(found) == limit:
            break
    return tuple(found)


def thumbnail(path: Path, side: int = SIDE) -> str:
    """Return a photo as a JPEG data URI (see `shrunk`); "" where it cannot be read."""
    try:
        jpeg = shrunk(decode(path), side)
    except (HoegoError, OSError):
        return ""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")


def shrunk(photo: Photo, side: int) -> bytes:
    """Return a photo as JPEG with its longer side at most `side`; small photos are enlarged by whole factors."""
    image = Image.fromarray(photo)
    if max(image.size) * 2 <= side:
        factor = side // max(image.size)
        image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80)
    return out.getvalue()


def _data_uri(path: Path) -> str:
    if not path.is_file():
        return ""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
