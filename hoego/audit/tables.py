"""Checks of the table: labels, subjects, identical photos. Nothing is decoded."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hoego.audit.findings import Finding, finding
from hoego.dataset.manifest import Dataset
from hoego.recipe import SplitSettings

RARE = 10.0


def table_findings(dataset: Dataset, split: SplitSettings) -> Iterator[Finding]:
    """Every finding that needs no pixels."""
    yield from _duplicates(dataset)
    yield from _subjects(dataset)
    yield from _classes(dataset, split)
    yield from _attributes(dataset)


def _duplicates(dataset: Dataset) -> Iterator[Finding]:
    _, group, times = np.unique(dataset.contents, return_inverse=True, return_counts=True)
    group = group.reshape(-1)
    repeated = np.flatnonzero(times[group] > 1)
    if not len(repeated):
        return
    order = repeated[np.argsort(group[repeated], kind="stable")]
    starts = np.flatnonzero(np.r_[True, group[order][1:] != group[order][:-1]])
    sets = np.split(order, starts[1:])
    shown = [" = ".join(dataset.image_ids[s[:3]].tolist()) for s in sets]
    yield finding(
        "duplicates",
        len(sets),
        f"{len(order):,} photos are {len(sets):,} contents, each more than once",
        shown,
    )
    differ = [s for s in sets if len(np.unique(dataset.codes[s], axis=0)) > 1]
    if differ:
        shown = [
            " and ".join(f"{dataset.image_ids[i]} ({_label(dataset, i)})" for i in s[:2].tolist())
            for s in differ
        ]
        yield finding(
            "two-labels", len(differ), f"{len(differ):,} contents stand under more than one label", shown
        )
    joined = [j for j in dataset.joins if "identical photos" in j]
    if joined:
        yield finding(
            "two-subjects",
            len(joined),
            f"{len(joined):,} groups of subjects share an identical photo",
            joined,
        )


def _label(dataset: Dataset, i: int) -> str:
    parts = []
    for a, attribute in enumerate(dataset.schema.attributes):
        code = int(dataset.codes[i, a])
        parts.append(attribute.classes[code] if code >= 0 else "blank")
    return "/".join(parts)


def _subjects(dataset: Dataset) -> Iterator[Finding]:
    if not dataset.subject_shown:
        yield finding(
            "no-subject",
            dataset.n_images,
            f"{dataset.n_images:,} photos count as {dataset.n_subjects:,} subjects",
        )
        return
    names = set(dataset.subjects.tolist())
    pairs = [
        (s, base) for s in sorted(names) if (base := re.sub(r"[-_ ]\d{1,2}$", "", s)) != s and base in names
    ]
    if pairs:
        shown = [f"{s} and {base}" for s, base in pairs]
        yield finding(
            "suffixed-subjects",
            len(pairs),
            f"{len(pairs):,} subject ids differ from another by a suffix",
            shown,
        )
    photos = np.bincount(dataset.subject_index, minlength=dataset.n_subjects)
    single = np.flatnonzero(photos == 1)
    if len(single):
        text = f"{len(single):,} of {dataset.n_subjects:,} subjects have one photo"
        yield finding("single-photo", len(single), text, dataset.subjects[single[:10]].tolist())


def _classes(dataset: Dataset, split: SplitSettings) -> Iterator[Finding]:
    spaces = dict.fromkeys((dataset.schema.target, *dataset.schema.names))
    sides = split.folds if split.kind == "folds" else 2
    rare, uneven = [], []
    for name in spaces:
        codes, classes = dataset.classes_of(name), dataset.schema.classes(name)
        known = codes >= 0
        counts = np.bincount(codes[known], minlength=len(classes))
        present = np.flatnonzero(counts)
        if len(present) < 2:
            continue
        holders = _holders(codes[known], dataset.subject_index[known], len(classes))
        rare += [
            f"{name}: {classes[c]} ({holders[c]} subjects)" for c in present.tolist() if holders[c] < sides
        ]
        ratio = counts[present].max() / counts[present].min()
        if ratio >= RARE:
            low = int(present[counts[present].argmin()])
            uneven.append(
                f"{name}: {classes[low]} has {counts[low]:,} photos, the largest class {ratio:.0f} times as many"
            )
    if rare:
        yield finding(
            "too-rare", len(rare), f"{len(rare)} classes are held by fewer than {sides} subjects", rare
        )
    if uneven:
        yield finding("imbalance", len(uneven), "; ".join(uneven[:3]), uneven)


def _holders(codes: NDArray[np.int32], subject: NDArray[np.int32], n: int) -> NDArray[np.int64]:
    pairs = np.unique(np.stack([codes, subject], axis=1), axis=0)
    return np.bincount(pairs[:, 0], minlength=n)


def _attributes(dataset: Dataset) -> Iterator[Finding]:
    names = dataset.schema.names
    columns = {name: dataset.classes_of(name) for name in names}
    several = np.bincount(dataset.subject_index).max(initial=0) > 1
    constant = [
        a
        for a in names
        if several and dataset.subject_shown and _determines(dataset.subject_index, columns[a])
    ]
    if constant:
        text = (
            f"{', '.join(constant)}: one value for all photos of a subject, so a photo-level split leaks it"
        )
        yield finding("constant-in-subject", len(constant), text, constant)
    follows = [
        f"{b} follows from {a}"
        for a in names
        for b in names
        if a != b and _determines(columns[a], columns[b])
    ]
    if follows:
        yield finding("dependent", len(follows), "; ".join(follows[:4]), follows)


def _determines(a: NDArray[np.int32], b: NDArray[np.int32]) -> bool:
    """Whether every value of `a` goes with one value of `b`, and `b` has more than one."""
    known = (a >= 0) & (b >= 0)
    if len(np.unique(b[known])) < 2:
        return False
    pairs = np.unique(np.stack([a[known], b[known]], axis=1), axis=0)
    return len(pairs) == len(np.unique(pairs[:, 0])) and len(pairs) < known.sum()
