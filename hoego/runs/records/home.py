"""Which records are of the photos that the project of their folder names, and which were brought from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from hoego.errors import HoegoError
from hoego.recipe import find_project, read_toml
from hoego.runs.records.record import Record

_LOOKED_AT = 3
"""Recipes that are read at either end of a data set's records; all of them would slow a listing of thousands."""


def home_datasets(records: Iterable[Record]) -> frozenset[str]:
    """Return the fingerprints of the data sets whose photos lie where the hoego.toml beside the records says.

    Empty where there is one data set alone, or none is known to be at home: then no distinction is made.
    """
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record.meta.fingerprints.get("dataset", ""), []).append(record)
    if len(found) < 2:
        return frozenset()
    root = _root_beside(next(iter(found.values()))[0])
    return frozenset(print_ for print_, members in found.items() if root and _shows(members, root))


def _root_beside(record: Record) -> Path | None:
    file = find_project(record.folder.parent)
    try:
        said = {} if file is None else read_toml(file)
    except HoegoError:
        return None
    named = said.get("dataset", {}).get("root", ".")
    return None if file is None or not isinstance(named, str) else (file.parent / named).resolve()


def _shows(records: Sequence[Record], root: Path) -> bool:
    for record in [*records[:_LOOKED_AT], *records[_LOOKED_AT:][-_LOOKED_AT:]]:
        try:
            named = record.recipe.get("dataset", {}).get("root")
        except HoegoError:
            continue
        if isinstance(named, str) and Path(named).resolve() == root:
            return True
    return False
