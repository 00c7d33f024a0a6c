"""From the values of a table to codes: the label schema found or checked, blanks and unknown values refused."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hoego.data.dataset import LabelCorrection
from hoego.data.readers.raw_table import RawTable
from hoego.data.schema import COMPOSITE, MISSING, Attribute, LabelSchema
from hoego.errors import DataError, first_few, nearest
from hoego.recipe.sections import AttributeSettings, LabelSettings
from hoego.results.labels import Kind

Codes = NDArray[np.int16]
Numbers = dict[str, NDArray[np.float64]]
SHOWN = 5


def encode_labels(raw: RawTable) -> tuple[LabelSchema, Codes, Numbers]:
    """Return the schema, codes [N, A] and numbers of a table's labels.

    Raises:
        DataError: no attribute, a blank where `missing` is not "allow", a value that is not a class, a text in place of
            a number; names file, row and column.
    """
    settings = raw.labels
    if not raw.attribute_columns:
        raise DataError(
            "No attribute is named, so there is nothing to predict.",
            remedy="Name them under [labels.attributes]; `hoego init` proposes them.",
            file=raw.file,
        )
    attributes, columns, numbers = [], [], {}
    for name, column in raw.attribute_columns.items():
        how = settings.attributes.get(name, AttributeSettings())
        attribute, codes, values = _encode_one(raw, name, column, how)
        attributes.append(attribute)
        columns.append(codes)
        if values is not None:
            numbers[name] = values
    codes = np.stack(columns, axis=1)
    return _schema(tuple(attributes), settings, codes), codes, numbers


def _schema(attributes: tuple[Attribute, ...], settings: LabelSettings, codes: Codes) -> LabelSchema:
    names = tuple(a.name for a in attributes)
    composite = settings.composite
    if composite is None:
        alone = (settings.target is not None and settings.target != COMPOSITE) or bool(settings.multi.columns)
        composite = () if alone or len(names) == 1 else names
    target = settings.target or (COMPOSITE if composite else names[0])
    schema = LabelSchema(attributes, target, composite)
    return with_combinations(schema, codes) if settings.sparse and composite else schema


def with_combinations(schema: LabelSchema, codes: Codes) -> LabelSchema:
    """Return the sparse schema of the combinations in the codes [N, A] or already in the schema."""
    parts = codes[:, [schema.position(n) for n in schema.composite]]
    found = {tuple(row) for row in np.unique(parts[(parts >= 0).all(axis=1)], axis=0).tolist()}
    return replace(schema, combinations=tuple(sorted(found | set(schema.combinations or ()))))


def _encode_one(
    raw: RawTable, name: str, column: str, how: AttributeSettings
) -> tuple[Attribute, Codes, NDArray[np.float64] | None]:
    if column not in raw.rows.columns:
        raise DataError(
            f"There is no column {column!r} for the attribute {name!r}.",
            remedy=nearest(column, raw.rows.columns),
            file=raw.file,
        )
    values = raw.rows[column]
    texts = values.cast(pl.String).str.strip_chars()
    blank = texts.is_null() | (texts == "")
    if blank.any() and how.missing == "error":
        _refuse(
            raw,
            blank,
            column,
            "The label is blank.",
            f'Fill it in, or set labels.attributes.{name}.missing = "allow".',
        )
    if how.kind == "binned" or (how.kind == "auto" and bool(how.edges)):
        return _encode_numbers(raw, name, column, how, texts, blank)
    present = texts.filter(~blank).unique().to_list()
    classes = how.classes or tuple(sorted(present, key=natural))
    if not classes:
        raise DataError(f"The attribute {name!r} has no value at all.", file=raw.file, column=column)
    kind: Kind = "ordinal" if how.kind == "ordinal" else "nominal"
    attribute = Attribute(name=name, kind=kind, classes=classes, missing=how.missing)
    rank = {c: i for i, c in enumerate(classes)}
    if unknown := set(present) - set(classes):
        value = sorted(unknown)[0]
        _refuse(
            raw,
            (texts == value).fill_null(False),
            column,
            f"{value!r} is not a class of {name!r}.",
            nearest(value, classes),
        )
    codes = texts.replace_strict(rank, default=MISSING, return_dtype=pl.Int16).fill_null(MISSING)
    return attribute, codes.to_numpy().astype(np.int16), None


def _encode_numbers(
    raw: RawTable, name: str, column: str, how: AttributeSettings, texts: pl.Series, blank: pl.Series
) -> tuple[Attribute, Codes, NDArray[np.float64]]:
    if not how.edges:
        raise DataError(f"The binned attribute {name!r} has no edges.", remedy="Example: edges = [30, 60]")
    numbers = texts.cast(pl.Float64, strict=False)
    bad = (numbers.is_null() | ~numbers.is_finite().fill_null(False)) & ~blank
    if bad.any():
        found = texts.filter(bad).unique(maintain_order=True)
        said = ", ".join(map(repr, found[:SHOWN].to_list()))
        said += " is not a number." if len(found) == 1 else " are not numbers."
        _refuse(raw, bad, column, said, f"{name!r} is binned from a number.")
    classes = how.classes or bin_names(how.edges)
    attribute = Attribute(name=name, kind="binned", classes=classes, edges=how.edges, missing=how.missing)
    values = numbers.to_numpy().astype(np.float64, copy=True)
    values[blank.to_numpy()] = np.nan
    return attribute, attribute.bin(values), values


def bin_names(edges: Sequence[float]) -> tuple[str, ...]:
    """Return names of the classes that edges cut.

    >>> bin_names((30, 60))
    ('<30', '30-59', '>=60')
    >>> bin_names((0.5,))
    ('<0.5', '>=0.5')
    """
    whole = all(float(e).is_integer() for e in edges)
    text = [f"{e:g}" for e in edges]
    middle = [f"{a:g}-{b - 1:g}" if whole else f"{a:g} to <{b:g}" for a, b in itertools.pairwise(edges)]
    return (f"<{text[0]}", *middle, f">={text[-1]}")


def natural(text: str) -> list[tuple[int, float, str]]:
    """Sort key that puts 2 before 10.

    >>> sorted(["c10", "c2", "b"], key=natural)
    ['b', 'c2', 'c10']
    """
    parts = re.split(r"(\d+)", text)
    return [(0, float(p), "") if p.isdigit() else (1, 0.0, p) for p in parts if p]


def _refuse(raw: RawTable, at: pl.Series, column: str, message: str, remedy: str) -> None:
    """Raise DataError for the first of the rows that `at` marks, with the names of a few more."""
    marked = raw.rows.filter(at)
    row: Any = marked["row"][0] if "row" in marked.columns else None
    named = first_few([repr(i) for i in marked["image"][: SHOWN + 1].to_list()], SHOWN)
    where = f"image {named}" if marked.height == 1 else f"{marked.height:,} images: {named}"
    raise DataError(f"{message} ({where})", remedy=remedy, file=raw.file, row=row, column=column)


def apply_corrections(
    schema: LabelSchema,
    images: Sequence[str],
    labels: tuple[Codes, Numbers],
    corrections: Sequence[LabelCorrection],
) -> tuple[Codes, Numbers]:
    """Return codes [N, A] and numbers with the corrections applied; the inputs do not change.

    A binned attribute is corrected by a number or by the name of a class; a blank value makes the label missing.
    """
    codes, numbers = labels[0].copy(), {k: v.copy() for k, v in labels[1].items()}
    where = {image: i for i, image in enumerate(images)}
    for c in corrections:
        attribute, i, a = schema.attribute(c.attribute), where[c.image], schema.position(c.attribute)
        if not c.value.strip():
            codes[i, a] = MISSING
            number = float("nan")
        elif attribute.kind == "binned" and c.value not in attribute.classes:
            number = float(c.value)
            codes[i, a] = attribute.bin([number])[0]
        else:
            codes[i, a] = attribute.code(c.value)
            number = float("nan")
        if c.attribute in numbers:
            numbers[c.attribute][i] = number
    return codes, numbers
