"""Counter-based random numbers: each depends only on its use and its counters, so resuming restores no generator."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""The increment of SplitMix64: 2^64 divided by the golden ratio, made odd."""
_STEP = np.uint64(0xD1342543DE82EF95)


def generator(stream: str, *counters: int) -> np.random.Generator:
    """Return a numpy generator that depends only on the name of its use and on the counters (seed, epoch, step)."""
    name = int.from_bytes(blake2b(stream.encode(), digest_size=8).digest(), "little")
    return np.random.default_rng([name, *counters])


def text_keys(texts: NDArray[np.str_] | list[str]) -> NDArray[np.uint64]:
    """Return one 64-bit key per text [N]."""
    keys = [int.from_bytes(blake2b(str(t).encode(), digest_size=8).digest(), "little") for t in texts]
    return np.asarray(keys, dtype=np.uint64)


def mix(keys: NDArray[np.uint64], counter: int) -> NDArray[np.uint64]:
    """Combine keys [N] with a counter into new keys [N]."""
    return _scramble(keys ^ _scramble(np.asarray([counter], dtype=np.uint64) * _STEP + _GOLDEN))


def sample_keys(seed: int, epoch: int, first: int, n: int) -> NDArray[np.uint64]:
    """Return the keys [n] of the photos at positions first ... first + n - 1 of an epoch's order."""
    return mix(mix(np.arange(first, first + n, dtype=np.uint64), seed), epoch + (1 << 32))


def uniforms(keys: NDArray[np.uint64], columns: int) -> NDArray[np.float64]:
    """Draw independent uniforms in [0, 1), [N, columns], from keys [N] (SplitMix64: Steele, Lea and Flood 2014)."""
    z = keys[:, None] + np.arange(1, columns + 1, dtype=np.uint64) * _GOLDEN
    return np.asarray((_scramble(z) >> np.uint64(11)) * 2.0**-53, dtype=np.float64)


def _scramble(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
