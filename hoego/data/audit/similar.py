"""Photos that look alike: a perceptual hash finds candidates, correlation confirms them.

The hash has 64 bits: the signs, about their median, of 8 x 8 low frequencies (the constant left out) of the cosine
transform of a 32 x 32 grey thumbnail (Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions,
2010). Candidates are found through four bands of 16 bits: of two hashes that differ in at most d bits, one band differs
in at most d // 4 (the pigeonhole of multi-index hashing: Norouzi, Punjani and Fleet, 2012), so every band is looked up
with all its variations of that many bits.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

SIDE = 32
LEAST_CORRELATION = 0.97
LEAST_DETAIL = 0.80
BANDS, BITS = 4, 16
CHUNK = 4_000_000
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
    weights = np.uint64(1) << np.arange(64, dtype=np.uint64)
    for start in range(0, len(luma), 8192):
        part = luma[start : start + 8192]
        spectrum = np.einsum("kx,nxy,ly->nkl", _BASIS, part, _BASIS, optimize=True).reshape(len(part), 64)
        bits = spectrum > np.median(spectrum, axis=1, keepdims=True)
        found[start : start + 8192] = (bits * weights).sum(axis=1, dtype=np.uint64)
    return found


def close_pairs(codes: Codes, owner: NDArray[np.integer], distance: int) -> Pairs:
    """Return every pair of images of different owners whose hashes differ in at most `distance` bits.

    Time grows with the number of pairs that share a band, and never beyond that of comparing all with all.

    Args:
        codes: uint64[N], hashes.
        owner: int[N], the subject of each image.
        distance: 0 to 64.

    Returns:
        int64[P, 2], the first index the smaller one, sorted.
    """
    groups = _Groups(codes, owner)
    distinct = groups.codes
    found = [pairs[_near(distinct, pairs, distance)] for pairs in _candidates(distinct, distance)]
    same = np.flatnonzero(groups.size > 1)
    found.append(np.stack([same, same], axis=1))
    pairs = np.unique(np.concatenate(found), axis=0)
    return groups.expand(pairs)


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


def _candidates(codes: Codes, distance: int) -> Iterator[Pairs]:
    """Yield pairs (a < b) of distinct hashes that may be near, in chunks; a pair can come more than once."""
    radius = distance // BANDS
    masks = [
        np.uint64(sum(1 << bit for bit in bits))
        for r in range(radius + 1)
        for bits in itertools.combinations(range(BITS), r)
    ]
    if len(codes) < 4096 or len(masks) * BANDS > 600:
        yield from _all_pairs(codes, distance)
        return
    for band in range(BANDS):
        key = (codes >> np.uint64(BITS * band)) & np.uint64(0xFFFF)
        order = np.argsort(key, kind="stable")
        size = np.bincount(key.astype(np.int64), minlength=1 << BITS)
        start = np.concatenate([[0], np.cumsum(size)])[:-1]
        for mask in masks:
            other = (key ^ mask).astype(np.int64)
            yield from _bucket_pairs(codes, order, start[other], size[other], distance)


def _bucket_pairs(
    codes: Codes, order: NDArray[np.int64], start: NDArray[np.int64], size: NDArray[np.int64], distance: int
) -> Iterator[Pairs]:
    """Yield each hash with every hash of its bucket: `start` and `size` [N] say where in `order` that bucket lies."""
    ends = np.cumsum(size)
    total = int(ends[-1])
    cuts = np.searchsorted(ends, np.arange(CHUNK, total + CHUNK, CHUNK))
    low = 0
    for high in np.minimum(cuts + 1, len(codes)).tolist():
        rows = np.arange(low, high)
        a, at = _product(rows, np.ones(len(rows), dtype=np.int64), start[low:high], size[low:high])
        b = order[at]
        keep = a < b
        pairs = np.stack([a[keep], b[keep]], axis=1)
        yield pairs[_near(codes, pairs, distance)]
        low = high


def _all_pairs(codes: Codes, distance: int) -> Iterator[Pairs]:
    for low in range(0, len(codes), 512):
        part = codes[low : low + 512]
        near = np.bitwise_count(part[:, None] ^ codes[None, low:]) <= distance
        a, b = np.nonzero(near)
        keep = a < b
        yield np.stack([a[keep] + low, b[keep] + low], axis=1)


def confirmed(luma: Luma, pairs: Pairs) -> NDArray[np.bool_]:
    """Return which pairs [P] agree in the picture and in its fine detail (what a 3 x 3 mean takes away)."""
    out = np.zeros(len(pairs), dtype=bool)
    for start in range(0, len(pairs), 8192):
        a, b = (luma[pairs[start : start + 8192, k]] for k in (0, 1))
        out[start : start + 8192] = (correlation(a, b) >= LEAST_CORRELATION) & (
            correlation(detail(a), detail(b)) >= LEAST_DETAIL
        )
    return out


def correlation(a: Luma, b: Luma) -> NDArray[np.float64]:
    """Return Pearson's correlation [N] of pictures [N, ...] and [N, ...]; 0 where one is constant."""
    x, y = (v.reshape(len(v), -1) - v.reshape(len(v), -1).mean(axis=1, keepdims=True) for v in (a, b))
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
