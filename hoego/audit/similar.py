"""Photos of different subjects that look alike: a perceptual hash finds candidates, correlation confirms them.

The hash has 64 bits: the signs of the 8 x 8 lowest frequencies (the constant left out) of the cosine transform of a
32 x 32 grey thumbnail about their median (Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions,
2010). Hashes within d bits agree in at least one of d + 1 bands, so only pairs that share a band are compared.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIDE = 32
LEAST_CORRELATION = 0.97
LEAST_DETAIL = 0.80
LARGEST_BUCKET = 2_000
_BASIS = np.asarray(
    [[np.cos(np.pi * (2 * x + 1) * k / (2 * SIDE)) for x in range(SIDE)] for k in range(1, 9)],
    dtype=np.float32,
)


def grey(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Luma [N, 32, 32] (ITU-R BT.601) of thumbnails [N, 32, 32, 3]."""
    return thumbnails.astype(np.float32) @ np.asarray([0.299, 0.587, 0.114], dtype=np.float32)


def hashes(luma: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Perceptual hashes [N] of luma [N, 32, 32]."""
    found = np.empty(len(luma), dtype=np.uint64)
    weights = np.uint64(1) << np.arange(64, dtype=np.uint64)
    for start in range(0, len(luma), 8192):
        part = luma[start : start + 8192]
        spectrum = np.einsum("kx,nxy,ly->nkl", _BASIS, part, _BASIS, optimize=True).reshape(len(part), 64)
        bits = spectrum > np.median(spectrum, axis=1, keepdims=True)
        found[start : start + 8192] = (bits * weights).sum(axis=1, dtype=np.uint64)
    return found


def close_pairs(codes: NDArray[np.uint64], owner: NDArray[np.int32], distance: int) -> NDArray[np.int64]:
    """Pairs [P, 2] of images of different owners whose hashes differ in at most `distance` bits.

    A band that more than 2,000 images share (blank photos) is passed over.
    """
    bands = distance + 1
    cuts = np.linspace(0, 64, bands + 1).astype(int)
    found = []
    for low, high in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        mask = np.uint64((1 << (high - low)) - 1)
        key = (codes >> np.uint64(low)) & mask
        order = np.argsort(key, kind="stable")
        starts = np.flatnonzero(np.r_[True, key[order][1:] != key[order][:-1], True])
        for begin, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
            if 2 <= end - begin <= LARGEST_BUCKET:
                mine = order[begin:end]
                near = np.bitwise_count(codes[mine][:, None] ^ codes[mine][None, :]) <= distance
                near &= owner[mine][:, None] < owner[mine][None, :]
                a, b = np.nonzero(near)
                found.append(np.stack([mine[a], mine[b]], axis=1))
    if not found:
        return np.empty((0, 2), dtype=np.int64)
    return np.unique(np.concatenate(found), axis=0)


def confirmed(luma: NDArray[np.float32], pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which pairs [P] agree in the picture and in its fine detail (what a 3 x 3 mean takes away)."""
    out = np.zeros(len(pairs), dtype=bool)
    for start in range(0, len(pairs), 8192):
        a, b = (luma[pairs[start : start + 8192, k]] for k in (0, 1))
        out[start : start + 8192] = (correlation(a, b) >= LEAST_CORRELATION) & (
            correlation(detail(a), detail(b)) >= LEAST_DETAIL
        )
    return out


def correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Pearson's correlation [N] of pictures [N, ...] and [N, ...]; 0 where one is constant."""
    x, y = (v.reshape(len(v), -1) - v.reshape(len(v), -1).mean(axis=1, keepdims=True) for v in (a, b))
    scale = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    out: NDArray[np.float64] = np.divide((x * y).sum(axis=1), scale, out=np.zeros(len(x)), where=scale > 1e-6)
    return out


def detail(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """A picture [N, H, W] less its 3 x 3 mean."""
    h, w = luma.shape[1:]
    padded = np.pad(luma, ((0, 0), (1, 1), (1, 1)), mode="edge")
    mean = np.zeros_like(luma)
    for i in range(3):
        for j in range(3):
            mean += padded[:, i : i + h, j : j + w]
    mean /= np.float32(9)
    out: NDArray[np.float32] = luma - mean
    return out
