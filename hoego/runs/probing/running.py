"""A probe: features, heads fold by fold, a score, and a record that every comparison takes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hoego import files
from hoego.data.audit import AuditReport
from hoego.data.dataset import Dataset
from hoego.errors import TrainError
from hoego.evaluate.compare import CompareOptions, compare
from hoego.evaluate.probe import HeldOutValues, out_of_fold
from hoego.evaluate.score import Score, ScoreOptions, ScoreSummary, score
from hoego.extras import require
from hoego.predictions import (
    Predictions,
    Provenance,
    RowProvenance,
    SubjectUniverse,
    concat,
    require_unseen,
)
from hoego.recipe import Fold, Recipe
from hoego.results.probe import ProbeFacts, ProbeRanking, ProbeRun
from hoego.runs.probing.facts import PROBE
from hoego.runs.probing.features import PhotoFeatures, features_of, names_of
from hoego.runs.probing.heads_file import HEADS, write_heads
from hoego.runs.project import SPLIT_FILE, ProjectData, audited, folds_of, open_project, require_clean
from hoego.runs.record_predictions import PREDICTIONS
from hoego.runs.recorded_data import AUDIT, as_recorded, keep_first_data
from hoego.runs.records import Record, RunKind, RunStore
from hoego.runs.train import fingerprints
from hoego.split import save as save_split
from hoego.train.weights.start import Start, start_of

TRAINED = (
    "epochs",
    "batch_size",
    "loss",
    "heads",
    "sampling",
    "mixing",
    "augment",
    "optim",
    "average",
    "select",
)
"""Settings of a training, which a probe's record leaves out."""


@dataclass(frozen=True, kw_only=True)
class ProbeOptions:
    """Options of a probe beside its recipe.

    Args:
        folder: the project's folder, in which `runs/` and `splits/` lie.
        fold: the fold to hold out, or "all"; None: all folds where the split has folds, else its one held-out side.
        flips: average the features of each photo and of its mirror image.
        why: the hypothesis.
        tags: of the record.
        audit: whether the data are audited first.
        progress: whether progress is shown.
    """

    folder: Path = field(default_factory=Path)
    fold: Fold | None = None
    flips: bool = True
    why: str = ""
    tags: Sequence[str] = ()
    audit: bool = True
    progress: bool = True


def probe_all(recipes: Sequence[Recipe], options: ProbeOptions) -> ProbeRanking:
    """Probe recipes of one data set and split one after another, and rank them by paired comparisons.

    Raises: as `probe`; weights that are nowhere are named before the first probe.
    """
    require("train", "Probing")
    starts = [start_of(recipe) for recipe in recipes]
    project = open_project(starts[0].recipe, options.folder)
    made = [probe(start, project, options) for start in starts]
    if len(made) < 2:
        return ProbeRanking(probes=tuple(made))
    sides = [Predictions.read(Path(p.folder) / PREDICTIONS) for p in made]
    names = tuple(p.name.removeprefix("probe ") for p in made)
    compared = compare(sides, project.dataset, CompareOptions(names=names))
    return ProbeRanking(probes=tuple(made), comparison=compared)


def probe(start: Start, project: ProjectData, options: ProbeOptions) -> ProbeRun:
    """Probe one backbone: features of all photos, heads fitted on each training side, a score of what was held out.

    The record appears when all of it is done.

    Raises:
        TrainError: the network cannot be built.
        LeakError: the starting weights have seen a held-out subject.
        NotEstimableError: a training side has no label of an attribute.
        DataError: a photo cannot be read.
    """
    begun = time.perf_counter()
    dataset, split = project.dataset, project.split
    checked = audited(dataset, start.recipe) if options.audit else None
    if checked is not None:
        require_clean(checked)
    fold: Fold = ("all" if split.kind == "folds" else 0) if options.fold is None else options.fold
    held = {k: split.val_mask(k) for k in folds_of(split, fold)}
    _require_unseen(start, project, held)
    at_features = time.perf_counter()
    features = features_of(start, dataset, flips=options.flips, progress=options.progress)
    at_heads = time.perf_counter()
    found = out_of_fold(features.values, dataset, held, names_of(start.recipe, dataset))
    at_score = time.perf_counter()
    record = _record(start, project, fold, options, checked)
    predictions = concat(
        [_predictions(record, start, project, k, f) for k, f in zip(held, found, strict=True)]
    )
    scored = _scored(predictions, as_recorded(dataset, [record]), start.recipe)
    now = time.perf_counter()
    seconds = {
        "audit": at_features - begun,
        **features.seconds,
        "heads": at_score - at_heads,
        "score": now - at_score,
        "total": now - begun,
    }
    facts = _facts(start, features, found, seconds, options)
    _write(record, predictions, scored, facts)
    for k, one in zip(held, found, strict=True):
        write_heads(record.folder / HEADS / f"fold-{k}.npz", one.heads)
    record.set_state("done")
    return ProbeRun(
        run=record.id, folder=str(record.folder), name=record.meta.name, score=scored, probe=facts
    )


def _scored(predictions: Predictions, dataset: Dataset, recipe: Recipe) -> Score:
    settings = recipe.score
    how = ScoreOptions(metrics=settings.metrics, resamples=settings.resamples, level=settings.level)
    return score(predictions, dataset, how)


def _require_unseen(start: Start, project: ProjectData, held: dict[int, NDArray[np.bool_]]) -> None:
    known = _provenance_of(start, project.dataset)
    if known is not None:
        for mask in held.values():
            require_unseen(known, project.dataset, mask, naive=project.split.naive)


def _provenance_of(start: Start, dataset: Dataset) -> Provenance | None:
    """Return which subjects a checkpoint has seen; None for published weights and where nothing says it."""
    from hoego.train.starting import seen_by_start

    return seen_by_start(start.recipe.model, dataset)


def _record(
    start: Start, project: ProjectData, fold: Fold, options: ProbeOptions, checked: AuditReport | None
) -> Record:
    recipe = start.recipe.model_copy(update={"fold": fold})
    record = RunStore(options.folder / "runs").create(
        {k: v for k, v in recipe.to_dict().items() if k not in TRAINED},
        name=recipe.name,
        why=options.why,
        tags=("probe", *options.tags),
        fingerprints=fingerprints(recipe, project.dataset, project.split),
        kind=RunKind.PROBE,
        fold=fold,
        target=project.dataset.schema.target,
        training={"weights": start.recorded()},
    )
    save_split(project.split, record.folder / SPLIT_FILE)
    files.write_sealed(record.folder / "split.json", project.split.summary)
    if checked is not None:
        files.write_sealed(record.folder / AUDIT, checked)
    keep_first_data(record, project.dataset)
    return record


def _predictions(
    record: Record, start: Start, project: ProjectData, fold: int, found: HeldOutValues
) -> Predictions:
    """Return what the heads of a fold say, with the provenance of the heads and of the weights below them."""
    dataset, split = project.dataset, project.split
    name = f"{record.id}/fold-{fold}"
    source = RowProvenance.from_training(name, dataset, ~split.val_mask(fold), naive=split.naive)
    known = _provenance_of(start, dataset)
    if start.found is not None:
        source = replace(source, external=(*source.external, start.found.text))
    elif known is None:
        source = replace(source, external=(*source.external, Path(str(start.recipe.model.checkpoint)).name))
    made = Provenance(SubjectUniverse.of(dataset), (source,))
    if start.found is None and known is not None:
        made = made.taught_by(known, by="its starting checkpoint")
    n = len(found.rows)
    return Predictions(
        images=dataset.image_ids[found.rows],
        values=found.values,
        scale=dict.fromkeys(found.values, "logits"),
        schema=dataset.schema,
        fold=np.full(n, fold, dtype=np.int16),
        source=np.zeros(n, dtype=np.int32),
        sources=made.sources,
        universe=made.universe,
        dataset_fingerprint=dataset.fingerprint,
        split_fingerprint=split.fingerprint,
        split_kind=split.kind,
        name=record.id,
        lineage=(record.id,),
    )


def _facts(
    start: Start,
    features: PhotoFeatures,
    found: Sequence[HeldOutValues],
    seconds: dict[str, float],
    options: ProbeOptions,
) -> ProbeFacts:
    model = start.recipe.model
    return ProbeFacts(
        model=model.name,
        weights=start.found.text if start.found is not None else Path(str(model.checkpoint)).name,
        n_features=features.values.shape[1],
        flips=options.flips,
        extracted=features.extracted,
        device=features.device,
        precision=features.precision,
        threads=features.threads,
        seconds={k: round(v, 3) for k, v in seconds.items()},
        heads=tuple(head.choice for one in found for head in one.heads.values()),
        notes=start.notes,
    )


def _write(record: Record, predictions: Predictions, scored: Score, facts: ProbeFacts) -> None:
    if not predictions.n_images:
        raise TrainError("No photo is held out.", remedy="Make the split again.")
    predictions.write(record.folder / PREDICTIONS)
    files.write_json(record.folder / PROBE, facts.model_dump(mode="json"))
    files.write_sealed(record.folder / "score.json", scored.model_dump(mode="json"))
    summary = ScoreSummary.of(scored).model_dump(mode="json")
    timing = {"seconds": facts.seconds["total"], "decode_seconds": facts.seconds["decode"]}
    record.update(score=summary, timing=timing)
