"""Which attribute holds the score back: replace one by the truth, and see what the score becomes.

The composite prediction is decoded into attributes; an attribute (or any subset) is replaced by its truth and the
class recomposed. A combination that does not exist counts as wrong. Where gains interact, Shapley's value (A Value
for n-Person Games, 1953) divides the whole way to 1.0 among the attributes. The softer oracle keeps the model's own
ranking: the most probable class among those that agree with the true attribute.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.data.schema import COMPOSITE, LabelSchema
from hoego.evaluate.compare.resamples import CountMetric
from hoego.evaluate.compare.variants import Variants, variants_of
from hoego.evaluate.diagnose.rare import carriers, rare_interval, said_of, uneven_spread
from hoego.evaluate.score.interval import cautious_size
from hoego.predictions import Predictions
from hoego.results.oracle import OracleAttribute
from hoego.results.score import IntervalEstimate
from hoego.short_repr import ShortRepr

Ints = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Oracle:
    """The oracle of every attribute, today's score, and the attribute that holds it back."""

    today: float
    attributes: Mapping[str, OracleAttribute]
    bottleneck: str | None
    decided: bool


def oracle(predictions: Predictions, dataset: Dataset, *, resamples: int = 2_000, seed: int = 0) -> Oracle:
    """Return the oracle substitution of every attribute of the schema.

    Args:
        predictions: scorable rows (checked by the caller).
        dataset: their truth.
        resamples: bootstrap resamples over subjects.
    """
    schema, target = predictions.schema, predictions.schema.target
    rows = dataset.positions(predictions.images)
    truth, codes = dataset.target[rows], dataset.codes[rows]
    probabilities = predictions.target_probabilities()
    predicted_classes = probabilities.argmax(axis=1)
    parts = schema.composite if target == COMPOSITE else ()
    subsets = [s for r in range(1, len(parts) + 1) for s in combinations(parts, r)]
    predicted: dict[tuple[str, ...], Ints] = {(): predicted_classes}
    for subset in subsets:
        predicted[subset] = substituted(schema, predicted_classes, codes, subset)
    soft = {}
    for a, value in _agreeing(schema, dataset, target).items():
        soft[a] = softened(probabilities, codes[:, schema.position(a)], value)
    named = {f"hard:{'+'.join(k)}": v for k, v in predicted.items()} | {
        f"soft:{a}": v for a, v in soft.items()
    }
    stage = OracleComparison.of(
        named, truth, dataset.subject_index[rows], schema.n_target_classes, (resamples, seed)
    )
    return _assemble(stage, parts, list(soft))


@dataclass(frozen=True, eq=False, repr=False)
class OracleComparison(ShortRepr):
    """Predictions with substitutions, compared."""

    found: Variants
    predicted: Mapping[str, Ints]
    truth: Ints
    subject: Ints

    @classmethod
    def of(
        cls, predicted: Mapping[str, Ints], truth: Ints, subject: Ints, n_classes: int, draws: tuple[int, int]
    ) -> OracleComparison:
        """Compare predictions with substitutions. Raises NotEstimableError with fewer than six subjects."""
        return cls(variants_of(predicted, truth, subject, n_classes, draws=draws), predicted, truth, subject)

    def corrected_images(self, name: str, base: str) -> NDArray[np.bool_]:
        """Return images that are right in `name` and wrong in `base` [N]."""
        right, wrong = self.predicted[name] == self.truth, self.predicted[base] != self.truth
        both: NDArray[np.bool_] = (self.truth >= 0) & right & wrong
        return both

    def gain(self, name: str, base: str) -> IntervalEstimate:
        """Return macro F1 of `name` less that of `base`, which it corrects in part.

        A gain rests on the subjects that it corrects. If it also moves images from one wrong class to another, it may
        be a loss, and the interval is no narrower than that of a paired difference.
        """
        bench = self.found.bench
        evidence, moves = bench.evidence, bench.moves
        assert isinstance(evidence, CountMetric)
        assert moves is not None
        weights = np.zeros(len(self.found.names))
        weights[self.found.names.index(name)] += 1
        weights[self.found.names.index(base)] -= 1
        value = np.atleast_1d(evidence.values @ weights)
        corrected = self.corrected_images(name, base)
        moved = (self.truth >= 0) & ~corrected & (self.predicted[name] != self.predicted[base])
        rare = rare_interval(
            uneven_spread(value, moves.left_out @ weights, moves.sizes),
            bench.replicates @ weights,
            cautious_size(evidence.holders, evidence.n_subjects),
            carriers(self.subject, corrected),
            (0.0, 1.0),
        )
        if not moved.any():
            return rare
        paired = self.found.difference(name, base)
        return rare.with_(low=min(rare.low, paired.low), high=max(rare.high, paired.high))


def substituted(
    schema: LabelSchema, predicted: Ints, codes: NDArray[np.int16], subset: tuple[str, ...]
) -> Ints:
    """Return composite classes [N] with the attributes of `subset` replaced by their truth; -1 where none
    exists.
    """
    decoded = schema.decode(predicted)
    full = np.zeros((len(predicted), schema.n_attributes), dtype=np.int16)
    for i, name in enumerate(schema.composite):
        true = codes[:, schema.position(name)]
        full[:, schema.position(name)] = true if name in subset else decoded[:, i]
    return schema.encode(full)


def softened(probabilities: NDArray[np.float64], true: Ints, value: Ints) -> Ints:
    """Return the most probable target class [N] among those that agree with the true value of an attribute.

    Args:
        probabilities: of the target [N, C].
        true: the attribute of each image [N]; -1 is not known, and every class agrees.
        value: the attribute of each target class [C].
    """
    agrees = (value[None, :] == true[:, None]) | (true[:, None] < 0)
    best: Ints = np.where(agrees, probabilities, -1.0).argmax(axis=1)
    return best


def determined(target: Ints, attribute: Ints, n_classes: int) -> NDArray[np.int64]:
    """Return the value of an attribute for each target class [C]; -1 where the class has several or none."""
    out = np.full(n_classes, -1, dtype=np.int64)
    for c in range(n_classes):
        values = np.unique(attribute[(target == c) & (attribute >= 0)])
        if len(values) == 1:
            out[c] = values[0]
    return out


def _agreeing(schema: LabelSchema, dataset: Dataset, target: str) -> dict[str, Ints]:
    """Return attributes for which the softer oracle means something: the value of each for every target class [C].

    It is read from the schema for an attribute of the composite, and from the whole data set where the attribute is
    determined by the target.
    """
    if target == COMPOSITE:
        return {a: schema.combination_codes[:, i].astype(np.int64) for i, a in enumerate(schema.composite)}
    out: dict[str, Ints] = {}
    present = np.unique(dataset.target[dataset.target >= 0])
    for name in schema.names:
        if name != target:
            value = determined(dataset.target, dataset.classes_of(name), schema.n_target_classes)
            if (value[present] >= 0).all():
                out[name] = value
    return out


def _assemble(stage: OracleComparison, parts: tuple[str, ...], soft: list[str]) -> Oracle:
    found = stage.found
    today = found.value("hard:")
    worth = {frozenset(k[5:].split("+")) - {""}: found.value(k) for k in found.names if k.startswith("hard:")}
    attributes = {}
    for name in soft:
        hard = f"hard:{name}" if name in parts else None
        attributes[name] = OracleAttribute(
            score=None if hard is None else found.value(hard),
            gain=None if hard is None else stage.gain(hard, "hard:"),
            shapley=None if hard is None else shapley(worth, name, parts),
            soft=found.value(f"soft:{name}"),
            soft_gain=stage.gain(f"soft:{name}", "hard:"),
            note=_note(stage, name, hard),
        )
    return Oracle(today, attributes, *_bottleneck(found, attributes))


def _note(stage: OracleComparison, name: str, hard: str | None) -> str:
    few = said_of(carriers(stage.subject, stage.corrected_images(hard or f"soft:{name}", "hard:")))
    if hard is None:
        determined_by = f"{name} is determined by the target: only the softer oracle applies"
        return f"{determined_by}; the gain {few}" if few else determined_by
    return f"the gain {few}" if few else ""


def shapley(worth: Mapping[frozenset[str], float], name: str, parts: tuple[str, ...]) -> float:
    """Compute Shapley's value of one attribute in the game whose worth is the score with a subset replaced by
    the truth.
    """
    others = [p for p in parts if p != name]
    n, total = len(parts), 0.0
    for r in range(len(others) + 1):
        weight = factorial(r) * factorial(n - r - 1) / factorial(n)
        for subset in combinations(others, r):
            s = frozenset(subset)
            total += weight * (worth[s | {name}] - worth[s])
    return total


def _bottleneck(found: Variants, attributes: Mapping[str, OracleAttribute]) -> tuple[str | None, bool]:
    """Return the attribute with the greatest gain, and whether it is distinguishable from the second; None without
    gain.
    """
    if not attributes:
        return None, False
    kind = "hard" if all(a.gain is not None for a in attributes.values()) else "soft"
    ranked = sorted(attributes, key=lambda a: -found.value(f"{kind}:{a}"))
    if found.value(f"{kind}:{ranked[0]}") <= found.value("hard:"):
        return None, False
    if len(ranked) == 1:
        return ranked[0], True
    lead = found.difference(f"{kind}:{ranked[0]}", f"{kind}:{ranked[1]}")
    return ranked[0], lead.low > 0
