"""What a probe says of new photos: the mean over the heads of its folds, on features of the same weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.data.load import load_unlabelled
from hoego.errors import MismatchError, RecordError
from hoego.extras import require
from hoego.predictions import Predictions, join_sources, softmax
from hoego.recipe import build
from hoego.runs.probing.facts import probe_facts
from hoego.runs.probing.features import features_of
from hoego.runs.probing.heads_file import HEADS, read_heads
from hoego.runs.record_predictions import predictions_of
from hoego.runs.records import Record
from hoego.train.weights.start import Start, recorded_start


def heads_of(record: Record) -> list[Path]:
    """Return the files of a probe's heads, one for each fold. Raises RecordError where there are none."""
    found = sorted((record.folder / HEADS).glob("fold-*.npz"))
    if not found:
        raise RecordError(
            f"The probe {record.id} has no heads.", file=record.folder / HEADS, remedy="Probe again."
        )
    return found


def predict_probe(
    record: Record, on: Path | Dataset, *, root: Path | None = None, heads: Sequence[Path] = ()
) -> Predictions:
    """Return the mean probabilities of the heads of a probe, with the provenance of each.

    Args:
        record: of the probe.
        on: a table with a path column, a folder of photos, or a data set.
        root: what the table's paths are relative to.
        heads: files of heads; () takes those of all folds.

    Raises:
        RecordError: there are no heads.
        TrainError: the weights are nowhere, or other ones than those of the probe.
        MismatchError: the photos have other labels.
    """
    require("train", "Predicting")
    own = predictions_of(record)
    dataset = on if isinstance(on, Dataset) else load_unlabelled(Path(on), own.schema, root=root)
    if dataset.schema.fingerprint != own.schema.fingerprint:
        raise MismatchError(f"The photos have other labels than the probe {record.id} was fitted on.")
    paths = list(heads) or heads_of(record)
    features = features_of(_start(record), dataset, flips=probe_facts(record).flips).values
    fitted = [read_heads(path) for path in paths]
    values = {name: _mean([h[name].log_probabilities(features) for h in fitted]) for name in fitted[0]}
    wanted = {f"{record.id}/{path.stem}" for path in paths}
    n = dataset.n_images
    return Predictions(
        images=dataset.image_ids,
        values=values,
        scale=dict.fromkeys(values, "probabilities"),
        schema=own.schema,
        fold=np.full(n, -1, dtype=np.int16),
        source=np.zeros(n, dtype=np.int32),
        sources=(join_sources(record.id, [s for s in own.sources if s.name in wanted], own.universe),),
        universe=own.universe,
        dataset_fingerprint=dataset.fingerprint,
        name=record.id,
        lineage=(record.id,),
    )


def _mean(logs: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the mean probabilities float32 [N, C] of log-probabilities [N, C] each."""
    out: NDArray[np.float32] = np.mean([softmax(z) for z in logs], axis=0, dtype=np.float32)
    return out


def _start(record: Record) -> Start:
    """Return what the probe started from, which must be the recorded weights."""
    recorded = record.meta.training.weights_sha256
    return recorded_start(
        build(record.recipe), recorded, what="The probe's features are of", instead="probe again"
    )
