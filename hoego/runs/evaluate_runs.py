"""Compare, diagnose, compose and ensemble runs that lie on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from hoego import files
from hoego.data.dataset import Dataset
from hoego.errors import NotEstimableError, UsageError
from hoego.evaluate.compare import CompareOptions, Comparison, compare
from hoego.evaluate.diagnose import DiagnoseOptions, Diagnosis, as_corrections, designs, diagnose
from hoego.evaluate.ensemble import Ensemble, EnsembleOptions, compose_best, ensemble
from hoego.evaluate.score import Optimism, OptimismOptions, ScoreOptions, optimism, score
from hoego.predictions import Predictions
from hoego.results.ensemble import CombinedRun
from hoego.runs.candidates import recorded_candidates
from hoego.runs.combined import save_composition, save_ensemble
from hoego.runs.loading import LoadedRuns, load_runs
from hoego.runs.records import Record, RunStore


def compare_runs(folder: Path, names: Sequence[str], options: CompareOptions | None = None) -> Comparison:
    """Compare runs by id; `a1+a2+a3` names one side of several seeds.

    Raises:
        UsageError: fewer than two sides.
        MismatchError: they are of different data sets, splits or labels.
    """
    groups = [name.split("+") for name in names]
    if len(groups) < 2:
        raise UsageError(
            "A comparison needs two runs.", remedy="hoego compare A B; seeds of a recipe as A1+A2+A3."
        )
    found = load_runs(folder, [n for g in groups for n in g])
    sides = _as_grouped(found.predictions, groups)
    chosen = options or CompareOptions()
    if not chosen.names and len(found.records) == len(found.predictions):
        chosen = replace(chosen, names=side_titles(_as_grouped(found.records, groups)))
    return compare([side if len(side) > 1 else side[0] for side in sides], found.dataset, chosen)


T = TypeVar("T")


def _as_grouped(items: Sequence[T], groups: Sequence[Sequence[str]]) -> list[list[T]]:
    rest = iter(items)
    return [[next(rest) for _ in group] for group in groups]


def side_titles(sides: Sequence[Sequence[Record]]) -> tuple[str, ...]:
    """Return what the sides of a comparison are called: the first run's name, with its id or the number of seeds."""
    titles = []
    for side in sides:
        first = side[0]
        name = first.meta.name or first.id
        which = first.id if len(side) == 1 else f"{len(side)} seeds"
        titles.append(name if name == which else f"{name} ({which})")
    return tuple(titles)


def diagnose_run(
    folder: Path, name: str, options: DiagnoseOptions | None = None, overlay: Path | None = None
) -> Diagnosis:
    """Diagnose a run, keep the result in its record, and write its suspects as an overlay where asked for.

    Args:
        folder: of the records.
        name: of the run.
        options: see `DiagnoseOptions`.
        overlay: CSV file for the suspected labels, to be reviewed.
    """
    found = load_runs(folder, [name])
    record, predictions = found.records[0], found.predictions[0]
    made = diagnose_record(record, predictions, found.dataset, options)
    if overlay is not None:
        from hoego.data.overlay import write_overlay

        write_overlay(overlay, as_corrections(made.label_issues, record.id))
    return made


def diagnose_record(
    record: Record, predictions: Predictions, dataset: Dataset, options: DiagnoseOptions | None = None
) -> Diagnosis:
    """Diagnose a run, and keep the diagnosis as diagnosis.json in its record."""
    made = diagnose(
        predictions,
        dataset,
        options,
        epochs={k: record.epochs(k) for k in record.folds()},
        optimism=_optimism(record, predictions, dataset),
    )
    files.write_sealed(record.folder / "diagnosis.json", made)
    return made


def _optimism(record: Record, predictions: Predictions, dataset: Dataset) -> Optimism | None:
    """Return the optimism of the choice of the epoch; None if none was chosen, or too few subjects are held
    out.
    """
    candidates = recorded_candidates(record, predictions)
    if candidates is None:
        return None
    aligned = predictions.align(candidates.images)
    rows = dataset.positions(aligned.images)
    try:
        return optimism(
            candidates.predicted,
            dataset.target[rows],
            dataset.subject_index[rows],
            dataset.schema.n_target_classes,
            OptimismOptions(),
            None if candidates.pooled else aligned.fold,
        )
    except NotEstimableError:
        return None


def ensemble_runs(
    folder: Path, names: Sequence[str], options: EnsembleOptions | None = None, *, why: str = ""
) -> CombinedRun:
    """Combine runs, and keep the ensemble as a record that `hoego predict` can use."""
    found = load_runs(folder, names)
    _require_records(found)
    made: Ensemble = ensemble(found.predictions, found.dataset, options)
    record = save_ensemble(RunStore(folder), made, _by_name(found), found.dataset, why=why)
    return CombinedRun(run=record.id, folder=str(record.folder), made=made.summary)


def compose_runs(
    folder: Path,
    parts: Sequence[tuple[str, str]],
    among: Sequence[str] = (),
    *,
    name: str = "",
    why: str = "",
) -> CombinedRun:
    """Compose a prediction from the attributes of several runs, and keep it as a record.

    Args:
        folder: of the records.
        parts: pairs of an attribute and a run that may give it; of several for one attribute the best is chosen.
        among: runs among which the best is chosen for each attribute of the composite that `parts` does not name.
        name: of the result.
        why: the hypothesis.

    Raises:
        UsageError: an attribute of the composite is not named, or given by none of the runs.
    """
    found = load_runs(folder, [run for _, run in parts] + list(among))
    _require_records(found)
    named, free = found.predictions[: len(parts)], found.predictions[len(parts) :]
    candidates: dict[str, list[Predictions]] = {}
    for (attribute, _), predictions in zip(parts, named, strict=True):
        candidates.setdefault(attribute, []).append(predictions)
    if free:
        if not free[0].schema.composite:
            raise UsageError(
                "The labels have no composite class: there are no attributes to compose it of.",
                remedy="hoego ensemble RUN RUN ... combines runs of one attribute.",
            )
        for attribute in free[0].schema.composite:
            candidates.setdefault(attribute, [p for p in free if p.has(attribute)])
    if not candidates:
        raise UsageError(
            "Nothing is named to compose.",
            remedy="hoego compose RUN RUN ..., or --of ATTRIBUTE=RUN for each.",
        )
    made = compose_best(candidates, found.dataset, name=name)
    result = score(made.predictions, found.dataset, ScoreOptions(resamples=2_000))
    record = save_composition(RunStore(folder), made, result, _by_name(found), found.dataset, why=why)
    return CombinedRun(run=record.id, folder=str(record.folder), made=made.summary(result))


def _require_records(found: LoadedRuns) -> None:
    """Raise if a member is not a record: a combination that is kept names its members."""
    if len(found.records) != len(found.predictions):
        raise UsageError(
            "A file of predictions alone cannot be combined into a record: it has no model to predict with.",
            remedy="Name runs, or combine files in Python with hoego.evaluate.ensemble.ensemble.",
        )


def _by_name(found: LoadedRuns) -> dict[str, Record]:
    return {p.name: r for p, r in zip(found.predictions, found.records, strict=True)}


def rank_designs(folder: Path, names: Sequence[str], options: CompareOptions | None = None) -> Comparison:
    """Rank designs: every run that predicts the target, and every product of attributes of different runs.

    Raises:
        UsageError: fewer than two designs can be made.
    """
    found = load_runs(folder, names)
    ways = designs(found.predictions)
    if len(ways) < 2:
        raise UsageError("These runs make one design alone.", remedy="Give runs of several heads.")
    chosen = replace(options or CompareOptions(), names=tuple(w.name for w in ways))
    return compare([w.predictions for w in ways], found.dataset, chosen)
