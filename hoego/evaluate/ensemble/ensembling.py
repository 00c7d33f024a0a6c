"""Ensembles from saved probabilities: what they are worth, beside the best member, and how to repeat them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.errors import MismatchError, UsageError
from hoego.evaluate.ensemble.combiners import Combiner, fit, method_named
from hoego.evaluate.ensemble.compose import align_members, stacked, what_to_combine
from hoego.evaluate.ensemble.crossfit import cross_fit, cross_fitted, fitted_on_all, parts_of
from hoego.evaluate.ensemble.decision import DecideOptions, decide, require_rule
from hoego.evaluate.ensemble.judge import (
    EnsembleComparison,
    EnsembleEvaluation,
    StackedColumn,
    diversity,
    evaluate_members,
)
from hoego.evaluate.score import Score, ScoreOptions, score
from hoego.predictions import Predictions, Provenance, honesty, join_rows, require_honest
from hoego.predictions.whole_runs import whole_runs
from hoego.results.ensemble import Decision, EnsembleMember, EnsembleSummary, PairedGain
from hoego.results.score import IntervalEstimate
from hoego.short_repr import ShortRepr


@dataclass(frozen=True, kw_only=True)
class EnsembleOptions:
    """How members are combined.

    Args:
        method: a name of METHODS.
        on: "target", or "attributes" (each attribute of the composite by itself).
        steps: additions of the greedy selection.
        resamples: bootstrap resamples of the gain and the marginals.
        seed: of the resamples and of the parts under a holdout.
        name: of the result.
        decide: a name of RULES, tried on the combination and kept if it helps; "" for none.
    """

    method: str = "mean"
    on: str = "target"
    steps: int = 50
    resamples: int = 2_000
    seed: int = 0
    name: str = ""
    decide: str = ""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Ensemble(ShortRepr):
    """The result of `hoego ensemble`.

    Args:
        predictions: of the ensemble, each row made by a combiner (and rule) that was fitted without its subject.
        combiners: column -> the combiner for new images, fitted on all rows.
        comparison: the members with what each adds, the best of them, and the gain over it.
        disagreement: share of images on which two members say different classes [M, M].
        error_correlation: correlation of two members' mistakes [M, M].
        decision: what a decision rule is worth; None where none was tried.
        fitted: what combiner and rule have seen; None where nothing was fitted.
    """

    predictions: Predictions
    score: Score
    combiners: Mapping[str, Combiner]
    comparison: EnsembleComparison
    disagreement: NDArray[np.float64]
    error_correlation: NDArray[np.float64]
    decision: Decision | None = None
    fitted: Provenance | None = None

    @property
    def members(self) -> tuple[EnsembleMember, ...]:
        """The members, with what each adds."""
        return self.comparison.members

    @property
    def best_member(self) -> str | None:
        """The member with the best macro F1; for `gain` it is chosen anew on the other parts."""
        return self.comparison.best

    @property
    def gain(self) -> IntervalEstimate | None:
        """Macro F1 of the ensemble less that of the best member."""
        return self.comparison.gain

    @property
    def verdict(self) -> str:
        """One sentence."""
        if len(self.members) == 1 and self.decision is not None:
            return self.decision.words
        return self.comparison.words

    @property
    def summary(self) -> EnsembleSummary:
        """The ensemble without its predictions, as `hoego ensemble --json` prints it."""
        gain, p_value = self.gain, self.comparison.p_value
        return EnsembleSummary(
            name=self.predictions.name,
            score=self.score,
            best_member=self.best_member,
            gain=None if gain is None else PairedGain(**gain.model_dump(), p_value=p_value),
            members=self.members,
            combiners={column: c.plain for column, c in self.combiners.items()},
            decision=self.decision,
            disagreement=_rows(self.disagreement),
            error_correlation=_rows(self.error_correlation),
            verdict=self.verdict,
        )

    def _repr_html_(self) -> str:
        """Show score, honesty and members in a notebook."""
        return self.summary._repr_html_()


def _rows(matrix: NDArray[np.float64]) -> tuple[tuple[float | None, ...], ...]:
    return tuple(map(tuple, matrix.tolist()))


def ensemble(
    runs: Sequence[Predictions], dataset: Dataset, options: EnsembleOptions | None = None
) -> Ensemble:
    """Combine runs; whatever is fitted is fitted across the split's folds.

    Under a holdout the parts are five groups of the held-out subjects. The printed score is that of rows made by
    combiners which did not see their subjects' labels; the combiner kept for new images is fitted on all rows. A
    decision rule is fitted in the same way on the combination; with a rule, one run is enough.

    Raises:
        UsageError: fewer than two members and no rule, a member named twice, an unknown method or rule.
        MismatchError: members of other data sets, splits, schemas or images; naive members among honest ones.
        LeakError: a member's row is in-sample.
        NotEstimableError: too few subjects.
    """
    chosen = options or EnsembleOptions()
    method = method_named(chosen.method)
    _require_members(runs, chosen)
    members = align_members([_in_order(runs[0], dataset), *runs[1:]])
    joined = _joined(members, name := chosen.name or _title(members, chosen))
    _require_one_kind(members, joined, dataset)
    rows, parts = dataset.positions(members[0].images), parts_of(members[0], dataset, seed=chosen.seed)
    values, combiners, columns = {}, {}, {}
    for column in what_to_combine(members, chosen.on):
        stack, truth = stacked(members, column), dataset.classes_of(column)[rows]
        values[column], columns[column] = _combined(stack, truth, parts, chosen)
        combiners[column] = fit(chosen.method, stack, truth, steps=chosen.steps)
    combined = joined.with_values(values, "probabilities")
    if method.fitted:
        combined = cross_fitted(combined, dataset, parts, by=name)
    final, decision = _decided(combined, dataset, chosen)
    judging = EnsembleEvaluation(
        scored=final,
        combined=combined,
        columns=columns,
        weights=np.mean([c.weights for c in combiners.values()], axis=0),
        resamples=chosen.resamples,
        seed=chosen.seed,
    )
    seen = method.fitted or (decision is not None and decision.kept)
    apart = diversity(members, dataset.target[rows])
    return Ensemble(
        predictions=final,
        score=score(final, dataset, ScoreOptions(resamples=chosen.resamples, seed=chosen.seed)),
        combiners=combiners,
        comparison=evaluate_members(members, dataset, parts, judging),
        disagreement=apart[0],
        error_correlation=apart[1],
        decision=decision,
        fitted=fitted_on_all(joined, dataset, by=name) if seen else None,
    )


def _in_order(run: Predictions, dataset: Dataset) -> Predictions:
    """Return a run with its images in the order of the data set, so that no result depends on that of its rows."""
    return run.take(np.argsort(dataset.positions(run.images), kind="stable"))


def _decided(
    combined: Predictions, dataset: Dataset, chosen: EnsembleOptions
) -> tuple[Predictions, Decision | None]:
    """Return the combination under the decision rule that was asked for, with what the rule is worth."""
    if not chosen.decide:
        return combined, None
    return decide(combined, dataset, DecideOptions(chosen.decide, chosen.on, chosen.resamples, chosen.seed))


def apply_combiners(
    members: Sequence[Predictions], combiners: Mapping[str, Combiner], name: str
) -> Predictions:
    """Predict new images: apply an ensemble's combiners to its members' predictions; provenance is joined row
    by row.
    """
    aligned = align_members(members)
    values = {column: c.apply(stacked(aligned, column)) for column, c in combiners.items()}
    return _joined(aligned, name).with_values(values, "probabilities")


def _title(members: Sequence[Predictions], chosen: EnsembleOptions) -> str:
    base = f"{chosen.method} of {len(members)}" if len(members) > 1 else members[0].name
    return f"{base}, {chosen.decide}" if chosen.decide else base


def _joined(members: Sequence[Predictions], name: str) -> Predictions:
    """Return the first of aligned members with the provenance of all."""
    universe, source, sources = join_rows(members, name)
    lineage = tuple(dict.fromkeys(r for m in members for r in m.lineage))
    return replace(
        members[0],
        universe=universe,
        source=source,
        sources=sources,
        name=name,
        lineage=lineage,
        whole=whole_runs([m.whole for m in members], members[0].images),
    )


def _require_members(runs: Sequence[Predictions], chosen: EnsembleOptions) -> None:
    if chosen.decide:
        require_rule(chosen.decide)
    if len(runs) < (1 if chosen.decide else 2):
        raise UsageError(
            "An ensemble needs at least two runs.",
            remedy="hoego ensemble RUN RUN ...; one run alone can be given a decision rule: --decide prior",
        )
    names = [r.name for r in runs]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise UsageError(
            f"{twice[0]!r} is named twice.", remedy="Name each member once; a weight does the rest."
        )


def _require_one_kind(members: Sequence[Predictions], joined: Predictions, dataset: Dataset) -> None:
    """Raise unless all members are honest or all are naive; check each only if they are not all honest."""
    if honesty(joined, dataset).honest:
        return
    naive = {m.name: bool(require_honest(m, dataset).naive.any()) for m in members}
    if len(set(naive.values())) > 1:
        which = [n for n, is_naive in naive.items() if is_naive]
        raise MismatchError(
            f"{', '.join(which)} are naive and the others are not.",
            remedy="A naive run measures the leak; leave it out of the ensemble.",
        )


def _combined(
    stack: NDArray[np.float32], truth: NDArray[np.int32], parts: NDArray[np.int64], chosen: EnsembleOptions
) -> tuple[NDArray[np.float64], StackedColumn]:
    """Return probabilities [N, C] made across the parts, and what they were made of."""
    if method_named(chosen.method).fitted:
        total, fitted = cross_fit(
            parts,
            lambda outside: fit(chosen.method, stack[:, outside], truth[outside], steps=chosen.steps),
            lambda combiner, inside: combiner.total(stack[:, inside]),
        )
    else:
        combiner = fit(chosen.method, stack, truth)
        total, fitted = combiner.total(stack), [combiner] * (int(parts.max()) + 1)
    column = StackedColumn(stack, fitted, parts, total)
    return column.finish(total), column
