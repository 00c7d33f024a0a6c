"""Aliases of subjects: their values in every column that names them, and the names that were merged with theirs.

A subject has one name, so one that was seen under another name would look new. A comparison of the subjects of two
data sets checks the aliases too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hoego.data.spelling import pack_names
from hoego.results.provenance import PackedAliases

Names = NDArray[Any]
NONE: Names = np.empty(0, dtype=np.str_)


@dataclass(frozen=True)
class SubjectAliases:
    """The further names of the subjects of one data set, or of several.

    Args:
        column: whose values the subjects' own names are; "" where that is not known.
        keys: "column=value" of every further name [M], sorted; each is of one subject.
        subjects: the subject of each [M].
    """

    column: str = ""
    keys: Names = field(default_factory=NONE.copy)
    subjects: Names = field(default_factory=NONE.copy)

    @classmethod
    def of(
        cls, rows: pl.DataFrame, columns: Sequence[str], subjects: Sequence[str], namespace: str = ""
    ) -> SubjectAliases:
        """Return the further names in a table.

        Args:
            rows: one per image.
            columns: those that name subjects; the first gives them their names.
            subjects: the joined subject of each image [N], in its namespace.
            namespace: put before every value, as before the subjects.
        """
        first = f"{namespace}/" if namespace else ""
        keys: dict[str, str] = {}
        for column in columns:
            named = pl.DataFrame({"value": first + rows[column].cast(pl.String), "subject": list(subjects)})
            if column == columns[0]:
                named = named.filter(pl.col("value") != pl.col("subject"))
            keys |= {_key(column, value): subject for value, subject in named.unique().iter_rows()}
        return cls.from_keys(columns[0] if columns else "", keys)

    @classmethod
    def from_keys(cls, column: str, keys: dict[str, str]) -> SubjectAliases:
        """Build the aliases from key -> subject."""
        ordered = sorted(keys)
        return cls(
            column, np.asarray(ordered, dtype=np.str_), np.asarray([keys[k] for k in ordered], np.str_)
        )

    @cached_property
    def columns(self) -> frozenset[str]:
        """The columns that names are known from."""
        return frozenset(_column_of(k) for k in self.keys.tolist()) | ({self.column} - {""})

    @cached_property
    def digest(self) -> str:
        """Of all of it."""
        return blake2b(
            pack_names([self.column, *self.keys.tolist(), *self.subjects.tolist()]), digest_size=8
        ).hexdigest()

    def union(self, other: SubjectAliases, names: Names) -> SubjectAliases:
        """Return the further names of both, given the subjects `names` of the other."""
        keys = dict(zip(self.keys.tolist(), self.subjects.tolist(), strict=True))
        keys |= dict(zip(other.keys.tolist(), other.subjects.tolist(), strict=True))
        if other.column and other.column != self.column:
            keys |= {_key(other.column, n): n for n in names.tolist()}
        return SubjectAliases.from_keys(self.column or other.column, keys)

    def shared(self, mine: Names, other: SubjectAliases, theirs: Names) -> set[str]:
        """Return which of the subjects `theirs` of another data set go by a name of the subjects `mine`.

        Values are compared within a column; a column that the other side does not know may stand for any of its.
        Equal names of the subjects themselves are left to whoever asks.
        """
        if not (self.keys.size or other.keys.size):
            return set()
        if self.digest == other.digest and np.isin(mine, theirs).all():
            return set()
        here = self._by_key(mine)
        there = other._by_key(theirs)
        found = {subject for key, subject in there.items() if key in here}
        if self.column not in other.columns:
            own = set(mine.tolist())
            found |= {s for key, s in there.items() if key.partition("=")[2] in own}
        if other.column not in self.columns:
            values = {key.partition("=")[2] for key in here}
            found |= set(theirs.tolist()) & values
        return found

    def _by_key(self, subjects: Names) -> dict[str, str]:
        """Return every name of the subjects, their own included -> the subject."""
        wanted = set(subjects.tolist())
        further = zip(self.keys.tolist(), self.subjects.tolist(), strict=True)
        return {_key(self.column, s): s for s in wanted} | {k: s for k, s in further if s in wanted}

    def packed(self) -> PackedAliases:
        """Return the names as files hold them."""
        keys, subjects = tuple(self.keys.tolist()), tuple(self.subjects.tolist())
        return PackedAliases(column=self.column, keys=keys, subjects=subjects)

    @classmethod
    def unpacked(cls, packed: PackedAliases) -> SubjectAliases:
        """Return the names that `packed` packed."""
        return cls.from_keys(packed.column, dict(zip(packed.keys, packed.subjects, strict=True)))


def _key(column: str, value: str) -> str:
    # The first "=" ends the column, so one in the column's own name is escaped.
    return f"{column.replace('=', '%3D')}={value}"


def _column_of(key: str) -> str:
    return key.partition("=")[0].replace("%3D", "=")
