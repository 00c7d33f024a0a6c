"""Predictions whose training was watched: the evidence is checked, and what it allows is marked `witnessed`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hoego.errors import LeakError, MismatchError, UsageError, first_few
from hoego.predictions.outside import said_of_training
from hoego.predictions.predictions import Predictions
from hoego.predictions.provenance import RowProvenance
from hoego.results.evidence import Evidence
from hoego.split import Split

SHOWN = 5


def with_evidence(predictions: Predictions, evidence: Sequence[Evidence], split: Split) -> Predictions:
    """Mark the rows of each fold whose training was watched without a gap as `witnessed`.

    Args:
        predictions: of models that were trained outside.
        evidence: of the trainings of the models behind them; a fold may have several, such as those of a training
            that was resumed, and is witnessed where all are clean.
        split: by which they were trained.

    Raises:
        LeakError: a photo was opened during the training of the model that predicts it; names photos.
        MismatchError: evidence is of another data set or split, or predictions are not from outside.
        UsageError: a training did not end well.
    """
    if any(s.outside == "" for s in predictions.sources):
        raise MismatchError(
            f"The predictions {predictions.name!r} are not of a model that was trained outside Hoego.",
            remedy="Make them by from_probabilities, from_logits or from_frame.",
        )
    for found in evidence:
        _require_of(found, predictions, split)
    folds = np.unique(predictions.fold).tolist()
    strange = [e for e in evidence if e.fold not in folds]
    for found in strange:
        # A model that was trained with another fold held out predicts these photos, so it has opened them.
        require_unopened(found, folds[0], split)
        raise MismatchError(
            f"The evidence is of a training that held out fold {found.fold}; the rows are of "
            f"{'fold' if len(folds) == 1 else 'folds'} {', '.join(map(str, folds))}.",
            remedy="Give the evidence of the models that made the rows.",
        )
    clean = {e.fold for e in evidence} - {e.fold for e in evidence if e.honesty != "witnessed"}
    sources = tuple(
        _witnessed(source, split)
        if set(np.unique(predictions.fold[predictions.source == k]).tolist()) <= clean
        else source
        for k, source in enumerate(predictions.sources)
    )
    return replace(predictions, sources=sources)


def require_unopened(evidence: Evidence, fold: int, split: Split) -> None:
    """Raise LeakError naming photos where a training opened photos that a fold holds out."""
    leaked = split.images[evidence.opened_mask() & split.val_mask(fold)].tolist()
    if not leaked:
        return
    named = [f"{i!r} (as {evidence.copies[i]})" if i in evidence.copies else repr(i) for i in leaked]
    raise LeakError(
        f"{len(leaked):,} of {int(split.val_mask(fold).sum()):,} photos that fold {fold} of the split {split.name!r} "
        f"holds out were opened during the training: {first_few(named, SHOWN)}.",
        remedy="Train on the other side alone (hoego folds export); predict and evaluate after the watch has ended. "
        "The kernel does not say who opened a photo: if it was a viewer, an indexer or a backup, watch again "
        "without it.",
    )


def _require_of(evidence: Evidence, predictions: Predictions, split: Split) -> None:
    for what, mine, theirs in (
        ("data set", predictions.dataset_fingerprint, evidence.dataset),
        ("split", predictions.split_fingerprint, evidence.split),
        ("split", split.fingerprint, evidence.split),
    ):
        if mine != theirs:
            raise MismatchError(
                f"The evidence is of another {what} ({theirs}, here {mine}).",
                remedy="Give the evidence of the training that made these predictions.",
            )
    require_unopened(evidence, evidence.fold, split)
    if not evidence.finished:
        raise UsageError(
            f"The watched training of fold {evidence.fold} did not end well.",
            remedy="Train to the end under the watch, or import without the evidence.",
        )


def _witnessed(source: RowProvenance, split: Split) -> RowProvenance:
    return replace(source, outside="witnessed", path=(said_of_training(source.name, split, "witnessed"),))
