"""The models of an export, and what they say in float32 of the photos that they did not see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.data.pixels import PixelCache
from hoego.data.preprocess import Preprocess
from hoego.errors import RecordError
from hoego.exported.probes import pixel_hash
from hoego.exported.reference import ReferencePhotos, brightness_of, sharpness_of
from hoego.predictions import Predictions, Provenance, softmax
from hoego.runs.exporting.request import ChosenWeights
from hoego.runs.inputs import decode, preprocess_of
from hoego.runs.loading import dataset_of
from hoego.runs.record_predictions import predictions_of
from hoego.runs.records import Record
from hoego.short_repr import ShortRepr

if TYPE_CHECKING:
    from hoego.train.predict import TrainedModel

Values = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ExportMembers(ShortRepr):
    """The models, and the held-out photos that they are compared on.

    Args:
        models: M trained models, on the CPU, in float32.
        folds: the fold that each held out; -1 for the refit.
        dataset: of the run, on today's labels.
        recorded: the run's own predictions of the N held-out photos.
        cache: their pixels, as training read them.
        all_rows: the row of the cache's array of every photo of the data set.
        preprocess: that made them.
        values: float32 probabilities [N, C] by head of the model that held each photo out (of the refit: of all).
        provenance: the subjects that the models have seen.
        precision: in which the run trained and predicted.
    """

    models: tuple[TrainedModel, ...]
    folds: tuple[int, ...]
    dataset: Dataset
    recorded: Predictions
    cache: PixelCache
    all_rows: NDArray[np.int64]
    preprocess: Preprocess
    values: Values
    provenance: Provenance
    precision: str

    @property
    def predictions(self) -> Predictions:
        """The float32 predictions, with the provenance of the run's own; of a refit the run's own, which are honest."""
        if self.folds == (-1,):
            return self.recorded
        return self.recorded.with_values(self.values, "probabilities")

    @property
    def rows(self) -> NDArray[np.int64]:
        """The positions of the held-out photos in the data set [N]."""
        return self.dataset.positions(self.recorded.images)

    def reference(self) -> ReferencePhotos:
        """Describe the held-out photos without names and pixels."""
        rows = self.rows
        blocks = [self.cache.rows(np.arange(a, min(a + 256, len(rows)))) for a in range(0, len(rows), 256)]
        refit = self.folds == (-1,)
        return ReferencePhotos(
            content=self.dataset.contents[rows],
            pixels=np.asarray([pixel_hash(p) for block in blocks for p in block], dtype=np.str_),
            fold=np.full(len(rows), -1, np.int16) if refit else self.recorded.fold,
            subject=self.dataset.subject_index[rows],
            codes=self.dataset.codes[rows],
            values=self.values,
            honest=_probabilities(self.recorded) if refit else {},
            brightness=np.concatenate([brightness_of(b) for b in blocks]),
            sharpness=np.concatenate([sharpness_of(b) for b in blocks]),
        )


def load_members(record: Record, chosen: ChosenWeights) -> ExportMembers:
    """Load the chosen models and predict the held-out photos with them, in float32 on the CPU.

    Raises:
        RecordError: a checkpoint is of another run, or the data set cannot be read.
    """
    models = _float_models(record, chosen)
    dataset = dataset_of(record)
    recorded = predictions_of(record)
    if chosen.name not in ("refit", "folds"):
        recorded = recorded.take(recorded.fold == int(chosen.name))
    if dataset.schema.fingerprint != models[0].schema.fingerprint:
        raise RecordError(
            f"The labels of {record.id} have other classes now than those it was trained on.",
            remedy="Restore the label schema, or train it again.",
        )
    preprocess = preprocess_of(models[0].recipe)
    cache = decode(models[0].recipe, dataset, preprocess)
    all_rows = cache.row
    cache = replace(cache, row=all_rows[dataset.positions(recorded.images)])
    values = _held_out_values(models, chosen.folds, cache, recorded)
    known = Provenance.joined([m.provenance for m in models])
    return ExportMembers(
        models=tuple(models),
        folds=chosen.folds,
        dataset=dataset,
        recorded=recorded,
        cache=cache,
        all_rows=all_rows,
        preprocess=preprocess,
        values=values,
        provenance=known,
        precision=_precision(record),
    )


def _float_models(record: Record, chosen: ChosenWeights) -> list[TrainedModel]:
    from hoego.train.checkpoints import require_written_by
    from hoego.train.predict import load_model

    models = []
    for path in chosen.paths:
        model = load_model(path, "cpu")
        require_written_by(model.provenance, f"{record.id}/{path.parent.name}", path)
        models.append(replace(model, precision="float32"))
    return models


def _probabilities(predictions: Predictions) -> Values:
    """Return probabilities [N, C] by head."""
    return {
        head: np.asarray(softmax(array) if predictions.scale[head] == "logits" else array, np.float32)
        for head, array in predictions.values.items()
    }


def _precision(record: Record) -> str:
    resolved = record.meta.training.resolved
    return "float32" if resolved is None else resolved.precision


def _held_out_values(
    models: Sequence[TrainedModel], folds: Sequence[int], cache: PixelCache, recorded: Predictions
) -> Values:
    """Return probabilities [N, C] by head of each photo by the model that held it out."""
    from hoego.train.predict import predict_photos

    values: Values = {}
    for model, fold in zip(models, folds, strict=True):
        rows = np.arange(recorded.n_images) if fold < 0 else np.flatnonzero(recorded.fold == fold)
        if not len(rows):
            continue
        part = replace(cache, row=cache.row[rows])
        found = predict_photos([model], part, recorded.images[rows])
        for head, array in found.values.items():
            p = softmax(array) if found.scale[head] == "logits" else array
            whole = values.setdefault(head, np.zeros((recorded.n_images, p.shape[1]), np.float32))
            whole[rows] = p
    return values
