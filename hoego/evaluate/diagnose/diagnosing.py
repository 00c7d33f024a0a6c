"""What holds a run back, in one object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hoego.data.dataset import Dataset
from hoego.errors import NotEstimableError
from hoego.evaluate.diagnose.boundary import boundaries
from hoego.evaluate.diagnose.calibration import calibration
from hoego.evaluate.diagnose.consistency import consistency
from hoego.evaluate.diagnose.curves import read_curves
from hoego.evaluate.diagnose.oracle import Oracle, oracle
from hoego.evaluate.diagnose.product_law import product_law
from hoego.evaluate.diagnose.slices import slices
from hoego.evaluate.diagnose.suspects import find_label_issues
from hoego.evaluate.score.space import ScoredRows, scored_rows, space_of
from hoego.predictions import Predictions, require_honest
from hoego.results.diagnosis import Boundary, Diagnosis
from hoego.results.honesty import ScoreHonesty
from hoego.results.score import Optimism


@dataclass(frozen=True)
class DiagnoseOptions:
    """Options of a diagnosis.

    Args:
        slice_by: columns to slice by; every one that can be where empty.
        resamples: bootstrap resamples over subjects.
        seed: of the resamples.
        allow_in_sample: diagnose in-sample predictions too, marked.
    """

    slice_by: tuple[str, ...] = ()
    resamples: int = 2_000
    seed: int = 0
    allow_in_sample: bool = False


def diagnose(
    predictions: Predictions,
    dataset: Dataset,
    options: DiagnoseOptions | None = None,
    *,
    epochs: Mapping[int, Sequence[Mapping[str, Any]]] | None = None,
    optimism: Optimism | None = None,
) -> Diagnosis:
    """Find which attribute holds the score back, and what else the predictions tell.

    Args:
        predictions: of a run, an ensemble or a composition.
        dataset: their truth.
        options: see `DiagnoseOptions`.
        epochs: fold -> rows of epochs.jsonl, for reading the curves.
        optimism: of the selected epoch, where it was estimated.

    Raises:
        LeakError: rows are in-sample.
        MismatchError: the predictions are of another data set, or do not give the target.
        UsageError: a column to slice by that the data set does not have.
        NotEstimableError: fewer than six subjects, or no label at all.
    """
    chosen = options or DiagnoseOptions()
    honest = require_honest(predictions, dataset, allow_in_sample=chosen.allow_in_sample)
    aligned = scored_rows(predictions, dataset)
    predictions = _of_schema(aligned, dataset)
    if not (dataset.target[aligned.positions] >= 0).any():
        raise NotEstimableError(
            "None of the predicted images has a label.", remedy="Diagnose held-out predictions."
        )
    how = {"resamples": chosen.resamples, "seed": chosen.seed}
    found = oracle(predictions, dataset, **how)
    notes = [*honest.notes, *_said_of(found)]
    edges, unsaid = _boundaries(predictions, dataset, **how)
    notes += unsaid
    return Diagnosis(
        run=predictions.name,
        honesty=ScoreHonesty(honest.label),
        score=found.today,
        bottleneck=found.bottleneck,
        decided=found.decided,
        oracle=found.attributes,
        product_law=product_law(predictions, dataset, **how),
        boundaries=edges,
        calibration=calibration(predictions, dataset, seed=chosen.seed),
        slices=slices(predictions, dataset, chosen.slice_by),
        consistency=consistency(predictions, dataset),
        label_issues=find_label_issues(predictions, dataset),
        curves=tuple(read_curves(rows, fold) for fold, rows in sorted((epochs or {}).items())),
        optimism=optimism,
        notes=tuple(notes),
    )


def _boundaries(
    predictions: Predictions, dataset: Dataset, *, resamples: int, seed: int
) -> tuple[tuple[Boundary, ...], list[str]]:
    """Return the boundaries, or none and why they cannot be found."""
    try:
        return boundaries(predictions, dataset, resamples=resamples, seed=seed), []
    except NotEstimableError as problem:
        return (), [f"boundaries: cannot say: {problem.message}"]


def _of_schema(aligned: ScoredRows, dataset: Dataset) -> Predictions:
    """Return the predictions under the data set's schema, once their classes were found to be the same."""
    given = aligned.predictions
    if given.schema.fingerprint == dataset.schema.fingerprint:
        return given
    for name in (given.schema.target, *given.attributes):
        space_of(name, given, dataset, aligned.positions)
    return replace(given, schema=dataset.schema)


def _said_of(found: Oracle) -> list[str]:
    if not found.attributes:
        return ["the target is one attribute and no other is determined by it: no oracle applies"]
    if found.bottleneck is None:
        return ["no attribute's truth would raise the score: nothing holds it back"]
    return []
