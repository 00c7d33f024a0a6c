"""Rank many sides: the best, and those that are not distinguishable from it.

The best is itself chosen by these scores, so p-values against it are corrected as if all pairs had been compared:
Holm's step-down (1979) with the multiplicity of all k (k - 1) / 2 pairs, which holds the chance of any false
"behind" under 5 %. Where fewer than ten permutations reach the difference, Student's tail over subjects
resolves what counting cannot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import t as student

from hoego.evaluate.compare.paired import PairedDifference, PairedResamples
from hoego.results.base import number
from hoego.results.comparison import RankedSide
from hoego.results.score import DefinedEstimate

RESOLVED = 10  # permutations that reach the difference; a count of ten is known to about 1 / sqrt(10) = 32 %


def ranked(
    bench: PairedResamples, members: Sequence[Sequence[int]], names: Sequence[str], higher: bool
) -> tuple[RankedSide, ...]:
    """Return the sides, best first (ties in the order given)."""
    values = np.asarray([bench.evidence.values[list(m)].mean() for m in members])
    order = np.argsort(-values if higher else values, kind="stable").tolist()
    best, k = order[0], len(order)
    pairs = {i: bench.pair(members[best], members[i]) for i in order[1:]}
    adjusted = _adjusted(pairs, bench, k * (k - 1) // 2)
    none = DefinedEstimate(value=0.0, low=0.0, high=0.0, level=bench.level, standard_error=0.0)
    out = [
        RankedSide(
            rank=1,
            side=best,
            name=names[best],
            value=float(values[best]),
            behind=none,
            p_value=None,
            p_adjusted=None,
            in_best_set=True,
        )
    ]
    for rank, i in enumerate(order[1:], start=2):
        found = pairs[i]
        excludes = found.low > 0 or found.high < 0
        out.append(
            RankedSide(
                rank=rank,
                side=i,
                name=names[i],
                value=float(values[i]),
                behind=found.estimate(bench.level),
                p_value=number(found.p_value),
                p_adjusted=number(adjusted[i]),
                in_best_set=not (adjusted[i] < 0.05 and excludes),
            )
        )
    return tuple(out)


def _adjusted(
    pairs: Mapping[int, PairedDifference], bench: PairedResamples, n_pairs: int
) -> dict[int, float]:
    """Return the p-value of each side against the best, by Holm over all pairs of sides."""
    p = {i: _resolved(found, bench) for i, found in pairs.items()}
    adjusted: dict[int, float] = {}
    largest = 0.0
    for step, i in enumerate(sorted(p, key=lambda i: p[i] if np.isfinite(p[i]) else 2.0)):
        largest = max(largest, min(1.0, (n_pairs - step) * p[i])) if np.isfinite(p[i]) else np.nan
        adjusted[i] = max(largest, pairs[i].p_value)
    return adjusted


def _resolved(found: PairedDifference, bench: PairedResamples) -> float:
    floor = RESOLVED / max(len(bench.replicates), 1)
    if not np.isfinite(found.p_value) or found.p_value > floor or found.standard_error == 0:
        return found.p_value
    s = bench.evidence.n_subjects
    tail = float(2 * student.sf(abs(found.difference) / found.standard_error, s - 1))
    return min(found.p_value, max(tail, 2.0 ** (1 - s)))
