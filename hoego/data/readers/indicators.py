"""Labels in several columns, or several in one cell: made into one column of classes per attribute."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NoReturn

import polars as pl

from hoego.data.readers.tables import DataTable
from hoego.errors import DataError, nearest
from hoego.recipe.sections import AttributeSettings, LabelSettings, MultiSettings
from hoego.short_repr import ShortRepr

NO, YES = "no", "yes"
_NUMBERS = {
    "1": 1,
    "1.0": 1,
    "0": 0,
    "0.0": 0,
    "-1": -1,
    "-1.0": -1,
    "true": 1,
    "false": 0,
    "yes": 1,
    "no": 0,
}


@dataclass(frozen=True, eq=False, repr=False)
class _Cells(ShortRepr):
    """A table beside its rows [N], for messages that name a line of the file."""

    table: DataTable
    rows: pl.DataFrame

    def refuse(self, k: int, column: str, message: str, remedy: str) -> NoReturn:
        line = self.rows["row"][k]
        raise DataError(message, file=self.table.path, row=line, column=column, remedy=remedy)

    def texts(self, column: str) -> list[str | None]:
        if column not in self.rows.columns:
            raise DataError(
                f"There is no column {column!r}.",
                file=self.table.path,
                row=1,
                column=column,
                remedy=nearest(column, self.rows.columns),
            )
        return self.rows[column].cast(pl.String).to_list()


def expanded(
    rows: pl.DataFrame, labels: LabelSettings, table: DataTable
) -> tuple[pl.DataFrame, LabelSettings]:
    """Return the rows with a column of classes for every one-hot attribute and every label of `labels.multi`.

    A one-hot attribute's class is the name of the column that holds 1. A label of `labels.multi` is an attribute of the
    classes no and yes; what is masked is blank.

    Raises:
        DataError: a cell is none of 1, 0, -1 and blank; a row of a one-hot attribute has not exactly one 1.
    """
    cells, attributes = _Cells(table, rows), dict(labels.attributes)
    for name, how in labels.attributes.items():
        if how.one_hot:
            values = _one_hot(cells, name, how)
            column = _free(rows, name)
            rows = rows.with_columns(pl.Series(column, values, dtype=pl.String))
            classes = how.classes or how.one_hot
            attributes[name] = how.model_copy(update={"column": column, "classes": classes})
    for label, values in _several(cells, labels.multi).items():
        name = attribute_name(label)
        column = _free(rows, name)
        rows = rows.with_columns(pl.Series(column, values, dtype=pl.String))
        plain = AttributeSettings(column=column, kind="nominal", classes=(NO, YES), missing="allow")
        attributes.setdefault(name, plain)
    return rows, labels.model_copy(update={"attributes": attributes})


def attribute_name(column: str) -> str:
    """Return a column's name as a key of TOML and of `--set`.

    >>> attribute_name("Skin Type (I-VI)"), attribute_name("성별")
    ('Skin_Type_I_VI', '성별')
    """
    name = re.sub(r"\W+", "_", column).strip("_") or "label"
    return f"{name}_" if name in ("composite", "image", "path", "subject", "content", "row") else name


def _free(rows: pl.DataFrame, name: str) -> str:
    """Return a column name that the table does not have."""
    while name in rows.columns:
        name += "_"
    return name


def number_of(text: str | None) -> int | None:
    """Return 1, 0 or -1 for a cell; None for a blank cell and for any other text."""
    return None if text is None else _NUMBERS.get(text.strip().lower())


def _one_hot(cells: _Cells, name: str, how: AttributeSettings) -> list[str | None]:
    columns = [cells.texts(c) for c in how.one_hot]
    out: list[str | None] = []
    for k, row in enumerate(zip(*columns, strict=True)):
        numbers = [number_of(text) for text in row]
        held = [c for c, n in zip(how.one_hot, numbers, strict=True) if n == 1]
        wrong = [c for c, n, t in zip(how.one_hot, numbers, row, strict=True) if n in (None, -1) and t]
        if len(held) == 1 and not wrong:
            out.append(held[0])
        elif not held and not wrong and how.missing == "allow":
            out.append(None)
        else:
            said = f"{cells.rows['image'][k]!r} has {len(held)} classes of {name!r} ({', '.join(held) or 'none'})"
            cells.refuse(
                k,
                (wrong or list(how.one_hot))[0],
                f"The columns of a one-hot attribute hold one 1 and zeros: {said}.",
                "Correct the row, or name the columns in labels.multi.columns if a photo can have several.",
            )
    return out


def _several(cells: _Cells, multi: MultiSettings) -> dict[str, list[str | None]]:
    if not multi.columns:
        return {}
    if multi.separator:
        return _named_in_cells(cells, multi)
    policy = {1: YES, 0: NO, -1: multi.uncertain, None: multi.blank}
    answers = {"mask": None, "yes": YES, "no": NO}
    out: dict[str, list[str | None]] = {}
    for column in multi.columns:
        values: list[str | None] = []
        for k, text in enumerate(cells.texts(column)):
            number = number_of(text)
            if number is None and text is not None and text.strip():
                cells.refuse(k, column, f"{text[:80]!r} is none of 1, 0, -1 and blank.", "Correct the cell.")
            values.append(answers[policy[number]])
        out[column] = values
    return out


def _named_in_cells(cells: _Cells, multi: MultiSettings) -> dict[str, list[str | None]]:
    """Return each label that a cell names, over all cells; `multi.none` are words for no label at all."""
    if len(multi.columns) != 1:
        raise DataError(
            "labels.multi has a separator, so it takes one column.",
            file=cells.table.path,
            remedy="Name the column whose cells hold several labels.",
        )
    named = [labels_in(text, multi) for text in cells.texts(multi.columns[0])]
    known = multi.labels or tuple(sorted({label for one in named if one for label in one}))
    for k, one in enumerate(named):
        strange = sorted((one or set()) - set(known))
        if strange:
            cells.refuse(
                k,
                multi.columns[0],
                f"{strange[0]!r} is not in labels.multi.labels.",
                nearest(strange[0], known),
            )
    blank = {"mask": None, "yes": YES, "no": NO}[multi.blank]
    return {
        label: [blank if one is None else YES if label in one else NO for one in named] for label in known
    }


def labels_in(text: str | None, multi: MultiSettings) -> set[str] | None:
    """Return the labels that a cell names; None where it is blank."""
    if text is None or not text.strip():
        return None
    return {part.strip() for part in text.split(multi.separator) if part.strip()} - set(multi.none)


def settings_of(multi: MultiSettings) -> dict[str, Any]:
    """Return the settings that differ from the defaults, for a TOML file."""
    return multi.model_dump(exclude_defaults=True)
