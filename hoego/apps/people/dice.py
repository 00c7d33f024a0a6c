"""Random draws that are the same on every machine.

Only integer generators and exactly rounded float64 operations are used: no draw goes through a library's
logarithm or exponential, whose last bit differs between processors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


class Dice:
    """A seeded source of scalar draws and pixel noise.

    Args:
        words: non-negative integers that name the stream; different words give independent streams
            (`numpy.random.SeedSequence`, PCG64).
    """

    def __init__(self, *words: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))

    def uniform(self, low: float, high: float) -> float:
        """Return one draw from [low, high)."""
        return low + (high - low) * float(self._generator.random())

    def bell(self, mean: float, sd: float) -> float:
        """Return one draw of mean `mean` and standard deviation `sd`: the sum of twelve uniforms (Irwin-Hall)."""
        total = int(self._generator.integers(0, 1 << 32, 12, dtype=np.uint64).sum())
        return mean + sd * (total / float(1 << 32) - 6.0)

    def integer(self, low: int, high: int) -> int:
        """Return one integer of low..high, both included."""
        return int(self._generator.integers(low, high + 1))

    def chance(self, probability: float) -> bool:
        """Return True with the given probability."""
        return float(self._generator.random()) < probability

    def pick(self, options: Sequence[T], weights: Sequence[float] | None = None) -> T:
        """Return one of the options, equally likely or by weight."""
        if weights is None:
            return options[self.integer(0, len(options) - 1)]
        mark = self.uniform(0.0, float(sum(weights)))
        for option, weight in zip(options, weights, strict=True):
            mark -= weight
            if mark < 0.0:
                return option
        return options[-1]

    def shuffled(self, options: Sequence[T]) -> list[T]:
        """Return the options in a random order."""
        return [options[i] for i in self._generator.permutation(len(options))]

    def sign(self) -> int:
        """Return -1 or 1."""
        return 1 if self.chance(0.5) else -1

    def noise(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Return noise of mean 0 and standard deviation 1 (sums of four bytes), float32 of the given shape."""
        rows = self._generator.integers(0, 1 << 32, shape, dtype=np.uint32)
        total = (rows & 255) + ((rows >> 8) & 255) + ((rows >> 16) & 255) + (rows >> 24)
        noise: NDArray[np.float32] = (total.astype(np.float32) - np.float32(510.0)) / np.float32(147.8)
        return noise


def ramp(value: float, low: float, high: float) -> float:
    """Return a smooth step: 0 at or below `low`, 1 at or above `high`, a cubic between."""
    t = min(1.0, max(0.0, (value - low) / (high - low)))
    return t * t * (3.0 - 2.0 * t)
