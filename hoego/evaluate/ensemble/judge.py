"""What an ensemble is worth: beside its best member, what each member adds, and how alike the members are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.evaluate.compare import PairedDifference, verdict
from hoego.evaluate.compare.variants import variants_of
from hoego.evaluate.ensemble.combiners import Combiner, Stack
from hoego.evaluate.score.formulas import macro_f1_score
from hoego.predictions import Predictions
from hoego.results.ensemble import EnsembleMember
from hoego.results.score import LEVEL, IntervalEstimate
from hoego.short_repr import ShortRepr

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]
SWAPS = 9_999  # with the observed one, p in steps of 1 / 10,000
ENOUGH = 1e-9  # a sum of weights below this is rounding: nobody but the member left out was picked


@dataclass(frozen=True, eq=False, repr=False)
class StackedColumn(ShortRepr):
    """What was combined of one column, kept so that a member can be taken out again.

    Args:
        stack: probabilities [M, N, C].
        fitted: the combiner of each part [P].
        parts: part of each row [N].
        total: weighted sum of the members' terms [N, C].
    """

    stack: Stack
    fitted: Sequence[Combiner]
    parts: NDArray[np.int64]
    total: Floats

    @cached_property
    def weights(self) -> Floats:
        """Weights [P, M]."""
        return np.stack([c.weights for c in self.fitted])

    @cached_property
    def alike(self) -> Floats:
        """The sum of all members' terms [N, C], each with weight 1."""
        out = np.zeros(self.stack.shape[1:])
        for p in self.stack:
            out += self.fitted[0].term(p)
        return out

    def without(self, member: int) -> Floats:
        """Return probabilities [N, C] without one member; where it was the only one picked, the others count alike."""
        term = self.fitted[0].term(self.stack[member])
        whole = self.weights.sum(axis=1)
        rest = whole - self.weights[:, member]
        grown = np.divide(whole, rest, out=np.zeros_like(rest), where=rest > ENOUGH)
        total = (self.total - self.weights[self.parts, member, None] * term) * grown[self.parts, None]
        alone = (rest <= ENOUGH)[self.parts]
        if alone.any():
            share = whole[self.parts[alone], None] / (len(self.stack) - 1)
            total[alone] = share * (self.alike[alone] - term[alone])
        return self.finish(total)

    def finish(self, total: Floats) -> Floats:
        """Return probabilities [N, C] of the weighted sums [N, C], by each part's combiner."""
        if self.fitted[0].bias is None:
            return self.fitted[0].finish(total)
        out = np.empty_like(total)
        for part, combiner in enumerate(self.fitted):
            out[self.parts == part] = combiner.finish(total[self.parts == part])
        return out


@dataclass(frozen=True, kw_only=True)
class EnsembleComparison:
    """The members beside the ensemble.

    Args:
        members: in the order given.
        best: the name of the best on all rows; None where no member gives the target.
        gain: the ensemble less the best member chosen on the other parts; None likewise.
        p_value: of the gain.
        words: one sentence.
    """

    members: tuple[EnsembleMember, ...]
    best: str | None
    gain: IntervalEstimate | None
    p_value: float | None
    words: str


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class EnsembleEvaluation(ShortRepr):
    """What is judged, and how.

    Args:
        scored: the ensemble as it is scored.
        combined: the ensemble before a decision rule; its members' marginals are of it.
        columns: what was combined, by column.
        weights: of the members in the combiner for new images [M].
        resamples, seed: of the intervals.
    """

    scored: Predictions
    combined: Predictions
    columns: Mapping[str, StackedColumn]
    weights: Floats
    resamples: int
    seed: int


def evaluate_members(
    members: Sequence[Predictions], dataset: Dataset, parts: NDArray[np.int64], how: EnsembleEvaluation
) -> EnsembleComparison:
    """Return the members with their marginals, the best of them, and the gain over the best chosen on other parts.

    Raises:
        NotEstimableError: fewer than six subjects have a label.
    """
    rows = dataset.positions(how.scored.images)
    truth, subject = dataset.target[rows], dataset.subject_index[rows]
    schema = how.scored.schema
    c, draws = schema.n_target_classes, (how.resamples, how.seed)
    able = [i for i, m in enumerate(members) if m.has(schema.target)]
    predicted = {i: members[i].target_probabilities().argmax(axis=1) for i in able}
    scores = {i: macro_f1_score(s, truth, c) for i, s in predicted.items()}
    marginals = _marginals(how, truth, subject, len(members))
    listed = tuple(
        EnsembleMember(
            run=m.name, weight=float(how.weights[i]), score=scores.get(i), marginal=marginals.get(i)
        )
        for i, m in enumerate(members)
    )
    if not able:
        words = "no member gives the target by itself, so there is no best member to compare with"
        return EnsembleComparison(members=listed, best=None, gain=None, p_value=None, words=words)
    two = {
        "ensemble": _predicted_classes(how.scored),
        "best": best_on_other_parts(list(predicted.values()), truth, parts, c),
    }
    found = variants_of(two, truth, subject, c, draws=draws, swaps=SWAPS).pair("ensemble", "best")
    gain = found.interval(LEVEL)
    best = max(able, key=lambda i: scores[i])
    return EnsembleComparison(
        members=listed, best=members[best].name, gain=gain, p_value=found.p_value, words=_words(found)
    )


def _predicted_classes(predictions: Predictions) -> NDArray[np.int64]:
    out: NDArray[np.int64] = predictions.target_probabilities().argmax(axis=1)
    return out


def _marginals(
    how: EnsembleEvaluation, truth: Ints, subject: Ints, n_members: int
) -> dict[int, IntervalEstimate]:
    """Return what each member adds to the combination, by its position; those without any weight add 0."""
    if n_members < 2:
        return {}
    weighed = np.any([np.abs(col.weights).max(axis=0) > 0 for col in how.columns.values()], axis=0)
    used = np.flatnonzero(weighed).tolist()
    predicted = {"combined": _predicted_classes(how.combined)}
    target = how.scored.schema.target
    for i in used:
        values = {name: column.without(i) for name, column in how.columns.items()}
        if target in values:
            predicted[str(i)] = values[target].argmax(axis=1)
        else:
            predicted[str(i)] = _predicted_classes(how.combined.with_values(values, "probabilities"))
    found = variants_of(
        predicted, truth, subject, how.scored.schema.n_target_classes, draws=(how.resamples, how.seed)
    )
    nothing = IntervalEstimate(value=0.0, low=0.0, high=0.0)
    return {i: found.difference("combined", str(i)) if i in set(used) else nothing for i in range(n_members)}


def best_on_other_parts(
    predicted: Sequence[NDArray[np.int64]], truth: Ints, parts: NDArray[np.int64], n_classes: int
) -> NDArray[np.int64]:
    """Return each part's rows by the member with the best macro F1 on the other parts, the first of equals."""
    out = np.empty(len(truth), dtype=np.int64)
    for part in range(int(parts.max()) + 1):
        outside, inside = parts != part, parts == part
        scores = [macro_f1_score(s[outside], truth[outside], n_classes) for s in predicted]
        out[inside] = predicted[int(np.argmax(scores))][inside]
    return out


def diversity(members: Sequence[Predictions], truth: NDArray[np.int32]) -> tuple[Floats, Floats]:
    """Compute disagreement and error correlation [M, M] of the members that give the target (NaN for the
    others).
    """
    m = len(members)
    disagreement, correlation = np.full((m, m), np.nan), np.full((m, m), np.nan)
    able = [i for i, p in enumerate(members) if p.has(p.schema.target)]
    known = truth >= 0
    if not able or not known.any():
        return disagreement, correlation
    predicted = np.stack([_predicted_classes(members[i])[known].astype(np.int32) for i in able])
    wrong = (predicted != truth[known]).astype(np.float64)
    centred = wrong - wrong.mean(axis=1, keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=1))
    product, scale = centred @ centred.T / centred.shape[1], np.outer(spread, spread)
    where = np.ix_(able, able)
    disagreement[where] = [(row != predicted).mean(axis=1) for row in predicted]
    correlation[where] = np.divide(product, scale, out=np.full_like(product, np.nan), where=scale > 0)
    return disagreement, correlation


def _words(found: PairedDifference) -> str:
    numbers = f"{found.difference:+.4f} [{found.low:+.4f}, {found.high:+.4f}], p = {found.p_value:.4f}"
    said = verdict(found, True)
    if said in ("better", "worse"):
        return f"the ensemble is {said} than its best member: {numbers}"
    return f"the ensemble is not distinguishable from its best member: {numbers}"
