"""Compare an exported file with the run that it was made of, photo by photo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hoego.data.images import Photo
from hoego.data.schema import COMPOSITE, LabelSchema
from hoego.exported.names import MEMBERS
from hoego.exported.reference import ReferencePhotos, scores_of
from hoego.exported.session import OnnxSession, batched
from hoego.predictions import Predictions
from hoego.results.export import BATCH, ParityReport

Values = dict[str, NDArray[np.float32]]
ALONE = 64
"""Photos that are computed alone as well, spread over all."""


@dataclass(frozen=True, kw_only=True)
class ModelOutputs:
    """How the outputs of a graph are to be read.

    Args:
        schema: of the labels.
        heads: what its networks predict.
        outputs: what the graph predicts.
        folds: the fold that each of its M networks held out; -1 for a refit.
    """

    schema: LabelSchema
    heads: tuple[str, ...]
    outputs: tuple[str, ...]
    folds: tuple[int, ...]

    @property
    def wanted(self) -> list[str]:
        """The names of the graph's outputs that a comparison needs."""
        members = [MEMBERS + h for h in self.heads] if len(self.folds) > 1 else []
        return [*dict.fromkeys([*self.outputs, *(h for h in self.heads if not members)]), *members]

    def held_out(self, found: Values, fold: NDArray[np.int16]) -> Values:
        """Return probabilities [N, C] by head of the network that held each photo out.

        Args:
            found: outputs of the graph for N photos.
            fold: of each photo [N].
        """
        if len(self.folds) == 1:
            return {h: found[h] for h in self.heads}
        member = np.asarray([self.folds.index(int(f)) for f in fold])
        rows = np.arange(len(fold))
        return {h: found[MEMBERS + h][rows, member] for h in self.heads}


def compare_outputs(
    session: OnnxSession, model: ModelOutputs, pixels: Photo, reference: ReferencePhotos
) -> ParityReport:
    """Compare a session's outputs for N photos with the reference; pixels are taken as they are.

    Args:
        session: of the exported file.
        model: how its outputs are read.
        pixels: uint8 [N, H, W, 3], as the preprocessing gives them.
        reference: of the same photos, in the same order.
    """
    n = reference.n_images
    found = session.run_all(batched(pixels, np.arange(n), BATCH), model.wanted)
    held = model.held_out(found, reference.fold)
    file = reference.predictions(model.schema, _normalised(held))
    run = reference.predictions(model.schema, reference.values)
    gaps = [np.abs(held[h] - reference.values[h]).max(initial=0.0) for h in model.heads]
    gaps.append(_outputs_agree(found, model, reference))
    names = [*dict.fromkeys((*run.attributes, *model.outputs))]
    changed = sum(int((_decided(file, k) != _decided(run, k)).sum()) for k in names)
    theirs = scores_of(run, model.schema, reference.codes)
    mine = scores_of(file, model.schema, reference.codes)
    seen = (reference.fold < 0).all()
    return ParityReport(
        n_images=n,
        pixels=n,
        difference=float(max(gaps)),
        alone=alone_difference(session, model.wanted, pixels),
        decisions=n * len(names),
        changed=changed,
        scores={} if seen else {k: (mine[k], theirs[k]) for k in theirs},
        notes=("the model has seen these photos: they show that it answers as the run does, not how well",)
        if seen
        else (),
    )


def public_names(heads: Sequence[str], schema: LabelSchema) -> tuple[str, ...]:
    """Return what a model with these heads predicts: attributes in the schema's order, then the composite."""
    inside = schema.composite if COMPOSITE in heads else ()
    names = [a for a in schema.names if a in heads or a in inside]
    whole = COMPOSITE in heads or (bool(schema.composite) and all(a in heads for a in schema.composite))
    return (*names, COMPOSITE) if whole else tuple(names)


def _decided(predictions: Predictions, name: str) -> NDArray[np.intp]:
    return np.asarray(predictions.probabilities(name).argmax(axis=1))


def _normalised(values: Values) -> Values:
    """Return finite float32 values without rescaling: a row that does not sum to 1 stays wrong, so that the
    comparison finds it.
    """
    return {k: np.where(np.isfinite(v), v, 0).astype(np.float32) for k, v in values.items()}


def _outputs_agree(found: Values, model: ModelOutputs, reference: ReferencePhotos) -> float:
    """Return the largest difference between the graph's outputs and what its networks' mean makes of them."""
    mean = {
        h: found[h] if len(model.folds) == 1 else found[MEMBERS + h].mean(axis=1).astype(np.float32)
        for h in model.heads
    }
    composed = reference.predictions(model.schema, _normalised(mean))
    gaps = [np.abs(composed.probabilities(k) - found[k]).max(initial=0.0) for k in model.outputs]
    return float(max(gaps))


def alone_difference(session: OnnxSession, outputs: Sequence[str], pixels: Photo) -> float:
    """Return the largest difference between photos alone and the same in batches of 32, other photos beside them."""
    rows = np.unique(np.linspace(0, len(pixels) - 1, min(ALONE, len(pixels))).round().astype(int))
    # A batch is always full: with fewer photos than 32, some are in it twice.
    batches = [np.resize(rows[start : start + BATCH], BATCH) for start in range(0, len(rows), BATCH)]
    worst = 0.0
    for batch in batches:
        together = session.run(np.ascontiguousarray(pixels[batch]), outputs)
        for place, row in enumerate(dict.fromkeys(batch.tolist())):
            single = session.run(np.ascontiguousarray(pixels[row : row + 1]), outputs)
            gaps = [np.abs(together[k][place] - single[k][0]).max(initial=0.0) for k in outputs]
            worst = max(worst, float(max(gaps)))
    return worst


def equal_pixels(prepare: Callable[[int], Photo], pixels: Photo) -> int:
    """Count the photos uint8 [N, H, W, 3] that `prepare` gives byte for byte, by their position."""
    return sum(np.array_equal(prepare(k), pixels[k]) for k in range(len(pixels)))
