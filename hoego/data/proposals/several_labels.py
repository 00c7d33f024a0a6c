"""Labels in several columns, or several in one cell, found in the values of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from hoego.data.proposals.column_words import BOOKS, LABEL_WORDS, TARGET_WORDS, words
from hoego.data.readers.indicators import number_of
from hoego.recipe.sections import MultiSettings

_NONE = ("no finding", "no findings", "none", "normal", "healthy", "no label", "negative")
_SEPARATORS = ("|", ";", ",", " ")
MOST_LABELS, FEWEST_COLUMNS = 200, 3


@dataclass(frozen=True)
class Several:
    """Labels of which a photo can have several, or one spread over columns.

    Args:
        multi: the settings; no columns where there is none.
        one_hot: columns of which exactly one holds 1 in every row.
        reason: for people.
    """

    multi: MultiSettings = field(default_factory=MultiSettings)
    one_hot: tuple[str, ...] = ()
    reason: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the table that are used."""
        return self.one_hot or self.multi.columns


def find_several(texts: dict[str, pl.Series]) -> Several:
    """Return the labels of a table's columns (texts [N], blank = null) in several columns or several
    in a cell.
    """
    for column, values in texts.items():
        found = _in_cells(column, values)
        if found is not None:
            return found
    named = [c for c in texts if set(words(c)) & TARGET_WORDS]
    flags = [c for c, values in texts.items() if _is_flag(c, values) and c not in named]
    if len(flags) < FEWEST_COLUMNS:
        return Several()
    rows = list(zip(*([number_of(t) for t in texts[c].to_list()] for c in flags), strict=True))
    if all(sum(v == 1 for v in row) == 1 and -1 not in row and None not in row for row in rows):
        said = f"{len(flags)} columns of 0 and 1, of which exactly one holds 1 in every row"
        return Several(one_hot=tuple(flags), reason=said)
    once = _one_hot_part(flags, rows)
    if once:
        said = f"{len(once)} columns of 0 and 1, of which exactly one holds 1 in every row"
        return Several(one_hot=once, reason=said)
    if named:
        return Several()
    counts = Counter(v for row in rows for v in row)
    parts = [f"{counts[1]:,} of 1", f"{counts[0]:,} of 0"]
    parts += [f"{counts[-1]:,} of -1"] * bool(counts[-1]) + [f"{counts[None]:,} blank"] * bool(counts[None])
    minus = counts[-1] > 0 and counts[0] == 0 and counts[None] == 0
    multi = MultiSettings(columns=tuple(flags), uncertain="no" if minus else "mask")
    return Several(
        multi, reason=f"{len(flags)} columns of {', '.join(parts)}: a photo can have several labels"
    )


def _one_hot_part(flags: Sequence[str], rows: Sequence[Sequence[int | None]]) -> tuple[str, ...]:
    """Return the longest run of neighbouring columns that is one-hot, of at least three of which each is used."""
    table = pl.DataFrame(rows, schema=list(flags), orient="row", infer_schema_length=None)
    for width in range(len(flags) - 1, FEWEST_COLUMNS - 1, -1):
        for start in range(len(flags) - width + 1):
            part = table.select(flags[start : start + width])
            plain = part.null_count().sum_horizontal()[0] == 0 and part.min_horizontal().min() == 0
            used = all(part[c].max() == 1 for c in part.columns)
            if plain and used and (part.sum_horizontal() == 1).all():
                return tuple(part.columns)
    return ()


def _is_flag(column: str, values: pl.Series) -> bool:
    if set(words(column)) & BOOKS:
        return False
    present = values.drop_nulls().unique().to_list()
    numbers = {number_of(t) for t in present}
    return None not in numbers and 1 in numbers and len(present) > (1 if values.null_count() == 0 else 0)


def _in_cells(column: str, values: pl.Series) -> Several | None:
    """Return whether the cells of a column name several labels, and by what they are separated."""
    cells = values.drop_nulls()
    if cells.n_unique() < 2 or set(words(column)) & BOOKS:
        return None
    for separator in _SEPARATORS:
        distinct = cells.unique().to_list()
        held = [text for text in distinct if separator in text]
        if not held:
            continue
        parts = [[p.strip() for p in text.split(separator)] for text in distinct]
        alone = {p[0] for p in parts if len(p) == 1}
        labels = {p for one in parts for p in one if p}
        recurring = sum(1 for p in labels if sum(p in one for one in parts) > 1 or p in alone)
        many = cells.str.contains(separator, literal=True).mean()
        looks = len(labels) <= min(MOST_LABELS, max(2, len(cells) // 2)) and max(map(len, labels)) <= 60
        if separator in ", " and not (labels - set(_NONE) <= alone or recurring == len(labels)):
            continue
        if separator == " " and not (labels <= alone and set(words(column)) & LABEL_WORDS):
            continue
        if separator in ";," and recurring < 0.5 * len(labels):
            continue
        if looks and isinstance(many, float) and many > 0.02 and all(len(set(p)) == len(p) for p in parts):
            none = tuple(sorted(label for label in labels if label.lower() in _NONE and label in alone))
            shown = max(held, key=len) if len(max(held, key=len)) < 60 else held[0]
            said = f"cells of {column!r} name several labels, such as {shown[:60]!r}"
            multi = MultiSettings(columns=(column,), separator=separator, none=none, blank="no")
            return Several(multi, reason=said)
    return None
