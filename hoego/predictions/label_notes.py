"""What must be said of the labels beside a score: which were corrected, suggested by a run, or changed since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset, LabelCorrection
from hoego.data.label_changes import changed_labels, label_table
from hoego.data.overlay import reviewed_by
from hoego.predictions.predictions import Predictions

Mask = NDArray[np.bool_]


def label_notes(predictions: Predictions, dataset: Dataset) -> tuple[str, ...]:
    """Return the sentences on the labels by which N predictions are scored."""
    return (
        *_corrected(predictions, dataset),
        *_suggested(predictions, dataset),
        *_changed(predictions, dataset),
        *labels_apart([predictions], dataset),
    )


def _corrected(predictions: Predictions, dataset: Dataset) -> list[str]:
    """Say how many of the scored labels an overlay gave, and from which sources."""
    scored = set(predictions.images.tolist())
    mine = [c for c in dataset.corrections if c.image in scored]
    if not mine:
        return []
    sources = Counter(c.source or "no source" for c in mine if not reviewed_by(c))
    listed = ", ".join(
        [*_reviewed(mine, dataset), *(f"{source}: {n:,}" for source, n in sources.most_common())]
    )
    n_labels = len(scored) * dataset.schema.n_attributes
    return [f"{len(mine):,} of {n_labels:,} scored labels were corrected by the overlay ({listed})"]


def _reviewed(mine: Sequence[LabelCorrection], dataset: Dataset) -> list[str]:
    """Say what each reviewer corrected. One label of all photos of a person is one correction."""
    subjects = dataset.subject_index[dataset.positions([c.image for c in mine])].tolist()
    photos = np.bincount(dataset.subject_index)
    groups: dict[tuple[str, str, int, str], list[LabelCorrection]] = {}
    for c, subject in zip(mine, subjects, strict=True):
        groups.setdefault((reviewed_by(c), c.attribute, subject, c.value), []).append(c)
    found: dict[str, list[int]] = {}
    for (who, _, subject, _), same in groups.items():
        if not who:
            continue
        each, after = len(same), sum(bool(c.run) for c in same)
        counts = (1, int(after > 0)) if each == photos[subject] else (each, after)
        before = found.setdefault(who, [0, 0])
        found[who] = [before[0] + counts[0], before[1] + counts[1]]
    return [
        f"{n:,} correction{'' if n == 1 else 's'}, {who}, {after:,} after seeing the suggestion"
        for who, (n, after) in found.items()
    ]


def _suggested(predictions: Predictions, dataset: Dataset) -> list[str]:
    """Return a note for each run that suggested some of the scored labels."""
    scored = set(predictions.images.tolist())
    counts = Counter(c.run for c in dataset.corrections if c.run and c.image in scored)
    own = {run: n for run, n in counts.items() if run in {predictions.name, *predictions.lineage}}
    notes = [f"labels suggested by this model: {sum(own.values()):,} of those scored"] if own else []
    return notes + [
        f"{n:,} of the scored labels were suggested by the run {run}"
        for run, n in counts.items()
        if run not in own
    ]


def _changed(predictions: Predictions, dataset: Dataset) -> list[str]:
    """Say how many scored labels differ from those that the runs behind the predictions began with."""
    runs = [r for r in dict.fromkeys((predictions.name, *predictions.lineage)) if r in dataset.first_labels]
    if not runs:
        return []
    rows = dataset.positions(predictions.images)
    now = label_table(dataset)[rows.tolist()]
    notes, alike = [], dict[bytes, tuple[Mask, list[str]]]()
    for run in runs:
        first = dataset.first_labels[run]
        if first is None:
            notes.append(f"the labels are not those that {run} began with; how many differ is not recorded")
        elif (changed := changed_labels(first, now)).any():
            alike.setdefault(changed.tobytes(), (changed, []))[1].append(run)
    for changed, began in alike.values():
        agree = int((changed & _as_predicted(predictions, dataset, rows)).sum())
        notes.append(
            f"{int(changed.sum()):,} of {changed.size:,} scored labels differ from those that {_listed(began)} began "
            f"with{f'; {agree:,} of them are now what is predicted' if agree else ''}"
        )
    return notes


def _as_predicted(predictions: Predictions, dataset: Dataset, rows: NDArray[np.int64]) -> Mask:
    """Mark the labels [N, A] that are the predicted classes; an attribute that is not predicted has none."""
    agree = np.zeros((len(rows), dataset.schema.n_attributes), dtype=bool)
    for a, name in enumerate(dataset.schema.names):
        if predictions.has(name):
            agree[:, a] = predictions.probabilities(name).argmax(axis=1) == dataset.codes[rows, a]
    return agree


def labels_apart(runs: Sequence[Predictions], dataset: Dataset) -> list[str]:
    """Say which runs that are set beside each other began with other labels; the order of the runs does not matter."""
    names = sorted({run for p in runs for run in (p.name, *p.lineage)})
    tables = {run: table for run in names if (table := dataset.first_labels.get(run)) is not None}
    groups: list[list[str]] = []
    for run, table in tables.items():
        alike = (g for g in groups if not changed_labels(tables[g[0]], table).any())
        if (group := next(alike, None)) is not None:
            group.append(run)
        else:
            groups.append([run])
    notes = []
    for one, two in combinations(groups, 2):
        differ = changed_labels(tables[one[0]], tables[two[0]])
        notes.append(
            f"trained on other labels: {_listed(one)} and {_listed(two)} began with labels of which "
            f"{int(differ.sum()):,} of {differ.size:,} differ"
        )
    return notes


def _listed(names: Sequence[str], most: int = 3) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
