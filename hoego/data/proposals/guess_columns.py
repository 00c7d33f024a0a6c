"""What the columns of a table are: the subject, the attributes, or neither. Guesses with a certainty and a reason."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl

from hoego.data.encode import natural

Certainty = Literal["sure", "likely", "unsure"]

_SURE = "patient person subject participant individual identity track group animal donor specimen pid sid mrn tracklet"
_LIKELY = (
    "owner user lesion case video clip sequence burst study plant tree session scene series slide visit id"
)
SUBJECT_WORDS = dict.fromkeys(_LIKELY.split(), 1) | dict.fromkeys(_SURE.split(), 2)
"""Words in a column's name that mean a subject, by strength."""

_TARGET = "label labels class classes category target y diagnosis dx"
_LABEL = f"{_TARGET} disease species breed kind type variety family genus"
_ORDER = "grade stage level severity score rank rating quality size degree"
TARGET_WORDS, LABEL_WORDS = frozenset(_TARGET.split()), frozenset(_LABEL.split())
ORDER_WORDS = frozenset(_ORDER.split())

_BOOKS = (
    "fold split subset partition set url link license author md5 sha hash checksum unnamed bbox roi box exif"
)
_BOOKS_IF_NUMBERS = """
    frame index idx row number no nr order date time timestamp datetime year bytes filesize x x0 y0 x1 y1 x2 y2
    xmin ymin xmax ymax lat lon latitude longitude note notes comment comments remark source iso shutter orig
"""
_TAKEN = "camera site scanner device machine hospital batch session visit operator rater annotator"
BOOKS, BOOKS_IF_NUMBERS = frozenset(_BOOKS.split()), frozenset(_BOOKS_IF_NUMBERS.split())
"""Words in a column's name that mean bookkeeping: whatever it holds, or where it holds numbers or many texts."""
TAKEN = frozenset(_TAKEN.split())
"""Words that mean where, how or by whom a photo was taken: something to slice scores by, not to predict."""

_SIDES = frozenset(("width", "height", "w", "h"))
ORDERS = (
    ("none", "minimal", "mild", "moderate", "severe", "proliferative", "critical"),
    ("very low", "low", "medium", "high", "very high"), ("low", "mid", "high"), ("low", "middle", "high"),
    ("xs", "s", "m", "l", "xl"), ("tiny", "small", "medium", "large", "huge"),
    ("baby", "child", "teen", "young", "adult", "middle", "senior", "old"), ("young", "middle", "old"),
    ("bad", "poor", "fair", "good", "excellent"), ("unripe", "ripe", "overripe"), ("light", "medium", "dark"),
    ("first", "second", "third", "fourth"), ("dim", "normal", "bright"), ("short", "medium", "long"),
)  # fmt: skip


@dataclass(frozen=True)
class Guess:
    """What a column was taken for.

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


@dataclass(frozen=True)
class Columns:
    """All columns of a table, sorted into what they are.

    Args:
        subject: the subject column, or None.
        subject_certainty, subject_reason: for people.
        attributes: in the order of the table.
        others: column -> why it is no label.
    """

    subject: str | None
    subject_certainty: Certainty
    subject_reason: str
    attributes: tuple[Guess, ...]
    others: dict[str, str]


def words(name: str) -> list[str]:
    """The words of a column's name.

    >>> words("patientID"), words("orig_w"), words("Skin Type")
    (['patient', 'id'], ['orig', 'w'], ['skin', 'type'])
    """
    split = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    return [w for w in re.split(r"[^a-z0-9]+", split.lower()) if w]


def guess_columns(frame: pl.DataFrame, skip: Sequence[str]) -> Columns:
    """Sorts the columns of a table of N rows (texts, blank = null).

    Args:
        frame: the table.
        skip: columns known for something else (the path).
    """
    names = [c for c in frame.columns if c not in skip]
    texts = {c: frame[c].cast(pl.String) for c in names}
    subject, certainty, reason = _subject(texts, frame.height)
    sides = len([c for c in names if set(words(c)) & _SIDES]) > 1
    attributes: list[Guess] = []
    others: dict[str, str] = {}
    for column in names:
        if column == subject:
            continue
        why = _no_label(column, texts[column], None if subject is None else texts[subject])
        if why is None and sides and set(words(column)) & _SIDES:
            why = "with its sister column it is the photo's size"
        if why is not None:
            others[column] = why
        else:
            attributes.append(_attribute(column, texts[column]))
    kept, aliases = _without_aliases(attributes, texts)
    return Columns(subject, certainty, reason, kept, others | aliases)


def _subject(texts: dict[str, pl.Series], n: int) -> tuple[str | None, Certainty, str]:
    found: list[tuple[float, int, str]] = []
    for column, values in texts.items():
        distinct = values.n_unique()
        if values.null_count() or distinct > 0.9 * n or distinct < 2:
            continue
        strength = _strength(column, values)
        if strength == 2 or (strength and distinct >= max(10, n // 100)):
            found.append((strength, -distinct, column))
    if not found:
        none = (
            "no column looks like one, so each photo counts as its own subject; if that is wrong, scores leak"
        )
        return None, "unsure", none
    strength, distinct, column = max(found)
    rest = [c for _, _, c in found if c != column]
    also = f"; {', '.join(rest)} could be joined to it" if rest else ""
    why = f"{'by its name' if strength else 'its values look like ids'}, {-distinct:,} for {n:,} photos{also}"
    return column, "sure" if strength == 2 else "likely", why


def _strength(column: str, values: pl.Series) -> float:
    """How much a column looks like a subject: 2 or 1 by its name, 0.5 by its values (b01, b02, ...), or 0."""
    parts = words(column)
    if LABEL_WORDS & set(parts):
        return 0
    strength = max(
        (SUBJECT_WORDS.get(w, 0) for w in (*parts, *(p.removesuffix("id") for p in parts))), default=0
    )
    if not strength and not set(parts) & (BOOKS | BOOKS_IF_NUMBERS | ORDER_WORDS | TAKEN):
        like = values.unique().str.contains(r"^(?:[A-Za-z]+[-_ ]?\d{2,}|[A-Za-z]*0\d+)\w{0,3}$")
        return 0.5 if like.mean() == 1 else 0
    return strength


def _no_label(column: str, values: pl.Series, subject: pl.Series | None) -> str | None:
    """Why a column is no attribute; None where it may be one."""
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
    """Whether a subject's photos hold different numbers, the same range for most subjects."""
    table = pl.DataFrame({"v": values, "s": subject}).drop_nulls()
    per = table.group_by("s").agg(n=pl.len(), d=pl.col("v").n_unique())
    several = per.filter(pl.col("n") > 2)
    return several.height > 1 and bool((several["n"] == several["d"]).all())


def attribute_name(column: str) -> str:
    """A column's name as a key of TOML and of `--set`.

    >>> attribute_name("Skin Type (I-VI)"), attribute_name("성별")
    ('Skin_Type_I_VI', '성별')
    """
    name = re.sub(r"\W+", "_", column).strip("_") or "label"
    return f"{name}_" if name in ("composite", "image", "path", "subject", "content", "row") else name


def _attribute(column: str, values: pl.Series) -> Guess:
    present = values.drop_nulls()
    parts = set(words(column))
    classes = tuple(sorted(present.unique().to_list(), key=natural))
    plain = Guess(
        column,
        attribute_name(column),
        "nominal",
        classes,
        (),
        values.null_count() > 0,
        "likely",
        _shares(present),
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


def _number(plain: Guess, numbers: pl.Series, parts: set[str]) -> Guess:
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
    """Edges that make three classes of numbers [N]: 30 and 60 for an age that spans them, else rounded thirds."""
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
    """The classes in their order, where it is known from their names."""
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
    attributes: Sequence[Guess], texts: dict[str, pl.Series]
) -> tuple[tuple[Guess, ...], dict[str, str]]:
    """Of columns that say the same in other words, the one in words (else the first) stays."""
    kept: list[Guess] = []
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
        dropped[loser.column] = f"it says the same as {winner.column}"
    return tuple(kept), dropped


def determines(texts: dict[str, pl.Series], a: Guess, b: Guess) -> bool:
    """Whether the value of `a` always gives that of `b`."""
    pair = pl.DataFrame({"a": texts[a.column], "b": texts[b.column]}).drop_nulls()
    return pair.n_unique() == pair["a"].n_unique()
