"""Ensembles from saved probabilities: what they are worth, beside the best member, and how to repeat them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.compare.variants import Estimate, variants_of
from hoego.compose import align_members, stacked, what_to_combine
from hoego.dataset.manifest import Dataset
from hoego.ensemble.combiners import METHODS, Combiner, fit, method_named
from hoego.ensemble.crossfit import cross_fit, cross_fitted_sources, parts_of
from hoego.errors import MismatchError, UsageError
from hoego.predictions import Predictions, honesty, join_rows, require_honest
from hoego.score import Score, ScoreOptions, score
from hoego.score.formulas import macro_f1
from hoego.score.layout import Layout, tally

MOST_MARGINALS = 24


@dataclass(frozen=True)
class EnsembleOptions:
    """How members are combined.

    Args:
        method: a name of METHODS.
        on: "target", or "attributes" (each attribute of the composite by itself).
        steps: additions of the greedy selection.
        resamples: bootstrap resamples of the gain and the marginals.
        seed: of the resamples and of the parts under a holdout.
        name: of the result.
    """

    method: str = "mean"
    on: str = "target"
    steps: int = 50
    resamples: int = 2_000
    seed: int = 0
    name: str = ""


@dataclass(frozen=True)
class Member:
    """One member: its weight in the combiner for new images, its own score, and what it adds.

    Args:
        weight: mean over the columns where several are combined.
        score: macro F1 of the target, or None where the member does not give it.
        marginal: macro F1 of the ensemble less that of the same without this member (weights of the others scaled
            up, nothing fitted again); None beyond the first 24 by weight.
    """

    run: str
    weight: float
    score: float | None
    marginal: Estimate | None

    def to_dict(self) -> dict[str, Any]:
        marginal = None if self.marginal is None else self.marginal.to_dict()
        return {"run": self.run, "weight": self.weight, "score": self.score, "marginal": marginal}


@dataclass(frozen=True)
class Ensemble:
    """The result of `hoego ensemble`.

    Args:
        predictions: of the ensemble, each row made by a combiner that was fitted without its subject.
        combiners: column -> the combiner for new images, fitted on all rows.
        best_member: the member with the best macro F1; for `gain` it is chosen anew on the other parts.
        gain: macro F1 of the ensemble less that of the best member.
        disagreement: share of images on which two members say different classes [M, M].
        error_correlation: correlation of two members' mistakes [M, M].
        verdict: one sentence.
    """

    predictions: Predictions
    score: Score
    combiners: Mapping[str, Combiner]
    members: tuple[Member, ...]
    best_member: str | None
    gain: Estimate | None
    disagreement: NDArray[np.float64]
    error_correlation: NDArray[np.float64]
    verdict: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.predictions.name,
            "score": self.score.to_dict(),
            "honesty": self.score.honesty,
            "best_member": self.best_member,
            "gain": None if self.gain is None else self.gain.to_dict(),
            "members": [m.to_dict() for m in self.members],
            "combiners": {k: c.to_dict() for k, c in self.combiners.items()},
            "disagreement": self.disagreement.tolist(),
            "error_correlation": self.error_correlation.tolist(),
            "verdict": self.verdict,
        }


def ensemble(
    runs: Sequence[Predictions], dataset: Dataset, options: EnsembleOptions | None = None
) -> Ensemble:
    """Combine runs; whatever is fitted is fitted across the split's folds.

    Under a holdout the parts are five groups of the held-out subjects. The printed score is that of rows made by
    combiners which did not see their subjects' labels; the combiner kept for new images is fitted on all rows.

    Raises:
        UsageError: fewer than two members, an unknown method.
        MismatchError: members of other data sets, splits, schemas or images; naive members among honest ones.
        LeakError: a member's row is in-sample.
        CannotSay: too few subjects.
    """
    chosen = options or EnsembleOptions()
    method = method_named(chosen.method)
    if len(runs) < 2:
        raise UsageError("An ensemble needs at least two runs.", remedy="hoego ensemble RUN RUN ...")
    _require_distinct(runs)
    members = align_members(runs)
    _require_one_kind(members, dataset)
    columns = what_to_combine(members, chosen.on)
    rows = dataset.positions(members[0].images)
    parts = parts_of(members[0], dataset, seed=chosen.seed)
    name = chosen.name or f"{method.name} of {len(members)}"
    values, combiners, without = {}, {}, {}
    for column in columns:
        stack, truth = stacked(members, column), dataset.classes_of(column)[rows]
        values[column], fitted = _combined(stack, truth, parts, chosen)
        combiners[column] = fit(chosen.method, stack, truth, steps=chosen.steps)
        without[column] = (stack, fitted)
    made = _predictions(members, dataset, values, (name, parts, method.fitted))
    total = score(made, dataset, ScoreOptions(resamples=chosen.resamples, seed=chosen.seed))
    judged = _judge(made, members, dataset, parts, _leave_one_out(without, combiners, parts), chosen)
    disagreement, correlation = diversity(members, dataset.target[rows])
    return Ensemble(made, total, combiners, *judged, disagreement, correlation, _sentence(judged))


def apply_combiners(
    members: Sequence[Predictions], combiners: Mapping[str, Combiner], name: str
) -> Predictions:
    """New images: the combiners of an ensemble on its members' predictions, provenance joined row by row."""
    aligned = align_members(members)
    values = {column: c.apply(stacked(aligned, column)) for column, c in combiners.items()}
    universe, source, sources = join_rows(aligned, name)
    lineage = tuple(dict.fromkeys(r for m in aligned for r in m.lineage))
    return aligned[0].with_values(
        values, "probabilities", universe=universe, source=source, sources=sources, name=name, lineage=lineage
    )


def diversity(
    members: Sequence[Predictions], truth: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Disagreement and error correlation [M, M] of the members that give the target (NaN for the others)."""
    m = len(members)
    disagreement, correlation = np.full((m, m), np.nan), np.full((m, m), np.nan)
    able = [i for i, p in enumerate(members) if p.has(p.schema.target)]
    if not able:
        return disagreement, correlation
    known = truth >= 0
    said = np.stack([members[i].target_probabilities().argmax(axis=1)[known] for i in able])
    wrong = (said != truth[known]).astype(np.float64)
    centred = wrong - wrong.mean(axis=1, keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=1))
    product = centred @ centred.T / max(centred.shape[1], 1)
    scale = np.outer(spread, spread)
    found = np.divide(product, scale, out=np.full_like(product, np.nan), where=scale > 0)
    for a, i in enumerate(able):
        for b, j in enumerate(able):
            disagreement[i, j] = float((said[a] != said[b]).mean())
            correlation[i, j] = found[a, b]
    return disagreement, correlation


def _require_distinct(runs: Sequence[Predictions]) -> None:
    names = [r.name for r in runs]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise UsageError(
            f"{twice[0]!r} is named twice.", remedy="Name each member once; a weight does the rest."
        )


def _require_one_kind(members: Sequence[Predictions], dataset: Dataset) -> None:
    naive = {m.name: bool(honesty(m, dataset).naive.any()) for m in members}
    for m in members:
        require_honest(m, dataset)
    if len(set(naive.values())) > 1:
        which = [n for n, is_naive in naive.items() if is_naive]
        raise MismatchError(
            f"{', '.join(which)} are naive and the others are not.",
            remedy="A naive run measures the leak; leave it out of the ensemble.",
        )


def _combined(
    stack: NDArray[np.float32], truth: NDArray[np.int32], parts: NDArray[np.int64], chosen: EnsembleOptions
) -> tuple[NDArray[np.float64], list[Combiner]]:
    """Probabilities [N, C] made across the parts, and the combiner of each part."""
    if not METHODS[chosen.method].fitted:
        combiner = fit(chosen.method, stack, truth)
        return combiner.apply(stack), [combiner] * (int(parts.max()) + 1)
    return cross_fit(
        parts,
        lambda outside: fit(chosen.method, stack[:, outside], truth[outside], steps=chosen.steps),
        lambda combiner, inside: combiner.apply(stack[:, inside]),
    )


def _predictions(
    members: Sequence[Predictions],
    dataset: Dataset,
    values: Mapping[str, NDArray[np.float64]],
    how: tuple[str, NDArray[np.int64], bool],
) -> Predictions:
    name, parts, fitted = how
    universe, source, sources = join_rows(members, name)
    base = members[0].with_values(
        values,
        "probabilities",
        universe=universe,
        source=source,
        sources=sources,
        name=name,
        lineage=tuple(dict.fromkeys(r for m in members for r in m.lineage)),
    )
    if not fitted:
        return base
    source, sources = cross_fitted_sources(base, dataset, parts, by=name)
    return replace(base, source=source, sources=sources)


Left = dict[int, dict[str, NDArray[np.float64]]]


def _leave_one_out(
    without: Mapping[str, tuple[NDArray[np.float32], list[Combiner]]],
    combiners: Mapping[str, Combiner],
    parts: NDArray[np.int64],
) -> tuple[NDArray[np.float64], Left]:
    """Mean weight of each member [M], and the values without each of the heaviest members."""
    weights = np.mean([c.weights for c in combiners.values()], axis=0)
    heaviest = np.argsort(-np.abs(weights), kind="stable")[:MOST_MARGINALS].tolist()
    left: Left = {}
    if len(weights) > 2:
        for i in heaviest:
            if weights[i] != 0:
                left[i] = {
                    column: _without(stack, fitted, parts, i) for column, (stack, fitted) in without.items()
                }
    return weights, left


def _without(
    stack: NDArray[np.float32], fitted: list[Combiner], parts: NDArray[np.int64], member: int
) -> NDArray[np.float64]:
    kept = np.arange(len(stack)) != member
    out = np.empty(stack.shape[1:])
    for part, combiner in enumerate(fitted):
        weights = combiner.weights[kept]
        total = weights.sum()
        whole = combiner.weights.sum()
        scaled = weights * (whole / total) if total > 0 else np.full(len(weights), whole / len(weights))
        inside = parts == part
        out[inside] = replace(combiner, weights=scaled).apply(stack[kept][:, inside])
    return out


def _judge(
    made: Predictions,
    members: Sequence[Predictions],
    dataset: Dataset,
    parts: NDArray[np.int64],
    loo: tuple[NDArray[np.float64], Left],
    chosen: EnsembleOptions,
) -> tuple[tuple[Member, ...], str | None, Estimate | None]:
    """The members with their marginals, the best of them, and the gain over the best chosen on other parts."""
    weights, left = loo
    rows = dataset.positions(made.images)
    truth, target = dataset.target[rows], made.schema.target
    said = {"ensemble": made.target_probabilities().argmax(axis=1)}
    able = [i for i, m in enumerate(members) if m.has(target)]
    for i in able:
        said[f"member {i}"] = members[i].target_probabilities().argmax(axis=1)
    if able:
        said["best"] = _best_elsewhere(
            [said[f"member {i}"] for i in able], truth, parts, made.schema.n_target_classes
        )
    for i, values in left.items():
        said[f"without {i}"] = made.with_values(values, "probabilities").target_probabilities().argmax(axis=1)
    found = variants_of(
        said,
        truth,
        dataset.subject_index[rows],
        made.schema.n_target_classes,
        draws=(chosen.resamples, chosen.seed),
    )
    listed = tuple(
        Member(
            m.name,
            float(weights[i]),
            found.value(f"member {i}") if i in able else None,
            found.difference("ensemble", f"without {i}") if i in left else None,
        )
        for i, m in enumerate(members)
    )
    if not able:
        return listed, None, None
    best = max(able, key=lambda i: found.value(f"member {i}"))
    return listed, members[best].name, found.difference("ensemble", "best")


def _best_elsewhere(
    said: list[NDArray[np.int64]], truth: NDArray[np.int32], parts: NDArray[np.int64], n_classes: int
) -> NDArray[np.int64]:
    """Each part's rows by the member with the best macro F1 on the other parts."""
    out = np.empty(len(truth), dtype=np.int64)
    for part in range(int(parts.max()) + 1):
        outside, inside = (parts != part) & (truth >= 0), parts == part
        single = np.zeros(int(outside.sum()), dtype=np.int64)
        scores = []
        for s in said:
            totals = np.asarray(tally(truth[outside], s[outside], single, 1, n_classes).toarray()[0])
            at = Layout(n_classes)
            scores.append(float(macro_f1(totals, at, at.truth(totals) > 0)))
        out[inside] = said[int(np.argmax(scores))][inside]
    return out


def _sentence(judged: tuple[tuple[Member, ...], str | None, Estimate | None]) -> str:
    _, best, gain = judged
    if best is None or gain is None:
        return "no member gives the target by itself, so there is no best member to compare with"
    numbers = f"{gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"
    if gain.low > 0:
        return f"the ensemble is better than its best member: {numbers}"
    if gain.high < 0:
        return f"the ensemble is worse than its best member: {numbers}"
    return f"the ensemble is not distinguishable from its best member: {numbers}"
