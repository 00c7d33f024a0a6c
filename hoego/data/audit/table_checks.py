"""Checks of the table: identical photos, subjects and their names. Nothing is decoded."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.data.audit.findings import finding
from hoego.data.dataset import Dataset
from hoego.results.audit import AuditFinding

Ints = NDArray[np.integer[Any]]
DOMINANT = 0.2
HARDLY_ANY, MANY_PHOTOS = 5, 20
FEW_SUBJECTS = 30
FEW_SUFFIXES = 5
_SUFFIX = re.compile(
    r"(?<=\w)(?:[-_. ]+\d{1,2}|[-_. ]+[A-Za-z]|[-_. ]*\(\d+\)|[-_. ]*(?:copy|dup|bis))$", re.IGNORECASE
)


def table_findings(dataset: Dataset, bad: Collection[int] = ()) -> Iterator[AuditFinding]:
    """Yield every finding on photos and subjects that needs neither pixels nor the meaning of labels.

    Args:
        dataset: N photos.
        bad: rows of photos that cannot be decoded: empty files are alike, and say nothing of subjects and labels.
    """
    yield from _duplicates(dataset, bad)
    if not dataset.subject_shown:
        text = f"{dataset.n_images:,} photos count as {dataset.n_subjects:,} subjects"
        yield finding("no-subject", dataset.n_images, text)
        return
    yield from _names(dataset)
    yield from _numbers(dataset)


def _duplicates(dataset: Dataset, bad: Collection[int]) -> Iterator[AuditFinding]:
    _, group, times = np.unique(dataset.contents, return_inverse=True, return_counts=True)
    repeated = np.flatnonzero((times[group] > 1) & ~np.isin(np.arange(dataset.n_images), list(bad)))
    if not len(repeated):
        return
    order = repeated[np.argsort(group[repeated], kind="stable")]
    starts = np.flatnonzero(np.r_[True, group[order][1:] != group[order][:-1]])
    sets = np.split(order, starts[1:])
    shown = [" = ".join(dataset.image_ids[s[:3]].tolist()) for s in sets]
    text = f"{len(order):,} photos are {_pictures(len(sets))}, each more than once"
    yield finding("duplicates", len(sets), text, shown)
    differ = [s for s in sets if len(np.unique(dataset.codes[s], axis=0)) > 1]
    if differ:
        shown = [
            " and ".join(f"{dataset.image_ids[i]} ({_label(dataset, i)})" for i in _conflict(dataset, s))
            for s in differ
        ]
        stand = "stands" if len(differ) == 1 else "stand"
        yield finding(
            "two-labels", len(differ), f"{_pictures(len(differ))} {stand} under more than one label", shown
        )
    lost = {f"({dataset.image_ids[i]} = " for i in bad}
    joined = [j for j in dataset.joins if "identical photos" in j and not any(name in j for name in lost)]
    if joined:
        text = f"{len(joined):,} groups of subjects share an identical photo"
        yield finding("two-subjects", len(joined), text, joined)


def _pictures(n: int) -> str:
    return "1 picture" if n == 1 else f"{n:,} pictures"


def _conflict(dataset: Dataset, rows: Ints) -> tuple[int, int]:
    """Return the first of some photos, and the first that has another label."""
    other = next(i for i in rows[1:].tolist() if (dataset.codes[i] != dataset.codes[rows[0]]).any())
    return int(rows[0]), other


def _label(dataset: Dataset, i: int) -> str:
    parts = []
    for a, attribute in enumerate(dataset.schema.attributes):
        code = int(dataset.codes[i, a])
        parts.append(attribute.classes[code] if code >= 0 else "blank")
    return "/".join(parts)


def _names(dataset: Dataset) -> Iterator[AuditFinding]:
    couples = suffixed(dataset.subjects.tolist())
    if couples:
        shown = [f"{a} and {b}" for a, b in couples]
        text = f"{len(couples):,} subject ids differ from another by a suffix, case, spaces, zeros or encoding alone"
        yield finding("suffixed-subjects", len(couples), text, shown)


def suffixed(names: list[str]) -> list[tuple[str, str]]:
    """Return pairs of names that may be one subject's.

    A name with a short suffix (`-1`, `_b`, `(2)`, `copy`) is paired with the name without it, if there is one; names
    that share what stands before the suffix are paired with one another only where at most a fifth of all names have a
    suffix (else the suffix is the number itself), or where a handful of suffixes stands behind many different names, as
    those of two eyes, views or visits do. Names equal but for case, spaces, leading zeros and forms of letters
    that Unicode holds to be compatible (full-width, decomposed) are paired too.

    >>> suffixed(["001498", "001498-1", "002"])
    [('001498', '001498-1')]
    >>> suffixed(["track_01", "track_02", "track_03"])
    []
    >>> suffixed(["p1_a", "p1_b", "p2_a", "p2_b"])
    [('p1_a', 'p1_b'), ('p2_a', 'p2_b')]
    """
    groups: dict[str, list[str]] = defaultdict(list)
    ended = {n: _SUFFIX.sub("", n) for n in names}
    usual = sum(base != n for n, base in ended.items()) > 0.2 * len(names) and not _views(ended)
    known = set(names)
    for n, base in ended.items():
        if base != n and (base in known or not usual):
            groups[f"suffix {base}"].append(n)
            if base in known and base not in groups[f"suffix {base}"]:
                groups[f"suffix {base}"].insert(0, base)
        groups[f"same {_plain(n)}"].append(n)
    found = {(g[0], other) for g in groups.values() for other in g[1:] if other != g[0]}
    return sorted((min(a, b), max(a, b)) for a, b in found)


def _views(ended: dict[str, str]) -> bool:
    """Say whether the suffixes of names (name -> what stands before its suffix) are a few views of many subjects."""
    suffixes = {n[len(base) :] for n, base in ended.items() if base != n}
    shared = sum(times > 1 for times in Counter(base for n, base in ended.items() if base != n).values())
    # `7_1` and `7_2` may be rooms of a building; letters seldom number subjects.
    least = len(suffixes) + any(map(str.isdigit, "".join(suffixes)))
    return len(suffixes) <= FEW_SUFFIXES and shared >= max(2, least)


def _plain(name: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    packed = re.sub(r"[\s\u200B-\u200F\u2060\uFEFF]+", "", folded)
    return re.sub(r"\d+", lambda m: str(int(m.group())), packed)


def _numbers(dataset: Dataset) -> Iterator[AuditFinding]:
    photos = np.bincount(dataset.subject_index, minlength=dataset.n_subjects)
    largest = int(photos.argmax())
    if photos[largest] > DOMINANT * dataset.n_images and dataset.n_subjects > 1 / DOMINANT:
        name = dataset.subjects[largest]
        text = f"{name!r} holds {photos[largest]:,} of {dataset.n_images:,} photos"
        yield finding("dominant-subject", int(photos[largest]), text, [name])
    if dataset.n_subjects < HARDLY_ANY and dataset.n_images >= MANY_PHOTOS:
        text = f"{dataset.n_subjects} subjects for {dataset.n_images:,} photos"
        yield finding("subjects-like-classes", dataset.n_subjects, text, dataset.subjects.tolist())
    if dataset.n_subjects < FEW_SUBJECTS:
        yield finding("few-subjects", dataset.n_subjects, f"{dataset.n_subjects} subjects")
    single = np.flatnonzero(photos == 1)
    if len(single) and photos.max() > 1:
        text = f"{len(single):,} of {dataset.n_subjects:,} subjects have one photo"
        yield finding("single-photo", len(single), text, dataset.subjects[single[:10]].tolist())
