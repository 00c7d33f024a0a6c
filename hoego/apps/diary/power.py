"""How many runs would decide what is undecided.

A comparison of two recipes with n seeds a side has the variance subjects + seeds / n, where `seeds` is the sum of
the variances of both sides' scores over their seeds. More runs shrink the second part alone. To find the
difference that was seen with a power of 80 % at the two-sided level of 5 %, the standard error must be at most
|difference| / 2.8.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import variance

from hoego.apps.diary.facts import RunSummary
from hoego.results.verdict import ComparisonVerdict

POWER = 2.8
MOST_SUBJECTS = 10.0


@dataclass(frozen=True)
class RequiredEvidence:
    """What would decide a comparison.

    Args:
        kind: `seeds` (three seeds a side first), `runs` (that many a side), `subjects` (no number of runs can: it
            takes more held-out subjects), `small` (so many more of them that it is not worth deciding here), `zero`
            (no difference was seen), `unknown`.
        runs: runs a side, of the kind `runs`.
        subjects: factor by which the held-out subjects would have to grow, of the kinds `subjects` and `small`.
    """

    kind: str
    runs: int | None = None
    subjects: float | None = None


def need(verdict: ComparisonVerdict, runs: Mapping[str, RunSummary]) -> RequiredEvidence:
    """Return what would decide this verdict, of the scores that the records hold."""
    d = verdict.difference
    if d is None or d.low is None or d.high is None or d.high <= d.low:
        return RequiredEvidence("unknown")
    if verdict.scope != "recipes":
        return RequiredEvidence("seeds")
    error = (d.high - d.low) / (2 * 1.96)
    wanted = abs(d.value) / POWER
    sides = [_scores(ids, runs) for ids in (verdict.runs, verdict.baseline)]
    if any(len(s) < 2 for s in sides):
        return RequiredEvidence("unknown")
    seeds = sum(variance(s) for s in sides)
    subjects = max(0.0, error**2 - sum(variance(s) / len(s) for s in sides))
    room = wanted**2 - subjects
    if wanted <= 0:
        return RequiredEvidence("zero")
    if room <= 0:
        factor = subjects / wanted**2
        return RequiredEvidence("small" if factor > MOST_SUBJECTS else "subjects", subjects=factor)
    return RequiredEvidence("runs", runs=max(math.ceil(seeds / room), len(sides[0]) + 1))


def _scores(ids: Sequence[str], runs: Mapping[str, RunSummary]) -> list[float]:
    found = (runs[i].score for i in ids if i in runs)
    return [s.value for s in found if s is not None]


def undecided(
    verdicts: Sequence[ComparisonVerdict], runs: Mapping[str, RunSummary]
) -> list[tuple[ComparisonVerdict, RequiredEvidence]]:
    """Return the undecided comparisons by what they could still gain, then by how few runs they need."""
    open_ = [(v, need(v, runs)) for v in verdicts if v.outcome == "not distinguishable"]
    return sorted(
        open_, key=lambda p: (p[1].kind in ("small", "zero"), -round(_gain(p[0]), 3), p[1].runs or 0)
    )


def _gain(verdict: ComparisonVerdict) -> float:
    d = verdict.difference
    return d.high if d is not None and d.high is not None else 0.0
