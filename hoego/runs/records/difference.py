"""What differs between two records, in the order in which a difference matters: recipe, code, environment, data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hoego import files
from hoego.results.records import RecordDifference, ValueChange
from hoego.runs.records.record import Record


def differences_of(a: Record, b: Record) -> RecordDifference:
    """Compare two records, of one store or of two.

    Raises RecordError where a file of one of them is missing or broken.
    """
    return RecordDifference(
        a=a.id,
        b=b.id,
        recipe=changes(_as_it_ran(a), _as_it_ran(b)),
        code=_code(a, b),
        environment=changes(a.environment, b.environment),
        data=changes(a.meta.fingerprints, b.meta.fingerprints),
        results=changes(_results(a), _results(b)),
    )


def changes(a: Mapping[str, Any], b: Mapping[str, Any], prefix: str = "") -> tuple[ValueChange, ...]:
    """Return the keys (nested ones joined by dots) whose values differ, in the order of `a`, then of `b`."""
    found: list[ValueChange] = []
    for key in dict.fromkeys((*a, *b)):
        left, right = a.get(key), b.get(key)
        if isinstance(left, Mapping) or isinstance(right, Mapping):
            inner = [side if isinstance(side, Mapping) else {} for side in (left, right)]
            found += changes(inner[0], inner[1], f"{prefix}{key}.")
            lone = [side for side in (left, right) if side is not None and not isinstance(side, Mapping)]
            if lone:
                found.append(ValueChange(key=f"{prefix}{key}", a=left, b=right))
        elif left != right:
            found.append(ValueChange(key=f"{prefix}{key}", a=left, b=right))
    return tuple(found)


def _as_it_ran(record: Record) -> dict[str, Any]:
    """Return the recipe with the fold that was trained, which `--fold` may have set."""
    return {**record.recipe, "fold": record.fold}


def _code(a: Record, b: Record) -> tuple[ValueChange, ...]:
    left, right = (_code_that_ran(record) for record in (a, b))
    if left.get("hash") == right.get("hash"):
        return changes({"git": left.get("git")}, {"git": right.get("git")})
    return changes(left, right)


def _code_that_ran(record: Record) -> Mapping[str, Any]:
    path = record.folder / "code-ran.json"
    return files.read_json(path) if path.exists() else record.code


def _results(record: Record) -> dict[str, Any]:
    """Return the score's numbers: every `value` under its metric's name, and the honesty."""
    score = record.score
    if score is None:
        return {}
    others = {k: v for k, v in score.model_dump(mode="json").items() if not isinstance(v, (Mapping, list))}
    return {**{name: metric.value for name, metric in score.metrics.items()}, **others}
