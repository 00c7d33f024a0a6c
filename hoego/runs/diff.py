"""`hoego diff`: what differs between two runs, ending with the paired comparison of their results."""

from __future__ import annotations

from hoego.errors import HoegoError
from hoego.results.comparison import Comparison
from hoego.results.records import RunDiff
from hoego.runs.records import Record, differences_of

_LABELS = ("labels", "labels_version")


def diff(a: Record, b: Record) -> RunDiff:
    """Compare recipe, code, environment, labels and split of two runs, then their results, with the paired
    verdict.

    Raises RecordError where a record is broken.
    """
    found = differences_of(a, b)
    comparison: Comparison | None = None
    try:
        comparison = _compared(a, b)
        words = comparison.sentence
    except HoegoError as problem:
        words = f"The results cannot be compared: {problem.message}"
    return RunDiff(
        a=found.a,
        b=found.b,
        same=found.same,
        recipe=found.recipe,
        code=found.code,
        environment=found.environment,
        labels=tuple(c for c in found.data if c.key in _LABELS),
        split=tuple(c for c in found.data if c.key not in (*_LABELS, "recipe")),
        results=found.results,
        comparison=comparison,
        words=words,
    )


def _compared(a: Record, b: Record) -> Comparison:
    from hoego.runs.verdicts import compare_records

    return compare_records([a], [b])
