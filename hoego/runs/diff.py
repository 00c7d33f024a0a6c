"""`hoego diff`: what differs between two runs, ending with the paired comparison of their results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hoego import files
from hoego.errors import HoegoError
from hoego.results.comparison import Comparison
from hoego.runs.records import Record, RecordDifference, ValueChange, differences_of

_LABELS = ("labels", "labels_version")


@dataclass(frozen=True)
class RunDiff:
    """Two runs beside each other. `comparison` is what `hoego compare` says of them, None where
    they cannot be compared; `words` is the verdict, or why there is none."""

    difference: RecordDifference
    comparison: Comparison | None
    words: str

    @property
    def labels(self) -> tuple[ValueChange, ...]:
        """What differs in the labels' version."""
        return tuple(c for c in self.difference.data if c.key in _LABELS)

    @property
    def split(self) -> tuple[ValueChange, ...]:
        """What differs in the data set's and the split's fingerprints."""
        return tuple(c for c in self.difference.data if c.key not in (*_LABELS, "recipe"))

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types: a, b, the parts as lists of {key, a, b}, the comparison and the words."""
        plain = self.difference.to_dict()
        parts = {key: plain[key] for key in ("a", "b", "same", "recipe", "code", "environment")}
        found = {"labels": self.labels, "split": self.split, "results": self.difference.results}
        parts |= {key: [vars(c) for c in changes] for key, changes in found.items()}
        return dict(files.plain({**parts, "comparison": self.comparison, "words": self.words}))


def diff(a: Record, b: Record) -> RunDiff:
    """Compare recipe, code, environment, labels and split of two runs, then their results, with the paired
    verdict.

    Raises RecordError where a record is broken.
    """
    found = differences_of(a, b)
    try:
        comparison = _compared(a, b)
    except HoegoError as problem:
        return RunDiff(found, None, f"The results cannot be compared: {problem.message}")
    return RunDiff(found, comparison, comparison.sentence)


def _compared(a: Record, b: Record) -> Comparison:
    from hoego.runs.verdicts import compare_records

    return compare_records([a], [b])
