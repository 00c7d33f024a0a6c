"""Checks of the labels: photos and subjects of each class, and which attribute follows from which."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hoego.data.audit.findings import finding
from hoego.data.audit.measures import Codes, cramers_v, determines
from hoego.data.dataset import Dataset
from hoego.data.spelling import written_alike
from hoego.recipe import SplitSettings
from hoego.results.audit import AuditFinding

UNEVEN = 10.0
RELATED = 0.5  # Cramér's V; a large effect by Cohen (1988) where one side has two values
# Share of the subjects that agree, and of how many: the few exceptions are then suspects.
NEARLY_ALL, FEWEST = 0.9, 20


def label_findings(dataset: Dataset, split: SplitSettings) -> Iterator[AuditFinding]:
    """Yield every finding on labels.

    Args:
        dataset: with its labels.
        split: the split that is asked for: its number of sides decides which classes are too rare.
    """
    yield from _classes(dataset, split)
    yield from _names(dataset)
    yield from _missing(dataset)
    if dataset.subject_shown:
        yield from _within_subjects(dataset)
    yield from _dependent(dataset)


def _classes(dataset: Dataset, split: SplitSettings) -> Iterator[AuditFinding]:
    sides = split.folds if split.kind == "folds" else 2
    if dataset.n_subjects < sides:
        text = f"{dataset.n_subjects} subjects for {sides} sides"
        yield finding("too-few-subjects", dataset.n_subjects, text)
    rare, uneven, absent = [], [], []
    for name in dict.fromkeys((dataset.schema.target, *dataset.schema.names)):
        codes, classes = dataset.classes_of(name), dataset.schema.classes(name)
        counts = np.bincount(codes[codes >= 0], minlength=len(classes))
        present = np.flatnonzero(counts)
        if name == dataset.schema.target and len(present) < 2:
            held = ", ".join(repr(classes[c]) for c in present.tolist()) or "none"
            yield finding("one-class", 1, f"the target {name} has one class only: {held}")
        absent += [f"{name}: {classes[c]}" for c in np.flatnonzero(counts == 0).tolist()]
        if len(present) < 2:
            continue
        holders = _holders(codes, dataset.subject_index, len(classes))
        rare += [
            f"{name}: {classes[c]} ({_subjects(holders[c])})" for c in present.tolist() if holders[c] < sides
        ]
        low = int(present[counts[present].argmin()])
        ratio = counts.max() / counts[low]
        if ratio >= UNEVEN:
            uneven.append(
                f"{name}: {classes[low]} has {counts[low]:,} photos, the largest class {ratio:.0f} times as many"
            )
    if rare:
        text = f"{len(rare)} classes are held by fewer subjects than the {sides} sides of the split: "
        yield finding("too-rare", len(rare), text + _first(rare), rare)
    if uneven:
        yield finding("imbalance", len(uneven), "; ".join(uneven[:3]), uneven)
    if absent:
        yield finding(
            "absent-classes", len(absent), f"{len(absent)} classes have no photo: {_first(absent)}", absent
        )


def _first(items: list[str], n: int = 5) -> str:
    return "; ".join(items[:n]) + ("; …" if len(items) > n else "")


def _subjects(n: int) -> str:
    return "1 subject" if n == 1 else f"{n} subjects"


def _holders(codes: Codes, others: Codes, n_classes: int) -> NDArray[np.int64]:
    """Return int64[C], how many different `others` [N] each class of `codes` [N] meets, where neither is
    missing.
    """
    known = (codes >= 0) & (others >= 0)
    pairs = np.unique(np.stack([codes[known], others[known]], axis=1), axis=0)
    return np.bincount(pairs[:, 0], minlength=n_classes)


def _names(dataset: Dataset) -> Iterator[AuditFinding]:
    """Yield names of classes that look like one class, or like several at once."""
    alike, several = [], []
    for attribute in dataset.schema.attributes:
        alike += [f"{attribute.name}: {', '.join(group)}" for group in written_alike(attribute.classes)]
        cells = [c for c in attribute.classes if len(c.split("|")) > 1]
        several += [f"{attribute.name}: {c}" for c in cells]
    if alike:
        text = f"{len(alike)} groups of classes are written alike: {_first(alike)}"
        yield finding("classes-alike", len(alike), text, alike)
    if several:
        text = f"{len(several)} classes name several labels in one cell: {_first(several, 3)}"
        yield finding("several-labels", len(several), text, several)


def _missing(dataset: Dataset) -> Iterator[AuditFinding]:
    blank = (dataset.codes < 0).sum(axis=0)
    if blank.any():
        said = [f"{n}: {k:,} photos" for n, k in zip(dataset.schema.names, blank.tolist(), strict=True) if k]
        yield finding("missing-labels", int(blank.sum()), "; ".join(said), said)


def _within_subjects(dataset: Dataset) -> Iterator[AuditFinding]:
    """Yield attributes constant within subjects, and the few subjects that break what holds for nearly all others."""
    constant, broken, names = [], 0, []
    several = np.bincount(dataset.subject_index, minlength=dataset.n_subjects) > 1
    if not several.any():
        return
    for name in dataset.schema.names:
        codes = dataset.classes_of(name)
        values = _holders(dataset.subject_index, codes, dataset.n_subjects)
        judged = several & (values > 0)
        if len(np.unique(codes[codes >= 0])) < 2 or not judged.any():
            continue
        wrong = np.flatnonzero(judged & (values > 1))
        if not len(wrong):
            constant.append(name)
        elif judged.sum() >= FEWEST and len(wrong) <= (1 - NEARLY_ALL) * judged.sum():
            constant.append(f"{name} (but for {_subjects(len(wrong))})")
            broken += len(wrong)
            names += [f"{name}: {dataset.subjects[s]}" for s in wrong.tolist()]
    if constant:
        text = (
            f"{', '.join(constant)}: one value for all photos of a subject, so a photo-level split leaks it"
        )
        yield finding("constant-in-subject", len(constant), text, constant)
    if broken:
        text = f"{broken} times a subject's photos disagree where those of nearly all others agree: {_first(names)}"
        yield finding("subject-disagrees", broken, text, names)


def _dependent(dataset: Dataset) -> Iterator[AuditFinding]:
    columns = {name: dataset.classes_of(name) for name in dataset.schema.names}
    follows, related = [], []
    for i, (a, x) in enumerate(columns.items()):
        for b, y in list(columns.items())[i + 1 :]:
            one = [f"{q} follows from {p}" for p, q, u, v in ((a, b, x, y), (b, a, y, x)) if determines(u, v)]
            follows += one
            if not one and (strength := cramers_v(x, y)) >= RELATED:
                related.append(f"{a} goes with {b} (V = {strength:.2f})")
    if follows or related:
        said = follows + related
        yield finding("dependent", len(said), _first(said), said)
