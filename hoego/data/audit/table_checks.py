"""Checks of the table: identical photos, subjects and their names. Nothing is decoded."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from hoego.data.audit.findings import Finding, finding
from hoego.data.dataset import Dataset

DOMINANT = 0.2
FEW_SUBJECTS = 30
_SUFFIX = re.compile(
    r"(?<=\w)(?:[-_. ]+\d{1,2}|[-_. ]+[A-Za-z]|[-_. ]*\(\d+\)|[-_. ]*(?:copy|dup|bis))$", re.IGNORECASE
)


def table_findings(dataset: Dataset) -> Iterator[Finding]:
    """Every finding on photos and subjects that needs neither pixels nor the meaning of labels."""
    yield from _duplicates(dataset)
    if not dataset.subject_shown:
        text = f"{dataset.n_images:,} photos count as {dataset.n_subjects:,} subjects"
        yield finding("no-subject", dataset.n_images, text)
        return
    yield from _names(dataset)
    yield from _numbers(dataset)


def _duplicates(dataset: Dataset) -> Iterator[Finding]:
    _, group, times = np.unique(dataset.contents, return_inverse=True, return_counts=True)
    repeated = np.flatnonzero(times[group] > 1)
    if not len(repeated):
        return
    order = repeated[np.argsort(group[repeated], kind="stable")]
    starts = np.flatnonzero(np.r_[True, group[order][1:] != group[order][:-1]])
    sets = np.split(order, starts[1:])
    shown = [" = ".join(dataset.image_ids[s[:3]].tolist()) for s in sets]
    text = f"{len(order):,} photos are {len(sets):,} pictures, each more than once"
    yield finding("duplicates", len(sets), text, shown)
    differ = [s for s in sets if len(np.unique(dataset.codes[s], axis=0)) > 1]
    if differ:
        shown = [
            " and ".join(f"{dataset.image_ids[i]} ({_label(dataset, i)})" for i in s[:2].tolist())
            for s in differ
        ]
        yield finding(
            "two-labels", len(differ), f"{len(differ):,} pictures stand under more than one label", shown
        )
    joined = [j for j in dataset.joins if "identical photos" in j]
    if joined:
        text = f"{len(joined):,} groups of subjects share an identical photo"
        yield finding("two-subjects", len(joined), text, joined)


def _label(dataset: Dataset, i: int) -> str:
    parts = []
    for a, attribute in enumerate(dataset.schema.attributes):
        code = int(dataset.codes[i, a])
        parts.append(attribute.classes[code] if code >= 0 else "blank")
    return "/".join(parts)


def _names(dataset: Dataset) -> Iterator[Finding]:
    couples = suffixed(dataset.subjects.tolist())
    if couples:
        shown = [f"{a} and {b}" for a, b in couples]
        text = f"{len(couples):,} subject ids differ from another by a suffix, case, spaces, zeros or encoding alone"
        yield finding("suffixed-subjects", len(couples), text, shown)


def suffixed(names: list[str]) -> list[tuple[str, str]]:
    """Pairs of names that may be one subject's.

    A name with a short suffix (`-1`, `_b`, `(2)`, `copy`) is paired with the name without it, if there is one; names
    that share what stands before the suffix are paired with one another only where at most a fifth of all names have a
    suffix (else the suffix is the number itself). Names equal but for case, spaces, leading zeros and forms of letters
    that Unicode holds to be compatible (full-width, decomposed) are paired too.

    >>> suffixed(["001498", "001498-1", "002"])
    [('001498', '001498-1')]
    >>> suffixed(["track_01", "track_02", "track_03"])
    []
    """
    groups: dict[str, list[str]] = defaultdict(list)
    ended = {n: _SUFFIX.sub("", n) for n in names}
    usual = sum(base != n for n, base in ended.items()) > 0.2 * len(names)
    known = set(names)
    for n, base in ended.items():
        if base != n and (base in known or not usual):
            groups[f"suffix {base}"].append(n)
            if base in known and base not in groups[f"suffix {base}"]:
                groups[f"suffix {base}"].insert(0, base)
        groups[f"same {_plain(n)}"].append(n)
    found = {(g[0], other) for g in groups.values() for other in g[1:] if other != g[0]}
    return sorted((min(a, b), max(a, b)) for a, b in found)


def _plain(name: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    packed = re.sub(r"[\s\u200B-\u200F\u2060\uFEFF]+", "", folded)
    return re.sub(r"\d+", lambda m: str(int(m.group())), packed)


def _numbers(dataset: Dataset) -> Iterator[Finding]:
    photos = np.bincount(dataset.subject_index, minlength=dataset.n_subjects)
    largest = int(photos.argmax())
    if photos[largest] > DOMINANT * dataset.n_images and dataset.n_subjects > 1 / DOMINANT:
        name = dataset.subjects[largest]
        text = f"{name!r} holds {photos[largest]:,} of {dataset.n_images:,} photos"
        yield finding("dominant-subject", int(photos[largest]), text, [name])
    if dataset.n_subjects < FEW_SUBJECTS:
        yield finding("few-subjects", dataset.n_subjects, f"{dataset.n_subjects} subjects")
    single = np.flatnonzero(photos == 1)
    if len(single) and photos.max() > 1:
        text = f"{len(single):,} of {dataset.n_subjects:,} subjects have one photo"
        yield finding("single-photo", len(single), text, dataset.subjects[single[:10]].tolist())
