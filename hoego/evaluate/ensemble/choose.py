"""The best source of each attribute, chosen across the folds: no row is judged by a choice that its label made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.errors import NotEstimableError, UsageError
from hoego.evaluate.ensemble.compose import (
    Composition,
    align_members,
    compose,
    require_attribute,
)
from hoego.evaluate.ensemble.crossfit import cross_fitted, fitted_on_all, parts_of
from hoego.evaluate.score.formulas import macro_f1_score
from hoego.predictions import Predictions, concat, join_rows, require_honest
from hoego.results.ensemble import AttributeChoice

Parts = NDArray[np.int64]


def compose_best(
    candidates: Mapping[str, Sequence[Predictions]], dataset: Dataset, *, name: str = "", seed: int = 0
) -> Composition:
    """Return predictions whose attributes come from the best of several runs each, by macro F1 of the attribute.

    For the rows of each fold (under a holdout: of each of five groups of held-out subjects) the source is the one with
    the best macro F1 on the rows of all others, the first named of equals; for new images it is the best on all rows.
    An attribute with one candidate has no choice; where none has more, this is `compose`.

    Args:
        candidates: attribute -> the runs that it may be taken from; every attribute of the composite must be named.
        dataset: the truth that chooses.
        name: of the result; made from the parts for new images where empty.
        seed: of the groups under a holdout.

    Raises:
        UsageError: an attribute of the composite is not named, or has no candidate.
        MismatchError: the runs are of different data sets, splits or schemas, lack images, or do not predict the
            attribute asked of them.
        LeakError: a candidate's row is in-sample.
        NotEstimableError: an attribute has no label outside a part to choose by.
    """
    for attribute, runs in candidates.items():
        if not runs:
            raise UsageError(f"No run is named that gives {attribute!r}.", remedy=f"--of {attribute}=RUN")
        for run in runs:
            require_attribute(run, attribute)
    if all(len(runs) == 1 for runs in candidates.values()):
        return compose({a: runs[0] for a, runs in candidates.items()}, name=name)
    members = _aligned(candidates, dataset)
    first = next(iter(members.values()))
    parts = parts_of(first, dataset, seed=seed)
    choices = {
        a: _choose(a, [members[r.name] for r in runs], dataset, parts) for a, runs in candidates.items()
    }
    final = compose({a: members[c.chosen] for a, c in choices.items()}, name=name)
    by = f"the choice among {len(members)} runs"
    made = _across(choices, members, parts, final.predictions.name)
    everything = _everything(members, made.name)
    made = _in_universe(made, everything)
    return Composition(
        cross_fitted(made, dataset, parts, by=by, behind=everything),
        final.parts,
        tuple(choices.values()),
        fitted_on_all(everything, dataset, by=by),
    )


def _aligned(candidates: Mapping[str, Sequence[Predictions]], dataset: Dataset) -> dict[str, Predictions]:
    """Return the distinct runs by name, with the same images in the order of the data set, all honest."""
    runs = {r.name: r for several in candidates.values() for r in several}
    first = next(iter(runs.values()))
    in_order = first.take(np.argsort(dataset.positions(first.images), kind="stable"))
    members = align_members([in_order, *(r for r in runs.values() if r is not first)])
    for m in members:
        require_honest(m, dataset)
    return {m.name: m for m in members}


def _choose(attribute: str, runs: Sequence[Predictions], dataset: Dataset, parts: Parts) -> AttributeChoice:
    rows = dataset.positions(runs[0].images)
    truth, n_classes = dataset.classes_of(attribute)[rows], runs[0].schema.n_classes(attribute)
    predicted = [r.probabilities(attribute).argmax(axis=1) for r in runs]

    def best(among: NDArray[np.bool_]) -> tuple[str, list[float]]:
        scores = [macro_f1_score(s[among], truth[among], n_classes) for s in predicted]
        if len(runs) > 1 and not np.isfinite(scores).all():
            raise NotEstimableError(
                f"No image outside a part has a label of {attribute!r} to choose a run by."
            )
        return runs[int(np.argmax(scores))].name, scores

    by_part = tuple(best(parts != k)[0] for k in range(int(parts.max()) + 1))
    chosen, scores = best(np.ones(len(parts), dtype=bool))
    return AttributeChoice(
        attribute=attribute,
        chosen=chosen,
        by_part=by_part,
        scores={r.name: s for r, s in zip(runs, scores, strict=True)},
    )


def _across(
    choices: Mapping[str, AttributeChoice], members: Mapping[str, Predictions], parts: Parts, name: str
) -> Predictions:
    """Return each part's rows by the runs that the other parts chose, in the order of the members."""
    pieces = []
    for part in range(int(parts.max()) + 1):
        inside = np.flatnonzero(parts == part)
        sources = {a: members[c.by_part[part]].take(inside) for a, c in choices.items()}
        pieces.append(compose(sources, name=name).predictions)
    return concat(pieces).align(next(iter(members.values())).images)


def _everything(members: Mapping[str, Predictions], name: str) -> Predictions:
    """Return the rows with the sources of every candidate joined: what the choice was made on."""
    all_of = list(members.values())
    universe, source, sources = join_rows(all_of, name)
    return replace(all_of[0], universe=universe, source=source, sources=sources, name=name)


def _in_universe(made: Predictions, larger: Predictions) -> Predictions:
    lifted = tuple(s.lifted(made.universe, larger.universe) for s in made.sources)
    return replace(made, universe=larger.universe, sources=lifted)
