"""Checks of the photos: those that cannot be read, odd ones, constant ones, and look-alikes of other subjects."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from hoego.audit.findings import Finding, finding
from hoego.audit.similar import SIDE, close_pairs, confirmed, grey, hashes
from hoego.dataset.images import Probe, probe
from hoego.dataset.manifest import Dataset
from hoego.dataset.preprocess import Preprocess
from hoego.errors import DataError
from hoego.pixels import PixelCache

FEW = 0.01


def photo_findings(dataset: Dataset, near_distance: int) -> Iterator[Finding]:
    """Every finding that needs the photos; they are decoded once, to thumbnails that are kept in the cache."""
    yield from _odd(dataset)
    try:
        thumbnails = PixelCache.of(dataset, Preprocess(size=(SIDE, SIDE))).array
    except DataError as e:
        first, _, rest = e.message.partition("\n")
        count = int(first.split()[0]) if rest else 1
        shown = [line.strip() for line in rest.splitlines()] or [str(e)]
        yield finding("unreadable", count, first if rest else str(e).splitlines()[0], shown)
        return
    luma = grey(np.asarray(thumbnails))
    constant = np.flatnonzero(luma.reshape(len(luma), -1).std(axis=1) < 1.0)
    if len(constant):
        shown = dataset.image_ids[constant[:10]].tolist()
        yield finding("constant-photos", len(constant), f"{len(constant):,} photos are of one colour", shown)
    yield from _look_alikes(dataset, luma, near_distance)


def _odd(dataset: Dataset) -> Iterator[Finding]:
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        probes = [p for p in pool.map(_probe, dataset.paths, chunksize=64) if p is not None]
    if not probes:
        return
    kinds = Counter((p.mode, p.format) for p in probes)
    sides = [min(p.height, p.width) for p in probes]
    odd = [f"{n} {form} of mode {mode}" for (mode, form), n in kinds.most_common() if n < FEW * len(probes)]
    tiny = sum(s < 16 for s in sides)
    middle = float(np.median(sides))
    large = sum(s > 8 * middle for s in sides)
    if tiny:
        odd.append(f"{tiny} smaller than 16 pixels")
    if large:
        odd.append(f"{large} more than eight times the usual size")
    turned = sum(p.orientation != 1 for p in probes)
    if turned:
        odd.append(f"{turned} turned by their EXIF orientation (they are decoded upright)")
    if odd:
        yield finding("odd-photos", len(odd), "; ".join(odd[:5]), odd)


def _probe(path: os.PathLike[str]) -> Probe | None:
    try:
        return probe(path)  # type: ignore[arg-type]
    except DataError:
        return None


def _look_alikes(dataset: Dataset, luma: NDArray[np.float32], distance: int) -> Iterator[Finding]:
    if not dataset.subject_shown:
        return
    pairs = close_pairs(hashes(luma), dataset.subject_index, distance)
    pairs = pairs[dataset.contents[pairs[:, 0]] != dataset.contents[pairs[:, 1]]]
    pairs = pairs[confirmed(luma, pairs)]
    if not len(pairs):
        return
    owners = {tuple(sorted(o)) for o in dataset.subject_index[pairs].tolist()}
    shown = [f"{dataset.image_ids[a]} and {dataset.image_ids[b]}" for a, b in pairs[:10].tolist()]
    text = (
        f"{len(pairs):,} pairs of photos of different subjects look alike ({len(owners):,} pairs of subjects)"
    )
    yield finding("near-duplicates", len(pairs), text, shown)
