"""Training-only edits of labels: ranges left out, edges shifted, corrections of training rows, weights by source.

`apply_edits` works on the rows it receives, which are the training rows alone. `training_labels` leaves every row
outside the training mask exactly as it was, so held-out labels cannot change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hoego.data.schema import MISSING, Attribute, LabelSchema
from hoego.errors import RecipeError, nearest
from hoego.recipe.techniques import AttributeEdit
from hoego.short_repr import ShortRepr


@dataclass(frozen=True, eq=False, repr=False)
class TrainingLabels(ShortRepr):
    """Labels of N rows as training uses them.

    Args:
        codes: int16[N, A], -1 missing.
        numbers: raw number of each binned attribute, float64[N], NaN missing.
        keep: bool[N], False for rows that training leaves out.
        weight: float32[N], weights of the rows in the loss.
    """

    codes: NDArray[np.int16]
    numbers: dict[str, NDArray[np.float64]]
    keep: NDArray[np.bool_]
    weight: NDArray[np.float32]


@dataclass(frozen=True, eq=False, repr=False)
class Relabel(ShortRepr):
    """Corrections of one attribute for training alone.

    Args:
        rows: int64[R].
        values: the new values str[R] (class or number).
        runs: the run that suggested each correction, str[R]; "" where none did, () where no run suggested any.
    """

    rows: NDArray[np.int64]
    values: tuple[str, ...]
    runs: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelEdits:
    """All training-only edits of a recipe.

    Args:
        attributes: drop and shift, per attribute.
        relabels: corrections, per attribute.
        source_weights: weight of each source's rows; 1 where not said.
    """

    attributes: Mapping[str, AttributeEdit] = field(default_factory=dict)
    relabels: Mapping[str, Relabel] = field(default_factory=dict)
    source_weights: Mapping[str, float] = field(default_factory=dict)


def apply_edits(
    schema: LabelSchema,
    codes: NDArray[np.int16],
    numbers: Mapping[str, NDArray[np.float64]],
    edits: LabelEdits,
    *,
    sources: NDArray[np.str_] | None = None,
) -> TrainingLabels:
    """Apply the edits to the labels of training rows, in this order: relabel, drop, shift, weigh.

    The ranges of `drop` are of the (relabelled) number, both ends included. A shifted edge changes codes alone: the
    numbers stay. The inputs are not changed.

    Args:
        schema: names and edges of the A attributes.
        codes: int16[N, A].
        numbers: raw numbers [N] of binned attributes.
        edits: what to do.
        sources: origin of each row, str[N]; needed with `source_weights`.

    Raises:
        RecipeError: an attribute without a number, an unknown attribute or edge, edges out of order, a negative weight.
    """
    out = codes.copy()
    values = {name: column.copy() for name, column in numbers.items()}
    keep = np.ones(len(codes), dtype=bool)
    for name, relabel in edits.relabels.items():
        _relabel(_attribute(schema, name), schema.position(name), relabel, out, values)
    for name, edit in edits.attributes.items():
        attribute = _attribute(schema, name)
        if not edit.drop and not edit.shift:
            continue
        if name not in values:
            raise RecipeError(
                f"train_edits.{name}: the attribute has no number to drop or shift by.",
                remedy="Give the attribute edges (kind binned), or edit another.",
            )
        for low, high in edit.drop:
            if low > high:
                raise RecipeError(f"train_edits.{name}.drop: the range [{low:g}, {high:g}] is empty.")
            keep &= ~((values[name] >= low) & (values[name] <= high))
        if edit.shift:
            shifted = shifted_attribute(attribute, edit.shift)
            known = ~np.isnan(values[name])
            column = schema.position(name)
            out[known, column] = shifted.bin(values[name][known])
    return TrainingLabels(out, values, keep, _weights(len(codes), edits.source_weights, sources))


def training_labels(
    schema: LabelSchema,
    labels: tuple[NDArray[np.int16], Mapping[str, NDArray[np.float64]]],
    train_mask: NDArray[np.bool_],
    edits: LabelEdits,
    *,
    sources: NDArray[np.str_] | None = None,
) -> TrainingLabels:
    """Apply the edits to the rows of `train_mask` (bool[N]) and return the labels of all N rows; others are unchanged.

    Rows of `edits.relabels` are positions among all N; those outside the training side are ignored. Rows outside it
    have keep False and weight 0: they are not training rows.
    """
    codes, numbers = labels
    position = np.cumsum(train_mask) - 1
    relabels = {}
    for name, relabel in edits.relabels.items():
        inside = train_mask[relabel.rows]
        relabels[name] = Relabel(
            position[relabel.rows[inside]],
            tuple(v for v, used in zip(relabel.values, inside, strict=True) if used),
        )
    part = apply_edits(
        schema,
        codes[train_mask],
        {name: column[train_mask] for name, column in numbers.items()},
        LabelEdits(edits.attributes, relabels, edits.source_weights),
        sources=None if sources is None else sources[train_mask],
    )
    out = TrainingLabels(
        codes.copy(),
        {name: column.copy() for name, column in numbers.items()},
        np.zeros(len(codes), dtype=bool),
        np.zeros(len(codes), dtype=np.float32),
    )
    out.codes[train_mask], out.keep[train_mask], out.weight[train_mask] = part.codes, part.keep, part.weight
    for name, column in part.numbers.items():
        out.numbers[name][train_mask] = column
    return out


def shifted_attribute(attribute: Attribute, shift: Mapping[str, float]) -> Attribute:
    """Return the attribute with edges moved, such as {"60": 58}.

    Raises:
        RecipeError: an edge that the attribute does not have, or edges that no longer ascend.
    """
    edges = list(attribute.edges)
    for text, new in shift.items():
        try:
            position = attribute.edges.index(float(text))
        except ValueError:
            shown = [f"{e:g}" for e in attribute.edges]
            raise RecipeError(
                f"train_edits.{attribute.name}.shift: {attribute.name!r} has no edge {text!r}.",
                remedy=f"Its edges: {', '.join(shown) or 'none'}.",
            ) from None
        edges[position] = float(new)
    if any(b <= a for a, b in pairwise(edges)):
        raise RecipeError(f"train_edits.{attribute.name}.shift: the edges {edges} do not ascend.")
    return Attribute(
        name=attribute.name,
        kind=attribute.kind,
        classes=attribute.classes,
        edges=tuple(edges),
        missing=attribute.missing,
    )


def _attribute(schema: LabelSchema, name: str) -> Attribute:
    if name not in schema.names:
        raise RecipeError(
            f"train_edits names {name!r}, which is not an attribute.", remedy=nearest(name, schema.names)
        )
    return schema.attribute(name)


def _relabel(
    attribute: Attribute,
    column: int,
    relabel: Relabel,
    codes: NDArray[np.int16],
    numbers: dict[str, NDArray[np.float64]],
) -> None:
    for row, value in zip(relabel.rows.tolist(), relabel.values, strict=True):
        if attribute.name in numbers:
            try:
                number = float(value)
            except ValueError:
                raise RecipeError(
                    f"The training overlay gives {attribute.name!r} the value {value!r}.",
                    remedy="It needs a number.",
                ) from None
            numbers[attribute.name][row] = number
            codes[row, column] = attribute.bin([number])[0]
        else:
            codes[row, column] = MISSING if value == "" else attribute.code(value)


def _weights(n: int, weights: Mapping[str, float], sources: NDArray[np.str_] | None) -> NDArray[np.float32]:
    out = np.ones(n, dtype=np.float32)
    if not weights:
        return out
    if sources is None:
        raise RecipeError("source_weights needs a data set whose photos have a source.")
    known = set(np.unique(sources).tolist())
    for source, weight in weights.items():
        if weight < 0:
            raise RecipeError(f"source_weights.{source} is {weight:g}; a weight must not be negative.")
        if source not in known:
            raise RecipeError(
                f"source_weights names {source!r}, the source of no photo.", remedy=nearest(source, known)
            )
        out[sources == source] = weight
    return out
