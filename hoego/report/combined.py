"""What the page of an ensemble or a composition shows beside a run's: members, gains, diversity, sources."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from hoego import files
from hoego.draw import ForestRow, forest, matrix
from hoego.errors import HoegoError
from hoego.runs.combined import COMBINED, is_combined
from hoego.runs.records import Record, RunKind, RunStore

MOST_SHOWN = 24
Facts = dict[str, Any]


def combined_parts(record: Record) -> Facts | None:
    """Return the facts of a combination, drawn; None for a run."""
    if not is_combined(record):
        return None
    content = files.read_json(record.folder / COMBINED)
    if record.kind is RunKind.ENSEMBLE:
        return _ensemble(content, RunStore(record.folder.parent))
    return _composition(content, RunStore(record.folder.parent))


def _ensemble(content: Facts, store: RunStore) -> Facts:
    found = content["ensemble"]
    titles = _titles(store, content["members"])
    members = [{**m, "title": t} for m, t in zip(found["members"], titles, strict=True)]
    order = sorted(range(len(members)), key=lambda i: -abs(members[i]["weight"]))
    shown = order[:MOST_SHOWN]
    gains = [
        ForestRow(label=members[i]["title"], value=m["value"], low=m["low"], high=m["high"])
        for i in shown
        if (m := members[i]["marginal"]) is not None
    ]
    return {
        "kind": "ensemble",
        "verdict": found["verdict"],
        "decision": found.get("decision"),
        "members": [members[i] for i in order],
        "best": next((m["title"] for m in members if m["run"] == found["best_member"]), None),
        "shown": len(shown),
        "gains": Markup(forest(gains, zero=0.0, digits=4, label="marginal gain of each member"))
        if gains
        else "",
        "disagreement": _square(
            found["disagreement"], shown, members, "{row} and {column} differ on {value:.1%} of the photos"
        ),
        "correlation": _square(
            found["error_correlation"],
            shown,
            members,
            "errors of {row} and {column}: correlation {value:.3f}",
        ),
    }


def _square(
    values: list[list[float | None]], shown: list[int], members: list[Facts], says: str
) -> Markup | str:
    """Return the matrix of the shown members; nothing where no two of them can be set side by side."""
    picked = [[values[i][j] for j in shown] for i in shown]
    off = [abs(v) for i, row in enumerate(picked) for j, v in enumerate(row) if i != j and v is not None]
    if not off:
        return ""
    names = [members[i]["title"] for i in shown]
    return Markup(matrix(picked, names, top=max(off), says=says, label="members side by side"))


def _composition(content: Facts, store: RunStore) -> Facts:
    found = content.get("composition", {})
    ids = list(dict.fromkeys([*content["parts"].values(), *_named(found.get("choices", []))]))
    title = dict(zip(ids, _titles(store, ids), strict=True))
    choices = [
        {
            "attribute": c["attribute"],
            "chosen": title[c["chosen"]],
            "by_part": [title[r] for r in c["by_part"]],
            "scores": [(title[r], s) for r, s in c["scores"].items()],
        }
        for c in found.get("choices", [])
    ]
    parts = {a: title[r] for a, r in content["parts"].items()}
    return {"kind": "composition", "parts": parts, "choices": choices}


def _named(choices: list[Facts]) -> list[str]:
    return [run for c in choices for run in c["scores"]]


def _titles(store: RunStore, ids: list[str]) -> list[str]:
    """Return names of runs where they have distinct ones, else their ids."""
    names = []
    for run in ids:
        try:
            names.append(store.find(run).meta.name or run)
        except HoegoError:
            names.append(run)
    return [name if names.count(name) == 1 else run for name, run in zip(names, ids, strict=True)]
