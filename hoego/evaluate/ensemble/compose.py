"""One prediction out of several runs' attributes: mask from this run, gender from that one, age from a third."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hoego.data.schema import COMPOSITE
from hoego.errors import MismatchError, UsageError
from hoego.predictions import Predictions, Provenance, join_rows, require_alike
from hoego.predictions.whole_runs import whole_runs
from hoego.results.ensemble import AttributeChoice, CompositionSummary
from hoego.results.score import Score


@dataclass(frozen=True)
class Composition:
    """Which member gives which attribute.

    Args:
        predictions: the composed predictions; their composite is the product over the combinations that exist.
        parts: attribute -> name of the predictions that it is taken from for new images.
        choices: of the attributes, where there were several candidates (see `hoego.evaluate.ensemble.compose_best`).
        fitted: what the choices have seen; None where nothing was chosen.
    """

    predictions: Predictions
    parts: Mapping[str, str]
    choices: tuple[AttributeChoice, ...] = ()
    fitted: Provenance | None = None

    def summary(self, score: Score | None = None) -> CompositionSummary:
        """Return the composition without its predictions, with their score."""
        return CompositionSummary(
            name=self.predictions.name,
            parts=self.parts,
            choices=self.choices,
            images=self.predictions.n_images,
            lineage=self.predictions.lineage,
            score=score,
        )


def compose(parts: Mapping[str, Predictions], *, name: str = "") -> Composition:
    """Return predictions whose attributes come from different runs, joined row by row with their provenance.

    Args:
        parts: attribute -> predictions that give it; every attribute of the composite must be named.
        name: of the result; made from the parts where empty.

    Raises:
        UsageError: an attribute of the composite is not named.
        MismatchError: the runs are of different data sets, splits or schemas, lack images, or do not predict the
            attribute asked of them.
    """
    first = next(iter(parts.values()))
    schema = first.schema
    missing = [a for a in schema.composite if a not in parts]
    if missing:
        raise UsageError(
            f"Nothing is given for {', '.join(missing)}.",
            remedy=f"Give each of {', '.join(schema.composite)}: --of {missing[0]}=RUN",
        )
    for attribute, p in parts.items():
        require_attribute(p, attribute)
    members = align_members(list(parts.values()))
    title = name or " + ".join(f"{a}={p.name}" for a, p in parts.items())
    universe, source, sources = join_rows(members, title)
    values = {a: m.probabilities(a).astype(np.float32) for a, m in zip(parts, members, strict=True)}
    predictions = replace(
        members[0].with_values(values, "probabilities"),
        universe=universe,
        source=source,
        sources=sources,
        name=title,
        lineage=tuple(dict.fromkeys(r for m in members for r in m.lineage)),
        whole=whole_runs([m.whole for m in members], members[0].images),
    )
    return Composition(predictions, {a: p.name for a, p in parts.items()})


def require_attribute(predictions: Predictions, attribute: str) -> None:
    """Raise DataError for an attribute that does not exist, MismatchError for one that is not predicted."""
    predictions.schema.attribute(attribute)
    if not predictions.has(attribute):
        held = ", ".join(predictions.attributes)
        raise MismatchError(f"{predictions.name!r} says nothing of {attribute!r}; it has {held}.")


def align_members(members: Sequence[Predictions]) -> list[Predictions]:
    """Return the members with the images of the first, in its order.

    Raises:
        MismatchError: they are of different data sets, splits or schemas, or not of the same images.
    """
    require_alike(members, values=False)
    images = members[0].images
    for m in members[1:]:
        if len(m.images) == len(images) and (m.images == images).all():
            continue
        extra = set(m.images.tolist()) - set(images.tolist())
        if extra:
            raise MismatchError(
                f"{m.name!r} has {len(extra)} images that {members[0].name!r} lacks, such as {min(extra)!r}.",
                remedy="All members must cover the same held-out images.",
            )
    return [m.align(images) for m in members]


def stacked(members: Sequence[Predictions], name: str) -> NDArray[np.float32]:
    """Return probabilities [M, N, C] of an attribute, or of "composite", of aligned members."""
    for m in members:
        if not m.has(name):
            raise MismatchError(f"{m.name!r} says nothing of {name!r}; it has {', '.join(m.attributes)}.")
    return np.stack([m.probabilities(name).astype(np.float32) for m in members])


def what_to_combine(members: Sequence[Predictions], on: str) -> tuple[str, ...]:
    """Return the columns that an ensemble works on: the target, or each attribute of the composite.

    Args:
        members: the predictions.
        on: "target" or "attributes".
    """
    schema = members[0].schema
    if on == "target":
        return (schema.target,)
    if on != "attributes":
        raise UsageError(f"An ensemble works on 'target' or 'attributes', not {on!r}.")
    return schema.composite if schema.target == COMPOSITE else (schema.target,)
