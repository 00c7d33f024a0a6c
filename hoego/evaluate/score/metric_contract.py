"""Tests for a custom metric; subclass `MetricContract` in a test.

Example::

    class TestMine(MetricContract):
        metric = staticmethod(my_module.my_metric)
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray


class MetricContract:
    """A metric of true classes [N] and probabilities [N, C]: finite, blind to order, best when all is right."""

    metric: ClassVar[Any]
    n_classes: ClassVar[int] = 3

    def _example(self, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        rng = np.random.default_rng(seed)
        truth = np.append(np.arange(self.n_classes), rng.integers(0, self.n_classes, 57))
        return truth, rng.dirichlet(np.ones(self.n_classes), len(truth))

    def _sign(self) -> float:
        return -1.0 if getattr(type(self).metric, "better", "higher") == "lower" else 1.0

    def test_finite(self) -> None:
        """Check that the metric is a finite number."""
        for seed in range(5):
            assert np.isfinite(float(type(self).metric(*self._example(seed))))

    def test_blind_to_the_order_of_images(self) -> None:
        """Check that the order of the images does not change the metric."""
        truth, probabilities = self._example()
        order = np.random.default_rng(1).permutation(len(truth))
        same = float(type(self).metric(truth[order], probabilities[order]))
        assert abs(same - float(type(self).metric(truth, probabilities))) < 1e-9

    def test_leaves_its_arguments_as_they_were(self) -> None:
        """Check that the metric does not write into its arguments."""
        truth, probabilities = self._example()
        before = truth.copy(), probabilities.copy()
        type(self).metric(truth, probabilities)
        assert (truth == before[0]).all()
        assert (probabilities == before[1]).all()

    def test_perfect_is_best(self) -> None:
        """Check that perfect predictions have the best value."""
        sign = self._sign()
        for seed in range(5):
            truth, probabilities = self._example(seed)
            perfect = np.eye(self.n_classes)[truth]
            best = sign * float(type(self).metric(truth, perfect))
            assert best >= sign * float(type(self).metric(truth, probabilities))
            assert best > sign * float(type(self).metric(truth, np.roll(perfect, 1, axis=1)))
