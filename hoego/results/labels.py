"""The label schema as it stands in a file: of predictions, of weights, of an exported model."""

from __future__ import annotations

from typing import Literal

from hoego.results.base import Result

Kind = Literal["nominal", "ordinal", "binned"]
OnMissing = Literal["error", "allow"]


class LabelAttribute(Result):
    """One attribute, as `hoego.data.schema.Attribute` describes it."""

    name: str
    kind: Kind
    classes: tuple[str, ...]
    edges: tuple[float, ...] = ()
    missing: OnMissing = "error"


class ModelLabels(Result):
    """The label schema of a model, as `hoego.data.schema.LabelSchema` describes it."""

    attributes: tuple[LabelAttribute, ...]
    target: str
    composite: tuple[str, ...] = ()
    combinations: tuple[tuple[int, ...], ...] | None = None
