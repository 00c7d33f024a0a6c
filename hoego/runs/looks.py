"""How much choosing the first of a ranking flatters it, from what the ranked records predicted.

The highest of n scores is chosen by the same people who score it. The bootstrap of the winner's curse
(`hoego.evaluate.score.optimism`) says by how much such a choice exceeds what the chosen run is worth. The estimate is
kept by the digests of the predictions, so that a listing asks for it once.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego import files
from hoego.data.contents import cache_folder
from hoego.data.dataset import Dataset
from hoego.errors import HoegoError
from hoego.evaluate.score.metrics import METRICS
from hoego.evaluate.score.optimism import OptimismOptions, optimism
from hoego.predictions import stated_digest
from hoego.results.looks import RankingLooks
from hoego.runs.loading import dataset_of
from hoego.runs.record_predictions import PREDICTIONS, predictions_of
from hoego.runs.records import Ranking, Record
from hoego.runs.records.ranking import PRIMARY, metric_value
from hoego.short_repr import ShortRepr

MOST = 200
"""Runs that the estimate rests on, the highest: lower ones are hardly ever chosen in a resample."""

LOOKED_AT = 5 * MOST
"""Runs that are asked whether they hold predictions."""

RESAMPLES = 400
"""Enough for a Monte Carlo error of about 0.001, in half a second for 200 runs of 540 subjects."""

FORMAT = 1
"""Of the kept estimates; another one is not read."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class RunClasses(ShortRepr):
    """What a run says of each image.

    Args:
        images: ids [N].
        said: position of the most probable class [N].
        classes: names of the classes [C].
    """

    images: NDArray[Any]
    said: NDArray[np.int16]
    classes: tuple[str, ...]


def classes_of(record: Record, target: str) -> RunClasses:
    """Read the most probable class of each image. Raises RecordError where a record holds no such predictions."""
    found = predictions_of(record)
    said = found.probabilities(target).argmax(axis=1).astype(np.int16)
    return RunClasses(images=found.images, said=said, classes=found.schema.classes(target))


@dataclass(frozen=True)
class LooksSources:
    """Where the estimate takes its facts from; a program that holds them in memory gives its own.

    Args:
        classes: what a run says of each image.
        dataset: the data set of a run.
        keep: write the estimate into the cache folder.
    """

    classes: Callable[[Record, str], RunClasses] = classes_of
    dataset: Callable[[Record], Dataset] = dataset_of
    keep: bool = True


def looks(
    ranking: Ranking, metric: str = PRIMARY, sources: LooksSources | None = None
) -> RankingLooks | None:
    """Estimate how much the first place of a ranking is flattered; None where there is no choice among several runs.

    Args:
        ranking: the runs of one data set, split, target and labels version.
        metric: by which they are ranked, larger where better.
        sources: of predictions and labels.
    """
    if ranking.group is None or len(ranking.records) < 2:
        return None
    known = RankingLooks(metric=metric, n_runs=len(ranking.records), n_subjects=_subjects(ranking))
    if metric not in METRICS or METRICS[metric].formula is None or METRICS[metric].better != "higher":
        return known.with_(
            reason="only for macro F1, accuracy and other metrics of counts, the highest first"
        )
    used = _used(ranking, metric)
    if len(used) < 2:
        return known.with_(reason="fewer than two of them hold predictions")
    file = _kept_at(ranking, metric, [digest for _, digest in used])
    if (kept := _read_kept(file)) is not None:
        return kept.with_(n_runs=known.n_runs)
    given = sources or LooksSources()
    try:
        return _estimated(ranking, [record for record, _ in used], known, given, file)
    except HoegoError as problem:
        return known.with_(reason=problem.message)


def _subjects(ranking: Ranking) -> int | None:
    counts = (r.score.n_subjects for r in ranking.records if r.score is not None)
    return next((n for n in counts if n), None)


def _used(ranking: Ranking, metric: str) -> list[tuple[Record, str]]:
    """Return the highest runs that hold predictions, each with their digest."""
    ordered = sorted(ranking.records, key=lambda r: -(metric_value(r.score, metric) or 0.0))
    found: list[tuple[Record, str]] = []
    for record in ordered[:LOOKED_AT]:
        digest = stated_digest(record.folder / PREDICTIONS)
        if digest:
            found.append((record, digest))
        if len(found) == MOST:
            break
    return found


def _estimated(
    ranking: Ranking, records: Sequence[Record], known: RankingLooks, sources: LooksSources, file: Path
) -> RankingLooks:
    assert ranking.group is not None
    dataset = sources.dataset(records[0])
    target = ranking.group.target or dataset.schema.target
    read: list[RunClasses] = []
    for record in records:
        # One unreadable file does not take the estimate away: it says from how many runs it is made.
        with contextlib.suppress(HoegoError):
            read.append(sources.classes(record, target))
    found = flattery(read, dataset, target, known)
    same_labels = dataset.labels_version == ranking.group.labels
    if found.optimism is None:
        return found
    if not same_labels:
        return found.with_(notes=("by today's labels",))
    if sources.keep and len(read) == len(records):
        with contextlib.suppress(OSError, HoegoError):
            file.parent.mkdir(parents=True, exist_ok=True)
            files.write_sealed(file, found)
    return found


def flattery(runs: Sequence[RunClasses], dataset: Dataset, target: str, known: RankingLooks) -> RankingLooks:
    """Estimate the optimism of choosing the best of M runs that say something of the same N images.

    Args:
        runs: M; those of other images or classes than the first's are left out.
        dataset: holds the truth and the subjects.
        target: attribute or "composite".
        known: what is known of the ranking before the estimate.

    Raises:
        NotEstimableError: fewer than ten subjects.
    """
    wanted = dataset.schema.classes(target)
    table, images = [], None
    for run in runs:
        if run.classes != wanted:
            continue
        images = run.images if images is None else images
        said = _aligned(run, images)
        if said is not None:
            table.append(said)
    if len(table) < 2 or images is None:
        return known.with_(reason="fewer than two of them predict these photos")
    rows = dataset.positions(images)
    truth, subject = dataset.classes_of(target)[rows], dataset.subject_index[rows]
    ordered = target in dataset.schema.names and dataset.schema.attribute(target).ordered
    options = OptimismOptions(known.metric, ordered, RESAMPLES)
    found = optimism(np.stack(table), truth, subject, len(wanted), options)
    return known.with_(optimism=found, n_used=len(table), n_subjects=len(np.unique(subject[truth >= 0])))


def _aligned(run: RunClasses, images: NDArray[Any]) -> NDArray[np.int16] | None:
    """Return what a run says of these images, in their order; None where it speaks of others."""
    if len(run.images) != len(images):
        return None
    if (run.images == images).all():
        return run.said
    where = {image: i for i, image in enumerate(run.images.tolist())}
    if any(image not in where for image in images.tolist()):
        return None
    out: NDArray[np.int16] = run.said[[where[image] for image in images.tolist()]]
    return out


def _kept_at(ranking: Ranking, metric: str, digests: Sequence[str]) -> Path:
    """Return where the estimate of these predictions is kept."""
    group = ranking.group
    assert group is not None
    said = [FORMAT, metric, RESAMPLES, group.target, group.dataset, group.labels, *digests]
    name = blake2b(json.dumps(said).encode(), digest_size=16).hexdigest()
    return cache_folder() / "looks" / f"{name}.json"


def _read_kept(file: Path) -> RankingLooks | None:
    try:
        return RankingLooks.model_validate(files.read_sealed(file)) if file.is_file() else None
    except (OSError, ValueError, HoegoError):
        return None
