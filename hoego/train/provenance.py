"""Whom a training has seen, by itself and through what it starts from and learns from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hoego.predictions import Provenance, Source, Universe, suggested_by, taught_source
from hoego.train.models import Built

if TYPE_CHECKING:
    from hoego.train.fold import FoldTask


def provenance_of(task: FoldTask, built: Built) -> Provenance:
    """The training side with its inner slice, the starting checkpoint's subjects, the teacher's.

    What cannot be followed is stated: weights from outside, people of other data sets, labels that a run suggested.
    """
    on = task.recipe.select.on
    chooses = on == "held-out" and bool(task.held.any())
    source = Source.trained(
        task.name,
        task.dataset,
        task.trained,
        naive=task.naive,
        selected_on=task.held if chooses else None,
    )
    source = replace(source, external=(*source.external, *built.external, *_suggested(task)))
    universe = Universe.of(task.dataset)
    for given, by in _teachers(task, built):
        together = universe.union(given.universe)
        lifted = [s.lifted(given.universe, together) for s in given.sources]
        source = taught_source(source.lifted(universe, together), lifted, together, by=by)
        source = replace(source, external=(*source.external, *_elsewhere(given, task, by)))
        universe = together
    return Provenance(universe, (source,))


def _teachers(task: FoldTask, built: Built) -> Iterator[tuple[Provenance, str]]:
    if built.started_from is not None:
        yield built.started_from, "its starting checkpoint"
    if task.teacher is not None:
        yield Provenance(task.teacher.universe, task.teacher.sources), "its teacher"


def _elsewhere(given: Provenance, task: FoldTask, by: str) -> Iterator[str]:
    """A sentence where the models behind something have seen people of another data set.

    One of these people may be here under another name, in photos of other bytes: nothing can tell.
    """
    universe = given.universe
    seen = np.logical_or.reduce([universe.none(), *(s.seen | s.seen_through for s in given.sources)])
    here = np.zeros_like(seen)
    here[universe.owner[np.isin(universe.contents, task.dataset.contents)]] = True
    here |= np.isin(universe.names, task.dataset.subjects)
    if strangers := int((seen & ~here).sum()):
        yield f"{by} has seen {strangers:,} subjects of another data set, and none of them is here under another name"


def _suggested(task: FoldTask) -> Iterator[str]:
    """A sentence for every run that suggested labels of the training side."""
    ids = task.dataset.image_ids
    trained = set(ids[task.trained].tolist())
    sources = [c.source for c in task.dataset.corrections if c.image in trained]
    for relabel in task.edits.relabels.values():
        mine = relabel.sources or [""] * len(relabel.rows)
        sources += [s for row, s in zip(relabel.rows.tolist(), mine, strict=True) if task.trained[row]]
    for run in dict.fromkeys(r for s in sources if (r := suggested_by(s))):
        yield f"labels of the training side that the run {run} suggested"
