"""Greedy forward selection with replacement (Caruana et al., Ensemble Selection from Libraries of Models, 2004)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from typing import Any

import numpy as np
from numpy.typing import NDArray

Stack = NDArray[np.float32]


def greedy_weights(stack: Stack, truth: NDArray[np.integer[Any]], *, steps: int = 50) -> NDArray[np.float64]:
    """Weights [M] of the members that greedy selection with replacement picks for macro F1.

    Each step adds the member whose addition to the sum of those picked so far gives the best macro F1; ties go to
    the higher mean log-probability of the truth, then to the earlier member. The weights are those after the step
    with the best macro F1 (the earliest of equals), as counts over the number of steps; after ten steps, ten in a
    row without a better score end the search.

    A step looks only at images that it can change: a member adds at most 1 to the difference of two classes, so an
    image whose two leading sums are more than 1 apart keeps its class whatever is added. The result is the same as
    that of the plain loop.

    Args:
        stack: probabilities [M, N, C].
        truth: classes [N].
        steps: number of additions.
    """
    n_members, n, n_classes = stack.shape
    present = np.bincount(truth, minlength=n_classes) > 0
    likelihood = _log_likelihood(stack, truth)
    total = np.zeros((n, n_classes), dtype=np.float32)
    counts = np.zeros(n_members, dtype=np.int64)
    best_score, best_counts = -1.0, counts
    with ThreadPoolExecutor(max_workers=cpu_count()) as pool:
        for step in range(steps):
            scores = _candidate_scores(stack, total, truth, present, pool)
            order = np.lexsort((np.arange(n_members), -likelihood, -np.round(scores, 12)))
            chosen = int(order[0])
            counts = counts.copy()
            counts[chosen] += 1
            total += stack[chosen]
            if scores[chosen] > best_score + 1e-12:
                best_score, best_counts = float(scores[chosen]), counts
            if step >= 10 and best_counts.sum() + 10 <= step:
                break
    weights: NDArray[np.float64] = best_counts / best_counts.sum()
    return weights


def _candidate_scores(
    stack: Stack,
    total: Stack,
    truth: NDArray[np.integer[Any]],
    present: NDArray[np.bool_],
    pool: ThreadPoolExecutor,
) -> NDArray[np.float64]:
    """Macro F1 [M] of the sum so far with each member added."""
    n_members, _, n_classes = stack.shape
    leading = np.partition(total, n_classes - 2, axis=1)[:, -2:] if n_classes > 1 else total
    open_rows = np.flatnonzero(leading[:, -1] - leading[:, 0] <= 1.0 + 1e-4)
    settled = np.ones(len(truth), dtype=bool)
    settled[open_rows] = False
    kept = total[settled].argmax(axis=1)
    base = _counts(kept[None], truth[settled], n_classes)
    rows, labels = total[open_rows], truth[open_rows]

    def score(block: NDArray[np.int64]) -> NDArray[np.float64]:
        picked = np.empty((len(block), len(open_rows)), dtype=np.int64)
        for i, m in enumerate(block.tolist()):
            picked[i] = (rows + stack[m][open_rows]).argmax(axis=1)
        return _macro_f1(base + _counts(picked, labels, n_classes), truth, present)

    blocks = np.array_split(np.arange(n_members), max(1, min(n_members, 4 * (cpu_count() or 1))))
    return np.concatenate(list(pool.map(score, blocks)))


def _counts(
    predicted: NDArray[np.integer[Any]], truth: NDArray[np.integer[Any]], n_classes: int
) -> NDArray[np.float64]:
    """True positives and predicted counts [M, 2, C] of predicted classes [M, N]."""
    m = len(predicted)
    offset = np.arange(m)[:, None] * n_classes
    all_predicted = np.bincount((predicted + offset).ravel(), minlength=m * n_classes)
    right = predicted == truth[None]
    positives = np.bincount((predicted + offset)[right], minlength=m * n_classes)
    return np.stack([positives.reshape(m, -1), all_predicted.reshape(m, -1)], axis=1).astype(np.float64)


def _macro_f1(
    counts: NDArray[np.float64], truth: NDArray[np.integer[Any]], present: NDArray[np.bool_]
) -> NDArray[np.float64]:
    positives, predicted = counts[:, 0][:, present], counts[:, 1][:, present]
    true = np.bincount(truth, minlength=len(present))[present]
    out: NDArray[np.float64] = (2 * positives / (predicted + true)).mean(axis=1)
    return out


def _log_likelihood(stack: Stack, truth: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    picked = stack[:, np.arange(len(truth)), truth]
    out: NDArray[np.float64] = np.log(np.maximum(picked, 1e-12)).mean(axis=1, dtype=np.float64)
    return out
