"""Photos that look alike: a perceptual hash finds candidates, correlation confirms them.

The hash has 64 bits: the signs, about their median, of 8 x 8 low frequencies (the constant left out) of the cosine
transform of a 32 x 32 grey thumbnail (Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions,
2010). Of two hashes that differ in at most d of their bits, cut into d + k blocks, k blocks at least are equal. So
every choice of k blocks is a key, hashes are sorted by it, and only those with an equal key are compared (Manku, Jain
and Das Sarma, Detecting Near-Duplicates for Web Crawling, 2007). More photos take a larger k: more keys, of more bits.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from hoego.data.progress_bar import MANY, counted

SIDE = 32
# With both, benchmarks/audit_similar.py finds every planted copy among 100,000 thumbnails, without a false alarm.
LEAST_CORRELATION = 0.97
LEAST_DETAIL = 0.80
BITS = 64
CHUNK = 4_000_000
MOST_KEYS = 1000
SORTING, COMPARING_ALL = 2.0, 0.15
"""Seconds to sort one hash, and to compare two of all, in units of comparing two of an equal key (measured)."""
MOST_EQUAL = 500
"""Of more images of one hash than this, the first alone are paired: their number says enough."""
_BASIS = np.asarray(
    [[np.cos(np.pi * (2 * x + 1) * k / (2 * SIDE)) for x in range(SIDE)] for k in range(1, 9)],
    dtype=np.float32,
)

Codes = NDArray[np.uint64]
Pairs = NDArray[np.int64]
Luma = NDArray[np.float32]


def grey(thumbnails: NDArray[np.uint8]) -> Luma:
    """Return luma [N, 32, 32] (ITU-R BT.601) of thumbnails [N, 32, 32, 3]."""
    return thumbnails.astype(np.float32) @ np.asarray([0.299, 0.587, 0.114], dtype=np.float32)


def hashes(luma: Luma) -> Codes:
    """Return perceptual hashes [N] of luma [N, 32, 32]."""
    found = np.empty(len(luma), dtype=np.uint64)
    weights = np.uint64(1) << np.arange(BITS, dtype=np.uint64)
    for start in range(0, len(luma), 8192):
        part = luma[start : start + 8192]
        spectrum = np.einsum("kx,nxy,ly->nkl", _BASIS, part, _BASIS, optimize=True).reshape(len(part), 64)
        bits = spectrum > np.median(spectrum, axis=1, keepdims=True)
        found[start : start + 8192] = (bits * weights).sum(axis=1, dtype=np.uint64)
    return found


def close_pairs(codes: Codes, owner: NDArray[np.integer], distance: int) -> Pairs:
    """Return every pair of images of different owners whose hashes differ in at most `distance` bits.

    Args:
        codes: uint64[N], hashes.
        owner: int[N], the subject of each image.
        distance: 0 to 64.

    Returns:
        int64[P, 2], the first index the smaller one, sorted.
    """
    groups = _Groups(codes, owner)
    found = list(_distinct_pairs(groups.codes, distance))
    same = np.flatnonzero(groups.size > 1)
    found.append(np.stack([same, same], axis=1))
    return groups.expand(np.concatenate(found))


class _Groups:
    """Images of equal hash and owner, of which one stands for all until the pairs are found."""

    def __init__(self, codes: Codes, owner: NDArray[np.integer]) -> None:
        self.owner = owner
        self.codes, index = np.unique(codes, return_inverse=True)
        every = np.bincount(index, minlength=len(self.codes))
        self.order = np.argsort(index, kind="stable")
        self.start = np.concatenate([[0], np.cumsum(every)])
        self.size = np.minimum(every, MOST_EQUAL)

    def expand(self, pairs: Pairs) -> Pairs:
        """Return pairs of images, of different owners, from pairs of distinct hashes."""
        out = [np.empty((0, 2), dtype=np.int64)]
        for part in np.array_split(pairs, max(1, len(pairs) // 100_000)):
            i, j = _product(
                self.start[part[:, 0]], self.size[part[:, 0]], self.start[part[:, 1]], self.size[part[:, 1]]
            )
            a, b = self.order[i], self.order[j]
            apart = self.owner[a] != self.owner[b]
            out.append(np.sort(np.stack([a[apart], b[apart]], axis=1), axis=1))
        return np.unique(np.concatenate(out), axis=0)


def _product(
    start_a: NDArray[np.int64],
    size_a: NDArray[np.int64],
    start_b: NDArray[np.int64],
    size_b: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return all positions (i, j) of the rectangles [start_a, +size_a) x [start_b, +size_b), one rectangle after
    another.
    """
    cells = size_a * size_b
    which = np.repeat(np.arange(len(cells)), cells)
    inside = np.arange(len(which)) - np.repeat(np.cumsum(cells) - cells, cells)
    return start_a[which] + inside // size_b[which], start_b[which] + inside % size_b[which]


def _near(codes: Codes, pairs: Pairs, distance: int) -> NDArray[np.bool_]:
    near: NDArray[np.bool_] = np.bitwise_count(codes[pairs[:, 0]] ^ codes[pairs[:, 1]]) <= distance
    return near


def _keys(codes: Codes, distance: int) -> list[np.uint64]:
    """Return the masks of bits by which pairs are looked for the fastest; none where comparing all is.

    How many hashes share a key is counted for three of the keys: the bits of photos are far from even.
    """
    best, chosen = COMPARING_ALL * len(codes) ** 2 / 2, list[np.uint64]()
    for kept in range(1, BITS - distance):
        keys = math.comb(distance + kept, kept)
        if keys > MOST_KEYS or keys * SORTING * len(codes) > best:
            break
        masks = _masks(distance + kept, kept)
        counted = [_n_equal(codes & mask) for mask in masks[:: -(-keys // 3)]]
        cost = keys * (SORTING * len(codes) + float(np.mean(counted)))
        if cost < best:
            best, chosen = cost, masks
    return chosen


def _masks(blocks: int, kept: int) -> list[np.uint64]:
    """Return every choice of some blocks of a hash, as masks of their bits."""
    edges = [BITS * i // blocks for i in range(blocks + 1)]
    bits = [(1 << high) - (1 << low) for low, high in itertools.pairwise(edges)]
    return [np.uint64(sum(chosen)) for chosen in itertools.combinations(bits, kept)]


def _n_equal(keys: Codes) -> int:
    """Return how many pairs of keys [N] are equal."""
    arranged = np.sort(keys)
    sizes = np.diff(np.flatnonzero(np.r_[True, arranged[1:] != arranged[:-1], True]))
    return int((sizes * (sizes - 1)).sum() // 2)


def _distinct_pairs(codes: Codes, distance: int) -> Iterator[Pairs]:
    """Yield pairs (a < b) of distinct hashes that are near, in chunks, each pair once."""
    masks = _keys(codes, distance)
    if not masks:
        yield from _all_pairs(codes, distance)
    shown = counted(masks, len(masks), "Comparing photos", shown=len(codes) >= MANY)
    for number, mask in enumerate(shown):
        for pairs in _equal_pairs(codes & mask):
            near = pairs[_near(codes, pairs, distance)]
            differ = codes[near[:, 0]] ^ codes[near[:, 1]]
            fresh = np.ones(len(near), dtype=bool)
            for earlier in masks[:number]:  # a pair whose earlier key is equal, too, was found by that one
                fresh &= (differ & earlier) != 0
            yield np.sort(near[fresh], axis=1)


def _equal_pairs(keys: Codes) -> Iterator[Pairs]:
    """Yield the pairs of positions of equal keys [N], about CHUNK at a time."""
    order = np.argsort(keys)
    arranged = keys[order]
    starts = np.flatnonzero(np.r_[True, arranged[1:] != arranged[:-1]])
    sizes = np.diff(np.append(starts, len(keys)))
    after = np.repeat(starts + sizes, sizes) - np.arange(len(keys)) - 1
    first = np.flatnonzero(after)
    ends = np.cumsum(after[first])
    total = int(ends[-1]) if len(ends) else 0
    cuts = np.searchsorted(ends, np.arange(CHUNK, total + CHUNK, CHUNK)) + 1
    low = 0
    for high in np.unique(np.minimum(cuts, len(first))).tolist():
        rows = first[low:high]
        a, b = _product(rows, np.ones(len(rows), dtype=np.int64), rows + 1, after[rows])
        yield np.stack([order[a], order[b]], axis=1)
        low = high


def _all_pairs(codes: Codes, distance: int) -> Iterator[Pairs]:
    for low in range(0, len(codes), 512):
        part = codes[low : low + 512]
        near = np.bitwise_count(part[:, None] ^ codes[None, low:]) <= distance
        a, b = np.nonzero(near)
        keep = a < b
        yield np.stack([a[keep] + low, b[keep] + low], axis=1)


def confirmed(luma_of: Callable[[NDArray[np.int64]], Luma], pairs: Pairs) -> NDArray[np.bool_]:
    """Return which pairs [P] agree in the picture and in its fine detail (what a 3 x 3 mean takes away).

    Args:
        luma_of: gives luma [n, 32, 32] of images, by their positions [n].
        pairs: positions [P, 2].
    """
    out = np.zeros(len(pairs), dtype=bool)
    for start in range(0, len(pairs), 2048):
        a, b = (luma_of(pairs[start : start + 2048, k]) for k in (0, 1))
        # The detail costs most, and few candidates get that far.
        alike = np.flatnonzero(correlation(a, b) >= LEAST_CORRELATION)
        agree = correlation(detail(a[alike]), detail(b[alike])) >= LEAST_DETAIL
        out[start + alike[agree]] = True
    return out


def correlation(a: Luma, b: Luma) -> NDArray[np.float64]:
    """Return Pearson's correlation [N] of pictures [N, ...] and [N, ...]; 0 where one is constant."""
    flat = (v.reshape(len(v), math.prod(v.shape[1:])) for v in (a, b))
    x, y = (v - v.mean(axis=1, keepdims=True) for v in flat)
    scale = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    out: NDArray[np.float64] = np.divide((x * y).sum(axis=1), scale, out=np.zeros(len(x)), where=scale > 1e-6)
    return out


def detail(luma: Luma) -> Luma:
    """Return a picture [N, H, W] less its 3 x 3 mean."""
    h, w = luma.shape[1:]
    padded = np.pad(luma, ((0, 0), (1, 1), (1, 1)), mode="edge")
    mean = np.zeros_like(luma)
    for i in range(3):
        for j in range(3):
            mean += padded[:, i : i + h, j : j + w]
    mean /= np.float32(9)
    out: Luma = luma - mean
    return out
