"""What the page of an ensemble or a composition shows beside a run's: members, gains, diversity, sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from hoego.draw import ForestRow, forest, matrix
from hoego.errors import HoegoError
from hoego.results.ensemble import Matrix, SavedComposition, SavedEnsemble
from hoego.runs.records import Record, RunStore

MOST_SHOWN = 24
Facts = dict[str, Any]


def combined_parts(record: Record) -> Facts | None:
    """Return the facts of a combination, drawn; None for a run."""
    content, store = record.combined, RunStore(record.folder.parent)
    if content is None:
        return None
    if isinstance(content, SavedEnsemble):
        return _ensemble(content, store)
    return _composition(content, store)


def _ensemble(content: SavedEnsemble, store: RunStore) -> Facts:
    found = content.ensemble
    titles = _titles(store, content.members)
    order = sorted(range(len(titles)), key=lambda i: -abs(found.members[i].weight))
    shown = order[:MOST_SHOWN]
    gains = [
        ForestRow(label=titles[i], value=m.value, low=m.low, high=m.high)
        for i in shown
        if (m := found.members[i].marginal) is not None
    ]
    names = [titles[i] for i in shown]
    return {
        "kind": content.kind,
        "verdict": found.verdict,
        "decision": found.decision,
        "members": [(titles[i], found.members[i]) for i in order],
        "best": next(
            (t for t, m in zip(titles, found.members, strict=True) if m.run == found.best_member), None
        ),
        "shown": len(shown),
        "gains": Markup(forest(gains, zero=0.0, digits=4, label="marginal gain of each member"))
        if gains
        else "",
        "disagreement": _square(
            _picked(found.disagreement, shown),
            names,
            "{row} and {column} differ on {value:.1%} of the photos",
        ),
        "correlation": _square(
            _picked(found.error_correlation, shown),
            names,
            "errors of {row} and {column}: correlation {value:.3f}",
        ),
    }


def _picked(values: Matrix, shown: list[int]) -> list[list[float | None]]:
    return [[values[i][j] for j in shown] for i in shown]


def _square(picked: list[list[float | None]], names: list[str], says: str) -> Markup | str:
    """Return the matrix of the shown members; nothing where no two of them can be set side by side."""
    off = [abs(v) for i, row in enumerate(picked) for j, v in enumerate(row) if i != j and v is not None]
    if not off:
        return ""
    return Markup(matrix(picked, names, top=max(off), says=says, label="members side by side"))


def _composition(content: SavedComposition, store: RunStore) -> Facts:
    choices = () if content.composition is None else content.composition.choices
    ids = list(dict.fromkeys([*content.runs, *(run for c in choices for run in c.scores)]))
    title = dict(zip(ids, _titles(store, ids), strict=True))
    return {
        "kind": content.kind,
        "parts": {a: title[r] for a, r in content.parts.items()},
        "choices": choices,
        "title": title,
    }


def _titles(store: RunStore, ids: Sequence[str]) -> list[str]:
    """Return names of runs where they have distinct ones, else their ids."""
    names = []
    for run in ids:
        try:
            names.append(store.find(run).meta.name or run)
        except HoegoError:
            names.append(run)
    return [name if names.count(name) == 1 else run for name, run in zip(names, ids, strict=True)]
