"""The leak, measured: one recipe under the naive split and under the honest one.

The two are scored on different photos, but many people have photos on both sides, and a person who is hard for one
model tends to be hard for the other. So the interval of the difference is made of those of the two scores and of the
correlation that the shared people give them; `benchmarks/coverage_diagnose.py` measures how often it holds.
"""

from __future__ import annotations

import numpy as np

from hoego.data.dataset import Dataset
from hoego.errors import HoegoError, MismatchError, NotEstimableError
from hoego.evaluate.compare.resamples import CountMetric, ResamplingOptions
from hoego.evaluate.diagnose.rare import less
from hoego.evaluate.score.metrics import METRICS, PRIMARY
from hoego.evaluate.score.scoring import scored_target
from hoego.evaluate.score.space import LabelSpace, scored_rows, space_of
from hoego.predictions import Predictions
from hoego.recipe import Recipe
from hoego.results.leak import LeakSide, LeakStudy
from hoego.results.score import DefinedEstimate, MetricEstimate
from hoego.runs.loading import dataset_of
from hoego.runs.record_predictions import predictions_of
from hoego.runs.records import Record
from hoego.runs.required_runs import StudyRunner, varied


def measure_leak(recipe: Recipe, runner: StudyRunner) -> LeakStudy:
    """Train a recipe on a photo-level split and on a subject-level one of the same size, and compare the promises.

    Args:
        recipe: with split.kind holdout (kept), folds (a holdout of 1/K is used for both), or naive.
        runner: where to train.
    """
    ratio = 1 / recipe.split.folds if recipe.split.kind == "folds" else recipe.split.ratio
    runs = {}
    for kind in ("naive", "holdout"):
        split = recipe.split.model_copy(update={"kind": kind, "ratio": ratio, "name": ""})
        chosen = varied(recipe, (), name=f"{recipe.name or 'recipe'} ({kind})", refit=False)
        chosen = chosen.model_copy(update={"split": split, "fold": 0})
        runs[kind] = runner.find_or_train(chosen, why="what a photo-level split would have promised")
    return compare_promises(runs["naive"], runs["holdout"])


def compare_promises(naive: Record, honest: Record) -> LeakStudy:
    """Return the leak between two runs that are done.

    Raises:
        MismatchError: the runs are of different data sets or labels, or not one of each kind of split.
        NotEstimableError: a run has no score.
    """
    for what in ("dataset", "labels"):
        if len({r.meta.fingerprints.get(what) for r in (naive, honest)}) > 1:
            raise MismatchError(
                f"The runs {naive.id} and {honest.id} are of different {what}.", remedy="Train both again."
            )
    scores = [r.score.primary if r.score is not None else None for r in (naive, honest)]
    for record, score in zip((naive, honest), scores, strict=True):
        if score is None or score.value is None:
            raise NotEstimableError(f"The run {record.id} has no score.", remedy="hoego show says why.")
    _require_kinds(naive, honest)
    a, b = (
        LeakSide(run=r.id, macro_f1=r.score.primary, honesty=r.score.honesty)
        for r in (naive, honest)
        if r.score is not None and r.score.primary is not None
    )
    shared, unknown = 0.0, ""
    try:
        dataset = dataset_of(honest)
    except HoegoError as problem:
        unknown = f"; the interval takes the two runs as independent, since the data cannot be read: {problem.message}"
    else:
        first, second = (target_space(predictions_of(r), dataset) for r in (naive, honest))
        shared = together(first, second)
    leak = promised_less_kept(a.macro_f1, b.macro_f1, shared)
    limits = "" if leak.low is None else f" [{leak.low:+.3f}, {leak.high:+.3f}]"
    words = (
        f"the photo-level split promises {a.macro_f1.value:.3f}; on new subjects it is {b.macro_f1.value:.3f}: "
        f"a leak of {leak.value:+.3f}{limits}{unknown}"
    )
    return LeakStudy(naive=a, honest=b, leak=leak, correlation=shared, words=words)


def _require_kinds(naive: Record, honest: Record) -> None:
    for record, wanted in ((naive, True), (honest, False)):
        kind = predictions_of(record).split_kind
        if (kind == "naive") is not wanted:
            raise MismatchError(
                f"The run {record.id} is on a split of the kind {kind}: the leak is measured between a run on a "
                "photo-level split and one that holds out whole subjects.",
                remedy="hoego diagnose HONEST --leak NAIVE",
            )


def promised_less_kept(
    naive: MetricEstimate, honest: MetricEstimate, correlation: float = 0.0
) -> DefinedEstimate:
    """Return the difference of two scores whose values are defined; without limits where one has none."""
    known = [
        (e.value, e.low, e.high)
        for e in (naive, honest)
        if e.value is not None and e.low is not None and e.high is not None
    ]
    if len(known) < 2:
        return DefinedEstimate(value=float(naive.value or 0.0) - float(honest.value or 0.0))
    low, high = less(known[0], known[1], correlation)
    return DefinedEstimate(value=known[0][0] - known[1][0], low=low, high=high)


def target_space(predictions: Predictions, dataset: Dataset) -> LabelSpace:
    """Return the scored rows of a run's target."""
    rows = scored_rows(predictions, dataset)
    return space_of(scored_target(predictions, []), rows.predictions, dataset, rows.positions)


def together(first: LabelSpace, second: LabelSpace) -> float:
    """Return the correlation of the macro F1 of two models scored on different photos, by their jackknife
    values [S].

    People who have photos on one side only add to the variance of that side and nothing to the covariance.
    """
    formula = METRICS[PRIMARY].formula
    assert formula is not None
    moves = []
    for space in (first, second):
        evidence = CountMetric([space], formula, ResamplingOptions(1, 1))
        moves.append(evidence.jackknife().left_out[evidence.table.group, 0])
    _, one, two = np.intersect1d(np.unique(first.subject), np.unique(second.subject), return_indices=True)
    scale = float(np.sqrt((moves[0] ** 2).sum() * (moves[1] ** 2).sum()))
    return float(np.clip(moves[0][one] @ moves[1][two] / scale, -1.0, 1.0)) if scale > 0 else 0.0
