"""Decision rules for macro F1: an offset per class on the log-probabilities, kept only if it helps.

The most probable class is the best decision for accuracy, not for macro F1, in which a rare class counts as much as a
frequent one. A rule says the class with the highest log p + offset instead (and gives the softmax of that):

- `prior`: offset = -strength * log(share of the class) (logit adjustment; Menon et al. 2021, equation 9), one number
  fitted, the strength.
- `thresholds`: one offset per class by coordinate ascent on macro F1. Each coordinate is moved to its exact optimum:
  images pass from the runner-up to the class one by one as its offset grows, so one sort gives every value that
  macro F1 can take (after Lipton, Elkan and Naryanaswamy 2014, who show that thresholds of rare classes overfit).

Both are fitted on other subjects than they are judged on, and left off unless they are better beyond the interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from hoego.data.dataset import Dataset
from hoego.errors import NotEstimableError, UsageError, nearest
from hoego.evaluate.compare import PairedDifference, verdict
from hoego.evaluate.compare.variants import variants_of
from hoego.evaluate.ensemble.compose import what_to_combine
from hoego.evaluate.ensemble.crossfit import cross_fit, cross_fitted, parts_of
from hoego.evaluate.score.formulas import macro_f1_score
from hoego.predictions import Predictions
from hoego.results.ensemble import Decision, RuleOffsets
from hoego.results.score import LEVEL
from hoego.short_repr import ShortRepr

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]
RULES = {
    "prior": "prior correction: minus a strength times the log of the class's share",
    "thresholds": "one offset per class, by coordinate ascent on macro F1",
}
FLOOR = 1e-12  # keeps the logarithm of a probability of 0 finite
# 0 changes nothing and 1 takes out the whole prior (Menon et al. 2021, equation 9).
STRENGTHS = np.round(np.arange(0.0, 1.51, 0.05), 2)
LARGEST = 5.0  # of an offset: a factor of 148 on the odds
ROUNDS = 10  # of coordinate ascent at most: it ends earlier, once a whole round changes nothing
SWAPS = 9_999  # with the observed one, p in steps of 1 / 10,000


@dataclass(frozen=True, eq=False, repr=False)
class Offsets(ShortRepr):
    """What a rule adds to the log-probabilities of one column.

    Args:
        rule: a name of RULES.
        values: offset of each class [C], with mean 0.
        strength: of the prior correction; None for thresholds.
    """

    rule: str
    values: Floats
    strength: float | None = None

    def apply(self, p: Floats) -> Floats:
        """Return probabilities [N, C] under the rule: softmax of log p + offsets."""
        logs = np.log(np.maximum(p, FLOOR)) + self.values
        out: Floats = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
        return out

    @property
    def plain(self) -> RuleOffsets:
        """The same in plain numbers, as a record keeps it."""
        return RuleOffsets(rule=self.rule, values=tuple(self.values.tolist()), strength=self.strength)

    @classmethod
    def of(cls, plain: RuleOffsets) -> Offsets:
        """Return the offsets that a record keeps."""
        return cls(plain.rule, np.asarray(plain.values, dtype=np.float64), plain.strength)


@dataclass(frozen=True)
class DecideOptions:
    """How a rule is fitted and judged.

    Args:
        rule: a name of RULES.
        on: "target", or "attributes" (each attribute of the composite by itself, for its own macro F1).
        resamples: over subjects, of the interval.
        seed: of the resamples and of the parts under a holdout.
    """

    rule: str = "prior"
    on: str = "target"
    resamples: int = 2_000
    seed: int = 0


def decide(
    predictions: Predictions, dataset: Dataset, options: DecideOptions | None = None
) -> tuple[Predictions, Decision]:
    """Return predictions under a decision rule if it helps beyond the interval, else as they came; and what was found.

    A kept rule was kept for its score on these rows, so they are marked `selected` as well as `cross-fitted`.

    Args:
        predictions: honest ones.
        dataset: their truth.
        options: see there.

    Raises:
        UsageError: no such rule.
        MismatchError: the predictions do not hold the target.
        NotEstimableError: fewer than six subjects have a label.
    """
    chosen = options or DecideOptions()
    require_rule(chosen.rule)
    parts = parts_of(predictions, dataset, seed=chosen.seed)
    rows = dataset.positions(predictions.images)
    before, n_classes = predictions.target_probabilities(), predictions.schema.n_target_classes
    values, offsets = {}, {}
    for column in what_to_combine([predictions], chosen.on):
        values[column], offsets[column] = _across(
            chosen.rule, predictions.probabilities(column), dataset.classes_of(column)[rows], parts
        )
    ruled = predictions.with_values({**_others(predictions, values), **values}, "probabilities")
    predicted = {"without": before.argmax(axis=1), "with": ruled.target_probabilities().argmax(axis=1)}
    bench = variants_of(
        predicted,
        dataset.target[rows],
        dataset.subject_index[rows],
        n_classes,
        draws=(chosen.resamples, chosen.seed),
        swaps=SWAPS,
    )
    found = bench.pair("with", "without")
    kept = verdict(found, True) == "better"
    made = Decision(
        rule=chosen.rule,
        kept=kept,
        gain=found.interval(LEVEL),
        p_value=found.p_value,
        offsets={column: o.plain for column, o in offsets.items()},
        words=_words(chosen.rule, found),
    )
    if not kept:
        return predictions, made
    ruled = cross_fitted(ruled, dataset, parts, by=f"the decision rule {chosen.rule}")
    return _selected(ruled, dataset), made


def apply_offsets(predictions: Predictions, offsets: Mapping[str, RuleOffsets]) -> Predictions:
    """Apply the offsets of a kept rule to new images."""
    values = {column: Offsets.of(o).apply(predictions.probabilities(column)) for column, o in offsets.items()}
    return predictions.with_values({**_others(predictions, values), **values}, "probabilities")


def require_rule(name: str) -> None:
    """Raise UsageError for an unknown rule, with the nearest one."""
    if name not in RULES:
        raise UsageError(f"There is no decision rule {name!r}.", remedy=nearest(name, RULES))


def fit_offsets(rule: str, p: Floats, truth: Ints) -> Offsets:
    """Return the offsets of a rule with the best macro F1 on probabilities [N, C] and their truth [N] (-1 is left out).

    Raises:
        NotEstimableError: no image has a label.
    """
    require_rule(rule)
    known = truth >= 0
    if not known.any():
        raise NotEstimableError("No image outside a part has a label to fit a decision rule on.")
    logs, t = np.log(np.maximum(p[known], FLOOR)), truth[known].astype(np.int64)
    if rule == "prior":
        return _fit_prior(logs, t)
    return Offsets(rule, _centred(_fit_thresholds(logs, t)))


def _fit_prior(logs: Floats, truth: NDArray[np.int64]) -> Offsets:
    c = logs.shape[1]
    share = np.maximum(np.bincount(truth, minlength=c), 0.5) / len(truth)
    correction = -_centred(np.log(share))
    scores = [macro_f1_score((logs + s * correction).argmax(axis=1), truth, c) for s in STRENGTHS]
    best = int(np.argmax(np.asarray(scores) >= max(scores) - 1e-12))
    strength = float(STRENGTHS[best])
    return Offsets("prior", strength * correction, strength)


def _fit_thresholds(logs: Floats, truth: NDArray[np.int64]) -> Floats:
    """Fit offsets [C]: the rarest class first, one after the other, until a whole round changes nothing."""
    c = logs.shape[1]
    true = np.bincount(truth, minlength=c)
    order = [k for k in np.argsort(true, kind="stable").tolist() if true[k]]
    offsets = np.zeros(c)
    for _ in range(ROUNDS):
        before = offsets.copy()
        for k in order:
            offsets[k] = best_offset(logs + offsets * (np.arange(c) != k), truth, k, float(offsets[k]))
        if np.array_equal(before, offsets):
            break
    return offsets


def best_offset(scores: Floats, truth: NDArray[np.int64], k: int, now: float = 0.0) -> float:
    """Return the offset of class k that gives the best macro F1 with the scores [N, C], all other offsets being in
    them.

    Args:
        scores: log-probabilities with the offsets of all classes but k.
        truth: classes [N].
        k: the class.
        now: its offset today, kept unless another is better.

    Returns:
        the middle between two images' passing points; of equally good ones that nearest to 0, at most 5 in size.
    """
    c = scores.shape[1]
    others = scores.copy()
    others[:, k] = -np.inf
    runner = others.argmax(axis=1)
    passing = others[np.arange(len(truth)), runner] - scores[:, k]
    order = np.argsort(passing, kind="stable")
    values = _values_by_number_passed(runner[order], truth[order], k, c)
    edges = passing[order]
    cuts = np.concatenate([[edges[0] - 1.0], (edges[1:] + edges[:-1]) / 2, [edges[-1] + 1.0]])
    distinct = np.concatenate([[True], np.diff(edges) > 1e-9, [True]])
    allowed = distinct & (np.abs(cuts) <= LARGEST)
    today = values[np.searchsorted(edges, now, side="left")]
    if not allowed.any() or values[allowed].max() <= today + 1e-12:
        return now
    equal = np.flatnonzero(allowed & (values >= values[allowed].max() - 1e-12))
    return float(cuts[equal[np.argmin(np.abs(cuts[equal]))]])


def _values_by_number_passed(
    runner: NDArray[np.int64], truth: NDArray[np.int64], k: int, n_classes: int
) -> Floats:
    """Return macro F1 [N + 1] after the first 0 .. N images have passed from their runner-up class to class k."""
    true = np.bincount(truth, minlength=n_classes)
    n = len(truth)
    passed = np.concatenate([[0], np.cumsum(truth == k)])
    own = 2 * passed / (np.arange(n + 1) + true[k]) if true[k] else np.zeros(n + 1)
    steps = np.zeros(n + 1)
    for j in np.flatnonzero(true).tolist():
        if j == k:
            continue
        mine = np.flatnonzero(runner == j)
        right = truth[mine] == j
        left = right.sum() - np.concatenate([[0], np.cumsum(right)])
        f1 = 2 * left / (len(mine) - np.arange(len(mine) + 1) + true[j])
        steps[0] += f1[0]
        steps[mine + 1] += np.diff(f1)
    out: Floats = (own + np.cumsum(steps)) / (true > 0).sum()
    return out


def _across(rule: str, p: Floats, truth: Ints, parts: NDArray[np.int64]) -> tuple[Floats, Offsets]:
    """Return probabilities [N, C] under offsets fitted on the other parts, and the offsets fitted on all rows."""
    made, _ = cross_fit(
        parts,
        lambda outside: fit_offsets(rule, p[outside], truth[outside]),
        lambda offsets, inside: offsets.apply(p[inside]),
    )
    return made, fit_offsets(rule, p, truth)


def _others(predictions: Predictions, values: Mapping[str, Any]) -> dict[str, Floats]:
    """Return columns that the rule leaves alone; a composite that follows from changed attributes is dropped."""
    follows = {predictions.schema.target} - set(values)
    return {
        k: predictions.probabilities(k) for k in predictions.values if k not in values and k not in follows
    }


def _selected(predictions: Predictions, dataset: Dataset) -> Predictions:
    names = dataset.subjects[np.unique(dataset.subject_index[dataset.positions(predictions.images)])]
    chosen_on = predictions.universe.no_subjects()
    chosen_on[np.searchsorted(predictions.universe.names, names)] = True
    sources = tuple(replace(s, selected=s.selected | chosen_on) for s in predictions.sources)
    return replace(predictions, sources=sources)


def _words(rule: str, found: PairedDifference) -> str:
    numbers = f"{found.difference:+.4f} [{found.low:+.4f}, {found.high:+.4f}], p = {found.p_value:.4f}"
    said = verdict(found, True)
    if said == "better":
        return f"the rule {rule} helps beyond the interval and is applied: {numbers}"
    if said == "worse":
        return f"the rule {rule} is worse than the most probable class; left off: {numbers}"
    return f"the rule {rule} is not distinguishable from the most probable class; left off: {numbers}"


def _centred(values: Floats) -> Floats:
    out: Floats = values - values.mean()
    return out
