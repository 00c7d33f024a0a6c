"""What the columns of a table are: the subject, the attributes, or neither. Guesses with a certainty and a reason."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from hoego.data.encode import natural
from hoego.data.proposals.column_words import (
    BOOKS,
    BOOKS_IF_NUMBERS,
    LABEL_WORDS,
    ORDER_WORDS,
    TAKEN,
    words,
)
from hoego.data.proposals.commented_toml import Certainty
from hoego.data.proposals.several_labels import Several, find_several
from hoego.data.proposals.subject_columns import SubjectGuess, guess_subject
from hoego.data.readers.indicators import attribute_name

_SIDES = frozenset(("width", "height", "w", "h"))
ORDERS = (
    ("none", "minimal", "mild", "moderate", "severe", "proliferative", "critical"),
    ("very low", "low", "medium", "high", "very high"), ("low", "mid", "high"), ("low", "middle", "high"),
    ("xs", "s", "m", "l", "xl"), ("tiny", "small", "medium", "large", "huge"),
    ("baby", "child", "teen", "young", "adult", "middle", "senior", "old"), ("young", "middle", "old"),
    ("bad", "poor", "fair", "good", "excellent"), ("unripe", "ripe", "overripe"), ("light", "medium", "dark"),
    ("first", "second", "third", "fourth"), ("dim", "normal", "bright"), ("short", "medium", "long"),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ColumnGuess:
    """The role of a column.

    Args:
        column: its name in the table.
        name: the attribute's name.
        kind: nominal, ordinal or binned.
        classes: in order; empty where left to the data.
        edges: of a binned attribute.
        missing: whether it holds blanks.
        certainty, reason: for people.
    """

    column: str
    name: str
    kind: str
    classes: tuple[str, ...]
    edges: tuple[float, ...]
    missing: bool
    certainty: Certainty
    reason: str


@dataclass(frozen=True, kw_only=True)
class GuessedColumns:
    """All columns of a table, sorted into what they are.

    Args:
        subject: the subject column, or that there is none.
        attributes: in the order of the table.
        several: labels in several columns, or several in a cell.
        others: column -> why it is not a label.
        aliases: column left out -> the one that says the same.
    """

    subject: SubjectGuess
    attributes: tuple[ColumnGuess, ...]
    several: Several
    others: dict[str, str]
    aliases: dict[str, str]


def guess_columns(
    frame: pl.DataFrame, skip: Sequence[str], paths: Sequence[str] = (), *, trusted: bool = False
) -> GuessedColumns:
    """Sort the columns of a table of N rows (texts, blank = null).

    Args:
        frame: the table.
        skip: columns known for something else (the path).
        paths: of the photos [N], where they are known.
        trusted: every column is known to be a label (it was read from folders or names).
    """
    names = [c for c in frame.columns if c not in skip]
    texts = {c: frame[c].cast(pl.String) for c in names}
    if trusted:
        attributes = tuple(_attribute(c, texts[c]) for c in names)
        return GuessedColumns(
            subject=SubjectGuess(None, "unsure", ""),
            attributes=attributes,
            several=Several(),
            others={},
            aliases={},
        )
    subject = guess_subject(texts, paths)
    several = find_several({c: v for c, v in texts.items() if c != subject.column})
    of_subject = None if subject.column is None else texts[subject.column]
    sides = len([c for c in names if set(words(c)) & _SIDES]) > 1
    found: list[ColumnGuess] = []
    others: dict[str, str] = {}
    for column in names:
        if column == subject.column or column in several.columns:
            continue
        why = _no_label(column, texts[column], of_subject)
        if why is None and sides and set(words(column)) & _SIDES:
            why = "with its sister column it is the photo's size"
        if why is not None:
            others[column] = why
        else:
            found.append(_attribute(column, texts[column]))
    kept, aliases = _without_aliases(found, texts)
    said = {c: f"it says the same as {winner}" for c, winner in aliases.items()}
    return GuessedColumns(
        subject=subject, attributes=kept, several=several, others=others | said, aliases=aliases
    )


def _no_label(column: str, values: pl.Series, subject: pl.Series | None) -> str | None:
    """Return why a column is not an attribute; None if it may be one."""
    parts, present = set(words(column)), values.drop_nulls()
    distinct, n = present.n_unique(), len(present)
    numeric = present.cast(pl.Float64, strict=False).null_count() == 0
    if distinct < 2:
        return "it holds one value only"
    if not parts & LABEL_WORDS:
        if parts & BOOKS or (parts & BOOKS_IF_NUMBERS and (numeric or distinct > 30)):
            return "by its name it is bookkeeping"
        if parts & TAKEN:
            return "by its name it says how the photo was taken; scores can be sliced by it"
        if parts == {"id"} or ("id" in parts and distinct > n // 4):
            return "by its name it is an identifier"
    if not numeric and distinct > max(30, n // 20):
        return f"{distinct:,} different texts are too many for classes"
    if numeric and distinct == n and n > 20 and "age" not in parts:
        return "each photo has another number"
    if numeric and subject is not None and _counts_within(values, subject):
        return "it numbers the photos of a subject"
    return None


def _counts_within(values: pl.Series, subject: pl.Series) -> bool:
    """Return whether a subject's photos hold different numbers, the same range for most subjects."""
    table = pl.DataFrame({"v": values, "s": subject}).drop_nulls()
    per = table.group_by("s").agg(n=pl.len(), d=pl.col("v").n_unique())
    several = per.filter(pl.col("n") > 2)
    return several.height > 1 and bool((several["n"] == several["d"]).all())


def _attribute(column: str, values: pl.Series) -> ColumnGuess:
    present = values.drop_nulls()
    parts = set(words(column))
    classes = tuple(sorted(present.unique().to_list(), key=natural))
    plain = ColumnGuess(
        column=column,
        name=attribute_name(column),
        kind="nominal",
        classes=classes,
        edges=(),
        missing=values.null_count() > 0,
        certainty="likely",
        reason=_shares(present),
    )
    numbers = present.cast(pl.Float64, strict=False)
    if numbers.null_count() == 0:
        return _number(plain, numbers, parts)
    order = _order(classes)
    if order is not None:
        return replace(
            plain, kind="ordinal", classes=order, reason=f"its values have an order; {plain.reason}"
        )
    return replace(plain, certainty="sure" if len(classes) <= 20 else "likely")


def _number(plain: ColumnGuess, numbers: pl.Series, parts: set[str]) -> ColumnGuess:
    values = numbers.to_numpy()
    whole = bool((values == np.floor(values)).all())
    few = whole and len(plain.classes) <= 10
    if few and parts & ORDER_WORDS and len(plain.classes) > 2:
        return replace(
            plain, kind="ordinal", reason=f"whole numbers, by its name with an order; {plain.reason}"
        )
    named = bool(parts & LABEL_WORDS) or "id" in parts or "code" in parts
    if few or (whole and named):
        return replace(plain, certainty="likely" if named or len(plain.classes) == 2 else "unsure")
    edges = cut(values, "age" in parts or "나이" in plain.column)
    if not edges:
        return replace(plain, certainty="unsure")
    return replace(
        plain,
        kind="binned",
        classes=(),
        edges=edges,
        certainty="likely" if "age" in parts else "unsure",
        reason=f"numbers from {values.min():g} to {values.max():g}; check the edges",
    )


def cut(values: np.ndarray, age: bool) -> tuple[float, ...]:
    """Return edges that make three classes of numbers [N]: 30 and 60 for an age that spans them, else rounded
    thirds.
    """
    if age and values.min() < 30 and values.max() >= 60:
        return (30.0, 60.0)
    low, high = float(values.min()), float(values.max())
    step = 10.0 ** np.floor(np.log10(max(high - low, 1e-12) / 6))
    edges: list[float] = []
    for share in (1 / 3, 2 / 3):
        edge = float(np.round(np.quantile(values, share) / step) * step)
        edge = float(f"{edge:.10g}")
        if low < edge <= high and (not edges or edge > edges[-1]):
            edges.append(edge)
    return tuple(edges)


def _order(classes: Sequence[str]) -> tuple[str, ...] | None:
    """Return the classes in their order, where it is known from their names."""
    lower = {c.lower().replace("_", " ").strip(): c for c in classes}
    for order in ORDERS:
        if len(classes) > 2 and set(lower) <= set(order):
            return tuple(lower[w] for w in order if w in lower)
    numbered = [re.fullmatch(r"(?:grade|stage|level)[ _-]?(\d+)", w) for w in lower]
    if len(classes) > 2 and all(numbered):
        return tuple(sorted(classes, key=natural))
    return None


def _integer(value: object) -> int:
    assert isinstance(value, int)
    return value


def _shares(present: pl.Series) -> str:
    counts = present.value_counts()["count"]
    return f"{len(counts):,} classes of {_integer(counts.min()):,} to {_integer(counts.max()):,} photos"


def _without_aliases(
    attributes: Sequence[ColumnGuess], texts: dict[str, pl.Series]
) -> tuple[tuple[ColumnGuess, ...], dict[str, str]]:
    """Keep one of several columns with the same content: the one in words, else the first."""
    kept: list[ColumnGuess] = []
    dropped: dict[str, str] = {}
    for a in attributes:
        same = next((k for k in kept if determines(texts, k, a) and determines(texts, a, k)), None)
        if same is None or a.kind == "binned":
            kept.append(a)
            continue
        wordy = texts[a.column].drop_nulls().cast(pl.Float64, strict=False).null_count() > 0
        plain = texts[same.column].drop_nulls().cast(pl.Float64, strict=False).null_count() == 0
        loser, winner = (same, a) if wordy and plain else (a, same)
        kept = [winner if k is loser else k for k in kept] if loser is same else kept
        dropped[loser.column] = winner.column
    return tuple(kept), dropped


def determines(texts: dict[str, pl.Series], a: ColumnGuess, b: ColumnGuess) -> bool:
    """Return whether the value of `a` always gives that of `b`."""
    pair = pl.DataFrame({"a": texts[a.column], "b": texts[b.column]}).drop_nulls()
    return pair.n_unique() == pair["a"].n_unique()
