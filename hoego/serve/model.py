"""The served model: its answers with their promises, and whether it has seen the photo."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.data.images import Photo, content_of, special_opener
from hoego.data.photo_pixels import PhotoError, open_photo
from hoego.errors import HoegoError, NotEstimableError, ParityError, UsageError
from hoego.evaluate.promises import abstention_rule, in_sets, prediction_set_rule
from hoego.exported import ExportedModel, OnnxSession, open_model
from hoego.exported.names import CALIBRATED
from hoego.exported.reference import ReferencePhotos
from hoego.exported.seen import SeenPhotos
from hoego.results.promise import AbstentionRule, PredictionSetRule
from hoego.serve.batching import Outputs
from hoego.serve.options import RequestProblem, ServeOptions
from hoego.short_repr import ShortRepr


@dataclass(frozen=True, eq=False, repr=False)
class PreparedPhoto(ShortRepr):
    """A photo for the session: its pixels uint8 [H, W, 3]; whether it was in training, None if unknown."""

    pixels: Photo
    seen: bool | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class ServedModel:
    """An exported model that is loaded and whose promises are set.

    Args:
        exported: the folder.
        session: of its graph.
        reference: its held-out photos.
        seen_photos: who it has seen.
        sets: a rule for each attribute that can have one.
        abstention: when to withhold an answer; None never does.
        notes: what cannot be promised, and why.
        most_pixels: of a photo.
    """

    exported: ExportedModel
    session: OnnxSession
    reference: ReferencePhotos
    seen_photos: SeenPhotos
    sets: Mapping[str, PredictionSetRule]
    abstention: AbstentionRule | None
    notes: tuple[str, ...]
    most_pixels: int

    @property
    def name(self) -> str:
        """The name in addresses."""
        return re.sub(r"[^\w.-]+", "-", self.exported.manifest.name, flags=re.ASCII).strip("-") or "model"

    @property
    def promises(self) -> tuple[str, ...]:
        """What is promised of new people, and what cannot be, in sentences."""
        kept = () if self.abstention is None else (self.abstention.sentence,)
        return (*(rule.sentence for rule in self.sets.values()), *kept, *self.notes)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the outputs that are offered: probabilities by attribute, and calibrated ones."""
        names = self.exported.manifest.outputs
        return (*names, *(CALIBRATED + n for n in names if CALIBRATED + n in self.session.outputs))

    @cached_property
    def classes(self) -> Mapping[str, tuple[str, ...]]:
        """The names of the classes, by attribute; the composite's are joined anew at every call of the schema."""
        return {a: tuple(self.exported.schema.classes(a)) for a in self.exported.manifest.outputs}

    def facts(self) -> dict[str, Any]:
        """Return the facts that are printed at the start, as JSON types."""
        digest = self.exported.manifest.digest
        return {"model": self.name, "digest": digest, "promises": list(self.promises)}

    def run(self, pixels: Photo) -> Outputs:
        """Compute the outputs [n, C] of photos uint8 [n, H, W, 3]."""
        return self.session.run(pixels, self.outputs)

    def prepare(self, data: bytes, name: str) -> PreparedPhoto:
        """Decode and resize a photo. Raises RequestProblem (413, 415, 422) that names it."""
        opener = special_opener(name)
        try:
            with open_photo(io.BytesIO(data), opener) as image:
                height, width = image.height, image.width
        except (PhotoError, HoegoError) as error:
            status = 415 if "known format" in str(error) else 422
            raise RequestProblem(status, _said(name, error)) from None
        if height * width > self.most_pixels:
            raise RequestProblem(
                413, f"{name}: a photo may have {self.most_pixels:,} pixels, not {height * width:,}."
            )
        try:
            pixels = self.exported.preprocessing(data, None, opener)
        except (PhotoError, HoegoError) as error:
            raise RequestProblem(422, _said(name, error)) from None
        return PreparedPhoto(pixels, self.seen_photos.photo(content_of(data)))

    def answer(self, name: str, photo: PreparedPhoto, found: Outputs) -> dict[str, Any]:
        """Return the answer for a photo, as JSON types."""
        attributes = {a: self._said_of(a, found) for a in self.exported.manifest.outputs}
        out: dict[str, Any] = {"photo": name, "seen": photo.seen, "attributes": attributes}
        rule = self.abstention
        if rule is not None:
            out["abstain"] = not float(found[rule.attribute].max()) > rule.above
        return out

    def _said_of(self, attribute: str, found: Outputs) -> dict[str, Any]:
        p = found[attribute]
        calibrated = found.get(CALIBRATED + attribute, p)
        classes = self.classes[attribute]
        best = int(p.argmax())
        out = {
            "label": classes[best],
            "probability": float(calibrated[best]),
            "probabilities": dict(zip(classes, p.tolist(), strict=True)),
        }
        rule = self.sets.get(attribute)
        if rule is not None:
            inside = in_sets(p[None].astype(np.float64), rule.least)[0]
            out["set"] = [c for c, is_in in zip(classes, inside.tolist(), strict=True) if is_in]
        return out


def load_served(options: ServeOptions) -> ServedModel:
    """Load a folder, check that it is what was scored and answers as it did, and set its promises.

    Raises:
        ParityError: files, pixels or answers are not those of the export.
        NotEstimableError: the people behind it cannot support what `--abstain` promises.
    """
    model = open_model(options.folder)
    model.require_pixels()
    session, reference = model.session(), model.reference()
    _require_answers(model, session)
    notes: list[str] = []
    sets: dict[str, PredictionSetRule] = {}
    abstention = None
    if not model.manifest.score.rankable:
        honesty = model.manifest.score.honesty or "of unknown honesty"
        notes.append(f"No prediction sets: the held-out predictions are {honesty}.")
        if options.abstain is not None:
            raise UsageError(
                f"Nothing can be promised of new people on held-out predictions that are {honesty}."
            )
    else:
        sets = _sets(model, reference, options.error, notes)
        abstention = None if options.abstain is None else _abstention(model, reference, options.abstain)
    return ServedModel(
        exported=model,
        session=session,
        reference=reference,
        seen_photos=model.seen(),
        sets=sets,
        abstention=abstention,
        notes=tuple(notes),
        most_pixels=int(options.megapixels * 1e6),
    )


def _sets(
    model: ExportedModel, reference: ReferencePhotos, error: float, notes: list[str]
) -> dict[str, PredictionSetRule]:
    out: dict[str, PredictionSetRule] = {}
    held = reference.honest_predictions(model.schema)
    for name in model.manifest.outputs:
        truth = model.schema.class_codes(name, reference.codes)
        try:
            out[name] = prediction_set_rule(name, held.probabilities(name), truth, reference.subject, error)
        except NotEstimableError as e:
            notes.append(f"No prediction sets of {name}: {e.message} {e.remedy}")
    return out


def _abstention(model: ExportedModel, reference: ReferencePhotos, share: float) -> AbstentionRule:
    held = reference.honest_predictions(model.schema)
    name = (
        model.manifest.target
        if model.manifest.target in model.manifest.outputs
        else model.manifest.outputs[0]
    )
    truth = model.schema.class_codes(name, reference.codes)
    return abstention_rule(name, held.probabilities(name), truth, reference.subject, share)


def _require_answers(model: ExportedModel, session: OnnxSession) -> None:
    """Refuse a machine on which the session answers otherwise than where the model was exported."""
    probes, photos = model.manifest.probes, model.probes()
    if not probes:
        return
    pixels = np.stack([model.preprocessing(photos[name]) for name in probes])
    found = session.run(pixels, model.manifest.outputs)
    worst = 0.0
    for name in model.manifest.outputs:
        said = np.asarray([p.probabilities[name] for p in probes.values()], dtype=np.float32)
        worst = max(worst, _gap(found[name], said))
    allowed = model.manifest.parity.tolerance
    if not worst <= allowed:
        raise ParityError(
            f"This machine's ONNX Runtime gives probabilities that differ by {worst:.2g} from those of the export.",
            file=model.folder,
            remedy="Install the onnxruntime of requirements.txt.",
        )


def _gap(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.abs(a - b).max(initial=0.0))


def _said(name: str, error: Exception) -> str:
    text = error.message if isinstance(error, HoegoError) else str(error)
    return f"{name}: {text}"
