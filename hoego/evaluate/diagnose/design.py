"""Which design: one composite head, one multi-head model, or a specialist for each attribute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from hoego.errors import UsageError
from hoego.evaluate.ensemble.compose import align_members, compose
from hoego.predictions import Predictions

MOST_DESIGNS = 64  # the ranking corrects for all 2,016 pairs of so many


@dataclass(frozen=True)
class TargetDesign:
    """One way to make the target out of the runs at hand.

    Args:
        name: in words.
        predictions: composed.
        parts: attribute -> run; empty where one run gives the target by itself.
    """

    name: str
    predictions: Predictions
    parts: dict[str, str]


def designs(runs: Sequence[Predictions]) -> tuple[TargetDesign, ...]:
    """Return every run that gives the target, and every product of attributes from different runs.

    Raises:
        UsageError: nothing can be composed of the runs, or more than 64 designs.
        MismatchError: the runs are of different data sets or splits.
    """
    members = align_members(runs)
    schema = members[0].schema
    whole = [TargetDesign(m.name, m, {}) for m in members if m.has(schema.target)]
    if not schema.composite:
        return tuple(whole)
    givers = [[m for m in members if a in m.values] for a in schema.composite]
    mixtures = []
    for chosen in product(*givers):
        if len({m.name for m in chosen}) > 1:
            parts = dict(zip(schema.composite, chosen, strict=True))
            name = " + ".join(f"{a}: {m.name}" for a, m in parts.items())
            mixtures.append((name, parts))
    if len(whole) + len(mixtures) > MOST_DESIGNS:
        raise UsageError(
            f"{len(whole) + len(mixtures)} designs are too many to rank.", remedy="Give fewer runs."
        )
    if not whole and not mixtures:
        raise UsageError(
            f"Nothing here gives {schema.target!r}: "
            + "; ".join(f"{m.name} gives {', '.join(m.values)}" for m in members),
            remedy=f"Give a run for each of {', '.join(schema.composite)}.",
        )
    composed = [
        TargetDesign(name, compose(parts, name=name).predictions, {a: m.name for a, m in parts.items()})
        for name, parts in mixtures
    ]
    return (*whole, *composed)
