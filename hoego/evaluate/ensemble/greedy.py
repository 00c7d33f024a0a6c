"""Greedy forward selection with replacement (Caruana et al., Ensemble Selection from Libraries of Models, 2004)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from os import cpu_count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.evaluate.score.formulas import macro_f1_of_counts
from hoego.short_repr import ShortRepr

Stack = NDArray[np.float32]
Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]
ROUNDING = 1e-4  # more than 50 additions in single precision can be off by
PATIENCE = 10  # steps in a row without a better macro F1 that end the search; as many are always made
BLOCKS = 16  # of members, shared out among the threads


def greedy_weights(stack: Stack, truth: Ints, *, steps: int = 50) -> Floats:
    """Return weights [M] of the members that greedy selection with replacement picks for macro F1.

    Each step adds the member whose addition to the sum of those picked so far gives the best macro F1; ties go to
    the higher mean log-probability of the truth, then to the earlier member. The weights are those after the step
    with the best macro F1 (the earliest of equals), as counts over the number of steps; after ten steps, ten in a
    row without a better score end the search.

    A step looks only at what a member can change. Where its own best class is the one that leads the sum, it leads
    after the addition too; elsewhere it can be overtaken only if the member's best probability exceeds its
    probability of the leader by more than the lead. The counts of macro F1 are kept and moved by the images that
    change. The result is that of the plain loop.

    Args:
        stack: probabilities [M, N, C].
        truth: classes [N].
        steps: number of additions.
    """
    n_members, n, n_classes = stack.shape
    search = _Search(stack, truth.astype(np.int64), np.bincount(truth, minlength=n_classes))
    likelihood = _log_likelihood(stack, truth)
    total = np.zeros((n, n_classes), dtype=np.float32)
    counts = np.zeros(n_members, dtype=np.int64)
    best_score, best_counts = -1.0, counts
    with ThreadPoolExecutor(max_workers=cpu_count()) as pool:
        own = np.concatenate(list(pool.map(lambda m: m.argmax(axis=1)[None].astype(np.int16), stack)))
        peak = np.concatenate(list(pool.map(lambda m: m.max(axis=1)[None], stack)))
        for step in range(steps):
            scores = search.first(own) if step == 0 else search.after(total, (own, peak), pool)
            order = np.lexsort((np.arange(n_members), -likelihood, -np.round(scores, 12)))
            chosen = int(order[0])
            counts = counts.copy()
            counts[chosen] += 1
            total += stack[chosen]
            if scores[chosen] > best_score + 1e-12:
                best_score, best_counts = float(scores[chosen]), counts
            if step >= PATIENCE and best_counts.sum() + PATIENCE <= step:
                break
    weights: Floats = best_counts / best_counts.sum()
    return weights


@dataclass(frozen=True, eq=False, repr=False)
class _Search(ShortRepr):
    """Macro F1 of each member added to a sum.

    Args:
        stack: probabilities [M, N, C].
        truth: classes [N].
        true: images of each class [C].
    """

    stack: Stack
    truth: NDArray[np.int64]
    true: NDArray[np.int64]

    def first(self, own: NDArray[np.int16]) -> Floats:
        """Return macro F1 [M] of each member alone, by its best classes [M, N]."""
        c = len(self.true)
        counts = [_counts(m.astype(np.int64), self.truth, c) for m in own]
        return np.asarray([self._macro_f1(*pair) for pair in counts])

    def after(
        self, total: Stack, members: tuple[NDArray[np.int16], Stack], pool: ThreadPoolExecutor
    ) -> Floats:
        """Return macro F1 [M] of the sum [N, C] with each member added; `members` are their best classes and peaks [M,
        N].
        """
        leader = total.argmax(axis=1)
        rows = np.arange(len(leader))
        others = total.copy()
        others[rows, leader] = -1.0
        lead = total[rows, leader] - others.max(axis=1)
        base = _counts(leader, self.truth, len(self.true))
        short = leader.astype(np.int16)
        always = np.flatnonzero(lead < ROUNDING)
        reach = np.where(lead < ROUNDING, np.float32(2.0), lead - np.float32(ROUNDING))
        own, peak = members

        def score(m: int) -> float:
            able = np.flatnonzero((own[m] != short) & (peak[m] > reach))
            able = able[peak[m][able] - self.stack[m][able, leader[able]] > reach[able]]
            if len(always):
                able = np.concatenate([always, able])
            predicted = (total[able] + self.stack[m][able]).argmax(axis=1)
            moved = predicted != leader[able]
            gone = _counts(leader[able[moved]], self.truth[able[moved]], len(self.true))
            come = _counts(predicted[moved], self.truth[able[moved]], len(self.true))
            return self._macro_f1(base[0] - gone[0] + come[0], base[1] - gone[1] + come[1])

        blocks = np.array_split(np.arange(len(self.stack)), min(len(self.stack), BLOCKS))
        return np.asarray(list(chain(*pool.map(lambda block: [score(m) for m in block.tolist()], blocks))))

    def _macro_f1(self, right: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
        there = self.true > 0
        return float(macro_f1_of_counts(right[there], predicted[there], self.true[there]))


def _counts(predicted: Ints, truth: Ints, n_classes: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return images predicted rightly, and predicted, of each class [C]."""
    return (
        np.bincount(predicted[predicted == truth], minlength=n_classes),
        np.bincount(predicted, minlength=n_classes),
    )


def _log_likelihood(stack: Stack, truth: Ints) -> Floats:
    rows = np.arange(len(truth))
    picked = [np.log(np.maximum(m[rows, truth], 1e-12), dtype=np.float64).mean() for m in stack]
    return np.asarray(picked)
