"""Predictions and a Dataset in, a Score out: aligned by image id, honest or refused, with intervals over subjects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoego.data.dataset import Dataset
from hoego.data.schema import COMPOSITE
from hoego.errors import NotEstimableError, UsageError
from hoego.evaluate.score.metrics import METRICS, PRIMARY, require_applicable
from hoego.evaluate.score.optimism import OptimismOptions, optimism
from hoego.evaluate.score.over_labels import over_labels, said
from hoego.evaluate.score.space import Ints, LabelSpace, ScoredRows, scored_rows, space_of, voted
from hoego.evaluate.score.space_scores import MetricOptions, score_spaces
from hoego.predictions import SELECTED, Predictions, require_honest
from hoego.results.honesty import ScoreHonesty
from hoego.results.score import LabelSpaceScore, Optimism, Score
from hoego.short_repr import ShortRepr

NOT_ESTIMATED = "optimism: not estimated"


@dataclass(frozen=True, eq=False, repr=False)
class SelectionCandidates(ShortRepr):
    """What was chosen from: the M epochs (or runs) whose best one the scored predictions are.

    Args:
        images: ids [N].
        predicted: predicted target classes [M, N]; candidate m of every fold is that fold's epoch m.
        pooled: one candidate was chosen by all images together (a trial of a search), not one by each fold.
    """

    images: np.ndarray
    predicted: Ints
    pooled: bool = False


@dataclass(frozen=True, kw_only=True)
class ScoreOptions:
    """How a score is computed.

    Args:
        level: confidence level of the intervals.
        resamples: bootstrap resamples over subjects.
        seed: of the resamples.
        metrics: further metrics, "module:function" or "file.py:function"; the table's own are there without asking.
        allow_in_sample: print a score of images that the model has seen, marked, instead of a LeakError.
        candidates: the epochs that the scored one was chosen from; estimates the optimism of a `selected` score.
    """

    level: float = 0.95
    resamples: int = 10_000
    seed: int = 0
    metrics: tuple[str, ...] = ()
    allow_in_sample: bool = False
    candidates: SelectionCandidates | None = None


def score(predictions: Predictions, dataset: Dataset, options: ScoreOptions | None = None) -> Score:
    """Score N predictions against the labels of a data set, found by image id.

    Args:
        predictions: of one run, one ensemble or one composition.
        dataset: holds the truth; its labels version is printed.
        options: see `ScoreOptions`.

    Raises:
        LeakError: rows are in-sample; names the subjects and how they were seen.
        MismatchError: the predictions are of another data set.
        UsageError: a metric that is asked for means nothing for these labels.
        NotEstimableError: nothing to score: no rows, no labels, or none of the scored attributes is predicted.
    """
    settings = options or ScoreOptions()
    _require_sensible(predictions, dataset, settings)
    found = require_honest(predictions, dataset, allow_in_sample=settings.allow_in_sample)
    rows = scored_rows(predictions, dataset)
    notes = [*predictions.notes, *found.notes]
    target = scored_target(predictions, notes)
    spaces = _spaces(target, rows, dataset)
    votes = _votes(spaces, dataset, notes)
    parts = score_spaces([*spaces, *votes], _metric_options(settings))
    by_photo = dict(zip([s.name for s in spaces], parts[: len(spaces)], strict=True))
    by_subject = dict(zip([s.name for s in votes], parts[len(spaces) :], strict=True))
    notes += _said_of(by_photo[target])
    flattered = None
    if SELECTED in found.label:
        flattered, estimated = _optimism(rows.predictions, spaces[0], settings)
        notes.append(estimated)
    attributes = {a: by_photo[a] for a in predictions.attributes if a in by_photo}
    means = over_labels(dataset.schema, attributes, settings.level)
    if means is not None:
        notes.append(said(means))
    return Score(
        name=predictions.name,
        target=by_photo[target],
        attributes=attributes,
        by_subject=by_subject,
        honesty=ScoreHonesty(found.label),
        marks=found.marks,
        labels_version=dataset.labels_version,
        dataset_fingerprint=dataset.fingerprint,
        split_fingerprint=predictions.split_fingerprint,
        resamples=settings.resamples,
        seed=settings.seed,
        notes=tuple(dict.fromkeys(notes)),
        optimism=flattered,
        over_labels=means,
    )


def _metric_options(settings: ScoreOptions) -> MetricOptions:
    own = tuple(name for name in settings.metrics if name not in METRICS)
    return MetricOptions(settings.level, settings.resamples, settings.seed, own)


def _require_sensible(predictions: Predictions, dataset: Dataset, settings: ScoreOptions) -> None:
    """Refuse metrics that mean nothing for what is predicted, and predictions of no image."""
    labels = (*predictions.attributes, *((COMPOSITE,) if predictions.has(COMPOSITE) else ()))
    for name in settings.metrics:
        require_applicable(name, dataset.schema, labels)
    if not predictions.n_images:
        raise NotEstimableError(
            "There is no image to score.", remedy="The slice or the held-out side is empty."
        )


def _spaces(target: str, rows: ScoredRows, dataset: Dataset) -> list[LabelSpace]:
    """Return the target, then the other attributes that are predicted and labelled."""
    names = [target, *(a for a in rows.predictions.attributes if a != target)]
    spaces = [space_of(n, rows.predictions, dataset, rows.positions) for n in names]
    spaces = [s for s in spaces if s.n_rows]
    if not spaces or spaces[0].name != target:
        raise NotEstimableError(
            f"No scored image has a label for {target!r}.", remedy="Score on a labelled data set."
        )
    return spaces


def scored_target(predictions: Predictions, notes: list[str]) -> str:
    """Return the schema's target, or the only attribute that the model knows; then a note says so."""
    wanted = predictions.schema.target
    if predictions.has(wanted):
        return wanted
    if not predictions.attributes:
        raise NotEstimableError(f"Predictions {predictions.name!r} hold no attribute of the data set.")
    instead = predictions.attributes[0]
    notes.append(f"the model says nothing of {wanted}; scored on {instead}")
    return instead


def _votes(spaces: list[LabelSpace], dataset: Dataset, notes: list[str]) -> list[LabelSpace]:
    """Return the label spaces in which a subject's photos vote; those whose truth varies within a subject are noted."""
    if not dataset.subject_shown:
        return []
    out = []
    for space in spaces:
        if space.n_subjects == space.n_rows:
            continue
        together = voted(space)
        if together is not None:
            out.append(together)
        elif space is spaces[0]:
            word = "composite class" if space.name == COMPOSITE else space.name
            notes.append(f"by subject: cannot say for the {word}, which varies within subjects")
    return out


def _said_of(part: LabelSpaceScore) -> list[str]:
    return [n for n in part.notes if not n.startswith("by ")]


def _optimism(
    predictions: Predictions, space: LabelSpace, settings: ScoreOptions
) -> tuple[Optimism | None, str]:
    given = settings.candidates
    if given is None:
        return None, NOT_ESTIMATED
    where = {image: i for i, image in enumerate(np.asarray(given.images).tolist())}
    images = predictions.images[space.rows].tolist()
    if any(i not in where for i in images):
        raise UsageError("The candidates lack images that are scored.", remedy="Give those of the same run.")
    columns = np.asarray([where[i] for i in images], dtype=np.int64)
    try:
        found = optimism(
            np.asarray(given.predicted)[:, columns],
            space.truth,
            space.subject,
            space.n_classes,
            OptimismOptions(PRIMARY, space.ordered, seed=settings.seed),
            None if given.pooled else predictions.fold[space.rows],
        )
    except NotEstimableError as e:
        return None, f"{NOT_ESTIMATED} ({e.message})"
    return found, str(found)
