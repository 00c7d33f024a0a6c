"""The provenance of a training: the subjects seen by itself, its starting weights and its teacher."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from hoego.predictions import Provenance, RowProvenance, SubjectUniverse
from hoego.train.fold_task import FoldTask
from hoego.train.models import BuiltNetwork


def provenance_of(task: FoldTask, built: BuiltNetwork) -> Provenance:
    """Build the provenance: training side with inner slice, the starting checkpoint's subjects, the teacher's.

    Notes state what cannot be verified: outside weights, crops from a file, subjects of other data sets, labels that a
    run suggested.
    """
    on = task.recipe.select.on
    chooses = on == "held-out" and bool(task.val_mask.any())
    source = RowProvenance.from_training(
        task.name,
        task.dataset,
        task.train_mask,
        naive=task.naive,
        selection_mask=task.val_mask if chooses else None,
    )
    external = (*source.external, *built.external, *_crops(task), *_suggested(task))
    source = replace(source, external=external)
    known = Provenance(SubjectUniverse.of(task.dataset), (source,))
    for given, by in _teachers(task, built):
        known = known.taught_by(given, by=by)
        [source] = known.sources
        source = replace(source, external=(*source.external, *_elsewhere(given, task, by)))
        known = Provenance(known.universe, (source,))
    return known


def _teachers(task: FoldTask, built: BuiltNetwork) -> Iterator[tuple[Provenance, str]]:
    start = built.started_from if task.started_from is None else task.started_from
    if start is not None:
        yield start, "its starting checkpoint"
    if task.soft_targets is not None:
        yield task.soft_targets.provenance, "its teacher"


def _elsewhere(given: Provenance, task: FoldTask, by: str) -> Iterator[str]:
    """Return a note where models have seen subjects of another data set.

    Such a subject may be in this data set under another name, in photos of other bytes; this cannot be detected.
    """
    universe = given.universe
    seen = np.logical_or.reduce([universe.no_subjects(), *(s.seen | s.seen_through for s in given.sources)])
    here = np.zeros_like(seen)
    here[universe.owner[np.isin(universe.contents, task.dataset.contents)]] = True
    here |= np.isin(universe.names, task.dataset.subjects)
    if strangers := int((seen & ~here).sum()):
        yield f"{by} has seen {strangers:,} subjects of another data set, and none of them is here under another name"


def _crops(task: FoldTask) -> Iterator[str]:
    """Return a note where the photos are cropped by a file: what its boxes were made from is not known."""
    if (file := task.recipe.dataset.crop.file) is not None:
        yield f"crops from {file}"


def _suggested(task: FoldTask) -> Iterator[str]:
    """Return a note for every run that suggested labels of the training side."""
    ids = task.dataset.image_ids
    trained = set(ids[task.train_mask].tolist())
    runs = [c.run for c in task.dataset.corrections if c.image in trained]
    for relabel in task.edits.relabels.values():
        mine = relabel.runs or [""] * len(relabel.rows)
        runs += [run for row, run in zip(relabel.rows.tolist(), mine, strict=True) if task.train_mask[row]]
    for run in filter(None, dict.fromkeys(runs)):
        yield f"labels of the training side that the run {run} suggested"
