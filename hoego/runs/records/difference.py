"""What differs between two records, in the order in which a difference matters: recipe, code, environment, data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hoego import files
from hoego.runs.records.record import Record


@dataclass(frozen=True)
class ValueChange:
    """One value that differs; None where that side does not have it."""

    key: str
    a: Any
    b: Any


@dataclass(frozen=True)
class RecordDifference:
    """Two records beside each other. Each part lists only what differs; `same` when none does.

    `data` holds the fingerprints (data set, labels version, split); `results` the metrics of the two scores.
    """

    a: str
    b: str
    recipe: tuple[ValueChange, ...]
    code: tuple[ValueChange, ...]
    environment: tuple[ValueChange, ...]
    data: tuple[ValueChange, ...]
    results: tuple[ValueChange, ...]

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not (self.recipe or self.code or self.environment or self.data or self.results)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {**files.plain(asdict(self)), "same": self.same}


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
                found.append(ValueChange(f"{prefix}{key}", left, right))
        elif left != right:
            found.append(ValueChange(f"{prefix}{key}", left, right))
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
