"""The fields of predictions, for the modules that make them before there are `Predictions`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from hoego.data.schema import LabelSchema
from hoego.predictions.provenance import RowProvenance, SubjectUniverse
from hoego.predictions.scale import Scale
from hoego.predictions.whole_runs import WholeRuns


class PredictionFields(TypedDict):
    """The arguments of `Predictions`, which says what each of them is."""

    images: NDArray[Any]
    values: Mapping[str, NDArray[np.float32]]
    scale: Mapping[str, Scale]
    schema: LabelSchema
    fold: NDArray[np.int16]
    source: NDArray[np.int32]
    sources: tuple[RowProvenance, ...]
    universe: SubjectUniverse
    dataset_fingerprint: str
    split_fingerprint: str
    split_kind: str
    name: str
    lineage: tuple[str, ...]
    notes: tuple[str, ...]
    whole: WholeRuns
